#!/bin/sh
# t_pod.sh - a stage per container: run/deploy/stage.sh as the first process of three pid namespaces that share network, IPC and /dev/shm,
# as the containers of a pod do; stages and whole containers are killed under load, and started again as a kubelet does.
set -eu
cd "$(dirname "$0")/../.."
if [ -z "${ONTIME_POD:-}" ]; then
	unshare --net --mount --ipc --pid --fork true 2>/dev/null || {
		echo "skip a stage per container: namespaces need root"
		exit 77
	}
	ONTIME_POD=1 exec unshare --net --mount --ipc "$0" "$@"
fi
# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh
work=$(mktemp -d)
ONTIME_BUILD=${ONTIME_BUILD:-build}
ONTIME_RUN_DIR=/dev/shm/ontime-run
ONTIME_CONFIG=$work/test.conf
export ONTIME_BUILD ONTIME_RUN_DIR ONTIME_CONFIG
hold=$ONTIME_BUILD/hold
mount -t tmpfs tmpfs /dev/shm
ip link set lo up

finish() {
	kill "${source:-}" 2>/dev/null || true
	for name in ingress edf egress dash; do
		end_container $name || true
	done
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

on_failure() {
	for name in ingress edf egress dash; do
		[ ! -f "$work/log.$name" ] || sed "s/^/$name: /" "$work/log.$name" | tail -n 8
	done
	"$hold" --stages -i pod || true
	"$ONTIME_BUILD/stat" --once -i pod || true
}

cat >"$ONTIME_CONFIG" <<END
[pipeline]
instance = pod
policy = edf
[class a]
listen = 127.0.0.1:8080
send = 127.0.0.1:9080
budget = 100ms
END

start_container() { # NAME COMMAND...
	name=$1
	shift
	unshare --pid --fork --mount-proc --kill-child "$@" >>"$work/log.$name" 2>&1 &
	echo $! >"$work/unshare.$name"
	eventually first_of "$name"
}

start_stage() { # NAME
	start_container "$1" run/deploy/stage.sh "$1"
}

first_of() { # NAME: its first process, as seen from here
	pgrep -P "$(cat "$work/unshare.$1")"
}

stage_of() { # NAME
	pgrep -P "$(first_of "$1")" -x "$1"
}

end_container() { # NAME: all of it at once
	first=$(first_of "$1" 2>/dev/null) || return 0
	kill -9 "$first"
	eventually is_over "$1"
}

is_over() { # NAME
	! kill -0 "$(cat "$work/unshare.$1")" 2>/dev/null
}

ready() {
	[ "$("$hold" --stages -i pod | grep -c ' ready .* 1$')" = 3 ]
}

is_another() { # NAME PID
	now=$(stage_of "$1") && [ "$now" != "$2" ] && ready
}

load_start() { # SECONDS
	"$ONTIME_BUILD/load" -c "$ONTIME_CONFIG" --rate 4000 --seconds "$1" --json >"$work/json" 2>"$work/load" &
	source=$!
	eventually moves
}

received() {
	"$ONTIME_BUILD/stat" --json -i pod | jq '.classes[0].received'
}

moves() { # something has come that was not there before
	was=$(received)
	sleep 0.05
	[ "$(received)" -gt "$was" ]
}

load_is_whole() {
	wait "$source" || { cat "$work/load" "$work/json" && return 1; }
	jq -c '.flows[0] | {sent, received, lost, twice: .duplicated, reordered}' "$work/json"
	jq -e '.flows[0] | .sent == .received and .sent > 0' "$work/json" >/dev/null
}

pod_starts() {
	run/deploy/stage.sh segment || return 1
	for name in ingress edf egress; do
		start_stage $name || return 1
	done
	eventually ready && load_start 1 && load_is_whole
}

apart() { # none sees another's processes, and all are known to run
	for name in ingress edf egress; do
		other=$(first_of $name)
		[ "$(readlink "/proc/$other/ns/pid")" != "$(readlink /proc/self/ns/pid)" ] && [ "$(nsenter --pid --mount --target "$other" pgrep -c 'ingress|edf|egress')" -le 2 ] || return 1
	done
	for asked in ingress edf egress; do
		nsenter --pid --mount --target "$(first_of edf)" sh -c "cd '$PWD' && run/deploy/stage.sh alive $asked" || return 1
	done
}

stages_are_killed() {
	load_start 4
	for name in edf egress ingress edf; do
		was=$(stage_of $name)
		kill -9 "$was" && eventually is_another $name "$was" || return 1
	done
	load_is_whole && ! pgrep -l --runstates Z -P "$(first_of edf),$(first_of ingress),$(first_of egress)"
}

containers_are_killed() { # edf's and egress's: what the other has to do waits for them
	load_start 4
	for name in edf egress; do
		end_container $name && ! run/deploy/stage.sh alive $name 2>/dev/null && start_stage $name && eventually ready || return 1
	done
	load_is_whole
}

ingress_container_is_killed() { # its sockets go with it; all that it had read arrives, and what comes later does
	load_start 3
	end_container ingress && start_stage ingress && eventually ready || return 1
	wait "$source" || true
	eventually nothing_is_held && load_start 1 && load_is_whole
}

nothing_is_held() {
	[ "$("$hold" --held -i pod)" = 0 ]
}

hung_stage_shows() {
	load_start 10
	kill -STOP "$(stage_of edf)"
	eventually says_hung && status=0 || status=1
	kill -CONT "$(stage_of edf)"
	kill "$source"
	wait "$source" || true
	eventually nothing_is_held && return "$status"
}

says_hung() {
	run/deploy/stage.sh alive edf 2>&1 | grep -q 'has work and has not moved'
}

dash_sees_all() { # and a drain in one container is seen in another
	[ -x "$ONTIME_BUILD/dash" ] || return 0
	start_container dash "$ONTIME_BUILD/dash" -i pod --listen 127.0.0.1:9999
	eventually answers /ready '^ready$' && run/drain.sh --wait 5 -i pod && answers /ready '^draining' && run/drain.sh --end -i pod && answers /ready '^ready$'
}

answers() { # PATH PATTERN
	printf 'GET %s HTTP/1.0\r\n\r\n' "$1" | nc -w 1 127.0.0.1 9999 | grep -q "$2"
}

ends_in_order() { # TERM to all at the same moment, in the midst of traffic: what was received is sent
	load_start 10
	for name in egress edf ingress; do
		kill -TERM "$(first_of $name)"
	done
	for name in egress edf ingress; do
		eventually is_over $name || return 1
	done
	kill "$source"
	wait "$source" || true
	"$hold" --stages -i pod
	nothing_is_held
}

check_here "three containers carry what comes" pod_starts
check_here "they do not see each other, and know that the others run" apart
check_here "stages that are killed are succeeded, and nothing is lost" stages_are_killed
check_here "so are the containers of edf and egress" containers_are_killed
check_here "a container of ingress that is killed loses its sockets alone" ingress_container_is_killed
check_here "a stage that hangs is not alive" hung_stage_shows
check_here "the dashboard's container sees all of it, and a drain" dash_sees_all
check_here "they end in order, and what was received is sent" ends_in_order
check "a bad word is one line" fails_with 2 'which stage' run/deploy/stage.sh alive x
verdict pod

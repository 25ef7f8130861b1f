#!/bin/sh
# t_container.sh - all of ontime in one container, as run/deploy/Containerfile has it: `ontime start --foreground` as the first process of
# namespaces of its own, with a root that is read-only, no capability and a user who is not root.
set -eu
cd "$(dirname "$0")/../.."
if [ -z "${ONTIME_CONTAINER:-}" ]; then
	unshare --net --mount --ipc --pid --fork setpriv true 2>/dev/null || {
		echo "skip a container: namespaces need root"
		exit 77
	}
	ONTIME_CONTAINER=1 exec unshare --net --mount --ipc "$0" "$@"
fi
# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh
work=$(mktemp -d)
ONTIME_RUN_DIR=/dev/shm/ontime-run
ONTIME_HISTOGRAMS=off
export ONTIME_RUN_DIR ONTIME_HISTOGRAMS
container=
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
ip link set lo up
chmod 755 "$work"

finish() {
	[ -z "$container" ] || kill -9 "$container" 2>/dev/null || true
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

on_failure() {
	tail -n 20 "$work/log" 2>/dev/null || true
	ps -o pid,ppid,stat,comm --ppid "$(first)" 2>/dev/null || true
}

make_image() {
	make -s PREFIX="$work/image" install && sed 's/0\.0\.0\.0/127.0.0.1/' run/deploy/kubernetes/config/ontime.conf >"$work/image/etc/ontime/ontime.conf"
}

start_container() {
	# shellcheck disable=SC2016  # the inner script sees its own $1
	unshare --mount --pid --fork --mount-proc --kill-child sh -c 'mount -o remount,bind,ro / 2>/dev/null || mount --bind -o ro / /
		exec setpriv --reuid 10001 --regid 10001 --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all "$1/bin/ontime" start --foreground' \
		sh "$work/image" >"$work/log" 2>&1 &
	container=$!
	eventually is_well
}

first() { # the container's first process, as seen from here
	pgrep -P "$container"
}

inside() { # COMMAND...: as a health check, of the same user
	nsenter --mount --pid --target "$(first)" setpriv --reuid 10001 --regid 10001 --clear-groups --bounding-set=-all "$@"
}

is_well() {
	[ -n "$(first)" ] && inside "$work/image/bin/ontime" status >/dev/null 2>&1
}

load_start() { # SECONDS
	"$work/image/bin/ontime" load -c "$work/image/etc/ontime/ontime.conf" --rate 4000 --seconds "$1" --json >"$work/json" 2>"$work/load" &
	source=$!
}

load_is_whole() {
	wait "$source" || { cat "$work/load" "$work/json" && return 1; }
	jq -ce '[.flows[] | {sent, received}] | select(all(.[]; .sent == .received and .sent > 0))' "$work/json"
}

it_carries() {
	start_container && [ "$(ps -o uid= -p "$(first)" | tr -d ' ')" = 10001 ] && grep -q '^CapBnd:[[:blank:]]*0*$' "/proc/$(first)/status" && grep -q '^[^ ]* / [^ ]* ro' "/proc/$(first)/mounts" &&
		load_start 1 && load_is_whole
}

is_another() { # WHO PID
	now=$(inside "$work/image/libexec/ontime/hold" "--$1" -i default) && [ "$now" != "$2" ]
}

kills_are_reaped() { # what a supervisor that is killed leaves behind becomes the first process's child
	load_start 6
	for _ in 1 2 3; do
		for who in supervisor holder; do
			was=$(inside "$work/image/libexec/ontime/hold" "--$who" -i default)
			inside kill -9 "$was" && eventually is_another "$who" "$was" || return 1
		done
		for stage in ingress edf egress; do
			inside sh -c "kill -9 \$('$work/image/bin/ontime' status --pid $stage)" && eventually is_well || return 1
		done
	done
	load_is_whole && eventually nothing_is_dead
}

nothing_is_dead() {
	! pgrep -l --runstates Z -P "$(first)"
}

term_stops_it() { # in the midst of traffic, with status 0; all it made but its log is gone
	load_start 3
	kill -TERM "$(first)"
	wait "$container" && status=0 || status=$?
	container=
	kill "$source" 2>/dev/null || true
	wait "$source" || true
	[ "$status" = 0 ] && find /dev/shm -type f && [ "$(find /dev/shm -type f ! -name default.log ! -name .lock | wc -l)" = 0 ]
}

check_here "the image can be made" make_image
check_here "a user who is not root, without capabilities and with a read-only root, carries all" it_carries
check_here "what is killed in it is replaced and reaped, and nothing is lost" kills_are_reaped
check_here "TERM stops it with status 0" term_stops_it
verdict container

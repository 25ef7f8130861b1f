#!/bin/sh
# t_operate.sh - the operator's scripts on a running instance under load: launch, restart, kill, adopt, reload, stop.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
own_instance operate on
own_config build/full.conf 's/^policy = .*/policy = edf/'

load_start() {
	build/load -c "$conf" --rate 20000 --seconds "$1" --size 0-1472 >"$work/load" 2>&1 &
	load=$!
	sleep 0.3
}

load_is_whole() { # and nothing was dropped, by name either
	wait "$load" && ! grep -q 'not delivered' "$work/load" && return 0
	cat "$work/load"
	return 1
}

is_balanced() {
	build/stat -i "$instance" | grep -q '^balanced$'
}

is_another() { # WHO PID: there is one, and not that one
	now=$(build/hold "--$1" -i "$instance") && [ "$now" != "$2" ]
}

replaced_under_load() { # without a launch: the supervisor, the holder, the one that was put in its place, and all at once but that
	load_start 4
	for who in supervisor holder supervisor holder; do
		was=$(build/hold "--$who" -i "$instance")
		kill -9 "$was"
		eventually is_another "$who" "$was" || return 1
	done
	was=$(build/hold --supervisor -i "$instance")
	kill -9 "$was" "$(pid_of ingress)" "$(pid_of edf)" "$(pid_of egress)"
	eventually is_another supervisor "$was" && eventually ready && run/status.sh -i "$instance" && load_is_whole
}

rescued_under_load() { # supervisor and holder, and then the stages too, in one moment: a stand-by has all that they had
	load_start 5
	for stages in "" "ingress edf egress"; do
		eventually all_stand_by || return 1
		was=$(build/hold --supervisor -i "$instance") others=$(build/hold --holder -i "$instance")
		for stage in $stages; do
			others="$others $(pid_of "$stage")"
		done
		kill -STOP "$was" # or it would replace the others before it dies itself
		# shellcheck disable=SC2086 # a pid each
		kill -9 "$was" $others
		eventually is_another supervisor "$was" && eventually build/hold --holder -i "$instance" && eventually ready || return 1
	done
	eventually are_eight && run/status.sh -i "$instance" && load_is_whole
}

are_eight() { # one of each
	[ "$(processes_of "$ONTIME_RUN_DIR/$instance" | wc -l)" = 8 ]
}

standbys() { # those that are prepared
	pgrep -c -x '(ingress|edf|egress)\*' -P "$(build/hold --supervisor -i "$instance")"
}

all_stand_by() {
	[ "$(standbys)" = 3 ]
}

a_standby_takes_over() { # the process that waited is the next stage, were it frozen, and another waits; killed itself, it is replaced
	for stage in ingress edf egress; do
		eventually all_stand_by || return 1
		sleep 0.3 # until the supervisor has heard of it too
		supervisor=$(build/hold --supervisor -i "$instance")
		waits=$(pgrep -x "$stage\*" -P "$supervisor")
		kill -STOP "$waits"
		kill -9 "$(pid_of $stage)"
		eventually ready && [ "$(pid_of $stage)" = "$waits" ] || return 1
		eventually all_stand_by || return 1
		kill -9 "$(pgrep -x "$stage\*" -P "$supervisor")" "$(pid_of $stage)" && eventually ready && eventually all_stand_by || return 1
	done
}

no_file_comes_first() { # what a stand-by opens it has opened before its turn: packets wait
	load_start 4
	for stage in ingress egress; do
		eventually all_stand_by || return 1
		waits=$(pgrep -x "$stage\*" -P "$(build/hold --supervisor -i "$instance")")
		strace -qq -e signal=none -e trace=openat,recvmmsg,sendmmsg -o "$work/calls" -p "$waits" &
		traces=$!
		eventually is_traced "$waits" && kill -9 "$(pid_of $stage)" && eventually grep -q 'mmsg(' "$work/calls" || return 1
		kill "$traces"
		wait "$traces" || true
		grep -m 1 'openat(\|mmsg(' "$work/calls" | tee "$work/first" # a kernel may have a call of its own for a probe
		grep -q 'mmsg(' "$work/first" || return 1
	done
	eventually ready && load_is_whole
}

is_traced() { # PID
	grep -q '^TracerPid:[[:blank:]]*[1-9]' "/proc/$1/status"
}

adopt_under_load() {
	load_start 2
	orphan "$instance"
	run/launch.sh -c "$conf" || return 1
	kill -9 "$(pid_of egress)"
	eventually ready && load_is_whole
}

adoption_keeps_the_config() { # it was launched with, whatever the launch that adopts is given
	sed 's/^budget = 10ms/budget = 77ms/' "$conf" >"$work/other.conf"
	orphan "$instance"
	run/launch.sh -c "$work/other.conf" >"$work/launched" || return 1
	cat "$work/launched"
	grep -q "as it was launched: -c $conf" "$work/launched" || return 1
	before=$(grep -c 'edf: reloaded' "$ONTIME_RUN_DIR/$instance/log")
	kill -HUP "$(cat "$ONTIME_RUN_DIR/$instance/supervisor.pid")"
	eventually edf_reloads $((before + 1)) &&
		build/stat -i "$instance" --json | jq -e '.classes[1].budget_ns == 10000000'
}

restart_under_load() {
	load_start 2
	run/restart.sh all -c "$conf" && load_is_whole
}

runs() { # STAGE
	[ -n "$(pid_of "$1")" ]
}

kill_under_load() {
	load_start 2
	for stage in ingress edf egress edf ingress; do
		eventually runs "$stage"
		kill -9 "$(pid_of $stage)"
		sleep 0.05
	done
	eventually ready && load_is_whole
}

hung_stage_is_ended() {
	before=$(pid_of edf)
	kill -STOP "$before"
	eventually test "$(pid_of edf)" != "$before" || sleep 3
	[ "$(pid_of edf)" != "$before" ] && eventually ready
}

edf_reloads() { # COUNT: has it reloaded so many times?
	[ "$(grep -c 'edf: reloaded' "$ONTIME_RUN_DIR/$instance/log")" = "$1" ]
}

reload() {
	sed -i 's/^policy = .*/policy = edf-drop/' "$conf"
	kill -HUP "$(cat "$ONTIME_RUN_DIR/$instance/supervisor.pid")"
	eventually edf_reloads 1 || return 1
	sed -i 's/^policy = .*/policy = edf/' "$conf"
	kill -HUP "$(cat "$ONTIME_RUN_DIR/$instance/supervisor.pid")"
	eventually edf_reloads 2
}

bad_reload_changes_nothing() {
	echo 'nonsense = 1' >>"$conf"
	kill -HUP "$(cat "$ONTIME_RUN_DIR/$instance/supervisor.pid")"
	eventually grep -q 'nonsense = "1": unknown key' "$ONTIME_RUN_DIR/$instance/log" || return 1
	kill -9 "$(pid_of edf)"
	sleep 0.2
	eventually ready && run/status.sh -i "$instance" || return 1
	sed 's/^payload_bytes = .*/payload_bytes = 1400B/' "$work/good.conf" >"$conf"
	kill -HUP "$(cat "$ONTIME_RUN_DIR/$instance/supervisor.pid")"
	eventually grep -q 'need a relaunch' "$ONTIME_RUN_DIR/$instance/log"
}

hung_is_reloaded() { # with stages that sleep for longer than they might before
	sed -i 's/^heartbeat = .*/heartbeat = 10ms/; s/^hung = .*/hung = 100ms/' "$conf"
	run/launch.sh -c "$conf" || return 1
	sed -i 's/^heartbeat = .*/heartbeat = 1s/; s/^hung = .*/hung = 10s/' "$conf"
	kill -HUP "$(cat "$ONTIME_RUN_DIR/$instance/supervisor.pid")"
	eventually edf_reloads 1 || return 1
	sleep 2 # four looks of the watch
	! grep 'has not moved' "$ONTIME_RUN_DIR/$instance/log"
}

nothing_is_left() {
	[ ! -e "$(segment_of "$instance")" ] && [ ! -e "$ONTIME_RUN_DIR/$instance" ] &&
		[ -z "$(processes_of "$ONTIME_RUN_DIR/$instance")" ]
}

damaged() { # OFFSET: a segment with that byte changed is refused
	printf '\377' | dd of="$(segment_of "$instance")" bs=1 seek="$1" conv=notrunc 2>/dev/null
	fails_with 2 'damaged' build/edf -c "$conf"
}

other_layout() {
	: >"/dev/shm/ontime.$instance.v0"
	fails_with 2 'another layout' build/edf -c "$conf" && status=0 || status=1
	rm -f "/dev/shm/ontime.$instance.v0"
	return "$status"
}

pid_by_status() {
	for stage in ingress edf egress; do
		pid=$(run/status.sh --pid $stage -i "$instance") && [ "$pid" = "$(pid_of $stage)" ] || return 1
	done
	fails_with 2 'not one of ingress, edf, egress' run/status.sh --pid hold && fails_with 1 'not running' run/status.sh --pid edf -i "${instance}none"
}

port_in_use() {
	build/load -c "$conf" --rate 10 --seconds 3 >/dev/null 2>&1 &
	load=$!
	sleep 0.3
	sed "s/^instance = .*/instance = ${instance}b/; s/^send = 127.0.0.1:$send$/send = 127.0.0.1:$((send + 8))/; s/^listen = 127.0.0.1:$listen$/listen = 127.0.0.1:$send/" "$conf" >"$work/port.conf"
	fails_with 1 "bind 127.0.0.1:$send for class high" build/hold -c "$work/port.conf" -- true && status=0 || status=1
	kill "$load" 2>/dev/null
	wait "$load" || true
	[ ! -e "$(segment_of "${instance}b")" ] && return "$status"
}

few_files() { # whatever it is that finds no descriptor left: each limit until the first that is enough
	for limit in $(seq 4 40); do
		if [ "$limit" -gt 12 ] && sh -c "ulimit -n $limit && build/hold -c '$conf' -- true"; then
			build/hold --remove -i "$instance"
			return
		fi
		fails_with 1 'raise the limit of open files' sh -c "ulimit -n $limit && build/hold -c '$conf' -- true" ||
			return 1
	done
	return 1
}

full_shm() { # in a mount namespace of its own, where /dev/shm has 256 KiB
	fails_with 1 'No space left on device; make room in /dev/shm' \
		unshare -m sh -c "mount -t tmpfs -o size=256k none /dev/shm && build/hold -c '$conf' -- true"
}

skip() { # REASON NAME
	skipped=$((skipped + 1))
	printf 'skip %s: %s\n' "$2" "$1"
}

check "launch starts all three stages" run/launch.sh -c "$conf"
check "status says what runs" run/status.sh -c "$conf"
check "status --pid prints the pid of that stage of this instance, and nothing else" pid_by_status
check "a second launch is refused and harms nothing" fails_with 1 'running already' run/launch.sh -c "$conf"
check "a second copy of a stage is refused" fails_with 1 'already running' build/edf -c "$conf"
check "restarting each stage under load loses nothing" restart_under_load
check "kill -9 of stages under load loses nothing" kill_under_load
check "a stand-by takes over from each stage that is killed" a_standby_takes_over
check "supervisor and holder replace each other under load, and nothing is lost" replaced_under_load
if command -v strace >/dev/null; then
	check "a stand-by that gets its turn passes packets on before it opens a file" no_file_comes_first
else
	skipped=$((skipped + 1))
	echo "skip a stand-by that gets its turn passes packets on before it opens a file: strace is missing"
fi
check "killed in the same moment, without or with the stages, they are replaced by a stand-by, and nothing is lost" rescued_under_load
check "with both killed a launch adopts, and nothing is lost" adopt_under_load
check "the account is balanced" is_balanced
check "a reload is applied" reload
cp "$conf" "$work/good.conf"
check "a bad reload changes nothing" bad_reload_changes_nothing
cp "$work/good.conf" "$conf"
check "a stage that hangs is ended and replaced" hung_stage_is_ended
check "adoption keeps the config of the launch" adoption_keeps_the_config
check "stop drains and leaves nothing" run/stop.sh -c "$conf"
check "nothing is left after stop" nothing_is_left
check "a bad config is one line and status 2" fails_with 2 'payload_bytes' run/launch.sh -c "$conf" --payload_bytes=7
check "a port in use is one line and status 1" port_in_use
check "too few open files are one line and status 1" few_files
if unshare -m mount -t tmpfs none /dev/shm 2>/dev/null; then
	check "a full /dev/shm is one line and status 1" full_shm
else
	skip "no mount namespace can be made here" "a full /dev/shm is one line and status 1"
fi
check "no instance is one line and status 1" fails_with 1 'not running' build/edf -c "$conf"
check "a segment of another layout is one line and status 2" other_layout
check "launch works again, and a reload of heartbeat and hung ends no stage" hung_is_reloaded
run/stop.sh -c "$conf" >/dev/null
build/hold -c "$conf" -- true
check "a damaged class table is one line and status 2" damaged 1700
build/hold --remove --force -i "$instance"
verdict operate

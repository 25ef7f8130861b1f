#!/bin/sh
# t_rescue.sh - supervisor and holder are killed in one moment: what launch, status and stop do while a stand-by starts others, and after.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
own_instance rescue
own_config build/full.conf 's/^policy = .*/policy = edf/'

standbys() { # those that are prepared
	pgrep -x '(ingress|edf|egress)\*' -P "$("$ONTIME_BUILD/hold" --supervisor -i "$instance")"
}

all_stand_by() {
	[ "$(standbys | wc -l)" = 3 ]
}

kill_keepers() { # STAGE...: supervisor and holder, and those stages too
	eventually all_stand_by || return 1
	killed=$("$ONTIME_BUILD/hold" --supervisor -i "$instance")
	others=$("$ONTIME_BUILD/hold" --holder -i "$instance")
	for stage in "$@"; do
		others="$others $(live_pid_of "$stage")"
	done
	kill -STOP "$killed" # or it would replace the others before it dies itself
	# shellcheck disable=SC2086 # a pid each
	kill -9 $others "$killed"
}

load_start() { # SECONDS
	"$ONTIME_BUILD/load" -c "$conf" --rate 5000 --seconds "$1" --size 0-1472 >"$work/load" 2>&1 &
	load=$!
}

load_is_whole() {
	wait "$load" && ! grep -q 'not delivered' "$work/load" && return 0
	cat "$work/load"
	return 1
}

is_rescued() { # by another supervisor than the one that was killed
	now=$("$ONTIME_BUILD/hold" --supervisor -i "$instance") && [ "$now" != "$killed" ]
}

launch_finds_it_rescued() { # with the stages alive, and without: nothing begins anew, and nothing is lost
	load_start 5
	for stages in "" "ingress edf egress"; do
		# shellcheck disable=SC2086 # a stage each
		kill_keepers $stages || return 1
		fails_with 1 "instance '$instance' is running already (supervisor [0-9]*): " run/launch.sh -c "$conf" || return 1
		is_rescued && eventually run/status.sh -i "$instance" || return 1
	done
	load_is_whole
}

status_waits_for_it() { # and raises no alarm
	kill_keepers && run/status.sh -i "$instance" && is_rescued
}

is_stopped_for_good() { # no stand-by has started anything since, and what was accepted was sent
	sleep 2 # the last one waits for 0.9 s
	[ -z "$(processes_of "$dir")" ] && [ ! -e "$dir" ] && [ ! -e "$(segment_of "$instance")" ] && fails_with 1 'not running' run/status.sh -i "$instance" &&
		tail -n 1 "$ONTIME_RUN_DIR/$instance.log" | grep 'stopped: all that was accepted has been sent'
}

stop_comes_with_it() { # STAGE...: at whatever moment of it; what waits in the sockets and lanes is sent
	for delay in 0 0.5; do
		eventually run/status.sh -i "$instance" && kill_keepers "$@" || return 1
		[ $# = 0 ] || "$ONTIME_BUILD/load" -c "$conf" --rate 2000 --seconds 0.1 --drain 0 >/dev/null 2>&1 || true
		sleep $delay
		run/stop.sh -i "$instance" >"$work/out" 2>&1 || return 1
		cat "$work/out"
		grep -x "ontime: instance '$instance' is stopped" "$work/out" && [ "$(wc -l <"$work/out")" = 1 ] && is_stopped_for_good && run/launch.sh -c "$conf" >/dev/null || return 1
	done
}

stop_ends_frozen_standbys() { # which nobody could wait for: they do not wake up to start anything
	eventually all_stand_by || return 1
	frozen=$(standbys)
	kill_keepers ingress edf egress || return 1
	# shellcheck disable=SC2086 # a pid each
	kill -STOP $frozen
	run/stop.sh -i "$instance" || return 1
	[ -z "$(processes_of "$dir")" ] && [ ! -e "$(segment_of "$instance")" ] && run/launch.sh -c "$conf"
}

run/launch.sh -c "$conf" >/dev/null
check_here "a launch while a stand-by starts others waits for them, and says who is there" launch_finds_it_rescued
check_here "status waits for them too" status_waits_for_it
check_here "a stop while a stand-by starts others is in order, and for good" stop_comes_with_it
check_here "likewise when the stages were killed too" stop_comes_with_it ingress edf egress
check_here "a stop ends stand-bys that are frozen" stop_ends_frozen_standbys
run/stop.sh -i "$instance" >/dev/null
verdict rescue

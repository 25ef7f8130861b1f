#!/bin/sh
# supervisor.sh - keep the three stages alive. Started by launch.sh through hold, with the sockets open.
#
# usage: supervisor.sh -c ACTIVE-COPY-OF-THE-CONFIG [--KEY=VALUE]...
#
# One keeper per stage waits for it and starts its successor: at once the first times, then with back-off, and after 25
# quick deaths in a row not at all until run/restart.sh asks. A stage that exits with 2 (configuration) or 0 stays down.
# Signals: HUP reloads the config in all stages, TERM ends the supervisor; the stages go on without it.
set -eu
here=$(dirname "$(realpath "$0")") # it may be called through a symbolic link
# shellcheck source=run/common.sh
. "$here/common.sh"
dir=${ONTIME_DIR:?started by run/launch.sh}
instance=$ONTIME_INSTANCE

centiseconds() { # into $now, without a fork: a restart must take a millisecond
	read -r up _ </proc/uptime
	now=${up%.*}${up#*.}
}

back_off() { # STAGE: after more than 10 quick deaths
	if [ "$deaths" -gt 25 ]; then
		say "$1 died $deaths times in a row: parked; run/restart.sh $1 tries again"
		wait_for_request "$1"
		deaths=0
		return 0
	fi
	tenths=$((1 << (deaths - 11)))
	[ "$tenths" -le 50 ] || tenths=50
	say "$1 died $deaths times in a row: next start in $tenths tenths of a second"
	while [ "$tenths" -gt 0 ] && ! is_requested "$1"; do
		sleep 0.1
		tenths=$((tenths - 1))
	done
	[ "$tenths" = 0 ] || deaths=0
	centiseconds
	began=$now # a life begins after the pause: else a pause of a second would end the row
}

wait_for_request() { # STAGE
	while ! is_requested "$1"; do
		sleep 0.2
	done
}

is_requested() { # STAGE: has restart.sh asked? Takes the request.
	request=
	read -r request 2>/dev/null <"$dir/request.$1" || true
	[ "$request" = restart ] || return 1
	: >"$dir/request.$1"
}

start() { # ARGS: $stage, as $pid
	[ ! -e "$dir/stopping" ] || exit 0
	"$build/$stage" "$@" &
	pid=$!
	is_child=1
	probe_rebuilt
}

probe_rebuilt() { # the latency histograms belong to files: attach to a binary that is newer than the links to it
	# shellcheck disable=SC3013  # dash has -nt, and POSIX since 2024
	for link in "$pins/$ONTIME_INSTANCE/parts/link-$stage"-*; do
		[ -e "$link" ] && [ "$build/$stage" -nt "$link" ] || return 0
	done
	ONTIME_LOG=warning "$build/latency" -i "$ONTIME_INSTANCE" &
}

wait_for_end() { # leaves how it ended in $status
	if [ "$is_child" = 1 ]; then
		wait "$pid" && status=0 || status=$?
	else
		"$build/hold" --wait "$pid" >/dev/null || true
		status=adopted
	fi
}

shorten_log() { # every 100th death: one that dies each second must not fill $dir. All write at its end, so it can be cut.
	n_deaths=$((n_deaths + 1))
	[ $((n_deaths % 100)) = 0 ] && [ "$(stat -c %s "$dir/log")" -gt 4000000 ] || return 0
	tail -n 1000 "$dir/log" >"$dir/log.old" && : >"$dir/log"
}

count_death() { # a life of a second and more, and a restart that was asked for, begin a new row
	centiseconds
	if is_requested "$stage" || [ $((now - began)) -ge 100 ]; then
		deaths=0
	fi
	deaths=$((deaths + 1))
	began=$now
	shorten_log || true
}

keep() { # STAGE PID-OR-0 ARGS: run by a background shell of its own
	stage=$1
	pid=$2
	shift 2
	is_child=0
	deaths=0
	n_deaths=0
	centiseconds
	began=$now
	[ "$pid" != 0 ] || start "$@"
	while :; do
		wait_for_end
		[ ! -e "$dir/stopping" ] || exit 0
		case $status in
		0 | 2)
			if ! is_requested "$stage"; then
				[ "$status" = 2 ] && why="refused its configuration" || why="was asked to stop"
				say "$stage $why: it stays down until run/restart.sh $stage"
				wait_for_request "$stage"
			fi
			start "$@"
			deaths=0
			continue
			;;
		esac
		if [ "$deaths" -lt 10 ]; then # the successor first: each millisecond counts
			start "$@"
			say "$stage ended (status $status): started again (pid $pid)"
			count_death
		else
			say "$stage ended (status $status)"
			count_death
			[ "$deaths" -le 10 ] || back_off "$stage"
			start "$@"
		fi
	done
}

running() { # the pid of $stage if it is alive
	"$build/hold" --stages -i "$ONTIME_INSTANCE" | while read -r name pid _ _ _ _ _ alive; do
		[ "$name" != "$stage" ] || [ "$alive" = 0 ] || echo "$pid"
	done
}

reload() { # all or nothing, for all stages: what they start from, now and after a crash, is the accepted copy
	"$build/hold" --check "$@" -c "$ONTIME_CONFIG" --against "$dir/active.conf" || return 0
	cp "$ONTIME_CONFIG" "$dir/active.conf.new" || return 0
	# Once more, on the copy: the file may have changed since. The first check is for its line, with the user's file name.
	"$build/hold" --check "$@" -c "$dir/active.conf.new" --against "$dir/active.conf" 2>/dev/null || return 0
	mv "$dir/active.conf.new" "$dir/active.conf"
	kill "${watch:-}" 2>/dev/null || true # before stages may sleep for longer than it knows; the main loop starts another
	"$build/hold" --stages -i "$ONTIME_INSTANCE" | while read -r _ pid _ _ _ _ _ alive; do
		[ "$alive" = 0 ] || kill -HUP "$pid"
	done
}

tend() { # a keeper for each stage that has none, and a watch
	for stage in ingress edf egress; do
		keeper=$(pid_in "$dir/keeper.$stage")
		! is_supervisor "$keeper" || continue
		: >"$dir/request.$stage"
		pid=$(running)
		keep "$stage" "${pid:-0}" "$@" &
		echo $! >"$dir/keeper.$stage"
		[ -z "$pid" ] || say "adopted $stage (pid $pid)"
	done
	! kill -0 "$watch" 2>/dev/null || return 0
	"$build/hold" --watch "$@" &
	watch=$!
}

old=$(pid_in "$dir/supervisor.pid")
! is_supervisor "$old" || die 1 "a supervisor is running already (pid $old)"
watch=none
waiter=none
trap 'reload "$@"' HUP
trap 'kill "$watch" "$waiter" 2>/dev/null; rm -f "$dir/supervisor.pid"; exit 0' TERM INT
while :; do # whatever of this ends is there again in half a second: the keepers, and who ends stages that hang
	tend "$@"
	echo $$ >"$dir/supervisor.pid" # launch.sh waits for it: now restart.sh finds the keepers
	# shellcheck disable=SC2046 # one pid each
	"$build/hold" --wait "$watch" $(cat "$dir"/keeper.*) >/dev/null &
	waiter=$!
	while kill -0 "$waiter" 2>/dev/null; do
		wait "$waiter" || true
	done
	sleep 0.5
done

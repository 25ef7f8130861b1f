#!/bin/sh
# t_log.sh - the log of an instance: what a line begins with, what a reload says, and that nothing that was logged gets lost.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
own_instance log
build=$ONTIME_BUILD
kept=$ONTIME_RUN_DIR/$instance.log
conf=$work/my.conf
own_config build/full.conf
time='[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z'

reload() {
	kill -HUP "$("$build/hold" --supervisor -i "$instance")"
}

lines() { # N PATTERN: the log has that many
	[ "$(grep -cE -- "$2" "$log")" = "$1" ]
}

launch() {
	run/launch.sh -c "$conf" >/dev/null
}

each_line_says_when_who_and_how_bad() {
	launch && echo 'x = 1' >>"$conf" && reload && eventually lines 1 "^$time error supervise: $conf:[0-9]*: x = .*: nothing was changed$" || return 1
	sed -i '$d' "$conf"
	kill -9 "$(pid_of edf)" && eventually lines 1 "^$time supervise: edf ended \(signal 9\): another is started$" &&
		eventually lines 2 "^$time edf: ready \(pid [0-9]*, start [0-9]*\)$" || return 1
	! grep -vE "^$time ((error|warning) )?(hold|supervise|ingress|edf|egress): " "$log"
}

a_change_is_said_once() { # and each stage says that it is in force, by the operator's name of the file
	sed -i 's/^policy = .*/policy = edf/; s/^budget = 10ms/budget = 20ms/' "$conf"
	reload
	eventually lines 1 "^$time egress: reloaded $conf$" && eventually lines 1 "^$time ingress: reloaded $conf$" && eventually lines 1 "^$time edf: reloaded $conf$" &&
		lines 1 ' policy: guarded -> edf$' && lines 1 "^$time supervise: medium.budget: 10ms -> 20ms$" && ! grep 'reloaded' "$log" | grep -v "$conf"
}

what_needs_a_relaunch_is_said_once() {
	sed -i 's/^payload_bytes = .*/payload_bytes = 1400B/' "$conf"
	reload
	eventually lines 1 "^$time error supervise: reload $conf: some changes need a relaunch: nothing was changed$" &&
		lines 1 "^$time supervise: payload_bytes: 1536B -> 1400B \(needs a relaunch\)$" && sed -i 's/^payload_bytes = .*/payload_bytes = 1536B/' "$conf"
}

a_stage_alone_says_it_as_its_reader_needs() { # a file, a pipe, a terminal
	! "$build/edf" --nonsense=1 2>"$work/said" || return 1
	{ "$build/edf" --nonsense=1 2>&1 || true; } | cat >"$work/piped"
	script -qec "$build/edf --nonsense=1" /dev/null >"$work/typed" 2>&1 || true
	cat "$work/said" "$work/piped" "$work/typed"
	grep -qE "^$time error edf: .*nonsense" "$work/said" && grep -q '^edf: .*nonsense' "$work/piped" && grep -q '^edf: .*nonsense' "$work/typed"
}

a_tool_is_plain_in_a_file() {
	! "$build/load" --nonsense 2>"$work/said" || return 1
	cat "$work/said"
	grep -q '^load: --nonsense' "$work/said"
}

stop_and_launch_keep_it() { # the runs one behind the other
	cp "$log" "$work/first"
	run/stop.sh -i "$instance" >/dev/null && cmp -n "$(wc -c <"$work/first")" "$work/first" "$kept" || return 1
	launch && [ -s "$kept" ] && [ "$(wc -l <"$log")" -lt "$(wc -l <"$kept")" ] && run/stop.sh -i "$instance" >/dev/null &&
		cmp -n "$(wc -c <"$work/first")" "$work/first" "$kept" && [ "$(grep -c ' edf: ready .*start 1)' "$kept")" = 2 ] && launch
}

a_crash_of_all_keeps_it() { # nobody stopped it
	all=$(processes_of "$dir")
	# shellcheck disable=SC2086 # pids
	kill -STOP $all && cp "$log" "$work/last" && kill -9 $all # or those left would say what became of the others
	eventually sh -c "! '$build/hold' --supervisor -i $instance >/dev/null 2>&1" || return 1
	run/stop.sh -i "$instance" >/dev/null && tail -n "$(wc -l <"$work/last")" "$kept" | cmp - "$work/last" && launch
}

it_stays_small() {
	run/stop.sh -i "$instance" >/dev/null && cp "$kept" "$work/kept" || return 1
	yes 'an old line' | head -c 4500000 >"$kept"
	launch && run/stop.sh -i "$instance" >/dev/null || return 1
	size=$(wc -c <"$kept")
	echo "$size bytes"
	[ "$size" -le 4000000 ] && [ "$size" -gt 3900000 ] && tail -n 1 "$kept" | grep -q stopped && cp "$work/kept" "$kept" && launch
}

rotate() { # EXTRA LINES OF THE SNIPPET
	sed "s|^/run/ontime|$ONTIME_RUN_DIR|; s|^}|$1\n}|" run/systemd/ontime.logrotate >"$work/rotate.conf"
	[ -z "${2:-}" ] || sed -i "/$2/d" "$work/rotate.conf"
	/usr/sbin/logrotate -v -f -s "$work/state" "$work/rotate.conf" >"$work/rotated" 2>&1 || { cat "$work/rotated" && return 1; }
	! grep -i '^error' "$work/rotated"
}

kill_stages() { # N: each stage so often
	for round in $(seq "$1"); do
		for stage in ingress edf egress; do
			eventually pid_of "$stage" >/dev/null && kill -9 "$(pid_of "$stage")" || return 1
			eventually ready || return 1
		done
	done
}

# Each start of each stage has a line with its number: none is missing, none is there twice.
all_starts_are_logged() {
	eventually ready || return 1
	"$build/hold" --stages -i "$instance" >"$work/stages"
	for n in 4 3 2 1; do
		[ ! -e "$dir/log.$n.gz" ] || zcat "$dir/log.$n.gz"
		[ ! -e "$dir/log.$n" ] || cat "$dir/log.$n"
	done >"$work/all"
	cat "$log" >>"$work/all"
	while read -r stage _ _ starts _; do
		sed -n "s/.* $stage: ready (pid [0-9]*, start \([0-9]*\))/\1/p" "$work/all" | sort -n >"$work/starts"
		seq "$starts" | cmp - "$work/starts" || { cat "$work/all" && return 1; }
	done <"$work/stages"
	wc -l "$work/all"
}

begun_by_a_stage() { # before its supervisor has seen that it was moved away: the others follow
	launch || return 1
	eventually pgrep -x 'edf\*' && mv "$log" "$log.1" && kill -9 "$(pid_of edf)" && eventually grep -q 'edf: ready' "$log" &&
		eventually grep -q 'egress: reloaded' "$log" && kill -9 "$(pid_of ingress)" && eventually grep -q 'supervise: ingress ended' "$log"
}

relaunch() {
	run/stop.sh -i "$instance" >/dev/null && rm -f "$kept"* && launch
}

moved_away_under_it() { # as it is shipped, while stages die
	relaunch && kill_stages 2 || return 1
	for round in 1 2 3; do
		echo "rotation $round"
		kill_stages 3 &
		rotate '' || return 1
		wait $! || return 1
		eventually test -s "$log" || return 1
	done
	[ -e "$dir/log.3.gz" ] && [ -e "$dir/log.1" ] && all_starts_are_logged
}

moved_away_with_a_hup() { # and made again by logrotate itself
	relaunch && kill_stages 2 || return 1
	kill_stages 3 &
	rotate "	create 0600\n	postrotate\n	kill -HUP \$($build/hold --supervisor -i $instance)\n	endscript" nocreate || return 1
	wait $! || return 1
	eventually lines 1 ' egress: reloaded ' && kill_stages 2 && lines 2 ' egress: ready .*start (7|8)' && all_starts_are_logged
}

copied_and_cut_under_it() { # a line that is written between the two is lost, says logrotate(8): so nothing is written meanwhile
	relaunch && kill_stages 2 || return 1
	for round in 1 2; do
		echo "rotation $round"
		before=$(wc -c <"$log")
		rotate "	copytruncate" nocreate && [ "$(wc -c <"$log")" -lt "$before" ] && kill_stages 2 || return 1
	done
	[ "$(head -c 1 "$log" | tr -d '\0' | wc -c)" = 1 ] && all_starts_are_logged # no hole where it was cut
}

what_was_rotated_outlives_a_stop() {
	relaunch && kill_stages 1 && rotate '' && eventually test -e "$log" && run/stop.sh -i "$instance" >/dev/null || return 1
	ls "$ONTIME_RUN_DIR"
	[ ! -e "$dir" ] && grep -q 'edf: ready .*start 2' "$kept.1"
}

check "each line says when, who and how bad" each_line_says_when_who_and_how_bad
check "a reload says each change once, and names the operator's file" a_change_is_said_once
check "so does one that needs a relaunch" what_needs_a_relaunch_is_said_once
check "a stage alone: time and level in a file, the line alone in a pipe and on a terminal" a_stage_alone_says_it_as_its_reader_needs
check "a tool's line is plain, in a file too" a_tool_is_plain_in_a_file
check "a stop and a launch keep the log of the runs before" stop_and_launch_keep_it
check "so does a death of all" a_crash_of_all_keeps_it
check "what is kept stays small" it_stays_small
run/stop.sh -i "$instance" >/dev/null
check "a stage that was there first begins a new log for all" begun_by_a_stage
if [ -x /usr/sbin/logrotate ]; then
	check "logrotate moves it away while stages die: no line is lost" moved_away_under_it
	check "likewise with a new file and a HUP" moved_away_with_a_hup
	check "logrotate copies and cuts it: no line is lost that was not being written" copied_and_cut_under_it
	check "what was rotated outlives a stop" what_was_rotated_outlives_a_stop
else
	skipped=$((skipped + 4))
	echo "skip rotation: logrotate is not installed"
fi
verdict log

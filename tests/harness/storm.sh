# shellcheck shell=sh disable=SC2154
# storm.sh - processes killed while load passes: for the storms through the supervisor. Sourced, behind instance.sh; the script has set $kills,
# $seed and $rate, starts load into $work/load, and has its pid in $load.

load=

at_end() {
	[ -z "$load" ] || kill "$load" 2>/dev/null
}

kill_stages() {
	build/tests/kill_stages -i "$instance" --kills "$kills" --seed "$seed" --rate "$rate" >"$work/killed" && return 0
	cat "$work/killed"
	return 1
}

load_ends() {
	kill -INT "$load" # before its time is over: it waits for what is late, and reports
	wait "$load" && whole=0 || whole=$?
	! grep -q 'not delivered' "$work/load" || whole=3 # dropped, by name
	load=
}

source_was_held_back() { # for more than a second: what it then sends at once overruns any socket, whoever dies
	awk '/^source: / {sub(/.* max /, ""); behind = $1} END {exit behind < 1000000}' "$work/load"
}

load_is_whole() {
	cat "$work/load"
	[ "$whole" = 0 ]
}

each_stage_was_killed() { # as often as was asked for, or the storm proves little
	cat "$work/killed"
	grep '^kill_stages: [0-9]* kills' "$work/killed" | tr -c '0-9\n' ' ' |
		awk -v want="$kills" '{ok = $1 >= want && $2 > want / 6 && $3 > want / 6 && $4 > want / 6; for (i = 5; i <= 8; i++) ok = ok && $i > 0} END {exit !ok}'
}

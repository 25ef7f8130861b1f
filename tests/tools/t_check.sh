#!/bin/sh
# t_check.sh - build/check as a user calls it; what it says of random configs, build/simulate confirms.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh
build=${ONTIME_BUILD:-build}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

says() { # STATUS PATTERN ARGS...
	want=$1
	pattern=$2
	shift 2
	text=$("$build/check" "$@" 2>&1) && got=0 || got=$?
	printf '%s (status %s)\n' "$text" "$got"
	[ "$got" = "$want" ] && printf '%s\n' "$text" | grep -q "$pattern"
}

fits="--high.expected_pps=500 --high.expected_service=300us --low.expected_pps=1000 --low.expected_service=300us"

answers_are_right() {
	# shellcheck disable=SC2086
	says 0 '; it fits' $fits && says 3 'it fits with: high.budget of 1250.0 us and more' $fits --high.expected_burst=3 &&
		says 3 'more work than time' $fits --low.expected_pps=3000 && says 0 'no rates and service times' &&
		says 0 'worst response' $fits
}

bad_input_is_one_line() {
	says 2 'nonsense' --nonsense=1 && says 2 'seconds from' --measure 0 && says 2 'seconds from' --measure x && says 2 'seconds from' --measure 0x1 &&
		says 1 'not running' --measure 1 --instance=none && says 2 'cannot be opened' -c /nonexistent
}

all_errors_are_told() { # in one run, each on its line
	printf '[pipeline]\npolcy = edf\nlate = x\n[class a]\nlisten = 127.0.0.1\nsend = 127.0.0.1:2\nbudget = 1\n' >"$work/conf"
	says 2 "^check: $work/conf:2: polcy" -c "$work/conf" && [ "$(printf '%s\n' "$text" | wc -l)" = 4 ] &&
		says 2 "^check: $work/conf:7: budget" -c "$work/conf" && says 2 '^check: and 2 more' --a --b --c --d --e --f --g --h --i --j --k --l
}

values_are_exact() {
	says 0 '  950.0 ' --high.budget='1 ms' && says 0 '  450.0 ' --high.budget=0.5ms && says 2 'not whole ns' --high.budget=0.0000001ms &&
		says 2 'not below the budget' --high.margin=1ms
}

plugin_is_there() { # a relative one counts from where the stages will run, wherever this is called
	top=$PWD
	fails_with 2 'the plugin cannot be opened: No such file or directory; build it' "$build/check" --work=plugin:/nonexistent.so &&
		fails_with 2 'the plugin is no regular file' "$build/check" --work=plugin:/dev/null && says 0 'the config is right' --work=plugin:Makefile &&
		cd / && "$top/$build/check" --work=plugin:Makefile >/dev/null && fails_with 2 'counts from the directory' "$top/$build/check" --work=plugin:bin/sh
}

names_are_resolved() {
	says 0 '^check: high.send\[0\]: localhost -> .*:7777 (IPv' --high.send=localhost:7777 &&
		says 2 'high -> high; send it elsewhere' --high.send=localhost:8080 --high.listen='0.0.0.0:8080 [::]:8080'
}

full_output_is_told() {
	for how in "" "$fits" "$fits --high.expected_burst=3 --counterexample" --help; do
		# shellcheck disable=SC2086
		"$build/check" $how >/dev/full 2>"$work/said" && got=0 || got=$?
		echo "check $how: status $got, $(cat "$work/said")"
		[ "$got" = 1 ] && grep -q 'No space left' "$work/said" && [ "$(wc -l <"$work/said")" = 1 ] || return 1
	done
}

# 300 random configs: rates, bursts, budgets and service times of three classes.
simulation_confirms() {
	awk 'BEGIN {srand(5); for (k = 0; k < 300; k++) {for (i = 0; i < 3; i++) {pps = 50 + int(rand() * 1500); load = rand() * 0.6
		printf "%d %d %d %d ", pps, 1 + int(rand() * 4), 1 + int(1000000 * load / pps), 500 + int(rand() * 20000)}; print ""}}' >"$work/configs"
	fit=0
	missing=0
	confirmed=0
	while read -r p1 b1 s1 d1 p2 b2 s2 d2 p3 b3 s3 d3; do
		set -- --high.expected_pps="$p1" --high.expected_burst="$b1" --high.expected_service="${s1}us" --high.budget="${d1}us" \
			--medium.expected_pps="$p2" --medium.expected_burst="$b2" --medium.expected_service="${s2}us" --medium.budget="${d2}us" \
			--low.expected_pps="$p3" --low.expected_burst="$b3" --low.expected_service="${s3}us" --low.budget="${d3}us" \
			--high.margin=0us --medium.margin=0us --low.margin=0us
		if "$build/check" "$@" --counterexample >"$work/trace.csv" 2>/dev/null; then
			fit=$((fit + 1))
		else
			missing=$((missing + 1))
			late=$("$build/simulate" --policy edf "$@" "$work/trace.csv" | awk 'NR > 1 {n += $5} END {print n}')
			[ "$late" = 0 ] || confirmed=$((confirmed + 1))
		fi
	done <"$work/configs"
	echo "$fit fit; $missing do not, and simulate confirms the counterexample of $confirmed" | tee "$work/share"
	[ "$fit" -gt 30 ] && [ "$missing" -gt 30 ] && [ "$((confirmed * 100))" -ge "$((missing * 95))" ]
}

check "the answers are right" answers_are_right
check "bad input is one line and its status" bad_input_is_one_line
check "all errors of a config are told" all_errors_are_told
check "values are exact" values_are_exact
check "a plugin must be there" plugin_is_there
check "host names are resolved, and a loop through one is found" names_are_resolved
check "a full output is one line and status 1" full_output_is_told
check "simulate confirms what does not fit" simulation_confirms
[ ! -s "$work/share" ] || sed 's/^/     /' "$work/share"
verdict check

#!/bin/sh
# t_rivals.sh - `tests/bench.sh rivals` works: a tiny run has each of its rows, and its figures are those of the lines they come from.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
own_instance rivals
build=$ONTIME_BUILD

bench() { # VARIABLE=VALUE...: a tiny run, to $work/out, and $work/json, md and rows
	env PORT="$listen" INSTALL=no CALLS=no STEAL=100 ROUNDS=2 TURN_MS=20 SIZES=64 RATES="1000 saturated" SCHEDULING=ordinary HOGS=0 \
		RIVALS="reference ontime" JSON="$work/json" MARKDOWN="$work/md" ROWS="$work/rows" "$@" tests/bench.sh rivals >"$work/out" 2>&1 ||
		{ cat "$work/out" && return 1; }
}

all_rows() { # 4 ways saturated, plain and trains at a rate; each relay in each round
	cut -d' ' -f1-6,9 "$work/rows" | sort | uniq -c | sort -rn
	[ "$(wc -l <"$work/rows")" = $((6 * 2 * 2)) ] && [ "$(cut -d' ' -f1-6,9 "$work/rows" | sort -u | wc -l)" = 12 ]
}

all_carried() { # sent, received, and none in a place of another
	awk '{print} $10 < 4 || $10 != $11 || $12 != 0 {bad = 1} END {exit bad}' "$work/rows"
}

orders_move_on() {
	awk '{print} !(($1 $3 $5 $6 $7) in first) {first[$1 $3 $5 $6 $7] = $9; n[$9]++} END {exit n["reference"] != 6 || n["ontime"] != 6}' "$work/rows"
}

tables_agree() {
	cat "$work/out" "$work/json" "$work/md"
	[ "$(grep -c '^reference .* 0$' "$work/out")" = 6 ] && [ "$(grep -c '^ontime .* 0$' "$work/out")" = 6 ] &&
		[ "$(grep -c '^| .*64 B' "$work/md")" = 6 ] &&
		jq -e '.rows | length == 12 and all(.[]; .rounds == 2 and .lost == 0 and .cpu[1] > 0) and
			all(.[] | select(.relay == "reference"); .ratio == [1, 1, 1])' "$work/json"
}

# Two rounds of three count: 2,000 and 3,000 ns for the reference, 3,000 and 6,000 for ontime, 300 and 500 more than directly in the kernel.
made_up() {
	way="ordinary 0 1000 64 plain plain"
	cat >"$work/made-up" <<END
$way 0 kept reference 100 100 0 200000 100 50 10 10000 20000 30000
$way 0 kept ontime 100 100 0 300000 300 0 10 17000 21000 31000
$way 0 kept kernel 100 100 0 0 0 0 1300 1000 2000 3000
$way 0 kept direct 100 100 0 0 0 0 1000 1000 2000 3000
$way 1 discarded ontime 100 1 0 300000 300 0 10 17000 21000 31000
$way 2 kept reference 100 100 0 300000 100 50 10 20000 20000 30000
$way 2 kept ontime 100 90 2 540000 90 0 10 29000 24000 41000
$way 2 kept kernel 100 100 0 0 0 0 1500 1000 2000 3000
$way 2 kept direct 100 100 0 0 0 0 1000 1000 2000 3000
calls 1000 ontime 800 100
END
	awk -v as=json -f tests/bench/rivals.awk "$work/made-up" >"$work/json"
	cat "$work/json"
	jq -e 'def of(n): .rows[] | select(.relay == n); of("ontime") | .ratio == [1.625, 1.75, 1.875] and .cpu[1] == 4500 and .lost == 10 and
		.misplaced == 2 and .rounds == 2 and .discarded == 1 and .voluntary[1] == 2 and ."+p50" == [7.5, 8, 8.5] and ."+p99"[1] == 2.5 and
		."+p99.9"[1] == 6' "$work/json" &&
		jq -e 'def of(n): .rows[] | select(.relay == n); of("kernel") | .cpu[1] == 400 and (.voluntary | not)' "$work/json" &&
		jq -e '.calls == [{"relay": "ontime", "load": "1000", "per_packet": 8}]' "$work/json" &&
		awk -v as=table -f tests/bench/rivals.awk "$work/made-up" | grep -q '^ontime  *4500  *1.62  *1.75  *1.88 '
}

dead_rival() { # an nginx that never relays
	mkdir -p "$work/stubs"
	printf '#!/bin/sh\ncase " $* " in *" -t "*) exit 0 ;; esac\nexec sleep 60\n' >"$work/stubs/nginx"
	chmod +x "$work/stubs/nginx"
	bench PATH="$work/stubs:$PATH" RIVALS="reference nginx" RATES=1000 SOURCES=plain
	cat "$work/out"
	[ "$(grep -c '^rivals: without nginx: it carries nothing$' "$work/out")" = 1 ] && ! grep -q '^nginx' "$work/out" && grep -q '^reference' "$work/out"
}

nothing_left() {
	! "$build/hold" --instances | grep rivals && ! pgrep -fa "$work"
}

check_here "a tiny run ends well" bench
check "each relay has its row in each round of each table" all_rows
check "every packet was carried, once and in its place" all_carried
check "each round begins with another relay" orders_move_on
check "the table, the JSON and the Markdown have them all" tables_agree
check "medians and quartiles are those of the rounds that count" made_up
check "a rival that carries nothing is left out, with one line" dead_rival
check "nothing of it is left" nothing_left
verdict t_rivals

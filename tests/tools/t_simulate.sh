#!/bin/sh
# t_simulate.sh - build/simulate as a user calls it, and the promises of the guarded policy on the workloads.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh
build=${ONTIME_BUILD:-build}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
gzip -dc tests/workloads/poisson-2.csv.gz >"$work/trace.csv"

every_packet_has_one_fate() { # in JSON, for each policy
	for policy in edf edf-drop guarded; do
		"$build/simulate" --policy "$policy" --json "$work/trace.csv" >"$work/json" || return 1
		jq -e --arg policy "$policy" '.policy == $policy and (.classes | length) == 3 and
			all(.classes[]; .offered == .on_time + .late + ([.dropped[]] | add // 0))' "$work/json" || return 1
		[ "$(jq '[.classes[].offered] | add' "$work/json")" = "$(($(wc -l <"$work/trace.csv") - 1))" ] || return 1
	done
}

packets_add_up_to_the_sums() {
	"$build/simulate" --per-packet "$work/trace.csv" | awk -F, 'NR > 1 && $4 == "on_time" {n[$2]++}
		END {print n["high"], n["medium"], n["low"]}' >"$work/a"
	"$build/simulate" --json "$work/trace.csv" | jq -r '[.classes[].on_time] | join(" ")' >"$work/b"
	diff "$work/a" "$work/b"
}

standard_input_is_the_same() {
	"$build/simulate" "$work/trace.csv" >"$work/a" && "$build/simulate" - <"$work/trace.csv" >"$work/b" &&
		"$build/simulate" "$work/trace.csv" >"$work/c" && diff "$work/a" "$work/b" && diff "$work/a" "$work/c"
}

# One packet of low at work, high and low behind it: edf takes the earlier deadline, which low has at that time.
a_small_case_goes_as_by_hand() {
	printf '0,low,0,900000\n100000,low,0,400000\n99300000,high,0,400000\n' >"$work/small.csv"
	"$build/simulate" --policy edf --per-packet "$work/small.csv" | tail -n +2 | cut -d, -f2,4,5 | tr '\n' ' ' >"$work/a"
	[ "$(cat "$work/a")" = "low,on_time,900000 low,on_time,1200000 high,on_time,400000 " ] || { cat "$work/a" && return 1; }
	printf '0,high,0,300000\n0,high,0,300000\n0,high,0,300000\n0,high,0,300000\n' >"$work/small.csv"
	"$build/simulate" --policy edf-drop --per-packet "$work/small.csv" | cut -d, -f4 | tr '\n' ' ' >"$work/a"
	[ "$(cat "$work/a")" = "fate on_time on_time on_time late " ] || { cat "$work/a" && return 1; }
}

margins_are_kept_where_asked_for() { # a packet that is ready just in time
	{ awk 'BEGIN {for (i = 0; i < 20; i++) print i * 10000000 ",high,0,400000"}'; printf '300000000,high,0,400000\n300000000,high,0,400000\n'; } >"$work/m.csv"
	for flags in "" "--margins --high.margin=0us" "--margins" "--high.margin=250us"; do
		# shellcheck disable=SC2086
		"$build/simulate" --high.budget=820us $flags --json "$work/m.csv" | jq '.classes[0].on_time'
	done | tr '\n' ' ' >"$work/a"
	[ "$(cat "$work/a")" = "22 22 21 21 " ] || { cat "$work/a" && return 1; }
}

# 100 us of High every 2 ms, and three times 3 ms of Medium: two of High are late then, each time, and nobody else wants the time.
late_is_honoured() {
	awk 'BEGIN {for (i = 0; i < 600; i++) {
		if (i == 100 || i == 300 || i == 500) print i * 2000000 - 1 ",medium,0,3000000"
		print i * 2000000 ",high,0,100000"}}' >"$work/late.csv"
	for options in "--policy guarded" "--policy guarded --late=drop" "--policy edf" "--policy edf --late=drop" "--policy edf-drop"; do
		# shellcheck disable=SC2086
		"$build/simulate" $options --json "$work/late.csv" | jq -r '.classes[0] | [.offered, .on_time, .late, .dropped[]] | join(",")'
	done | tr '\n' ' ' >"$work/a"
	[ "$(cat "$work/a")" = "600,594,6 600,594,0,6 600,594,6 600,594,0,6 600,594,0,6 " ] || { cat "$work/a" && return 1; }
}

overload_is_shed() { # with twice the load hardly anything goes on late
	for trace in constant-2 poisson-2 flood-low flood-high; do
		gzip -dc "tests/workloads/$trace.csv.gz" | "$build/simulate" --json - >"$work/json" || return 1
		jq -e '([.classes[].late] | add) * 1000 < ([.classes[].dropped[]] | add)' "$work/json" || return 1
	done
}

comparison_has_all_policies() {
	"$build/simulate" --compare "$work/trace.csv" >"$work/a" || return 1
	for policy in ancestor edf edf-drop guarded 'guarded, evict largest'; do
		grep -q "^$policy  " "$work/a" || return 1
	done
	gzip -dc tests/workloads/bursty-1.2.csv.gz | "$build/simulate" --compare - >"$work/a" && # no packet of besteffort: no share either
		[ "$(grep -cE '^[a-z].* - +[0-9.]+$' "$work/a")" = 5 ] || return 1
	"$build/simulate" --compare --json "$work/trace.csv" | jq -e 'length == 5 and .[3].policy == "guarded"'
}

refused() { # PATTERN ARGS...: status 2 and one line
	pattern=$1
	shift
	text=$("$build/simulate" "$@" 2>&1) && got=0 || got=$?
	printf '%s (status %s)\n' "$text" "$got"
	[ "$got" = 2 ] && printf '%s\n' "$text" | grep -q "$pattern" && [ "$(printf '%s\n' "$text" | wc -l)" = 1 ]
}

marks_are_counted() { # of those that know ECN, and waited for half of their budget of 10 ms; a trace without tos, and rules, are said
	printf '%s,medium,100,4000000,%s\n' 0 2 0 2 0 1 0 0 0 3 0 186 >"$work/ecn.csv" # done at 4, 8, 12, 16, 20 and 24 ms
	"$build/simulate" --policy edf --medium.ecn=mark --json "$work/ecn.csv" 2>"$work/said" | jq -e '.classes[0] | .marked == 3 and .offered == 6' && [ ! -s "$work/said" ] || return 1
	"$build/simulate" --policy edf --medium.ecn=mark "$work/ecn.csv" | grep -x 'medium: 3 of 6 sent would be marked CE' || return 1
	"$build/simulate" --policy edf --medium.ecn=mark --medium.ecn_mark_at=100% --json "$work/ecn.csv" | jq -e '.classes[0].marked == 2' || return 1
	"$build/simulate" --policy edf --json "$work/ecn.csv" | jq -e '.classes[0].marked == 0' || return 1
	! "$build/simulate" --policy edf "$work/ecn.csv" | grep marked || return 1
	"$build/simulate" --policy edf --medium.ecn=mark "$work/trace.csv" 2>"$work/said" >"$work/a" || return 1
	grep 'class medium: ecn = mark: the trace has no fifth column, tos, so nothing is marked' "$work/said" && [ "$(wc -l <"$work/said")" = 1 ] || return 1
	printf '0,voice,100,1000\n' >"$work/voice.csv"
	"$build/simulate" -c run/recipes/one-port.conf "$work/voice.csv" 2>"$work/said" >"$work/a" && grep 'class voice: match: the trace says which class a packet is of' "$work/said"
}

copies_take_bandwidth() { # 300 bytes of payload in two datagrams, to two destinations by IPv4 and one by IPv6, in a millisecond
	printf '%s\n' 0,high,100,1000 1000000,high,200,1000 >"$work/two.csv"
	set -- --high.spread=copy '--high.send=127.0.0.1:1 127.0.0.2:1 [::1]:1' "$work/two.csv"
	"$build/simulate" "$@" | grep -x 'high: what is sent leaves as 3 copies: 1108 bytes on the wire, 8.9 Mbit/s' &&
		"$build/simulate" --json "$@" | jq -e '.classes[0] | .copies == 3 and .copied_wire_bytes == 1108' &&
		! "$build/simulate" "$work/two.csv" | grep copies
}

bad_traces_are_refused() {
	for bad in 'x,high,1,1' '1,gold,1,1' '1,high,70000,1' '1,high,1' '1,high,1,x' '1,high,1,99999999999' \
		'-5,high,100,1000' '1,high,-1,1' '1,high,1,-1' ' 1,high,1,1' '+1,high,1,1' '0x1,high,1,1' '18446744073709551616,high,1,1' \
		'1,high,1,1,256' '1,high,1,1,x' '1,high,1,1,1,1' '1,high,1,1,'; do
		printf '0,high,1,1\n%s\n' "$bad" >"$work/bad.csv"
		refused "bad.csv:2: \"$bad\": " "$work/bad.csv" || return 1
	done
	printf '5,high,1,1\n4,high,1,1\n' >"$work/bad.csv"
	refused 'sort the trace' "$work/bad.csv" && refused 'No such file' "$work/none.csv" && refused "$work: Is a directory" "$work" && refused 'which trace' --json &&
		refused 'not a whole number from 1 to 64' --workers 65 "$work/trace.csv" && refused 'unknown choice' --policy best "$work/trace.csv"
}

byte_order_mark_is_no_part_of_a_trace() { # some editors begin a file with it; with the names after it, and without
	for names in 'arrival_ns,class,bytes,service_ns\n' ''; do
		printf '\357\273\277%b5,high,100,1000\n6,high,100,1000\n' "$names" | "$build/simulate" --json - |
			jq -e '.classes[0].offered == 2' || return 1
	done
}

full_output_is_told() {
	for how in "" --json --compare "--compare --json" --per-packet --help; do
		# shellcheck disable=SC2086
		"$build/simulate" $how "$work/trace.csv" >/dev/full 2>"$work/said" && got=0 || got=$?
		echo "simulate $how: status $got, $(cat "$work/said")"
		[ "$got" = 1 ] && grep -q 'No space left' "$work/said" && [ "$(wc -l <"$work/said")" = 1 ] || return 1
	done
}

# The figures of tests/workloads/compare.sh, with what the guarded policy promises.
promises_hold() {
	tests/workloads/compare.sh >"$work/workloads" || return 1
	awk '
	function need(what, is, least) { if (is < least) {print what ": " is ", not " least; bad = 1} }
	$1 == "mean" {need("mean High", $8, 98); need("mean High, largest", $11, 98.5); need("mean all", $10, 94)
		need("mean all, largest", $13, 98); need("mean High, slices", $14, 98.3); need("mean all, slices", $16, 94)}
	$1 == "least" {need("least High", $8, 87)}
	$1 == "high500const-others-5" {need("constant High at five times the load", $8, 99.99)}
	$1 ~ /^poisson-0.[58]$/ {need($1, $10, 99.9)}
	$1 == "flood-low" {need("High at 500/s beside a flood", $8, 99.6)}
	END {exit bad}' "$work/workloads" || { cat "$work/workloads" && return 1; }
}

shares_hold_beside_floods() {
	for flood in high medium low; do
		gzip -dc "tests/workloads/flood-$flood.csv.gz" |
			"$build/simulate" --high.share=33% --medium.share=33% --low.share=33% --json - |
			jq -e --arg flood "$flood" 'all(.classes[]; .class == $flood or .on_time >= 0.99 * .offered)' || return 1
	done
}

# Four at once take two rounds of two; a short one behind a long one of its class waits for it, one of another class does not.
workers_share_one_queue() {
	printf '0,high,0,300000\n0,high,0,300000\n0,high,0,300000\n0,high,0,300000\n' >"$work/small.csv"
	"$build/simulate" --workers 2 --per-packet "$work/small.csv" | tail -n +2 | cut -d, -f5 | tr '\n' ' ' >"$work/a"
	[ "$(cat "$work/a")" = "300000 300000 600000 600000 " ] || { cat "$work/a" && return 1; }
	printf '0,low,0,900000\n100000,low,0,50000\n100000,medium,0,50000\n' >"$work/small.csv"
	"$build/simulate" --workers 3 --per-packet "$work/small.csv" | tail -n +2 | cut -d, -f2,5 | tr '\n' ' ' >"$work/a"
	[ "$(cat "$work/a")" = "low,900000 low,800000 medium,50000 " ] || { cat "$work/a" && return 1; }
	"$build/simulate" --workers 1 --json "$work/trace.csv" >"$work/a" && "$build/simulate" --json "$work/trace.csv" >"$work/b" && diff "$work/a" "$work/b"
}

# Each packet is in one shard, and has one fate there; what one shard does is what there is without; and two do more.
shards_have_queues_of_their_own() {
	"$build/simulate" --shards 2 --json "$work/trace.csv" >"$work/json" 2>"$work/said" && "$build/simulate" --json "$work/trace.csv" >"$work/b" || return 1
	cat "$work/said" "$work/json"
	jq -e --slurpfile one "$work/b" '[.classes[].offered] == [$one[0].classes[].offered] and
		all(.classes[]; .offered == .on_time + .late + ([.dropped[]] | add // 0)) and
		([.classes[].on_time] | add) > 1.3 * ([$one[0].classes[].on_time] | add)' "$work/json" || return 1
	"$build/simulate" --shards 2 --per-packet "$work/trace.csv" 2>&1 | awk -F, '$4 == "on_time" {n++} END {print n}' >"$work/a"
	[ "$(cat "$work/a")" = "$(jq '[.classes[].on_time] | add' "$work/json")" ] && grep -q 'chance gives each' "$work/said" &&
		"$build/simulate" --shards 1 --json "$work/trace.csv" | diff - "$work/b"
}

# Poisson arrivals in three classes, 0.2 to 0.4 ms of work: LOAD times what N workers can do, for a second.
traffic() { # N LOAD
	awk -v n="$1" -v load="$2" 'BEGIN {srand(7); for (t = 0; t < 1e9; t += -log(1 - rand()) * 3e5 / n / load)
		printf "%d,%s,%d,%d\n", t, substr("high  mediumlow   ", 1 + 6 * int(rand() * 3), 6), 100, 2e5 + rand() * 2e5}' | tr -d ' '
}

many_workers_keep_up() { # all of it at 95 % of what 12 can do, and what one worker keeps of an overload
	traffic 12 0.95 | "$build/simulate" --workers 12 --json - >"$work/json" || return 1
	jq -e 'all(.classes[] | select(.offered); .on_time == .offered)' "$work/json" || return 1
	for row in '1 0.88' '2 0.97' '4 0.99' '12 0.999'; do # one busy worker cannot be interrupted, of many one is soon free
		traffic "${row% *}" 2 | "$build/simulate" --workers "${row% *}" --json - >"$work/json" || return 1
		jq -c '[.classes[] | select(.offered) | .on_time / .offered]' "$work/json"
		jq -e --argjson least "${row#* }" '.classes[0] | .on_time >= $least * .offered' "$work/json" || return 1
	done
}

check "every packet has one fate" every_packet_has_one_fate
check "the packets add up to the sums" packets_add_up_to_the_sums
check "standard input is the same, and so is a second run" standard_input_is_the_same
check "small cases go as by hand" a_small_case_goes_as_by_hand
check "margins are kept where they are asked for" margins_are_kept_where_asked_for
check "late packets go on where that costs nobody anything, and late = drop sheds them" late_is_honoured
check "overload is shed" overload_is_shed
check "the comparison has all policies" comparison_has_all_policies
check "workers share one queue, and order holds within a class" workers_share_one_queue
check "shards have queues of their own" shards_have_queues_of_their_own
check "many workers keep up, and keep High in overload" many_workers_keep_up
check "marks are counted, and what a trace cannot say is said" marks_are_counted
check "what copies take is said" copies_take_bandwidth
check "a bad trace or option is one line and status 2" bad_traces_are_refused
check "a byte order mark is no part of a trace" byte_order_mark_is_no_part_of_a_trace
check "a full output is one line and status 1" full_output_is_told
check "guarded keeps its promises on the workloads" promises_hold
check "shares hold beside floods" shares_hold_beside_floods
verdict simulate

#!/bin/sh
# t_load.sh - build/load tells the truth: of a relay that does known harm (tests/tools/forward.c) it reports exactly that.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
own_instance load
build=$ONTIME_BUILD
relay=
conf=$work/load.conf
own_config run/ontime.conf
at_end() {
	[ -z "$relay" ] || kill "$relay" 2>/dev/null
}

check() { # NAME COMMAND...: not in a subshell, which would forget the relay
	check_here "$@"
	[ -z "$relay" ] || relay_stop
}

relay_start() { # ARGS...
	: >"$work/harm"
	"$build/tests/forward" "$relay_conf" "$@" >"$work/harm" &
	relay=$!
	tries=200
	until grep -q ready "$work/harm"; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] && kill -0 "$relay" || return 1
		sleep 0.02
	done
}
relay_conf=$conf

relay_stop() {
	kill "$relay" 2>/dev/null || true
	wait "$relay" || true
	relay=
}

load() { # STATUS ARGS...: as JSON to $work/json
	want=$1
	shift
	"$build/load" -c "$relay_conf" --json --drain 0.3 "$@" >"$work/json" && got=0 || got=$?
	cat "$work/json"
	[ "$got" = "$want" ] || { echo "status $got, not $want" && return 1; }
}

found() { # JQ-CONDITION on each flow
	jq -e "all(.flows[]; $1)" "$work/json" >/dev/null || { echo "not so: $1" && return 1; }
}

harm_was() { # WORDS: the relay did that to each class
	relay_stop
	cat "$work/harm"
	[ "$(grep -c "^[a-z]* $1\$" "$work/harm")" = 4 ] || { echo "the relay did not do: $1" && return 1; }
}

whole='.lost == 0 and .duplicated == 0 and .reordered == 0 and .corrupt == 0 and .stray == 0 and .received == .sent'

waits_for() { # PID: it sleeps before it tries again
	grep -q nanosleep "/proc/$1/wchan"
}

port_is_given_up_late() { # by a receiver that runs until load has tried
	nc -u -l 127.0.0.1 "$send" >/dev/null 2>&1 &
	receiver=$!
	eventually grep -q nc "/proc/$receiver/comm" && eventually taken || return 1
	"$build/load" -c "$conf" --seconds 0.2 --sink-only >"$work/said" 2>&1 &
	loader=$!
	eventually waits_for "$loader" && status=0 || status=1
	kill "$receiver"
	wait "$loader" || status=1
	cat "$work/said"
	return "$status"
}

taken() {
	ss -Hlun "sport = :$send" | grep -q .
}

no_harm_is_none() {
	relay_start
	for how in constant poisson bursty; do
		load 0 --rate 20000 --seconds 0.5 --size 0-1472 --arrivals "$how" && found "$whole and .sent > 500" || return 1
	done
	load 0 --rate 40000 --seconds 0.5 --size 512 --gso --arrivals bursty && found "$whole and .sent > 500" &&
		load 0 --rate 2000 --seconds 0.5 --sources 64 && found "$whole and .sent > 225"
}

# ACTION N FOUND ARGS...: N of one action on each class, and nothing else is found than FOUND
exactly() {
	action=$1
	n=$2
	condition=$3
	shift 3
	relay_start "--$action" "$n" --only "$only"
	load 3 --rate 16000 --seconds 1 "$@" || return 1
	found "$condition" && relay_stop && cat "$work/harm" && [ "$(grep -c "$action $n\\b" "$work/harm")" = 4 ]
}

single_harm_is_exact() { # SIZES
	exactly lose 17 '.lost == 17 and .duplicated == 0 and .reordered == 0 and .corrupt == 0 and .received == .sent - 17' "$@" &&
		exactly double 13 '.lost == 0 and .duplicated == 13 and .reordered == 0 and .corrupt == 0' "$@" &&
		exactly swap 11 '.lost == 0 and .duplicated == 0 and .reordered == 11 and .corrupt == 0' "$@" &&
		exactly corrupt 19 '.lost == 0 and .duplicated == 0 and .reordered == 0 and .corrupt == 19' "$@"
}

all_harm_is_exact() { # SIZES
	relay_start --lose 9 --double 8 --swap 7 --corrupt 6 --only "$only"
	load 3 --rate 20000 --seconds 1 "$@" &&
		found '.lost == 9 and .duplicated == 8 and .reordered == 7 and .corrupt == 6 and .received == .sent - 15' &&
		harm_was 'lose 9 double 8 swap 7 corrupt 6 hold 0'
}

nothing_but_short_is_counted() { # no header at all: loss and duplicates are exact where only one of them happens
	only=short
	exactly lose 5 '.lost == 5 and .duplicated == 0' --size 0-16 &&
		exactly double 5 '.lost == 0 and .duplicated == 5' --size 0-16 &&
		exactly corrupt 5 '.lost == 0 and .duplicated == 0 and .corrupt == 5' --size 1-16
}

delay_is_what_it_was() { # 20 ms: past the budgets of high and medium
	relay_start --delay 20000
	load 0 --rate 1000 --seconds 1 &&
		found "$whole and .latency_ns.p50 >= 20000000 and .latency_ns.p50 < 30000000" &&
		jq -e 'all(.flows[]; if .class == "high" or .class == "medium" then .on_time == 0
			else .on_time > 0.9 * .sent end)' "$work/json" >/dev/null
}

stragglers_are_no_loss_of_the_next_run() { # what comes after the drain is lost to its run, and a stray in the next one
	relay_start --hold 3
	load 3 --rate 4000 --seconds 0.5 --drain 0.2 && found '.lost == 3 and .stray == 0' || return 1
	kill -USR1 "$relay"
	load 0 --rate 4000 --seconds 0.5 && found '.lost == 0 and .stray == 3 and .duplicated == 0 and .corrupt == 0'
}

sink_is_bound() { # by then load has its signal handlers too
	grep -qi "^ *[0-9]*: [0-9A-F]*:$(printf %04x "$send") " /proc/net/udp
}

queues_are_empty() { # of all UDP sockets
	awk 'NR > 1 && $5 !~ /:0*$/ {exit 1}' /proc/net/udp
}

stop_for_a_while() { # PID...: a second, once load runs
	eventually sink_is_bound
	sleep 0.1
	kill -STOP "$@"
	sleep 1
	kill -CONT "$@"
}

late_relay_is_the_relays_fault() {
	relay_start
	stop_for_a_while "$relay" &
	load 0 --rate 4000 --seconds 1.5 --drain 2 && found "$whole and .latency_ns.max > 900000000" &&
		jq -e '.source.lag_ns.max < 700000000' "$work/json" >/dev/null
}

late_source_is_said() { # all of its datagrams are sent, each late by what it is, and it says so
	relay_start
	"$build/load" -c "$conf" --json --rate 4000 --seconds 2 >"$work/json" &
	stop_for_a_while $!
	wait $! || return 1
	cat "$work/json"
	found "$whole and .sent > 1800 and .latency_ns.max > 900000000" &&
		jq -e '.source.lag_ns.max > 900000000' "$work/json" >/dev/null
}

# What a stopped source has missed would be a flood that nobody asked for: it catches up at twice the pace. The relay lets
# 4000/s pass, with 400 at once.
late_source_floods_nobody() {
	relay_start --police 4000
	"$build/load" -c "$conf" --json --rate 600 --seconds 2.5 >"$work/json" &
	stop_for_a_while $!
	wait $! || { cat "$work/json" && return 1; }
	found "$whole and .sent == 375 and .latency_ns.max > 900000000"
}

impossible_rate_is_said() { # nobody can send ten million a second; it ends all the same
	"$build/load" -c "$conf" --send-only --json --rate 10000000 --seconds 0.3 >"$work/json" || return 1
	cat "$work/json"
	jq -e '.source.fell_behind and .source.sent_pps < 9000000 and .source.seconds < 2' "$work/json" >/dev/null &&
		"$build/load" -c "$conf" --send-only --json --rate 100 --seconds 0.5 | jq -e '.source.fell_behind | not' &&
		"$build/load" -c "$conf" --send-only --rate 10000000 --seconds 0.3 | grep -q 'could not send as fast as asked'
}

several_addresses() { # order holds per source socket
	relay_conf=$work/several.conf
	printf '[class high]\nlisten = 127.0.0.1:%s 127.0.0.1:%s\nsend = 127.0.0.1:%s 127.0.0.1:%s\n' \
		"$listen" $((listen + 1)) "$send" $((send + 1)) >"$relay_conf"
	relay_start &&
		load 0 --rate 20000 --seconds 0.5 --sources 9 && found "$whole" &&
		refused '--size 0 for class high: with several sources and several addresses' --sources 9 --size 0-10 &&
		status=0 || status=1
	relay_conf=$conf
	return "$status"
}

rates_and_sizes_by_class() {
	relay_start
	load 0 --rate high=1000,low=400 --size high=64,low=1400 --seconds 1 &&
		jq -e '[.flows[].class] == ["high", "low"] and (.flows[0].sent / .flows[1].sent | . > 2.4 and . < 2.6)' "$work/json" >/dev/null
}

search_finds_the_rate() { # policed at 4000/s, with a tenth of a second's worth at once
	relay_start --police 4000
	"$build/load" -c "$conf" --json --find-max --rate 1000 --seconds 1 --precision 8 --size 64 >"$work/json" || return 1
	cat "$work/json"
	jq -e '.limit == "loses" and .lossless_pps >= 3600 and .lossless_pps <= 4700 and
		.fails_at_pps <= 1.08 * .lossless_pps and .fails_at_pps > 4000' "$work/json" >/dev/null
}

csv_is_appended() {
	relay_start
	for seed in 1 2; do
		"$build/load" -c "$conf" --rate 400 --seconds 0.2 --seed $seed --csv "$work/csv" >/dev/null || return 1
	done
	cat "$work/csv"
	awk -F, 'NR == 1 {n = NF; ok = $2 == "class"} NF != n || (NR > 1 && ($5 < 15 || $5 > 20)) {ok = 0}
		END {exit !(ok && NR == 9)}' "$work/csv"
}

# What cannot be appended to is said before anything is sent; a last line that a killed writer left is not continued.
csv_is_looked_at_first() {
	relay_start
	printf 'time,class,other\n1,2,3\n' >"$work/other.csv"
	cp "$work/other.csv" "$work/before"
	refused 'other.csv: its first line does not name the columns of load' --seconds 30 --csv "$work/other.csv" &&
		cmp "$work/other.csv" "$work/before" || return 1
	timeout 5 "$build/load" -c "$conf" --seconds 30 --csv "$work/none/x.csv" 2>"$work/said" && status=0 || status=$?
	cat "$work/said"
	[ "$status" = 1 ] && grep -q 'append to .*/none/x.csv: No such file' "$work/said" || return 1
	timeout 5 "$build/load" -c "$conf" --seconds 30 --csv "$work" 2>"$work/said" && status=0 || status=$?
	[ "$status" = 1 ] && grep -q 'Is a directory' "$work/said" || return 1
	{ head -n 1 "$work/csv" && printf '2026-01-01T00:00:00Z,high,1'; } >"$work/torn.csv"
	"$build/load" -c "$conf" --rate 400 --seconds 0.2 --csv "$work/torn.csv" >/dev/null || return 1
	cat "$work/torn.csv"
	[ "$(wc -l <"$work/torn.csv")" = 6 ] && sed -n 2p "$work/torn.csv" | grep -qx '2026-01-01T00:00:00Z,high,1' &&
		[ "$(grep -c '^[^,]*,[a-z]*,400' "$work/torn.csv")" = 4 ]
}

full_output_is_told() { # by every way to write to it
	relay_start
	for how in "" --json "--find-max --json" --help --version "--csv /dev/full"; do
		to=/dev/full
		[ "$how" != "--csv /dev/full" ] || to=$work/table
		# shellcheck disable=SC2086
		"$build/load" -c "$conf" --rate 400 --seconds 0.2 $how >$to 2>"$work/said" && status=0 || status=$?
		echo "load $how: status $status, $(cat "$work/said")"
		[ "$status" = 1 ] && [ "$(grep -c 'No space left' "$work/said")" = 1 ] && [ "$(wc -l <"$work/said")" = 1 ] || return 1
	done
}

# Two classes are sent to one address, a third to that and another one: the header tells them apart.
one_destination_of_several_classes() {
	relay_conf=$work/shared.conf
	printf '[class %s]\nlisten = 127.0.0.1:%s\nsend = 127.0.0.1:%s\n' high "$listen" "$send" medium $((listen + 1)) "$send" \
		low $((listen + 2)) "$((send + 1)) 127.0.0.1:$send" besteffort $((listen + 3)) $((send + 3)) >"$relay_conf"
	relay_start --lose 5 --double 4 --only long &&
		load 3 --rate 16000 --seconds 0.5 --sources 3 && found '.lost == 5 and .duplicated == 4 and .stray == 0' &&
		refused '--size 10 for class high: it must be at least 24, because class medium is sent to 127.0.0.1' --size high=10-60 &&
		status=0 || status=1
	relay_conf=$conf
	return "$status"
}

halves_meet() { # on two machines; here on one
	relay_start
	"$build/load" -c "$conf" --json --sink-only --size 0-100 >"$work/json" &
	sink=$!
	eventually sink_is_bound || return 1
	"$build/load" -c "$conf" --send-only --rate 4000 --seconds 0.5 --size 0-100 >"$work/sent"
	eventually queues_are_empty
	kill -INT $sink
	wait $sink || return 1
	cat "$work/json" "$work/sent"
	found '.lost == 0 and .duplicated == 0 and .reordered == 0 and .sent >= 490 and (has("latency_ns") | not)'
}

bar_is_for_a_terminal() {
	relay_start
	script -qec "$build/load -c $conf --rate 400 --seconds 0.5" /dev/null >"$work/typescript" 2>&1 || return 1
	cat "$work/typescript"
	grep -q '\[#*\.*\] *[0-9]* %' "$work/typescript" || return 1
	"$build/load" -c "$conf" --rate 400 --seconds 0.3 >"$work/plain" 2>&1 && ! grep -q '\[#*\.*\]' "$work/plain"
}

stopped_early_is_still_told() {
	relay_start
	"$build/load" -c "$conf" --json --rate 4000 --seconds 60 >"$work/json" &
	load=$!
	eventually sink_is_bound && sleep 0.3 # for something to tell of
	kill -INT $load
	wait $load || return 1
	cat "$work/json"
	found "$whole and .sent > 0 and .sent < 15000"
}

refused() { # PATTERN ARGS...: status 2 and one line
	pattern=$1
	shift
	text=$("$build/load" -c "$relay_conf" "$@" 2>&1) && got=0 || got=$?
	printf '%s (status %s)\n' "$text" "$got"
	[ "$got" = 2 ] && printf '%s\n' "$text" | grep -qF -- "$pattern" && [ "$(printf '%s\n' "$text" | wc -l)" = 1 ]
}

bad_options_are_refused() {
	refused '--nonsense: unknown option' --nonsense && refused '--rate: its value is missing' --rate &&
		refused '"0" is not a number from 0.1' --rate 0 && refused '"x" is not a number' --rate high=x &&
		refused 'class "high" is in it twice' --rate high=5,low=2,high=3 && refused 'is in it twice' --size low=64,low=64 &&
		refused 'neither one value nor' --rate high=3,5 && refused '"0x10" is not a number' --rate 0x10 &&
		refused '" 5" is not a number' --rate ' 5' && refused '"inf" is not a number' --rate inf &&
		refused 'no class "gold"' --rate gold=5 && refused 'neither one value nor' --rate 5,high=3 &&
		refused '"9-5" is not BYTES or MIN-MAX' --size 9-5 && refused '"1473" is not' --size 1473 &&
		refused '"-5" is not' --size -5 && refused '"64-" is not' --size 64- &&
		refused '--seconds 0: not a number from 0.01' --seconds 0 && refused '--burst 1.5: not a whole number' --burst 1.5 &&
		refused '--sources 9999: not a whole number from 1 to 1024' --sources 9999 &&
		refused '--arrivals never: not constant, poisson or bursty' --arrivals never &&
		refused '--precision x: not a number' --precision x && refused '--seed -1: not a whole' --seed -1 &&
		refused 'do not go together' --find-max --trace x && refused 'do not go together' --send-only --sink-only &&
		refused 'nowhere: No such file' --trace nowhere
}

help_fits_a_screen() {
	[ "$("$build/load" --help | wc -l)" -le 30 ] && "$build/load" --version | grep -q '^ontime [0-9]'
}

only=long
check "no harm is reported as none, in all kinds of arrivals" no_harm_is_none
check "loss, duplicates, disorder and change are counted exactly" single_harm_is_exact --size 24-1472
check "so are all at once" all_harm_is_exact --size 24-1472
check "and those of long ones between short ones" all_harm_is_exact --size 0-100
only=short
check "datagrams too short for a header are counted exactly between those with one" single_harm_is_exact --size 0-60
check "so are all at once, of short ones" all_harm_is_exact --size 0-60
check "nothing but short ones: loss or duplicates are exact" nothing_but_short_is_counted
check "a delay is what it was, and so is what is on time" delay_is_what_it_was
check "what comes after the drain is told from a duplicate" stragglers_are_no_loss_of_the_next_run
check "a relay that stops is the one to blame" late_relay_is_the_relays_fault
check "a source that stops says that it was late" late_source_is_said
check "and what it missed is no flood" late_source_floods_nobody
check "a port whose receiver is about to end is waited for" port_is_given_up_late
check "a rate that cannot be kept to is said" impossible_rate_is_said
check "with several addresses order is per source" several_addresses
check "rates and sizes by class" rates_and_sizes_by_class
check "the search finds a rate that is known" search_finds_the_rate
check "CSV is appended, its first line written once" csv_is_appended
check "a file of CSV is looked at before the run" csv_is_looked_at_first
check "a full output is one line and status 1" full_output_is_told
check "classes with one destination can be driven" one_destination_of_several_classes
check "one half sends, the other receives" halves_meet
check "a bar is drawn on a terminal, and only there" bar_is_for_a_terminal
check "what was sent until Ctrl-C is told" stopped_early_is_still_told
check "a bad option is one line and status 2" bad_options_are_refused
check "--help fits a screen" help_fits_a_screen
verdict load

#!/bin/sh
# t_shards.sh - an instance of several shards, as an operator meets it: refused configs, an address that comes later, what was killed together
# and comes back, stops, and what a change of `shards` takes.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
own_namespaces "an instance of several shards" "--net" "$0" "$@"
own_instance sharded
ONTIME_BUILD=$PWD/${ONTIME_BUILD:-build}
ip link set lo up
shards=3
sink=

at_end() {
	[ -z "$sink" ] || kill "$sink" 2>/dev/null
}

on_failure() {
	tail -n 10 "$log" 2>/dev/null || true
	account '{classes: [.classes[] | {received, sent, held, dropped}], stages, causes}' || true
}

write_conf() { # LINES-OF-THE-PIPELINE LINES-OF-A-CLASS
	printf '[pipeline]\ninstance = %s\npolicy = edf\n%b\n[class a]\nlisten = 10.9.9.9:7001 127.0.0.1:7001\nsend = 127.0.0.1:8001\n%b\n' \
		"$instance" "$1" "${2:-}" >"$conf"
}

refused() { # WORDS PIPELINE CLASS: by one line with these words, and nothing of it stays
	write_conf "$2" "${3:-}"
	! run/launch.sh -c "$conf" >"$work/said" 2>&1 || return 1
	cat "$work/said"
	[ "$(wc -l <"$work/said")" = 1 ] && grep -q "$1.*use shards = 1" "$work/said" && [ ! -e "$(segment_of "$instance")" ]
}

all_ready() {
	"$ONTIME_BUILD/hold" --stages -i "$instance" >"$work/stages" 2>/dev/null && [ "$(grep -c ' ready .* 1$' "$work/stages")" = $((3 * shards)) ]
}

launches() {
	run/launch.sh -c "$conf" >"$work/said" 2>&1 || {
		cat "$work/said"
		return 1
	}
	all_ready
}

passes() { # TO: 3,000 datagrams of 30 senders, each sender's in order
	"$ONTIME_BUILD/tests/datagrams" sink 127.0.0.1:8001 >"$work/sink" &
	sink=$!
	eventually grep -q ready "$work/sink"
	want=$(account '[.classes[].sent] | add + 3000')
	"$ONTIME_BUILD/tests/datagrams" send "$1" 3000 64 30
	eventually has_passed_on
	kill "$sink"
	wait "$sink" || true
	sink=
	cat "$work/sink"
	grep -q '^127.0.0.1:8001 3000 pkts, 0 out of order' "$work/sink"
}

has_passed_on() {
	[ "$(account '[.classes[].sent] | add')" = "$want" ]
}

each_shard_had_some() {
	for shard in $(seq 0 $((shards - 1))); do
		[ "$("$ONTIME_BUILD/stat" --json -i "$instance" --shard "$shard" | jq '.classes[0].received')" -gt 300 ] || return 1
	done
}

comes_later() {
	grep 'a.in.0: 10.9.9.9:7001 is not there yet' "$log" && ip address add 10.9.9.9/32 dev lo && eventually grep -q 'a: 10.9.9.9:7001 is there now, and bound' "$log"
}

holder_and_supervisor() {
	"$ONTIME_BUILD/hold" --supervisor -i "$instance"
	"$ONTIME_BUILD/hold" --holder -i "$instance"
}

is_supervised() {
	"$ONTIME_BUILD/hold" --supervisor -i "$instance" >"$work/pid" && "$ONTIME_BUILD/hold" --holder -i "$instance" >>"$work/pid"
}

stand_bys_start_others() {
	was=$(cut -d' ' -f2 "$work/stages")
	# shellcheck disable=SC2046
	kill -9 $(holder_and_supervisor) && sleep 0.2
	eventually is_supervised && all_ready && [ "$(cut -d' ' -f2 "$work/stages")" = "$was" ]
}

a_launch_adopts() {
	was=$(cut -d' ' -f2 "$work/stages")
	orphan "$instance"
	sleep 0.1
	launches && grep 'is running (adopted)' "$work/said" && [ "$(cut -d' ' -f2 "$work/stages")" = "$was" ]
}

kill_everything() {
	orphan "$instance"
	# shellcheck disable=SC2046
	kill -9 $(cut -d' ' -f2 "$work/stages")
	sleep 0.1
}

hold_some() { # in one shard, whose egress does not run: the senders are many
	kill -STOP "$(sed -n 's/^egress\.1 \([0-9]*\) .*/\1/p' "$work/stages")"
	"$ONTIME_BUILD/tests/datagrams" send 127.0.0.1:7001 300 64 30
	eventually some_are_held
}

some_are_held() {
	[ "$("$ONTIME_BUILD/hold" --held -i "$instance")" -gt 0 ]
}

begins_anew_over_held() { # what was held is gone, and said; that fails nothing
	all_ready && hold_some && kill_everything && launches && grep 'it begins anew; [1-9][0-9]* packets' "$work/said"
}

a_stop_says_what_is_lost() { # over a way out that is too slow for what all shards hold
	write_conf 'shards = 3\nrate = 192kbit\nburst = 6000B'
	shards=3
	launches && "$ONTIME_BUILD/tests/datagrams" send 127.0.0.1:7001 3000 1000 30 && eventually some_are_held || return 1
	run/stop.sh -i "$instance" >"$work/said" 2>&1 && status=0 || status=$?
	cat "$work/said"
	[ "$status" = 3 ] && grep -q 'and gone: [1-9][0-9]* of class a$' "$work/said" && is_over
}

begins_anew() {
	kill_everything
	! run/status.sh -i "$instance" && launches && grep 'it begins anew' "$work/said"
}

metric() { # NAME [QUERY]: the sum of its series
	curl -s "http://127.0.0.1:9998/metrics${2:-}" | awk -v name="$1" 'index($1, name "{") == 1 || $1 == name {n += $2; found = 1} END {if (found) print n}'
}

status_of() { # PATH
	curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:9998/$1"
}

the_dashboard_has_all_and_each() {
	"$ONTIME_BUILD/dash" -i "$instance" --listen 127.0.0.1:9998 >"$work/dash" 2>&1 &
	sink=$!
	eventually dash_is_up
	all=$(metric ontime_received_packets_total)
	one=$(for shard in 0 1 2; do metric ontime_received_packets_total "?shard=$shard"; done | awk '$1 > 0 {n += $1; k++} END {print n, k}')
	pages="$(status_of "metrics?shard=3") $(status_of "metrics?shard=x") $(status_of "healthz?shard=2") $(status_of "metrics?instance=$instance&shard=1")"
	echo "all $all, each $one, pages $pages"
	[ "$(metric ontime_shards)" = 3 ] && [ "$(metric ontime_shards '?shard=1')" = 1 ] && [ "$one" = "$all 3" ] && [ "$pages" = "404 404 200 200" ] || return 1
	kill "$sink"
	wait "$sink" || true
	sink=
}

dash_is_up() {
	[ "$(metric ontime_up)" = 1 ]
}

stops_unsupervised() {
	orphan "$instance"
	run/stop.sh -i "$instance" && is_over
}

is_over() { # no process, no segment
	[ ! -e "$(segment_of "$instance")" ] && ! pgrep -f "$conf" && ! "$ONTIME_BUILD/hold" --stages -i "$instance"
}

needs_a_relaunch() {
	write_conf 'shards = 2'
	status=0
	run/reload.sh -i "$instance" >"$work/said" 2>&1 || status=$?
	cat "$work/said"
	[ "$status" = 3 ] && grep -q 'shards: 3 -> 2 (needs a relaunch)' "$work/said"
}

# 32 Mbit/s of many senders come, and 16 are let go, in all: each window has the rate and the burst, and hardly less.
the_rate_holds_over_all() {
	write_conf 'shards = 3\nrate = 16Mbit\nburst = 30000B'
	shards=3
	launches || return 1
	"$ONTIME_BUILD/load" -c "$conf" --rate 4000 --size 1000-1000 --sources 60 --seconds 30 --send-only >"$work/load" 2>&1 &
	sink=$!
	sleep 1
	for _ in 1 2 3 4 5 6; do
		account '"\(.at_ns) \([.classes[] | .sent_bytes + 28 * .sent] | add)"'
		sleep 0.5
	done >"$work/bits"
	kill "$sink"
	wait "$sink" || true
	sink=
	cat "$work/bits"
	# a look at three shards takes a moment, in which some more leave: 1 ms of the rate
	awk 'NR > 1 {bits = ($2 - bytes) * 8; most = ($1 - at) * 0.016 + 240000 + 16000; if (bits > most || bits < 0.8 * ($1 - at) * 0.016) {print "of", most, "bits:", bits; bad = 1}}
		{at = $1; bytes = $2} END {exit bad || NR < 6}' "$work/bits" && run/stop.sh -i "$instance"
}

one_per_cpu() {
	write_conf 'shards = auto'
	shards=$(nproc)
	launches && [ "$(wc -l <"$work/stages")" = $((3 * shards)) ] && run/stop.sh -i "$instance" && is_over
}

on_a_cpu_each() { # of those there are, counted from the last
	"$ONTIME_BUILD/hold" --stages -i "$instance" | while read -r name pid _; do
		echo "${name#*.} $(taskset -cp "$pid" | sed 's/.*: //')"
	done | sort -u >"$work/cpus"
	cat "$work/cpus"
	[ "$(wc -l <"$work/cpus")" = "$shards" ] && [ "$(cut -d' ' -f2 "$work/cpus" | sort -u | wc -l)" = "$(printf '%s\n' "$shards" "$(nproc)" | sort -n | head -n 1)" ]
}

check "rules and shards on one address are refused" refused 'match' 'shards = 2' 'match = dscp ef\n[class b]\nlisten = 10.9.9.9:7001 127.0.0.1:7001\nsend = 127.0.0.1:8002'
check "sessions and shards are refused" refused replies 'shards = 2' 'replies = b\n[class b]'
check "a burst that is too small for each is refused" refused burst 'shards = 2\nrate = 1Gbit\nburst = 2000B'
write_conf 'shards = 3'
check_here "a launch starts all" launches
check "the stages of a shard have one CPU, of another shard another one" on_a_cpu_each
check "datagrams of many senders pass, each sender's in order" passes 127.0.0.1:7001
check "each shard had some of them" each_shard_had_some
check "the dashboard has the sum, and each" the_dashboard_has_all_and_each
check "an address that comes later is bound by all" comes_later
check "datagrams to it pass" passes 10.9.9.9:7001
check_here "supervisor and holder that were killed at once are replaced by a stand-by" stand_bys_start_others
check "datagrams pass" passes 10.9.9.9:7001
check "a restart of all" run/restart.sh all -i "$instance"
check_here "all run then" eventually all_ready
check_here "without stand-bys a launch adopts all stages" a_launch_adopts
check "datagrams pass then" passes 127.0.0.1:7001
check "another number of shards takes a relaunch" needs_a_relaunch
write_conf 'shards = 3'
check_here "a launch after all was killed begins anew" begins_anew
check_here "so it does when some were held" begins_anew_over_held
check "a stop without a supervisor is clean" stops_unsupervised
check_here "a rate holds over all shards" the_rate_holds_over_all
check_here "what a stop loses has its class and a status" a_stop_says_what_is_lost
check_here "auto is one for each CPU" one_per_cpu
verdict shards

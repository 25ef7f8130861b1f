#!/bin/sh
# t_copies.sh [KILLS [SEED [RATE [PPS]]]] - a class with five destinations, of which one refuses, one is full and one cannot be reached, while
# stages are killed RATE times a second (25) and PPS (4,000) packets/s pass: the two healthy ones have each datagram once, in order, and the
# account of each destination adds up at every look. 120 kills by default; 1,000 by hand. In a network namespace of its own.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
own_namespaces "copies while stages die" --net "$0" "$@"
# shellcheck source=tests/harness/storm.sh
. tests/harness/storm.sh
kills=${1:-120}
seed=${2:-1}
rate=${3:-25}
pps=${4:-4000}
own_instance copies
ip link set lo up
ip link add full type veth peer name far
ip link set full up
ip link set far up
ip addr add 10.8.0.1/24 dev full
ip neigh replace 10.8.0.2 lladdr 02:00:00:00:00:02 dev full
tc qdisc replace dev full root tbf rate 2mbit burst 3kb limit 3kb 2>/dev/null || {
	echo "skip copies while stages die: this kernel has no queue of a rate (sch_tbf)"
	exit 77
}
one=127.0.0.1:$send
two=127.0.0.2:$send
refusing=127.0.0.3:$send
full=10.8.0.2:$send
unreachable=192.0.2.1:$send
printf '[pipeline]\ninstance = %s\npolicy = edf\n[class quotes]\nlisten = 127.0.0.1:%s\nspread = copy\nsend = %s %s %s\n  %s %s\n' \
	"$instance" "$listen" "$full" "$one" "$refusing" "$unreachable" "$two" >"$conf"

copy() { # TO FIELD
	account ".classes[0].copies[] | select(.to == \"$1\") | .$2"
}

# of each destination: sent, errors and skipped are together what the class has sent, and what nobody has
# shellcheck disable=SC2016 # jq's own
adds_up() {
	account '.balanced and ([.classes[0] | (.sent + .dropped.send_error) as $released | .copies[] |
		.unbalanced == 0 and $released == .sent + .errors + ([.skipped[]] | add)] | all)'
}

watch() { # at any instant, until the storm is over; complaints go to $work/off
	while [ -e "$work/storming" ]; do
		[ "$(adds_up)" = true ] || account '.classes[0] | {sent, dropped, copies}' >>"$work/off"
		looks=$((looks + 1))
		echo "$looks" >"$work/looks"
	done
}

nothing_is_off() {
	echo "$(cat "$work/looks") looks"
	[ ! -e "$work/off" ] || cat "$work/off"
	[ ! -e "$work/off" ] && [ "$(cat "$work/looks")" -gt 20 ] && eventually is_settled && [ "$(adds_up)" = true ]
}

is_settled() {
	[ "$(account '.classes[0].held')" = 0 ]
}

is_healthy() { # DESTINATION...: each has what the class has received
	received=$(account '.classes[0].received')
	for to; do
		[ "$(copy "$to" sent)" = "$received" ] && [ "$(copy "$to" errors)" = 0 ] && [ "$(copy "$to" skipped.full)" = 0 ] || return 1
	done
	[ "$(account '.classes[0].sent')" = "$received" ] && [ "$(account '[.classes[0].dropped[]] | add')" = 0 ]
}

# the refusing one's ICMP errors are events; what was sent to it was sent
has_refused() {
	[ "$(account '.classes[0].refused_events')" -gt 100 ] && [ "$(copy "$refusing" sent)" = "$(account '.classes[0].received')" ]
}

was_full() { # and what it had room for it has
	[ "$(copy "$full" skipped.full)" -gt 100 ] && [ "$(copy "$full" sent)" -gt 100 ] && [ "$(copy "$full" errors)" = 0 ]
}

was_unreachable() {
	[ "$(copy "$unreachable" errors)" = "$(account '.classes[0].received')" ] && [ "$(copy "$unreachable" last_errno)" = ENETUNREACH ]
}

shows_each_destination() {
	"$ONTIME_BUILD/stat" --once -i "$instance" >"$work/table"
	grep -q "^  quotes *copies to $one: [1-9][0-9]* sent, 0 errors$" "$work/table" &&
		grep -q "^  quotes *copies to $full: .*, [1-9][0-9]* skipped (full)$" "$work/table" &&
		grep -q "^  quotes *copies to $unreachable: 0 sent, [1-9][0-9]* errors (the last: ENETUNREACH)$" "$work/table"
}

# shellcheck disable=SC2016 # jq's own; each figure of stat is that of /metrics
is_in_metrics() {
	"$ONTIME_BUILD/dash" -i "$instance" --listen "127.0.0.1:$((listen + 4))" 2>"$work/dash" &
	dash=$!
	eventually metrics && account '.classes[0].copies[] | "{class=\"quotes\",destination=\"\(.to)\"" as $of |
		"ontime_copies_sent_packets_total\($of)} \(.sent)", "ontime_copies_sent_bytes_total\($of)} \(.sent_bytes)",
		"ontime_copies_error_packets_total\($of)} \(.errors)", "ontime_copies_unbalanced_packets\($of)} \(.unbalanced)",
		(.skipped | to_entries[] | "ontime_copies_skipped_packets_total\($of),reason=\"\(.key)\"} \(.value)")' >"$work/figures"
	kill "$dash"
	[ "$(wc -l <"$work/figures")" = 35 ] && ! grep -qvxFf "$work/metrics" "$work/figures"
}

metrics() {
	node tests/dash/get.js "http://127.0.0.1:$((listen + 4))/metrics" >"$work/metrics" && grep -q '^ontime_copies_' "$work/metrics"
}

kill_only_stages() { # t_supervised_storm.sh is about their keepers
	build/tests/kill_stages -i "$instance" --kills "$kills" --seed "$seed" --rate "$rate" --only stages >"$work/killed" && return 0
	cat "$work/killed"
	return 1
}

each_was_killed() {
	cat "$work/killed"
	grep '^kill_stages: [0-9]* kills' "$work/killed" | tr -c '0-9\n' ' ' | awk -v want="$kills" '{exit !($1 >= want && $2 > want / 8 && $3 > want / 8 && $4 > want / 8)}'
}

all_came() {
	cat "$work/load"
	[ "$whole" = 0 ]
}

run/launch.sh -c "$conf" >/dev/null
"$ONTIME_BUILD/tests/copied" "127.0.0.1:$listen" "$pps" 3600 "$one" "$two" >"$work/load" 2>&1 &
load=$!
eventually ready
eventually grep -q ready "$work/load"
looks=0
: >"$work/storming"
watch &
watching=$!
sleep 0.5
check "stages are killed while $pps packets/s are copied" kill_only_stages
rm "$work/storming"
wait "$watching"
check "each stage was killed often enough" each_was_killed
eventually ready
sleep 0.5
kill -INT "$load"
wait "$load" && whole=0 || whole=$?
load=
sed -n 's/^kill_stages: /     /p' "$work/killed"
sed 's/^/     /' "$work/load" | grep -v ready
"$ONTIME_BUILD/stat" --once -i "$instance" | sed -n 's/^  quotes *copies/     copies/p'
check "two healthy destinations have each datagram once, in order, unchanged" all_came
check "what each destination has, has not and was not offered adds up at every look" nothing_is_off
check "by the account, too, the healthy ones have all" is_healthy "$one" "$two"
check "one that refuses is told of, and was sent all" has_refused
check "one that is full was skipped, by name" was_full
check "one that cannot be reached has errors, by errno" was_unreachable
check "the table has a line for each destination" shows_each_destination
if [ -x "$ONTIME_BUILD/dash" ] && command -v node >/dev/null; then
	check "the metrics have them too" is_in_metrics
else
	skipped=$((skipped + 1))
	echo "skip the metrics have them too: no dashboard, or no node"
fi
check "a stop is clean" run/stop.sh -i "$instance"
verdict copies

#!/bin/sh
# t_shards_storm.sh [KILLS [SEED [RATE [PPS]]]] - two shards behind the same addresses: processes of both are killed RATE times a second (25)
# while 12 senders bring PPS (20,000) packets/s to each of two addresses, IPv4 and IPv6. Nothing is lost, comes twice, or overtakes in a
# sender's datagrams; each sender stays with its shard; and what an operator types works for both. 300 kills by default; 2,000 by hand.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
# shellcheck source=tests/harness/storm.sh
. tests/harness/storm.sh
kills=${1:-300}
seed=${2:-1}
rate=${3:-25}
pps=${4:-20000}
ONTIME_BUILD=$PWD/${ONTIME_BUILD:-build}
own_instance shards

all_ready() {
	"$ONTIME_BUILD/hold" --stages -i "$instance" >"$work/stages" 2>/dev/null && [ "$(grep -c ' ready .* 1$' "$work/stages")" = 6 ]
}

of_each_shard() { # FILTER
	for shard in 0 1; do
		"$ONTIME_BUILD/stat" --json -i "$instance" --shard "$shard" | jq -rc "$1"
	done
}

nothing_is_lost() { # by the account of each shard, and of both
	"$ONTIME_BUILD/stat" --once -i "$instance"
	"$ONTIME_BUILD/stat" --once -i "$instance" | grep -q '^balanced$' &&
		[ "$(account '[.classes[] | .received - .sent] | add')" = 0 ] &&
		[ "$(of_each_shard '[.classes[] | .received - .sent, .unbalanced] | add' | sort -u)" = 0 ]
}

# 12 senders: none goes to one shard alone once in 2^11
each_shard_works() {
	of_each_shard '[.classes[] | .received]' >"$work/parts"
	cat "$work/parts"
	[ "$(jq -s '[.[][]] | min > 0' "$work/parts")" = true ] &&
		[ "$(jq -sc '[.[0][0] + .[1][0], .[0][1] + .[1][1]]' "$work/parts")" = "$(account '[.classes[].received]')" ]
}

# What a shard gets of a class is that of a whole number of its 12 senders.
senders_stay() {
	build/load -c "$conf" --rate 24000 --size 64-1400 --sources 12 --seconds 2 >"$work/short" 2>&1 || return 1
	of_each_shard '[.classes[] | .received]' >"$work/after"
	cat "$work/parts" "$work/after"
	jq -se '. as [$a, $b, $c, $d] | [range(2) | ($c[.] - $a[.]) * 12 / ($c[.] + $d[.] - $a[.] - $b[.]) | . - round | fabs < 0.01] | all' \
		"$work/parts" "$work/after"
}

all_runs() {
	eventually all_ready && run/status.sh -i "$instance" >"$work/status" && cat "$work/status" && [ "$(grep -c ' ready ' "$work/status")" = 6 ]
}

is_renewed() { # COMMAND...: and each of the six processes that it names is another then
	all_ready && cut -d' ' -f1,2 "$work/stages" >"$work/before"
	"$@" && all_ready && cut -d' ' -f1,2 "$work/stages" | grep -vxFf "$work/before"
}

restarts() { # WHICH N
	[ "$(is_renewed run/restart.sh "$1" -i "$instance" | grep -c '^[a-z]*\.[01] ')" = "$2" ]
}

reload_reaches_all() {
	sed -i 's/^budget = .*/budget = 20ms/' "$conf"
	run/reload.sh -i "$instance" >"$work/said" && grep -q 'in all stages of 2 shards' "$work/said" &&
		[ "$(of_each_shard '.classes[0].budget_ns' | sort -u)" = 20000000 ]
}

cat >"$conf" <<END
[pipeline]
instance = $instance
policy = edf
shards = 2
[class four]
listen = 127.0.0.1:$listen
send = 127.0.0.1:$send
budget = 10ms
[class six]
listen = [::1]:$listen
send = [::1]:$send
END
check_here "a launch starts the stages of both" run/launch.sh -c "$conf"
build/load -c "$conf" --rate $((2 * pps)) --size 64-1400 --sources 12 --seconds 3600 --drain 5 >"$work/load" 2>&1 &
load=$!
eventually all_ready
sleep 0.5
check "stages of both, stand-bys, supervisors and holders are killed while $((2 * pps)) packets/s pass" kill_stages
check "each stage was killed often enough" each_stage_was_killed
check "all stages run, and a supervisor" all_runs
check "a restart of edf restarts that of each shard" restarts edf 2
check "a restart of edf.1 restarts that one" restarts edf.1 1
check "a restart of all restarts all six" restarts all 6
check "a reload is in force in all" reload_reaches_all
sleep 1
load_ends
if [ "$whole" != 0 ] && source_was_held_back; then
	skipped=$((skipped + 2))
	echo "skip every datagram arrived once: the machine is too busy for its source, by more than a second"
	grep '^source: ' "$work/load"
else
	check "every datagram arrived once, in the order of its sender, unchanged" load_is_whole
	check "the account has no drop, in either shard" nothing_is_lost
fi
check "each shard has senders of each class, and the sum is the sum" each_shard_works
check "a sender stays with its shard" senders_stay
check "a stop is clean" run/stop.sh -i "$instance"
sed -n 's/^kill_stages: /     /p' "$work/killed"
verdict shards_storm

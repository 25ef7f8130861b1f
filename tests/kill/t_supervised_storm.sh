#!/bin/sh
# t_supervised_storm.sh [KILLS [SEED [RATE [PPS]]]] - processes killed RATE times a second (25) while PPS (20,000) packets/s pass: stages,
# one or two at once, stand-bys, the supervisor, the holder. Nothing lost, and in the end all runs. 300 kills by default; 2,000 by hand.
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
own_instance storm
own_config run/ontime.conf 's/^policy = .*/policy = edf/'

nothing_is_lost() { # by the account: nothing dropped for whatever reason, nothing left
	"$ONTIME_BUILD/stat" --once -i "$instance"
	"$ONTIME_BUILD/stat" --once -i "$instance" | grep -q '^balanced$' &&
		[ "$("$ONTIME_BUILD/stat" --json -i "$instance" | jq '[.classes[] | .received - .sent] | add')" = 0 ]
}

none_is_parked() {
	! grep -w parked "$dir/log"
}

all_runs() {
	eventually ready && run/status.sh -i "$instance"
}

run/launch.sh -c "$conf" >/dev/null
build/load -c "$conf" --rate "$pps" --size 64-1400 --seconds 3600 --drain 5 >"$work/load" 2>&1 &
load=$!
eventually ready
sleep 0.5
check "stages, stand-bys, supervisors and holders are killed while $pps packets/s pass" kill_stages
check "each stage was killed often enough" each_stage_was_killed
check "all stages run, and a supervisor" all_runs
check "no stage was parked" none_is_parked
sleep 1
load_ends
if [ "$whole" != 0 ] && source_was_held_back; then
	skipped=$((skipped + 2))
	echo "skip every datagram arrived once: the machine is too busy for its source, by more than a second"
	grep '^source: ' "$work/load"
else
	check "every datagram arrived once, in order, unchanged" load_is_whole
	check "the account has no drop" nothing_is_lost
fi
check "a stop is clean" run/stop.sh -i "$instance"
sed -n 's/^kill_stages: /     /p' "$work/killed"
verdict supervised_storm

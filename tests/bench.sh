#!/bin/sh
# bench.sh - the command behind every number in README.md.
#
# usage: tests/bench.sh [cost|latency|busy|handover|decide|schedule|idle|restart|observers|probes|port|ecn|replies|source|workers|shards|sources|rivals]...      default: all
#
# Wall times on shared machines are noise: what counts is CPU time per packet, as medians of interleaved runs, beside the
# single-process reference relay (tests/bench/reference.c) in the same run.
set -eu
cd "$(dirname "$0")/.."
rounds=${ROUNDS:-5} build=build
sizes=${SIZES:-64 512 1400}
work=$(mktemp -d)
cpu=$(taskset -cp $$ | sed 's/.*[^0-9]//') # the last that is allowed: where `cpus = auto` and the reference are when CPUs are few
busy_pids=
ONTIME_RUN_DIR=$work/run
ONTIME_HISTOGRAMS=off # but in `probes`, which measures what they cost
export ONTIME_RUN_DIR ONTIME_HISTOGRAMS
conf=$work/bench.conf
sed 's/^instance = .*/instance = bench/; s/^policy = .*/policy = edf/; s/127\.0\.0\.1:8/127.0.0.1:28/; s/127\.0\.0\.1:9/127.0.0.1:29/' run/ontime.conf >"$conf"
trap 'end_busy; run/stop.sh -i bench >/dev/null 2>&1 || true; rm -rf "$work"' EXIT INT TERM
make -s all tests
# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh
# shellcheck source=tests/bench/part.sh
. tests/bench/part.sh
# shellcheck source=tests/bench/busy.sh
. tests/bench/busy.sh
# shellcheck source=tests/bench/probes.sh
. tests/bench/probes.sh

stage_pids() {
	build/hold --stages -i bench | awk '{print $2}'
}

cpu_ns_of() { # PID...: on-CPU nanoseconds, user and system
	for pid in "$@"; do
		cut -d' ' -f1 "/proc/$pid/schedstat"
	done | awk '{s += $1} END {printf "%.0f\n", s}'
}

# The sockets are filled while the relay is stopped; then it works them off, saturated, with nobody beside it: a source that
# competes for caches and CPU time costs the relay up to a third more, and more or less of it from run to run.
work_off() { # STOPPED-PID SIZE PID...: leaves in $work/figures "CPU-ns... PACKETS", one CPU figure per pid
	stopped=$1
	size=$2
	shift 2
	kill -STOP "$stopped"
	build/load -c "$conf" --saturate --gso --size "$size-$size" --seconds 0.08 >"$work/load" &
	load=$!
	sleep 0.35
	before=$(for pid in "$@"; do cpu_ns_of "$pid"; done)
	kill -CONT "$stopped"
	wait "$load" || true
	after=$(for pid in "$@"; do cpu_ns_of "$pid"; done)
	echo "$before" >"$work/before"
	echo "$after" | paste "$work/before" - | awk '{print $2 - $1}' >"$work/figures"
	awk 'NF == 0 {exit} NR > 1 {n += $3} END {print n}' "$work/load" >>"$work/figures"
}

per_packet() { # of the last work_off: CPU ns per packet, all processes, then each
	awk '{v[NR] = $1} END {for (i = 1; i < NR; i++) s += v[i]
		printf "%.0f", s / v[NR]; for (i = 1; i < NR; i++) printf " %.0f", v[i] / v[NR]; print ""}' "$work/figures"
}

ontime_ns() { # SIZE
	run/launch.sh -c "$conf" >/dev/null
	for _ in warm-up measured; do
		# shellcheck disable=SC2046
		work_off "$(stage_pids | head -n 1)" "$1" $(stage_pids)
	done
	per_packet
	run/stop.sh -i bench >/dev/null
}

reference_ns() { # SIZE gso|sendmmsg
	build/tests/reference "$2" "$conf" >/dev/null &
	relay=$!
	sleep 0.1
	for _ in warm-up measured; do
		work_off "$relay" "$1" "$relay"
	done
	per_packet
	kill -TERM "$relay"
	wait "$relay" || true
}

cost() {
	echo "CPU ns per packet, saturated, pinned to one CPU: medians of $rounds interleaved runs; ratios: medians of each round's own"
	printf '%6s %8s %9s %5s %8s %15s %19s %8s %10s\n' bytes ontime '(ingress' edf 'egress)' 'reference (GSO)' \
		'reference (no GSO)' 'vs GSO' 'vs no GSO'
	for size in $sizes; do
		: >"$work/o"; : >"$work/g"; : >"$work/s"
		i=0
		while [ "$i" -lt "$rounds" ]; do
			ontime_ns "$size" >>"$work/o"
			reference_ns "$size" gso >>"$work/g"
			reference_ns "$size" sendmmsg >>"$work/s"
			i=$((i + 1))
		done
		# shellcheck disable=SC2046
		set -- $(for column in 1 2 3 4; do cut -d' ' -f"$column" "$work/o" | median; done) \
			"$(cut -d' ' -f1 "$work/g" | median)" "$(cut -d' ' -f1 "$work/s" | median)" \
			$(for rival in g s; do paste -d' ' "$work/o" "$work/$rival" | awk '{print $1 / $5}' | median; done)
		echo "$size $*" | awk '{printf "%6d %8.0f %9.0f %5.0f %8.0f %15.0f %19.0f %8.2f %10.2f\n",
			$1, $2, $3, $4, $5, $6, $7, $8, $9}'
	done
}

latency() {
	echo "latency from scheduled send to arrival, us, 512-byte datagrams: medians of $rounds interleaved runs of 2 s"
	printf '%-22s %8s %9s %9s %9s\n' relay rate p50 p99 p99.9
	for rate in 1000 10000 50000; do
		rm -f "$work"/latency.*
		i=0
		while [ "$i" -lt "$rounds" ]; do
			for spin in 0us 50us; do
				run/launch.sh -c "$conf" "--spin=$spin" >/dev/null
				latency_of "$rate" >>"$work/latency.$spin"
				run/stop.sh -i bench >/dev/null
			done
			build/tests/reference gso "$conf" >/dev/null &
			relay=$!
			sleep 0.1
			latency_of "$rate" >>"$work/latency.reference"
			kill -TERM "$relay"
			wait "$relay" || true
			i=$((i + 1))
		done
		latency_row "ontime, spin 0us" "$rate" "$work/latency.0us"
		latency_row "ontime, spin 50us" "$rate" "$work/latency.50us"
		latency_row reference "$rate" "$work/latency.reference"
	done
}

latency_of() { # RATE: p50, p99 and p99.9 of one run, the mean of the classes
	build/load -c "$conf" --rate "$1" --size 512-512 --seconds 2 |
		awk 'NF == 0 {exit} NR > 1 {a += $8; b += $9; c += $10; n++} END {print a / n, b / n, c / n}'
}

latency_row() { # NAME RATE FILE
	printf '%-22s %8d %9.1f %9.1f %9.1f\n' "$1" "$2" "$(cut -d' ' -f1 "$3" | median)" "$(cut -d' ' -f2 "$3" | median)" \
		"$(cut -d' ' -f3 "$3" | median)"
}

handover() {
	build/tests/lane 32
}

decide() {
	"$build/tests/decide"
}

# The same trace through the real pipeline and through the simulation, with the same config: run/stress.conf, but guarded.
schedule() {
	echo "% on time of offered: simulated, by the pipeline's own account, and at the sink (with its and the source's delays)"
	printf '%-14s %-8s %10s %10s %10s %10s\n' workload class simulated '+10us each' pipeline sink
	sed 's/^instance = .*/instance = bench/; s/^policy = .*/policy = guarded/; s/127\.0\.0\.1:8/127.0.0.1:28/; s/127\.0\.0\.1:9/127.0.0.1:29/' \
		run/stress.conf >"$work/stress.conf"
	for trace in poisson-0.8 poisson-2 poisson-5; do
		gzip -dc "tests/workloads/$trace.csv.gz" >"$work/trace.csv"
		for overhead in 0us 10us; do
			"$build/simulate" --margins --overhead "$overhead" -c "$work/stress.conf" "$work/trace.csv" | awk 'NR > 1 {print $1, $4}' | sort >"$work/simulated.$overhead"
		done
		run/launch.sh -c "$work/stress.conf" >/dev/null
		"$build/load" -c "$work/stress.conf" --trace "$work/trace.csv" | awk 'NF == 0 {exit} NR > 1 {print $1, $2, $NF}' | sort >"$work/sink"
		"$build/stat" -i bench --json | jq -r '.classes[] | [.class, .sent - .sent_late] | join(" ")' | sort >"$work/account"
		run/stop.sh -i bench >/dev/null
		join "$work/simulated.0us" "$work/simulated.10us" | join - "$work/sink" | join - "$work/account" |
			awk -v trace="$trace" '{printf "%-14s %-8s %10.2f %10.2f %10.2f %10.2f\n", trace, $1, $2, $3, 100 * $6 / $4, $5}'
	done
}

idle() {
	run/launch.sh -c "$conf" >/dev/null
	sleep 1
	# shellcheck disable=SC2046
	set -- $(processes_of "$ONTIME_RUN_DIR/bench")
	before=$(cpu_ns_of "$@")
	sleep 10
	after=$(cpu_ns_of "$@")
	awk -v t=$((after - before)) -v n=$# 'BEGIN {printf "idle: %d processes used %.4f %% of one CPU over 10 s\n", n, t / 1e10 * 100}'
	run/stop.sh -i bench >/dev/null
}

restart() {
	echo "longest time in ms without a packet of a class, at 20,000 packets/s: around a kill or restart, and without one (idle);"
	echo "first: from the kill, or the start of the command, to the first packet after that time, p50"
	printf '%-14s %-8s %6s %6s %6s %9s %13s %6s %6s\n' how stage p50 p90 worst first 'idle p50' worst lost
	run/launch.sh -c "$conf" >/dev/null
	for stage in ingress edf egress; do
		build/tests/gap "$conf" "$stage" "$((rounds * 4))"
		build/tests/gap "$conf" "$stage" "$((rounds * 4))" run/restart.sh "$stage" -i bench |
			grep -v 'restarted: pid'
	done
	run/stop.sh -i bench >/dev/null
}

watch_with() { # nobody|dash|stat: starts it; sets $watcher (a pid, or nothing) and $readers
	watcher='' readers=''
	case $1 in
	dash)
		"$build/dash" -i bench --listen 127.0.0.1:29999 2>/dev/null &
		watcher=$!
		sleep 0.5
		node tests/dash/streams.js http://127.0.0.1:29999/events 3 20000 &
		readers=$!
		;;
	stat)
		"$build/stat" -i bench --record /dev/null >/dev/null &
		watcher=$!
		;;
	esac
	sleep 1
}

watched() { # WHO: CPU time in 4 s, ns: of all stages together, and of who watches
	watch_with "$1"
	# shellcheck disable=SC2046
	set -- $(stage_pids)
	before=$(cpu_ns_of "$@")
	own=$([ -z "$watcher" ] || cpu_ns_of "$watcher")
	sleep 4
	echo "$(($(cpu_ns_of "$@") - before)) $([ -z "$watcher" ] && echo 0 || echo $(($(cpu_ns_of "$watcher") - own)))"
	for pid in $watcher $readers; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
}

observers() {
	rate=20000
	who="nobody dash"
	"$build/stat" --help | grep -q -e --record && who="$who stat"
	command -v node >/dev/null || who=$(echo "$who" | sed 's/ dash//')
	run/launch.sh -c "$conf" >/dev/null
	"$build/load" -c "$conf" --rate "$rate" --seconds "$((rounds * 18))" >/dev/null &
	load=$!
	rm -f "$work"/watched.*
	i=0
	while [ "$i" -lt "$rounds" ]; do
		for one in $who; do
			watched "$one" >>"$work/watched.$one"
		done
		i=$((i + 1))
	done
	kill "$load" 2>/dev/null || true
	wait "$load" || true
	run/stop.sh -i bench >/dev/null
	echo "% of one CPU at $rate packets/s, one look a second; dash with 3 readers: medians of $rounds interleaved runs of 4 s"
	printf '%-10s %12s %12s\n' watching 'all stages' 'itself'
	for one in $who; do
		printf '%s %s %s\n' "$one" "$(cut -d' ' -f1 "$work/watched.$one" | median)" "$(cut -d' ' -f2 "$work/watched.$one" | median)" |
			awk '{printf "%-10s %12.2f %12.3f\n", $1, $2 / 4e7, $3 / 4e7}'
	done
}

[ $# -gt 0 ] || set -- handover decide cost latency busy schedule idle restart observers probes port ecn replies source workers shards sources rivals
for part in "$@"; do
	case $part in
	cost | latency | busy | handover | decide | schedule | idle | restart | observers | probes) "$part" ;;
	port | ecn | replies | source | workers | shards | sources | rivals) "tests/bench/$part.sh" ;;
	*) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' "$0" >&2 && exit 2 ;;
	esac
done

#!/bin/sh
# bench.sh - the command behind every number in README.md.
#
# usage: tests/bench.sh [cost|latency|busy|handover|decide|schedule|idle|restart|observers|probes|port|ecn|replies]...      default: all
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

median() { # of the numbers on standard input
	sort -n | awk '{v[NR] = $1} END {print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'
}

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

start_busy() { # N: ordinary processes that spin on the relays' CPU
	n=$1
	while [ "$n" -gt 0 ]; do
		taskset -c "$cpu" sh -c 'while :; do :; done' &
		busy_pids="$busy_pids $!"
		n=$((n - 1))
	done
}

end_busy() {
	for pid in $busy_pids; do
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	busy_pids=
}

nginx_conf() { # the same classes, as nginx's stream module relays them
	modules=$(find /usr/lib/nginx/modules /usr/share/nginx/modules -name ngx_stream_module.so 2>/dev/null | head -n 1)
	cat <<END
${modules:+load_module $modules;}
daemon off;
master_process off;
pid $work/nginx.pid;
error_log $work/nginx.log;
events { worker_connections 1024; }
stream {
$("$build/hold" --classes -c "$busy_conf" | awk '{print "server { listen " $2 " udp rcvbuf=16m; proxy_pass " $4 "; proxy_timeout 30s; }"}')
}
END
}

start_relay() { # NAME: of $busy_relays; sets $relay, a pid, or nothing for an instance of ours
	relay=
	case $1 in
	off | auto) run/launch.sh -c "$busy_conf" --cpus="$cpu" "--fifo=$1" >/dev/null ;;
	reference) build/tests/reference gso "$busy_conf" >/dev/null & relay=$! ;;
	nginx) taskset -c "$cpu" "$nginx" -p "$work" -c "$work/nginx.conf" 2>/dev/null & relay=$! ;;
	esac
	sleep 0.3
}

stop_relay() {
	[ -n "$relay" ] || run/stop.sh -i bench >/dev/null
	[ -z "$relay" ] || kill -TERM "$relay" 2>/dev/null || true
	[ -z "$relay" ] || wait "$relay" 2>/dev/null || true
}

busy_row() { # RELAY RATE CLASS: medians of the rounds
	printf '%-22s %6d  %-12s' "$(relay_name "$1")" "$2" "$3"
	for column in 2 3 4 5; do
		awk -v class="$3" -v column="$column" '$1 == class {print $column}' "$work/busy.$1.$2" | median
	done | tr '\n' ' ' | awk '{printf " %8.2f %9.1f %9.1f %9.1f\n", $1, $2, $3, $4}'
}

relay_name() {
	case $1 in
	off | auto) echo "ontime, fifo = $1" ;;
	reference) echo "reference" ;;
	nginx) echo "nginx stream" ;;
	esac
}

# Source and sink are kept off the relays' CPU, and in real time where that is another one and allowed: what is measured is how a
# relay shares its CPU with busy processes, not what else the source waits for.
busy() {
	n_busy=${BUSY:-2}
	busy_conf=$work/busy.conf
	sed 's/^policy = .*/policy = guarded/' "$conf" >"$busy_conf"
	away=$(taskset -cp $$ | sed 's/.*: //; s/[^0-9].*//')
	ahead=$([ "$away" = "$cpu" ] || ! chrt -f 30 true 2>/dev/null || echo chrt -f 30)
	busy_relays="off auto reference"
	nginx=$(command -v nginx || ls /usr/sbin/nginx 2>/dev/null || true)
	if [ -n "$nginx" ] && nginx_conf >"$work/nginx.conf" && "$nginx" -t -q -p "$work" -c "$work/nginx.conf" 2>"$work/said"; then
		busy_relays="$busy_relays nginx"
	else
		echo "busy: without nginx: $([ -n "$nginx" ] && tail -n 1 "$work/said" || echo 'apt-get install nginx-light libnginx-mod-stream')"
	fi
	echo "beside $n_busy busy processes on the relays' CPU ($cpu; source and sink on $away${ahead:+, in real time}): on time % of sent, and us from scheduled"
	echo "send to arrival; default config, 64 to 512 bytes; medians of $rounds interleaved runs of 2 s"
	printf '%-22s %6s  %-12s %8s %9s %9s %9s\n' relay rate class 'on time' p50 p99 p99.9
	for rate in ${RATES:-8000 10000}; do
		rm -f "$work"/busy.*."$rate"
		i=0
		while [ "$i" -lt "$rounds" ]; do
			for one in $busy_relays; do
				start_relay "$one"
				start_busy "$n_busy"
				# shellcheck disable=SC2086
				taskset -c "$away" $ahead build/load -c "$busy_conf" --rate "$rate" --size 64-512 --seconds 2 |
					awk 'NF == 0 {exit} NR > 1 {print $1, $13, $8, $9, $10}' >>"$work/busy.$one.$rate"
				end_busy
				stop_relay
			done
			i=$((i + 1))
		done
		for one in $busy_relays; do
			for class in $("$build/hold" --classes -c "$busy_conf" | awk '{print $1}'); do
				busy_row "$one" "$rate" "$class"
			done
		done
	done
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
	printf '%-14s %-8s %10s %10s %10s\n' workload class simulated pipeline sink
	sed 's/^instance = .*/instance = bench/; s/^policy = .*/policy = guarded/; s/127\.0\.0\.1:8/127.0.0.1:28/; s/127\.0\.0\.1:9/127.0.0.1:29/' \
		run/stress.conf >"$work/stress.conf"
	for trace in poisson-0.8 poisson-2 poisson-5; do
		gzip -dc "tests/workloads/$trace.csv.gz" >"$work/trace.csv"
		"$build/simulate" --margins -c "$work/stress.conf" "$work/trace.csv" | awk 'NR > 1 {print $1, $4}' | sort >"$work/simulated"
		run/launch.sh -c "$work/stress.conf" >/dev/null
		"$build/load" -c "$work/stress.conf" --trace "$work/trace.csv" | awk 'NF == 0 {exit} NR > 1 {print $1, $2, $NF}' | sort >"$work/sink"
		"$build/stat" -i bench --json | jq -r '.classes[] | [.class, .sent - .sent_late] | join(" ")' | sort >"$work/account"
		run/stop.sh -i bench >/dev/null
		join "$work/simulated" "$work/sink" | join - "$work/account" |
			awk -v trace="$trace" '{printf "%-14s %-8s %10.2f %10.2f %10.2f\n", trace, $1, $2, 100 * $5 / $3, $4}'
	done
}

idle() {
	run/launch.sh -c "$conf" >/dev/null
	sleep 1
	# shellcheck disable=SC2046
	set -- $(stage_pids) "$(cat "$ONTIME_RUN_DIR"/bench/supervisor.pid)"
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

# The same traffic through stages without probe points, with nobody attached, and with the histograms attached.
probes() {
	[ -x build/latency ] || { echo "probes: build/latency was not built: it needs libbpf-dev" && return; }
	make -s NO_PROBES=1 all 2>/dev/null
	probe_hits
	echo "CPU ns per packet, all stages, 64 bytes: medians of $rounds interleaved runs; differences: medians of each round's own;"
	echo "hits: of all three stages' probes"
	printf '%9s %10s %9s %9s %17s %17s %14s %12s\n' rate 'no probes' detached attached 'detached - none %' \
		'att. - detached %' 'hits/packet' 'ns per hit'
	for rate in ${RATES:-1000 20000 saturated}; do
		rm -f "$work"/probes.*
		i=0
		while [ "$i" -lt "$rounds" ]; do
			build=build/no-probes
			probes_ns "$rate" none
			build=build
			probes_ns "$rate" detached
			probes_ns "$rate" attached
			i=$((i + 1))
		done
		echo "$rate $(median <"$work/probes.none") $(median <"$work/probes.detached") $(median <"$work/probes.attached") \
			$(median <"$work/probes.hits") \
			$(paste "$work/probes.none" "$work/probes.detached" | awk '{print 100 * ($2 / $1 - 1)}' | median) \
			$(paste "$work/probes.detached" "$work/probes.attached" | awk '{print 100 * ($2 / $1 - 1)}' | median)" |
			awk '{printf "%9s %10.0f %9.0f %9.0f %17.1f %17.1f %14.3f %12.0f\n", $1, $2, $3, $4, $6, $7, $5, $3 * $7 / 100 / $5}'
	done
}

probe_hits() { # a hit alone, in a loop: the best of many short turns
	mkdir -p "$work/made-up"
	cp build/latency build/latency.bpf.o "$work/made-up"
	for stage in ingress edf egress; do
		cp build/tests/probe "$work/made-up/$stage"
	done
	"$work/made-up/ingress" create bench
	echo "ns per hit of a probe; nobody attached: $("$work/made-up/ingress" time bench)"
	"$work/made-up/latency" -i bench 2>/dev/null
	printf '%8s %10s %6s %6s %6s %6s\n' 'packets:' heartbeat 1 8 32 64
	for stage in ingress edf egress; do
		# shellcheck disable=SC2046,SC2183
		printf '%8s %10s %6s %6s %6s %6s\n' "$stage" $("$work/made-up/$stage" time bench)
	done
	"$work/made-up/latency" --detach -i bench 2>/dev/null
	build/hold --remove --force -i bench
}

hits_now() { # batches of all stages and classes so far
	"$build/latency" --status -i bench 2>/dev/null | awk '/ attached / {n += $4} END {print n + 0}'
}

probes_ns() { # RATE none|detached|attached: one figure to $work/probes.WHICH, and with `attached` one to probes.hits
	ONTIME_BUILD=$build run/launch.sh -c "$conf" >/dev/null 2>&1
	[ "$2" != attached ] || "$build/latency" -i bench 2>/dev/null
	# shellcheck disable=SC2046
	set -- "$1" "$2" $(stage_pids)
	hits=$([ "$2" != attached ] || hits_now)
	if [ "$1" = saturated ]; then
		work_off "$3" 64 "$3" "$4" "$5"
		hits=$([ "$2" != attached ] || hits_now)
		work_off "$3" 64 "$3" "$4" "$5"
	else
		before=$(cpu_ns_of "$3" "$4" "$5")
		build/load -c "$conf" --rate "$1" --size 64-64 --seconds 2 >"$work/load" || true
		after=$(cpu_ns_of "$3" "$4" "$5")
		{
			echo $((after - before))
			awk 'NF == 0 {exit} NR > 1 {n += $3} END {print n}' "$work/load"
		} >"$work/figures"
	fi
	per_packet | cut -d' ' -f1 >>"$work/probes.$2"
	[ "$2" != attached ] || echo "$hits $(hits_now) $(tail -n 1 "$work/figures")" | awk '{print ($2 - $1) / $3}' >>"$work/probes.hits"
	ONTIME_BUILD=$build run/stop.sh -i bench >/dev/null
}

[ $# -gt 0 ] || set -- handover decide cost latency busy schedule idle restart observers probes port ecn replies
for part in "$@"; do
	case $part in
	cost | latency | busy | handover | decide | schedule | idle | restart | observers | probes) "$part" ;;
	port | ecn | replies) "tests/bench/$part.sh" ;;
	*) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' "$0" >&2 && exit 2 ;;
	esac
done

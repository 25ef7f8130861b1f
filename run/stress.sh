#!/bin/sh
# stress.sh - the stress test: too much traffic for the work there is, under each policy in turn, and a report of what came in time.
# Its options, and what else --help says: run/options/stress.options. Ctrl-C stops and removes all it started.
# shellcheck disable=SC2154 # the options
set -eu
here=$(dirname "$0")
# shellcheck source=run/supervise/lib.sh
. "$here/supervise/lib.sh"

parse_options stress "$@"
config=${option_config:-$ontime/run/stress.conf} rates=${option_rate:-high=938,medium=1876,low=3752} size=${option_size:-64-1400}
arrivals=${option_arrivals:-poisson} seed=${option_seed:-1} seconds=$option_seconds policies=$option_policies sweep=$option_sweep
report=${option_report:-stress-report.md} quanta=${option_quanta:-16:4:1 4:2:1 1:1:1} queues=${option_queues:-16 64 256}
spins=${option_spins:-0us 50us}
named=${option_instance:+--instance=$option_instance}
policies=${policies:-$([ -n "$sweep" ] && echo guarded || echo "edf edf-drop guarded")}
seconds=${seconds:-$([ -n "$sweep" ] && echo 2 || echo 10)}
report=${report%.md}
[ -w "$(dirname "$report")/." ] || die 2 "stress: --report $report.md: no directory to write to"

if [ -e "$ontime/Makefile" ] && [ -z "${ONTIME_BUILD:-}" ]; then
	"$here/deps.sh" stress && "$here/build.sh" || exit
fi
command -v jq >/dev/null || die 1 "stress: jq is missing: $here/deps.sh stress installs it"
ONTIME_BUILD=$build
export ONTIME_BUILD
begin_trial end_trial
for policy in $policies; do
	instance=$("$build/hold" --name -c "$config" "--policy=$policy" ${named:+"$named"}) || exit 2
done
! "$build/hold" --stages -i "$instance" >/dev/null 2>&1 || die 1 "stress: instance '$instance' is running already: $(typed stop) -i $instance stops it"


cpu_of_stages() { # "STAGE NANOSECONDS" a line
	"$build/hold" --stages -i "$instance" | while read -r stage pid _; do
		echo "$stage $(cut -d' ' -f1 "/proc/$pid/schedstat")"
	done | sort
}

backlog() { # as JSON: packets in the lanes, bytes in the input sockets
	ports=$("$build/hold" --classes -c "$config" | awk '/->/ {for (i = 2; $i !~ /->/; i++) {n = split($i, at, ":"); printf " %04X ", at[n]}}')
	held=$("$build/hold" --held -i "$instance")
	cat /proc/net/udp /proc/net/udp6 2>/dev/null | awk -v ports="$ports" -v held="$held" '
		function hex(s, i, v) {v = 0; for (i = 1; i <= length(s); i++) v = v * 16 + index("123456789ABCDEF", substr(s, i, 1)); return v}
		{n = split($2, at, ":"); split($5, queue, ":")}
		index(ports, " " at[n] " ") {bytes += hex(queue[2])}
		END {printf "{\"held\": %d, \"socket_bytes\": %d}\n", held, bytes}'
}

# Until the load is through: a bar on the terminal, and the backlog in the middle and near the end.
watch_load() {
	: >"$work/backlog"
	samples="50 90"
	began=$(date +%s%3N)
	while kill -0 "$load" 2>/dev/null; do
		part=$(awk -v now="$(date +%s%3N)" -v began="$began" -v s="$seconds" 'BEGIN {p = (now - began) / s / 10; printf "%d", p < 100 ? p : 100}')
		if [ -n "$samples" ] && [ "$part" -ge "${samples%% *}" ]; then
			backlog >>"$work/backlog"
			samples=$(echo "$samples" | cut -s -d' ' -f2)
		fi
		[ ! -t 2 ] || awk -v p="$part" -v at="$((n_done * 100 + part))" -v all="$((n_runs * 100))" -v name="$1" 'BEGIN {
			for (i = 0; i < 40; i++) bar = bar (i < 40 * at / all ? "#" : ".")
			printf "\r\033[K[%s] %3d %%  %s: %d %%", bar, 100 * at / all, name, p}' >&2
		sleep 0.1
	done
	[ ! -t 2 ] || printf '\r\033[K' >&2
}

# run NAME KEY=VALUE..: an instance with these settings under the load; what was found goes to $work/NAME.json
n_done=0
run() {
	name=$1
	shift
	launched=1
	"$here/launch.sh" -c "$config" ${named:+"$named"} "$@" >/dev/null 2>"$work/error" || die $? "stress: $(head -n 1 "$work/error")"
	cpu_of_stages >"$work/cpu"
	"$build/load" -c "$config" -i "$instance" --rate "$rates" --size "$size" --arrivals "$arrivals" --seed "$seed" --seconds "$seconds" --json \
		>"$work/load" 2>"$work/error" &
	load=$!
	watch_load "$name"
	wait "$load" && status=0 || status=$?
	load=
	[ "$status" = 0 ] || [ "$status" = 3 ] || die "$status" "stress: $(head -n 1 "$work/error")"
	cpu_of_stages | join "$work/cpu" - | jq -R 'split(" ") | {stage: .[0], cpu_ns: ((.[2] | tonumber) - (.[1] | tonumber))}' >"$work/cpu.json"
	# 3: overloaded as it is, it need not be well
	"$build/stat" -i "$instance" --json >"$work/stat" 2>"$work/error" || [ $? = 3 ] || die 1 "stress: $(cat "$work/error" "$work/stat" | head -n 1)"
	jq -n --arg name "$name" --slurpfile load "$work/load" --slurpfile stat "$work/stat" --slurpfile cpu "$work/cpu.json" \
		--slurpfile backlog "$work/backlog" \
		'{name: $name, load: $load[0], stat: $stat[0], cpu: $cpu, backlog: $backlog}' >"$work/run.$n_done.json"
	"$here/stop.sh" -i "$instance" >/dev/null || [ $? = 3 ] # an overload may not be sent in time
	launched=
	n_done=$((n_done + 1))
}

if [ -n "$sweep" ]; then
	# shellcheck source=run/stress/sweep.sh
	. "$here/stress/sweep.sh"
	exit 0
fi
n_runs=$(echo "$policies" | wc -w)
for policy in $policies; do
	run "$policy" "--policy=$policy"
done
jq -s --arg config "$config" --arg rates "$rates" --arg size "$size" --arg arrivals "$arrivals" --arg seconds "$seconds" \
	--arg seed "$seed" --arg machine "$(nproc) CPUs, Linux $(uname -r)" --arg when "$(date -u +%Y-%m-%dT%H:%M:%SZ)" \
	--argjson budgets "$("$build/hold" --classes -c "$config" | jq -R '[splits(" +")] | {(.[1]): (join(" ") | sub(" *$"; "") | if test("within") then sub(".* within "; "") else "no deadline" end)}' | jq -s add)" \
	'{config: $config, rates: $rates, size: $size, arrivals: $arrivals, seconds: $seconds, seed: $seed, machine: $machine,
		when: $when, budgets: $budgets, runs: .}' $(seq -f "$work/run.%g.json" 0 $((n_runs - 1))) >"$report.json"
"$here/stress/chart.sh" "$report.json" >"$report.svg"
"$here/stress/report.sh" "$report.json" "$(basename "$report").svg" >"$report.md"
say "the report is in $report.md, its chart in $report.svg, all figures in $report.json"

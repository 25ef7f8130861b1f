#!/bin/sh
# workers.sh - part `workers` of tests/bench.sh: how much more is done when 1, 2 and more work at one time, and is High on time as often as the
# simulation of so many says? WORKERS="1 2 4" by default.
set -eu
cd "$(dirname "$0")/../.."
rounds=${ROUNDS:-5}
# shellcheck source=tests/bench/part.sh
. tests/bench/part.sh
own_part benchworkers
trap 'run/stop.sh -i "$instance" >/dev/null 2>&1 || true; rm -rf "$work"' EXIT INT TERM
make -s all tests

sent() {
	build/stat -i "$instance" --json | jq '"\(.at_ns) \([.classes[].sent] | add)"' -r
}

# More is offered than can be done; what does not fit is dropped.
throughput() { # WORKERS WORK BYTES: packets a second
	cat >"$work/conf" <<-END
		[pipeline]
		instance = $instance
		policy = edf
		work = $2
		workers = $1
		full = drop
		[class only]
		listen = 127.0.0.1:28080
		send = 127.0.0.1:29080
	END
	run/launch.sh -c "$work/conf" >/dev/null
	build/load -c "$work/conf" --rate "$(($1 * 4000))" --size "$3-$3" --seconds 2.5 >/dev/null &
	load=$!
	sleep 0.5
	from=$(sent)
	sleep 1.5
	to=$(sent)
	wait "$load" || true
	run/stop.sh -i "$instance" >/dev/null
	echo "$from $to" | awk '{printf "%.1f\n", ($4 - $2) * 1e9 / ($3 - $1)}'
}

schedule() { # WORKERS WORKLOAD
	sed "s/^instance = .*/instance = $instance/; s/^policy = .*/policy = guarded/; s/^slice = .*//; s/^work = .*/work = simulate\nworkers = $1/
		s/127\.0\.0\.1:8/127.0.0.1:28/; s/127\.0\.0\.1:9/127.0.0.1:29/" run/stress.conf >"$work/conf"
	gzip -dc "tests/workloads/$2.csv.gz" >"$work/trace.csv"
	build/simulate --margins -c "$work/conf" "$work/trace.csv" | awk 'NR > 1 {print $1, $4}' | sort >"$work/simulated"
	run/launch.sh -c "$work/conf" >/dev/null
	build/load -c "$work/conf" --trace "$work/trace.csv" | awk 'NF == 0 {exit} NR > 1 {print $1, $2}' | sort >"$work/sent"
	build/stat -i "$instance" --json | jq -r '.classes[] | [.class, .sent - .sent_late] | join(" ")' | sort >"$work/account"
	run/stop.sh -i "$instance" >/dev/null
	join "$work/simulated" "$work/sent" | join - "$work/account" |
		awk -v what="$1 $2" '{printf "%-8s %-14s %-8s %10.2f %10.2f\n", substr(what, 1, index(what, " ") - 1), substr(what, index(what, " ") + 1), $1, $2, 100 * $4 / $3}'
}

throughputs() { # WORK BYTES
	rm -f "$work"/rate.*
	i=0
	while [ "$i" -lt "$rounds" ]; do
		for n in ${WORKERS:-1 2 4}; do
			throughput "$n" "$@" >>"$work/rate.$n"
		done
		i=$((i + 1))
	done
	printf '%-8s %10s %14s\n' workers packets/s 'times of one'
	for n in ${WORKERS:-1 2 4}; do
		echo "$n $(median <"$work/rate.$n")"
	done | awk 'NR == 1 {one = $2 / $1} {printf "%-8s %10.0f %14.2f\n", $1, $2, $2 / one}'
}

echo "packets/s with 300 us of work each, of which 60 us are spun and the rest is a sleep, on $(nproc) CPUs: medians of $rounds interleaved runs"
throughputs simulate 700
echo
echo "likewise with 300 us of nothing but spinning (build/plugins/slow.so)"
throughputs plugin:build/plugins/slow.so 300
echo
echo "% on time of offered: simulated with so many workers, and by the pipeline's account"
printf '%-8s %-14s %-8s %10s %10s\n' workers workload class simulated pipeline
for trace in poisson-0.95 poisson-2 poisson-5; do
	for n in 1 2; do
		schedule "$n" "$trace"
	done
done

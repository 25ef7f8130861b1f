# shellcheck shell=sh disable=SC2154
# probes.sh - part `probes` of tests/bench.sh, which sources it: what the probe points cost, and the histograms that are attached to them.

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

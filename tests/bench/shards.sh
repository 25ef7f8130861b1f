#!/bin/sh
# shards.sh - packets per second of one shard, of two, and of one for each CPU: relays that are up together and take turns, each time with
# full sockets, and nobody beside them. ROUNDS (20) of each; PACKETS (24,000) of BYTES (512) from SENDERS (1,000) a time. On a machine with
# other work the quickest tenth of the rounds tells more than the median.
set -eu
cd "$(dirname "$0")/../.."
build=build
rounds=${ROUNDS:-20} packets=${PACKETS:-24000} bytes=${BYTES:-512} senders=${SENDERS:-1000}
work=$(mktemp -d)
ONTIME_RUN_DIR=$work/run ONTIME_HISTOGRAMS=off
export ONTIME_RUN_DIR ONTIME_HISTOGRAMS
numbers=$(printf '%s\n' 1 2 "$(nproc)" | sort -nu | head -n 3)
sink=
finish() {
	for n in $numbers; do
		run/stop.sh -i "bench-shards-$n" >/dev/null 2>&1 || true
	done
	[ -z "$sink" ] || kill "$sink" 2>/dev/null || true
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

for n in $numbers; do
	cat >"$work/$n.conf" <<-END
		[pipeline]
		instance = bench-shards-$n
		shards = $n
		policy = edf
		hung = 60s
		socket_buffer = 64MiB
		[class a]
		listen = 127.0.0.1:$((28100 + n))
		send = 127.0.0.1:29100
	END
	run/launch.sh -c "$work/$n.conf" >/dev/null
done
# A socket that nobody reads, and that is full at once.
"$build/tests/datagrams" sink 127.0.0.1:29100 >/dev/null &
sink=$!
sleep 0.2
kill -STOP "$sink"
for n in $numbers; do # to be warm
	"$build/tests/shards" "bench-shards-$n" $((28100 + n)) "$packets" "$bytes" "$senders" >/dev/null
done
for _ in $(seq "$rounds"); do
	for n in $numbers; do
		echo "$n $("$build/tests/shards" "bench-shards-$n" $((28100 + n)) "$packets" "$bytes" "$senders")"
	done
done | awk -v rounds="$rounds" '
	function sorted(row, v, i, k, t) {
		for (i = 1; i <= rounds; i++)
			v[i] = row[i]
		for (i = 2; i <= rounds; i++)
			for (k = i; k > 1 && v[k - 1] > v[k]; k--) {
				t = v[k]; v[k] = v[k - 1]; v[k - 1] = t
			}
	}
	function at(row, part, v) {
		sorted(row, v)
		return v[int((rounds - 1) * part) + 1]
	}
	{
		if (!($1 in seen))
			order[++n_order] = $1
		i = ++seen[$1]
		wall[$1, i] = $2; cpu[$1, i] = $3
	}
	END {
		printf "%-7s %12s %10s %22s %10s %12s\n", "shards", "packets/s", "times one", "in quickest tenth", "times one", "CPU ns/pkt"
		for (o = 1; o <= n_order; o++) {
			n = order[o]
			for (i = 1; i <= rounds; i++) {
				w[i] = wall[n, i]; one[i] = wall[1, i]; c[i] = cpu[n, i]; r[i] = wall[1, i] / wall[n, i] # of the same round
			}
			printf "%-7s %12.0f %10.2f %22.0f %10.2f %12.0f\n", n, 1e9 / at(w, 0.5), at(r, 0.5), 1e9 / at(w, 0.1), at(one, 0.1) / at(w, 0.1), at(c, 0.5)
		}
	}'

#!/bin/sh
# source.sh - part `source` of tests/bench.sh: CPU per packet of the three stages with each `source`, in turns; 16 senders, 512 bytes, gso = on.
set -eu
cd "$(dirname "$0")/../.."
rounds=${ROUNDS:-3}
packets=${PACKETS:-100000}
# shellcheck source=tests/bench/part.sh
. tests/bench/part.sh
own_part benchsource
sink=
trap 'run/stop.sh -i "$instance" >/dev/null 2>&1 || true; [ -z "$sink" ] || kill "$sink"; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
make -s all tests

used() { # STAGE: ns of CPU time
	cut -d' ' -f1 "/proc/$(run/status.sh -i "$instance" --pid "$1")/schedstat"
}

one() { # SOURCE: a line "ingress edf egress" in ns per packet
	cat >"$work/conf" <<END
[pipeline]
instance = $instance
[class only]
listen = 127.0.0.1:28080
send = 127.0.0.1:29080
source = $1
END
	run/launch.sh -c "$work/conf" >/dev/null
	before="$(used ingress) $(used edf) $(used egress)"
	build/tests/datagrams send 127.0.0.1:28080 "$packets" 512 16
	tries=600 # of 0.1 s
	until [ "$(build/stat -i "$instance" --json | jq '.classes[0].sent')" -ge "$packets" ]; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || { echo "source: not all of $packets datagrams were sent on: $(build/stat -i "$instance" --once | tail -n 1)" >&2 && exit 1; }
		sleep 0.1
	done
	echo "$before $(used ingress) $(used edf) $(used egress)" |
		awk -v n="$packets" '{printf "%.0f %.0f %.0f\n", ($4 - $1) / n, ($5 - $2) / n, ($6 - $3) / n}'
	run/stop.sh -i "$instance" >/dev/null
}

median() {
	sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'
}

build/tests/datagrams sink 127.0.0.1:29080 >/dev/null &
sink=$!
i=0
while [ "$i" -lt "$rounds" ]; do
	for source in own proxy address transparent; do
		one "$source" >>"$work/$source"
	done
	i=$((i + 1))
done
echo "CPU ns per packet by source, 512 bytes, 16 senders at 32 a ms: medians of $rounds runs of $packets, in turns"
printf '%-12s %8s %6s %8s %6s\n' source ingress edf egress all
for source in own proxy address transparent; do
	# shellcheck disable=SC2046
	set -- $(for column in 1 2 3; do cut -d' ' -f"$column" "$work/$source" | median; done)
	printf '%-12s %8d %6d %8d %6d\n' "$source" "$1" "$2" "$3" $(($1 + $2 + $3))
done

#!/bin/sh
# ecn.sh - part `ecn` of tests/bench.sh: a sender that halves its rate on CE, at 1.2 times what the relay may send, with and without marks.
set -eu
cd "$(dirname "$0")/../.."
rounds=${ROUNDS:-3}
seconds=${SECONDS_EACH:-5}
# shellcheck source=tests/bench/part.sh
. tests/bench/part.sh
own_part benchecn
trap 'run/stop.sh -i "$instance" >/dev/null 2>&1 || true; rm -rf "$work"' EXIT INT TERM
make -s all tests
pps=1168 # 1000 bytes of payload are 1028 on the wire, of which 8 Mbit/s are 973 a second

one() { # keep|mark: a line "sent received marked rate"
	cat >"$work/conf" <<END
[pipeline]
instance = $instance
policy = guarded
late = drop
rate = 8Mbit
burst = 2KiB
[class only]
listen = 127.0.0.1:28080
send = 127.0.0.1:29080
budget = 50ms
ecn = $1
END
	run/launch.sh -c "$work/conf" >/dev/null
	build/tests/aimd 127.0.0.1:28080 127.0.0.1:29080 "$pps" "$seconds"
	run/stop.sh -i "$instance" >/dev/null
}

echo "a sender that halves on CE, from 1.2 times the rate of 8 Mbit/s on, $seconds s, budget 50 ms, marked at 50 %"
printf '%-12s %8s %9s %8s %8s %10s\n' ecn sent received lost marked 'mean pkt/s'
i=0
while [ "$i" -lt "$rounds" ]; do
	for ecn in keep mark; do
		one "$ecn" | awk -v ecn="$ecn" '{printf "%-12s %8d %9d %8d %8d %10d\n", ecn, $1, $2, $1 - $2, $3, $4}'
	done
	i=$((i + 1))
done

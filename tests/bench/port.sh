#!/bin/sh
# port.sh - part `port` of tests/bench.sh: voice beside a flood on one port, as two classes of the port, as one class, and by nginx.
#
# Voice: 500/s of 160 bytes with DSCP EF and 5 ms; flood: FLOOD/s (default 390,000) of 64 bytes without one. One source sends both in
# one schedule, from another CPU than the relays'. Two classes send to two sinks, as two servers would have them; what is one class, and
# nginx, can send to one only, which the flood fills.
set -eu
cd "$(dirname "$0")/../.."
rounds=${ROUNDS:-5}
flood=${FLOOD:-390000}
seconds=${SECONDS_EACH:-2}
work=$(mktemp -d)
instance=benchport
ONTIME_RUN_DIR=$work/run
ONTIME_HISTOGRAMS=off
export ONTIME_RUN_DIR ONTIME_HISTOGRAMS
cpu=$(taskset -cp $$ | sed 's/.*[^0-9]//')
away=$(taskset -cp $$ | sed 's/.*: //; s/[^0-9].*//')
ahead=$([ "$away" = "$cpu" ] || ! chrt -f 30 true 2>/dev/null || echo chrt -f 30)
trap 'run/stop.sh -i "$instance" >/dev/null 2>&1 || true; rm -rf "$work"' EXIT INT TERM
make -s all tests

classes() { # VOICE-PORT: the port as two classes
	printf '[class voice]\nlisten = 127.0.0.1:28080\nmatch = dscp ef\nsend = 127.0.0.1:%s\nbudget = 5ms\n' "$1"
	printf '[class rest]\nlisten = 127.0.0.1:28080\nsend = 127.0.0.1:29080\nbudget = 100ms\n'
}

printf '[pipeline]\ninstance = %s\n%s\n' "$instance" "$(classes 29081)" >"$work/two"
printf '[pipeline]\ninstance = %s\n%s\n' "$instance" "$(classes 29080)" >"$work/shared" # what a source and its one sink go by
printf '[pipeline]\ninstance = %s\n[class all]\nlisten = 127.0.0.1:28080\nsend = 127.0.0.1:29080\nbudget = 5ms\n' "$instance" >"$work/one"
modules=$(find /usr/lib/nginx/modules /usr/share/nginx/modules -name ngx_stream_module.so 2>/dev/null | head -n 1)
cat >"$work/nginx.conf" <<END
${modules:+load_module $modules;}
daemon off;
master_process off;
pid $work/nginx.pid;
error_log $work/nginx.log;
events { worker_connections 1024; }
stream { server { listen 127.0.0.1:28080 udp rcvbuf=16m; proxy_pass 127.0.0.1:29080; proxy_timeout 30s; } }
END

start() { # RELAY: sets $relay, a pid, or nothing for an instance of ours
	relay=
	case $1 in
	nginx) taskset -c "$cpu" "$nginx" -p "$work" -c "$work/nginx.conf" 2>/dev/null & relay=$! ;;
	*) run/launch.sh -c "$work/$1" --cpus="$cpu" >/dev/null ;;
	esac
	sleep 0.3
}

stop() {
	if [ -z "$relay" ]; then
		run/stop.sh -i "$instance" >/dev/null
	else
		kill -TERM "$relay" 2>/dev/null || true
		wait "$relay" 2>/dev/null || true
	fi
}

median() { # of the numbers on standard input
	sort -n | awk '{v[NR] = $1} END {print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'
}

row() { # RELAY NAME
	printf '%-34s' "$2"
	for column in 2 3 4 5 6; do
		awk -v column="$column" '$1 == "voice" {print $column}' "$work/$1.rows" | median
	done | tr '\n' ' ' | awk '{printf " %10.1f %9.2f %9.0f %9.0f %9.0f", $1, $2, $3, $4, $5}'
	awk '$1 == "rest" {print $7}' "$work/$1.rows" | median | awk '{printf " %12.0f\n", $1}'
}

relays="two one"
nginx=$(command -v nginx || ls /usr/sbin/nginx 2>/dev/null || true)
if [ -n "$nginx" ] && "$nginx" -t -q -p "$work" -c "$work/nginx.conf" 2>"$work/said"; then
	relays="$relays nginx"
else
	echo "port: without nginx: $([ -n "$nginx" ] && tail -n 1 "$work/said" || echo 'apt-get install nginx-light libnginx-mod-stream')"
fi
i=0
while [ "$i" -lt "$rounds" ]; do
	for one in $relays; do
		start "$one"
		sinks=$([ "$one" = two ] && echo two || echo shared)
		# shellcheck disable=SC2086
		taskset -c "$away" $ahead build/load -c "$work/$sinks" --rate "voice=500,rest=$flood" --size voice=160,rest=64 --gso --seconds "$seconds" |
			awk -v s="$seconds" 'NF == 0 {exit} NR > 1 {print $1, 100 * $3 / $2, $13, $8, $9, $10, $3 / s}' >>"$work/$one.rows"
		stop
	done
	i=$((i + 1))
done
echo "voice at 500/s beside a flood of $flood/s on one port; medians of $rounds interleaved runs of $seconds s; us from scheduled send to arrival"
printf '%-34s %10s %9s %9s %9s %9s %12s\n' relay 'arrived %' 'on time %' p50 p99 p99.9 'flood out/s'
for one in $relays; do
	case $one in
	two) row two 'ontime, two classes by DSCP' ;;
	one) row one 'ontime, one class' ;;
	nginx) row nginx 'nginx stream' ;;
	esac
done

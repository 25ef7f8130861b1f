#!/bin/sh
# port.sh - part `port` of tests/bench.sh: voice beside a flood on one port, as two classes of the port, as one class, and by nginx.
#
# Voice: 500/s of 160 bytes with DSCP EF and 5 ms; flood: FLOOD/s (default 390,000) of 64 bytes without one. One program (voice.c) sends
# and takes both, from another CPU than the relays'; voice in real time. Two classes send to two sinks, as two servers would have
# them; what is one class, and nginx, can send to one only, which the flood fills. A round in which the relay was ready and other
# processes had its CPU, for more than OTHERS percent (5) of the time, measures these: it is done again, up to TRIES times (3).
set -eu
cd "$(dirname "$0")/../.."
rounds=${ROUNDS:-5}
flood=${FLOOD:-390000}
seconds=${SECONDS_EACH:-2}
most_others=${OTHERS:-5}
tries=${TRIES:-3}
# shellcheck source=tests/bench/part.sh
. tests/bench/part.sh
own_part benchport
cpu=$(taskset -cp $$ | sed 's/.*[^0-9]//')
away=$(taskset -cp $$ | sed 's/.*: //; s/[^0-9].*//')
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

scheduled() { # PID...: the ns that each was on a CPU and ready for one, and the seconds since boot, a line
	for pid in "$@"; do
		cut -d' ' -f1,2 "/proc/$pid/schedstat"
	done | tr '\n' ' '
	cut -d' ' -f1 /proc/uptime
}

# A stage that is ready waits for other stages too: what is longer than these ran was others'.
others_percent() { # BEFORE AFTER: of the time, in which at least a process of the relay was ready and others had its CPU
	paste -d' ' "$1" "$2" | awk '{n = NF / 2; all = ($NF - $n) * 1e9
		for (i = 1; i < n; i += 2) ran += $(n + i) - $i
		for (i = 1; i < n; i += 2) {waited = $(n + i + 1) - $(i + 1) - (ran - ($(n + i) - $i)); if (waited > most) most = waited}
		printf "%.1f\n", 100 * most / all}'
}

measure() { # RELAY: a line to $work/RELAY.rows, of a round that others left alone if one of $tries was
	sinks=$([ "$1" = two ] && echo two || echo shared)
	pids=${relay:-$(build/hold --stages -i "$instance" | awk '{print $2}')}
	left=$tries
	while [ "$left" -gt 0 ]; do
		# shellcheck disable=SC2086 # pids
		scheduled $pids >"$work/before"
		said=$(taskset -c "$away" build/tests/voice "$work/$sinks" 500 "$flood" "$seconds")
		# shellcheck disable=SC2086
		scheduled $pids >"$work/after"
		others=$(others_percent "$work/before" "$work/after")
		left=$(awk -v a="$others" -v b="$most_others" -v left="$left" 'BEGIN {print (a > b) ? left - 1 : 0}')
	done
	echo "$said" | awk -v s="$seconds" -v others="$others" '{print 100 * $2 / $1, $2 ? 100 * $3 / $2 : 0, $4, $5, $6, $9 / s, $10 / s, $8, others}' >>"$work/$1.rows"
}

row() { # RELAY NAME
	printf '%-28s' "$2"
	for column in 1 2 3 4 5 6 7 8 9; do
		cut -d' ' -f"$column" "$work/$1.rows" | median
	done | tr '\n' ' ' | awk '{printf " %9.1f %9.1f %7.0f %7.0f %7.0f %9.0f %9.0f %8.0f %8.1f\n", $1, $2, $3, $4, $5, $6, $7, $8, $9}'
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
		measure "$one"
		stop
	done
	i=$((i + 1))
done
echo "voice at 500/s beside a flood of $flood/s on one port; medians of $rounds interleaved runs of $seconds s; us from the send call to the"
echo "kernel's receive stamp, on time of those that arrived; late: us by which the source of voice was, p99; others: percent of the time that other processes kept the relay waiting"
printf '%-28s %9s %9s %7s %7s %7s %9s %9s %8s %8s\n' relay 'arrived %' 'on time %' p50 p99 p99.9 'flood/s' 'of it out' late others
for one in $relays; do
	case $one in
	two) row two 'ontime, two classes by DSCP' ;;
	one) row one 'ontime, one class' ;;
	nginx) row nginx 'nginx stream' ;;
	esac
done

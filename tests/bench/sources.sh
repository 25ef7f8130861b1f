#!/bin/sh
# sources.sh - part `sources` of tests/bench.sh: 20 polite senders of a class beside a flood of the same class and port, with protection per source
# and without, and by nginx.
#
# Polite: 20 addresses, 100/s each, 5 ms. Flood: FLOOD/s (default 390,000) from one address, from 64,000 at random, or from a prefix that is denied.
# One program (tests/world/sources.c) sends and takes all, from another CPU than the relays'. `alone`: without a flood.
set -eu
cd "$(dirname "$0")/../.."
rounds=${ROUNDS:-5}
flood=${FLOOD:-390000}
seconds=${SECONDS_EACH:-2}
# shellcheck source=tests/bench/part.sh
. tests/bench/part.sh
own_part benchsources
cpu=$(taskset -cp $$ | sed 's/.*[^0-9]//')
away=$(taskset -cp $$ | sed 's/.*: //; s/[^0-9].*//')
trap 'run/stop.sh -i "$instance" >/dev/null 2>&1 || true; rm -rf "$work"' EXIT INT TERM
make -s all tests

config() { # NAME LINE...
	name=$1
	shift
	printf '[pipeline]\ninstance = %s\n[class all]\nlisten = 127.0.0.1:28080\nsend = 127.0.0.1:29080\nbudget = 5ms\n' "$instance" >"$work/$name"
	printf '%s\n' "$@" >>"$work/$name"
}

config plain
config deny "deny = 127.128.0.0/9"
config rate "source_rate = 1000/s" "source_burst = 100"
config fair "fair = 64"
config both "fair = 64" "source_rate = 1000/s" "source_burst = 100"
modules=$(find /usr/lib/nginx/modules /usr/share/nginx/modules -name ngx_stream_module.so 2>/dev/null | head -n 1)
nginx_conf() { # LINE...: of the server
	cat <<END
${modules:+load_module $modules;}
daemon off;
master_process off;
pid $work/nginx.pid;
error_log $work/nginx.log crit;
events { worker_connections 4096; }
stream {
	limit_conn_zone \$binary_remote_addr zone=sources:10m;
	server { listen 127.0.0.1:28080 udp rcvbuf=16m; proxy_pass 127.0.0.1:29080; proxy_timeout 30s; proxy_responses 0; $* }
}
END
}
nginx_conf >"$work/nginx-plain"
nginx_conf "deny 127.128.0.0/9;" >"$work/nginx-deny"
nginx_conf "limit_conn sources 4;" >"$work/nginx-limit_conn"

start() { # RELAY: sets $relay, a pid, or nothing for an instance of ours
	relay=
	case $1 in
	nginx-*) taskset -c "$cpu" "$nginx" -p "$work" -c "$work/$1" 2>/dev/null & relay=$! ;;
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

flood_options() { # one|many|denied|alone
	case $1 in
	alone) ;;
	one) echo --flood "$flood" --flood-from 127.9.0.1 ;;
	many) echo --flood "$flood" --flood-from 127.9.0.1 --flood-sources 64000 ;;
	denied) echo --flood "$flood" --flood-from 127.200.0.1 --flood-sources 64000 ;;
	esac
}

ran_ns() { # PID...: user and system
	for pid in "$@"; do
		cut -d' ' -f1 "/proc/$pid/schedstat"
	done | awk '{s += $1} END {printf "%.0f\n", s}'
}

# On time, of those sent, in percent; p50 and p99 in us; the flood per second, and what of it came out; percent of a CPU of the relay.
measure() { # RELAY FLOOD
	pids=${relay:-$(build/hold --stages -i "$instance" | awk '{print $2}')}
	# shellcheck disable=SC2086 # pids, options
	before=$(ran_ns $pids)
	# shellcheck disable=SC2046
	taskset -c "$away" build/tests/sources 127.0.0.1:28080 127.0.0.1:29080 --seconds "$seconds" --budget-us 5000 $(flood_options "$2") >"$work/said" || true
	# shellcheck disable=SC2086
	after=$(ran_ns $pids)
	awk -v ran="$((after - before))" -v s="$seconds" '/^polite/ {on = 100 * $9; p50 = $11; p99 = $13} /^flood/ {rate = $7; out = $5 / s}
		END {print on, p50, p99, rate, out, ran / 1e7 / s}' "$work/said" >>"$work/$1.$2.rows"
}

row() { # RELAY FLOOD NAME
	printf '%-32s %-7s' "$3" "$2"
	for column in 1 2 3 4 5 6; do
		cut -d' ' -f"$column" "$work/$1.$2.rows" | median
	done | tr '\n' ' ' | awk '{printf " %9.2f %9.0f %9.0f %9.0f %9.0f %6.1f\n", $1, $2, $3, $4, $5, $6}'
}

cases="plain:alone plain:one plain:many plain:denied deny:denied rate:one rate:many fair:alone fair:one fair:many both:one"
nginx=$(command -v nginx || ls /usr/sbin/nginx 2>/dev/null || true)
if [ -n "$nginx" ] && "$nginx" -t -q -p "$work" -c "$work/nginx-deny" 2>"$work/said"; then
	cases="$cases nginx-plain:alone nginx-plain:one nginx-plain:many nginx-deny:denied nginx-limit_conn:one"
else
	echo "sources: without nginx: $([ -n "$nginx" ] && tail -n 1 "$work/said" || echo 'apt-get install nginx-light libnginx-mod-stream')"
fi
i=0
while [ "$i" -lt "$rounds" ]; do
	for one in $cases; do
		start "${one%:*}"
		measure "${one%:*}" "${one#*:}"
		stop
	done
	i=$((i + 1))
done
echo "20 polite senders, 2,000/s together, beside a flood of at most $flood/s of the same class and port; medians of $rounds interleaved runs of $seconds s;"
echo "on time: of those sent, within 5 ms; us from the time a datagram was due to when it came; cpu: percent of one, of the relay's processes"
printf '%-32s %-7s %9s %9s %9s %9s %9s %6s\n' relay flood 'on time %' p50 p99 'flood/s' 'of it out' cpu
for one in $cases; do
	row "${one%:*}" "${one#*:}" "$(echo "${one%:*}" | sed 's/^plain/ontime/; s/^deny/ontime, deny/; s/^rate/ontime, source_rate/; s/^fair/ontime, fair/; s/^both/ontime, fair and source_rate/; s/^nginx-plain/nginx stream/; s/^nginx-/nginx stream, /')"
done

#!/bin/sh
# replies.sh - part `replies` of tests/bench.sh: requests and their answers through ontime and through nginx stream, and through neither.
#
# RATE/s (5,000) in all, 64 bytes, from 1 to 10,000 clients, then from 100 beside two busy processes; then as fast as the relay allows: each
# client asks again when it has its answer. ontime has a socket for each session, and as ontime-via one for all. The relay is on one CPU;
# clients and server are on another, in real time where that is allowed, so that only the relay differs; there nginx runs in real time too, as
# nginx-rt. Clients' ports are none that the kernel chooses. RATES="5000 closed", CLIENTS and RELAYS choose what is measured.
set -eu
cd "$(dirname "$0")/../.."
rounds=${ROUNDS:-3}
seconds=${SECONDS_EACH:-2}
rates=${RATES:-${RATE:-5000} closed}
clients=${CLIENTS:-1 100 1000 10000}
# shellcheck source=tests/bench/part.sh
. tests/bench/part.sh
own_part benchreplies
cpu=$(taskset -cp $$ | sed 's/.*[^0-9]//')
away=$(taskset -cp $$ | sed 's/.*: //; s/[^0-9].*//')
ahead=$([ "$away" = "$cpu" ] || ! chrt -f 30 true 2>/dev/null || echo chrt -f 30)
server='' relay='' busy=''
trap 'end $server $relay $busy; run/stop.sh -i "$instance" >/dev/null 2>&1 || true; rm -rf "$work"' EXIT INT TERM
make -s all tests

cat >"$work/conf" <<END
[pipeline]
instance = $instance
[class game]
listen = 127.0.0.1:28080
send = 127.0.0.1:29080
replies = game-back
sessions = 10000
sessions_per_source = 10000
budget = 10ms
[class game-back]
budget = 10ms
END
sed 's/^replies = .*/&\nvia = 127.64.0.0\/10/' "$work/conf" >"$work/conf-via"
modules=$(find /usr/lib/nginx/modules /usr/share/nginx/modules -name ngx_stream_module.so 2>/dev/null | head -n 1)
cat >"$work/nginx.conf" <<END
${modules:+load_module $modules;}
daemon off;
master_process off;
pid $work/nginx.pid;
error_log $work/nginx.log;
worker_rlimit_nofile 20000;
events { worker_connections 24000; }
stream { server { listen 127.0.0.1:28080 udp rcvbuf=16m; proxy_pass 127.0.0.1:29080; proxy_timeout 60s; } }
END

end() { # PID...
	for pid in "$@"; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
}

start() { # RELAY: $pids are its processes that work, $to is where it listens
	relay='' to=127.0.0.1:28080
	case $1 in
	nginx | nginx-rt)
		# shellcheck disable=SC2046
		taskset -c "$cpu" $([ "$1" = nginx ] || echo chrt -f 11) "$nginx" -p "$work" -c "$work/nginx.conf" 2>/dev/null &
		relay=$! pids=$!
		;;
	ontime*) run/launch.sh -c "$work/conf${1#ontime}" --cpus="$cpu" >/dev/null && pids=$(build/hold --stages -i "$instance" | awk '{print $2}') ;;
	none) to=127.0.0.1:29080 pids='' ;;
	esac
	sleep 0.3
}

stop() {
	case $1 in ontime*) run/stop.sh -i "$instance" >/dev/null ;; esac
	# shellcheck disable=SC2086
	end $relay
	relay=
}

cpu_ns() { # user and system, so far
	for pid in $pids; do
		cut -d' ' -f1 "/proc/$pid/schedstat"
	done | awk '{s += $1} END {printf "%.0f\n", s}'
}

one() { # RELAY CLIENTS NAME: a line "p50 p99 max lost CPU-us-a-round-trip answers/s" to $work/NAME; sessions are opened before it counts
	start "$1"
	# shellcheck disable=SC2086
	for _ in warm-up measured; do
		before=$(cpu_ns)
		taskset -c "$away" $ahead build/tests/ask "$to" --clients "$2" $paced --seconds "$seconds" --from 127.1.0.0/64 --port 10000 \
			--losses --timeout 500 >"$work/asked"
	done
	sed 's/,//g' "$work/asked" | awk -v ns=$(($(cpu_ns) - before)) -v seconds="$seconds" \
		'{print $(NF - 4), $(NF - 2), $NF, $6, ns / 1e3 / ($4 ? $4 : 1), $4 / seconds}' >>"$work/$3"
	stop "$1"
}

rows() { # WHAT
	for one in $relays; do
		printf '%-14s %-10s' "$1" "$one"
		for column in 1 2 3 4 5 6; do
			cut -d' ' -f"$column" "$work/$one.$1" | median
		done | tr '\n' ' ' | awk '{printf " %9.1f %9.1f %9.0f %7.0f %12.2f %9.0f\n", $1, $2, $3, $4, $5, $6}'
	done
}

measure() { # CLIENTS WHAT
	i=0
	rm -f "$work"/*."$2"
	while [ "$i" -lt "$rounds" ]; do
		for one in $relays; do
			one "$one" "$1" "$one.$2"
		done
		i=$((i + 1))
	done
	rows "$2"
}

relays="none ontime ontime-via"
nginx=$(command -v nginx || ls /usr/sbin/nginx 2>/dev/null || true)
if [ -n "$nginx" ] && "$nginx" -t -q -p "$work" -c "$work/nginx.conf" 2>"$work/said"; then
	relays="none ontime ontime-via nginx${ahead:+ nginx-rt}"
else
	echo "replies: without nginx: $([ -n "$nginx" ] && tail -n 1 "$work/said" || echo 'apt-get install nginx-light libnginx-mod-stream')"
fi
# shellcheck disable=SC2086
taskset -c "$away" $ahead build/tests/echo 127.0.0.1:29080 >/dev/null &
server=$!
sleep 0.2
relays=${RELAYS:-$relays}
echo "requests and answers of 64 bytes; medians of $rounds interleaved runs of $seconds s; us from scheduled request to answer, and of the relay's CPU"
printf '%-14s %-10s %9s %9s %9s %7s %12s %9s\n' clients relay p50 p99 max lost 'CPU us/trip' answers/s
for rate in $rates; do
	if [ "$rate" = closed ]; then
		echo "each client asks again when it has its answer:"
		paced=''
	else
		echo "$rate/s in all:"
		paced="--rate $rate"
	fi
	for n in $clients; do
		measure "$n" "$n"
	done
	[ "$rate" != closed ] || continue
	for _ in 1 2; do
		taskset -c "$cpu" sh -c 'while :; do :; done' &
		busy="$busy $!"
	done
	measure 100 "100,busy"
	# shellcheck disable=SC2086
	end $busy
	busy=
done

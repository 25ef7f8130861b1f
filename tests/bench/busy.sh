# shellcheck shell=sh disable=SC2154,SC2034
# busy.sh - part `busy` of tests/bench.sh, which sources it: relays whose CPU ordinary processes want too.

start_busy() { # N: ordinary processes that spin on the relays' CPU
	n=$1
	while [ "$n" -gt 0 ]; do
		taskset -c "$cpu" sh -c 'while :; do :; done' &
		busy_pids="$busy_pids $!"
		n=$((n - 1))
	done
}

end_busy() {
	for pid in $busy_pids; do
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	busy_pids=
}

nginx_conf() { # the same classes, as nginx's stream module relays them
	modules=$(find /usr/lib/nginx/modules /usr/share/nginx/modules -name ngx_stream_module.so 2>/dev/null | head -n 1)
	cat <<END
${modules:+load_module $modules;}
daemon off;
master_process off;
pid $work/nginx.pid;
error_log $work/nginx.log;
events { worker_connections 1024; }
stream {
$("$build/hold" --classes -c "$busy_conf" | awk '{print "server { listen " $2 " udp rcvbuf=16m; proxy_pass " $4 "; proxy_timeout 30s; }"}')
}
END
}

start_relay() { # NAME: of $busy_relays; sets $relay, a pid, or nothing for an instance of ours
	relay=
	case $1 in
	off | auto) run/launch.sh -c "$busy_conf" --cpus="$cpu" "--fifo=$1" >/dev/null ;;
	reference) build/tests/reference gso "$busy_conf" >/dev/null & relay=$! ;;
	nginx) taskset -c "$cpu" "$nginx" -p "$work" -c "$work/nginx.conf" 2>/dev/null & relay=$! ;;
	esac
	sleep 0.3
}

stop_relay() {
	[ -n "$relay" ] || run/stop.sh -i bench >/dev/null
	[ -z "$relay" ] || kill -TERM "$relay" 2>/dev/null || true
	[ -z "$relay" ] || wait "$relay" 2>/dev/null || true
}

busy_row() { # RELAY RATE CLASS: medians of the rounds
	printf '%-22s %6d  %-12s' "$(relay_name "$1")" "$2" "$3"
	for column in 2 3 4 5; do
		awk -v class="$3" -v column="$column" '$1 == class {print $column}' "$work/busy.$1.$2" | median
	done | tr '\n' ' ' | awk '{printf " %8.2f %9.1f %9.1f %9.1f\n", $1, $2, $3, $4}'
}

relay_name() {
	case $1 in
	off | auto) echo "ontime, fifo = $1" ;;
	reference) echo "reference" ;;
	nginx) echo "nginx stream" ;;
	esac
}

# Source and sink are kept off the relays' CPU, and in real time where that is another one and allowed: what is measured is how a
# relay shares its CPU with busy processes, not what else the source waits for.
busy() {
	n_busy=${BUSY:-2}
	busy_conf=$work/busy.conf
	sed 's/^policy = .*/policy = guarded/' "$conf" >"$busy_conf"
	away=$(taskset -cp $$ | sed 's/.*: //; s/[^0-9].*//')
	ahead=$([ "$away" = "$cpu" ] || ! chrt -f 30 true 2>/dev/null || echo chrt -f 30)
	busy_relays="off auto reference"
	nginx=$(command -v nginx || ls /usr/sbin/nginx 2>/dev/null || true)
	if [ -n "$nginx" ] && nginx_conf >"$work/nginx.conf" && "$nginx" -t -q -p "$work" -c "$work/nginx.conf" 2>"$work/said"; then
		busy_relays="$busy_relays nginx"
	else
		echo "busy: without nginx: $([ -n "$nginx" ] && tail -n 1 "$work/said" || echo 'apt-get install nginx-light libnginx-mod-stream')"
	fi
	echo "beside $n_busy busy processes on the relays' CPU ($cpu; source and sink on $away${ahead:+, in real time}): on time % of sent, and us from scheduled"
	echo "send to arrival; default config, 64 to 512 bytes; medians of $rounds interleaved runs of 2 s"
	printf '%-22s %6s  %-12s %8s %9s %9s %9s\n' relay rate class 'on time' p50 p99 p99.9
	for rate in ${RATES:-8000 10000}; do
		rm -f "$work"/busy.*."$rate"
		i=0
		while [ "$i" -lt "$rounds" ]; do
			for one in $busy_relays; do
				start_relay "$one"
				start_busy "$n_busy"
				# shellcheck disable=SC2086
				taskset -c "$away" $ahead build/load -c "$busy_conf" --rate "$rate" --size 64-512 --seconds 2 |
					awk 'NF == 0 {exit} NR > 1 {print $1, $13, $8, $9, $10}' >>"$work/busy.$one.$rate"
				end_busy
				stop_relay
			done
			i=$((i + 1))
		done
		for one in $busy_relays; do
			for class in $("$build/hold" --classes -c "$busy_conf" | awk '{print $1}'); do
				busy_row "$one" "$rate" "$class"
			done
		done
	done
}

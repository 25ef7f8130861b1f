#!/bin/sh
# rivals.sh - part `rivals` of tests/bench.sh: what a packet costs ontime and other relays, and how long it takes, all in the same rounds.
#
# The reference (tests/bench/reference.c) with UDP_SEGMENT and without, ontime, nginx stream, socat, and the kernel's own forwarding (nft DNAT in
# network namespaces, as root) stay up, and have a turn each in every round, in an order that moves on (tests/rivals/rivals.c). Source and
# sink are on one CPU, the relays on another. All of a table are in one scheduling class: in real time (`fifo = auto`, chrt -f) or ordinary.
#
# By environment: RIVALS (reference sendmmsg ontime ontime-gro nginx socat kernel), ROUNDS (16), SIZES (64 512 1400), RATES (1000 10000 50000 saturated),
# SOURCES (plain trains), SINKS (plain gro), SCHEDULING (fifo ordinary), HOGS (0 1), TURN_MS (80), CALLS (yes), STEAL (10 percent), INSTALL (yes:
# rivals that are missing, as root); QUICK=1: less of all. JSON=FILE and MARKDOWN=FILE have the figures too, ROWS=FILE the lines that they
# come from. PORT (28000): the first of 1,200 that are used.
set -eu
cd "$(dirname "$0")/../.."
quick=${QUICK:-}
rivals=${RIVALS:-reference sendmmsg ontime ontime-gro nginx socat kernel}
rounds=${ROUNDS:-$([ "$quick" ] && echo 6 || echo 16)}
sizes=${SIZES:-$([ "$quick" ] && echo 64 1400 || echo 64 512 1400)}
rates=${RATES:-$([ "$quick" ] && echo 10000 saturated || echo 1000 10000 50000 saturated)}
sources=${SOURCES:-plain trains}
sinks=${SINKS:-plain gro}
scheduling=${SCHEDULING:-fifo ordinary}
hogs=${HOGS:-0 1}
turn_ms=${TURN_MS:-80}
port=${PORT:-28000}
steal_percent=${STEAL:-10}
build=build # busy.sh wants it
work=$(mktemp -d)
rows=$work/rows
ONTIME_RUN_DIR=$work/run
ONTIME_HISTOGRAMS=off
export ONTIME_RUN_DIR ONTIME_HISTOGRAMS
cpu=$(taskset -cp $$ | sed 's/.*[^0-9]//') # the relays'
away=$(taskset -cp $$ | sed 's/.*: //; s/[^0-9].*//')
busy_pids='' started='' instances='' strace_pid='' n_ports=0 class_now=ordinary
# shellcheck source=tests/bench/busy.sh
. tests/bench/busy.sh
trap 'clean_up' EXIT
trap 'exit 130' INT TERM

clean_up() {
	end_busy
	for instance in $instances; do
		run/stop.sh -i "$instance" >/dev/null 2>&1 || true
	done
	for pid in $strace_pid $started; do
		kill -CONT "$pid" 2>/dev/null || true
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	rm -rf "$work"
}

wants() { # RIVAL
	case " $rivals " in *" $1 "*) return 0 ;; esac
	return 1
}

without() { # RIVAL WHY: left out, with one line
	printf 'rivals: without %s: %s\n' "$1" "$2"
	rivals=$(echo " $rivals " | sed "s/ $1 / /; s/^ //; s/ $//")
}

next_ports() { # NAME: a config of its own, $work/NAME.conf, with the next ports, $to and $at
	to=$((port + n_ports * 10))
	at=$((to + 1000))
	n_ports=$((n_ports + 1))
	sed "s/^policy = .*/policy = edf/; s/127\.0\.0\.1:8080/127.0.0.1:$to/; s/127\.0\.0\.1:8081/127.0.0.1:$((to + 1))/
		s/127\.0\.0\.1:8082/127.0.0.1:$((to + 2))/; s/127\.0\.0\.1:8083/127.0.0.1:$((to + 3))/; s/127\.0\.0\.1:9080/127.0.0.1:$at/
		s/127\.0\.0\.1:9081/127.0.0.1:$((at + 1))/; s/127\.0\.0\.1:9082/127.0.0.1:$((at + 2))/; s/127\.0\.0\.1:9083/127.0.0.1:$((at + 3))/" \
		run/ontime.conf >"$work/$1.conf"
}

relay_is() { # NAME N-STOPPED PID...: as tests/rivals/rivals.c reads it
	name=$1
	shift
	echo "$name 127.0.0.1 $to 127.0.0.1 $at 0 0 $*" >"$work/relay.$name"
}

start_reference() { # NAME gso|sendmmsg
	next_ports "$1"
	build/tests/reference "$2" "$work/$1.conf" >/dev/null &
	started="$started $!"
	relay_is "$1" 1 $!
}

start_ontime() { # NAME OPTION...
	name=$1
	instance=rivals$$$1
	shift
	next_ports "$name"
	instances="$instances $instance"
	sed -i "s/^instance = .*/instance = $instance/" "$work/$name.conf"
	run/launch.sh -c "$work/$name.conf" --cpus="$cpu" "$@" >/dev/null
	# shellcheck disable=SC2046
	relay_is "$name" 1 $(build/hold --stages -i "$instance" | awk '{print $2}') "$(build/hold --supervisor -i "$instance")" \
		"$(build/hold --holder -i "$instance")"
}

start_nginx() {
	nginx=$(command -v nginx || ls /usr/sbin/nginx 2>/dev/null || true)
	next_ports nginx
	busy_conf=$work/nginx.conf
	nginx_conf >"$work/nginx" # names $work/nginx.pid and $work/nginx.log
	if [ -z "$nginx" ] || ! "$nginx" -t -q -p "$work" -c "$work/nginx" 2>"$work/said"; then
		without nginx "$([ -n "$nginx" ] && tail -n 1 "$work/said" || echo 'apt-get install nginx-light libnginx-mod-stream')"
		return
	fi
	taskset -c "$cpu" "$nginx" -p "$work" -c "$work/nginx" 2>/dev/null &
	started="$started $!"
	relay_is nginx 1 $!
}

start_socat() { # a process per class
	command -v socat >/dev/null || { without socat 'apt-get install socat' && return; }
	next_ports socat
	set --
	for i in 0 1 2 3; do
		taskset -c "$cpu" socat -u "UDP4-RECV:$((to + i)),bind=127.0.0.1,rcvbuf=16777216" "UDP4-SENDTO:127.0.0.1:$((at + i))" 2>/dev/null &
		started="$started $!"
		set -- "$@" $!
	done
	relay_is socat $# "$@"
}

own_namespace() { # sets $made, a process that holds it
	unshare -n sleep infinity &
	made=$!
	started="$started $made"
	tries=100
	until [ "$(readlink "/proc/$made/ns/net")" != "$(readlink /proc/self/ns/net)" ]; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 0.02
	done
}

cable() { # PID NAME ADDRESS PID NAME ADDRESS
	nsenter -t "$1" -n ip link add "$2" type veth peer name "$5" netns "$4"
	nsenter -t "$1" -n sh -c "ip address add $3 dev $2 && ip link set $2 up"
	nsenter -t "$4" -n sh -c "ip address add $6 dev $5 && ip link set $5 up"
}

forward() { # source, forwarder and sink, and a cable from source to sink, for what the forwarding adds to that
	own_namespace && source_ns=$made && own_namespace && forwarder=$made && own_namespace && sink_ns=$made || return 1
	cable "$source_ns" on 10.99.1.1/30 "$forwarder" in 10.99.1.2/30 || return 1
	cable "$forwarder" out 10.99.2.1/30 "$sink_ns" from 10.99.2.2/30 || return 1
	cable "$source_ns" across 10.99.3.1/30 "$sink_ns" straight 10.99.3.2/30 || return 1
	nsenter -t "$sink_ns" -n ip route add 10.99.1.0/30 via 10.99.2.1 || return 1
	nsenter -t "$forwarder" -n sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward' || return 1
	echo "table ip rivals { chain there { type nat hook prerouting priority dstnat; udp dport $port-$((port + 3)) dnat to 10.99.2.2; }; }" |
		nsenter -t "$forwarder" -n nft -f - || return 1
	echo "direct 10.99.3.2 $((port + 100)) 10.99.3.2 $((port + 100)) $source_ns $sink_ns 0" >"$work/relay.direct"
	echo "kernel 10.99.1.2 $port 10.99.2.2 $port $source_ns $sink_ns 0" >"$work/relay.kernel"
}

start_kernel() {
	for tool in nft ip; do
		command -v "$tool" >/dev/null || { without kernel 'apt-get install nftables iproute2' && return; }
	done
	unshare -n true 2>/dev/null || { without kernel 'network namespaces need root' && return; }
	forward 2>"$work/said" || without kernel "$(tail -n 1 "$work/said")"
}

install_missing() {
	[ "${INSTALL:-yes}" = yes ] && { wants nginx || wants socat || wants kernel; } || return 0
	[ "$(id -u)" != 0 ] || run/deps.sh bench 2>&1 || true
}

start_all() {
	! wants reference || start_reference reference gso
	! wants sendmmsg || start_reference sendmmsg sendmmsg
	if wants ontime; then
		for class in $scheduling; do
			start_ontime "ontime-$class" "--fifo=$([ "$class" = fifo ] && echo auto || echo off)"
		done
		first=${scheduling%% *}
		if wants ontime-gro && build/hold --check -c "$work/ontime-$first.conf" --gro=on >/dev/null 2>&1; then
			start_ontime ontime-gro "--fifo=$([ "$first" = fifo ] && echo auto || echo off)" --gro=on
		fi
	fi
	! wants nginx || start_nginx
	! wants socat || start_socat
	! wants kernel || start_kernel
	sleep 0.5
}

in_class() { # fifo|ordinary: all that are not ontime, which has an instance for each
	[ "$1" != "$class_now" ] || return 0
	class_now=$1
	for one in reference sendmmsg nginx socat; do
		[ -e "$work/relay.$one" ] || continue
		pids=$(cut -d' ' -f9- "$work/relay.$one")
		for pid in $pids; do
			if [ "$1" = fifo ]; then chrt -f -p 10 "$pid"; else chrt -o -p 0 "$pid"; fi
		done
	done
}

relays_in() { # CLASS all|some: their lines; `some` is without the ontime that takes trains
	for one in reference sendmmsg "ontime-$1" ontime-gro nginx socat kernel direct; do
		[ -e "$work/relay.$one" ] || continue
		[ "$one" != ontime-gro ] || [ "$2" = all ] || continue
		sed "s/^ontime-$1 /ontime /" "$work/relay.$one"
	done
}

turns() { # WHAT BYTES SOURCE SINK ROUNDS TURN-MS: relays on standard input
	taskset -c "$away" build/tests/rivals "$@" "$cpu" "$steal_percent"
}

leave_out_the_dead() { # what carries nothing
	for one in "$work"/relay.*; do
		cat "$one"
	done >"$work/relays"
	turns check 64 plain plain 1 "$turn_ms" <"$work/relays" >"$work/alive"
	for one in "$work"/relay.*; do
		name=${one##*/relay.}
		grep -qx "$name" "$work/alive" || {
			rm "$one"
			without "$name" "it carries nothing"
		}
	done
	[ -e "$work/relay.reference" ] || { echo "rivals: there is nothing to compare with without the reference" >&2 && exit 1; }
}

cell() { # CLASS HOGS WHAT BYTES SOURCE SINK: one table
	in_class "$1"
	start_busy "$2"
	relays_in "$1" "$([ "$3" = saturated ] && echo all || echo some)" |
		turns "$3" "$4" "$5" "$6" "$rounds" "$([ "$3" -le 1000 ] 2>/dev/null && echo $((turn_ms * 2)) || echo "$turn_ms")" >"$work/turns"
	end_busy
	sed "/^carried/d; s/^/$* /" "$work/turns" >"$work/cell"
	cat "$work/cell" >>"$rows"
	awk -v as=table -f tests/bench/rivals.awk "$work/cell"
}

saturated() {
	for size in $sizes; do
		for source in $sources; do
			for sink in $sinks; do
				cell "${scheduling%% *}" 0 saturated "$size" "$source" "$sink"
			done
		done
	done
}

paced() { # RATE: each size; and of one size in trains, and in each scheduling class with and without a busy process
	first=${scheduling%% *}
	for size in $sizes; do
		cell "$first" 0 "$1" "$size" plain plain
	done
	for source in $sources; do
		[ "$source" = plain ] || cell "$first" 0 "$1" "$middle" "$source" plain
	done
	for class in $scheduling; do
		for hog in $hogs; do
			[ "$class $hog" = "$first 0" ] || cell "$class" "$hog" "$1" "$middle" plain plain
		done
	done
}

calls_of() { # NAME WHAT: of one relay under strace, to $rows
	pids=$(cut -d' ' -f9- "$work/relay.$1")
	# shellcheck disable=SC2086,SC2046
	strace -f -c -U calls,name -o "$work/calls" $(printf -- '-p %s ' $pids) 2>/dev/null &
	strace_pid=$!
	sleep 0.5
	turns "$2" 512 plain plain 1 $((turn_ms * 2)) <"$work/relay.$1" | awk '$1 == "carried" {print $2}' >"$work/carried"
	kill -INT "$strace_pid" 2>/dev/null || true
	wait "$strace_pid" || true
	strace_pid=
	echo "calls $2 ${1%-"${scheduling##* }"} $(awk '$2 == "total" {print $1}' "$work/calls") $(cat "$work/carried")" | awk 'NF == 5' >>"$rows"
}

calls() {
	strace -c -o /dev/null true 2>/dev/null || { echo "rivals: without system calls: strace is not there, or not allowed" && return; }
	in_class ordinary
	for one in reference sendmmsg "ontime-${scheduling##* }" nginx socat; do
		[ ! -e "$work/relay.$one" ] || { calls_of "$one" 1000 && calls_of "$one" saturated; }
	done
	grep '^calls' "$rows" >"$work/cell" && awk -v as=table -f tests/bench/rivals.awk "$work/cell"
}

case " $scheduling " in
*" fifo "*)
	chrt -f 1 true 2>/dev/null || {
		echo "rivals: all in the ordinary scheduling class: real time takes root, or CAP_SYS_NICE"
		scheduling=ordinary
	}
	;;
esac
[ "$cpu" != "$away" ] || echo "rivals: source, sink and relays share the only CPU that is allowed: what a packet costs compares, latency does not"
case " $sizes " in *" 512 "*) middle=512 ;; *) middle=${sizes%% *} ;; esac
install_missing
make -s all tests
start_all
leave_out_the_dead
echo "each relay a turn of $turn_ms ms in each of $rounds rounds, on CPU $cpu; source and sink on CPU $away. CPU ns: per packet, user and system, of all"
echo "processes of a relay (of the kernel's forwarding: what it adds to the sender's call); ratio: to the reference in the same round, median and"
echo "quartiles; volun., invol.: switches per packet; p50, p99, p99.9: us from the sending call to the kernel's stamp at the sink, medians of the"
echo "rounds, and +: the difference to the reference in the same round; a round is discarded when the hypervisor took more than $steal_percent % of a CPU"
: >"$rows"
for rate in $rates; do
	if [ "$rate" = saturated ]; then saturated; else paced "$rate"; fi
done
[ "${CALLS:-yes}" != yes ] || calls
[ -z "${ROWS:-}" ] || cp "$rows" "$ROWS"
[ -z "${JSON:-}" ] || awk -v as=json -f tests/bench/rivals.awk "$rows" >"$JSON"
[ -z "${MARKDOWN:-}" ] || awk -v as=markdown -f tests/bench/rivals.awk "$rows" >"$MARKDOWN"

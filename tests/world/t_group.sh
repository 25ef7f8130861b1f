#!/bin/sh
# t_group.sh - multicast in and out, and broadcast, over a cable between two network namespaces: this script's, with interface va, and a
# peer's, with vb, that ends with the process $peer.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
own_namespaces "multicast groups" --net "$0" "$@"
own_instance group
datagrams=build/tests/datagrams
# shellcheck source=tests/world/cable.sh
. tests/world/cable.sh
at_end() {
	kill "$peer" 2>/dev/null
}

on_failure() {
	cat "$work/launched" "$log" "$work/sink" 2>/dev/null || true
	"$ONTIME_BUILD/stat" -i "$instance" --json | jq -c '.classes[] | {class, received, sent, held, dropped, send_errors}' || true
}

launch() { # LINE...: classes of the config
	run/stop.sh -i "$instance" >/dev/null 2>&1 || true
	{
		printf '[pipeline]\ninstance = %s\npolicy = edf\n' "$instance"
		printf '%s\n' "$@"
	} >"$work/test.conf"
	run/launch.sh -c "$work/test.conf" >"$work/launched" 2>&1
}

sink_at() { # ADDRESS...: count what comes there, from now on
	: >"$work/sink"
	nsenter --net="/proc/$peer/ns/net" "$datagrams" sink "$@" >"$work/sink" 2>&1 &
	sink=$!
	eventually grep -q ready "$work/sink"
}

came() { # ADDRESS N: that number came there in order
	kill "$sink" && wait "$sink" && cat "$work/sink" && grep -qF "$1 $2 pkts, 0 out of order" "$work/sink"
}

received() { # N: so many, and none is held
	[ "$("$ONTIME_BUILD/stat" -i "$instance" --json | jq '[.classes[] | .received] | add')" = "$1" ] &&
		[ "$("$ONTIME_BUILD/stat" -i "$instance" --json | jq '[.classes[] | .held + .unbalanced] | add')" = 0 ]
}

stage_pid() { # STAGE
	"$ONTIME_BUILD/hold" --stages -i "$instance" | sed -n "s/^$1 \([0-9]*\) .*/\1/p"
}

groups_in_and_out() {
	launch '[class feed]' 'listen = 239.1.2.3%va:5000 [ff05::9%va]:5000 [ff02::9%va]:5000' 'send = 239.9.9.9%va:6000' &&
		sink_at 239.9.9.9%vb:6000 && there "$datagrams" send 239.1.2.3%vb:5000 500 && there "$datagrams" send '[ff05::9%vb]:5000' 300 &&
		eventually received 800 && kill "$sink" && wait "$sink" && cat "$work/sink" && grep -q '^239.9.9.9%vb:6000 800 pkts' "$work/sink"
}

other_groups_do_not_come() { # of the same port, joined by somebody else on this machine
	"$datagrams" sink 239.1.2.4%va:5001 >"$work/beside" 2>&1 &
	beside=$!
	eventually grep -q ready "$work/beside" && there "$datagrams" send 239.1.2.4%vb:5001 50 && there "$datagrams" send 239.1.2.4%vb:5000 50 &&
		there "$datagrams" send 239.1.2.3%vb:5000 1 && eventually received 801
	status=$?
	kill "$beside" && wait "$beside"
	cat "$work/beside"
	[ $status = 0 ] && grep -q ' 50 pkts' "$work/beside"
}

kills_change_nothing() {
	sink_at 239.9.9.9%vb:6000 || return 1
	for stage in ingress edf egress ingress; do
		there "$datagrams" send 239.1.2.3%vb:5000 500 &
		source=$!
		kill -9 "$(stage_pid $stage)"
		wait "$source" && eventually ready || return 1
	done
	eventually received 2801 && came 239.9.9.9%vb:6000 2000
}

interface_comes_back() { # with another index
	ip link del va && eventually grep -q 'no interface va any more: 239.1.2.3%va:5000 is received again' "$log" || return 1
	cable
	eventually grep -q '239.1.2.3%va:5000 is joined on interface va' "$log" && sink_at 239.9.9.9%vb:6000 &&
		eventually sends_again && eventually hears '[ff05::9%vb]:5000' && eventually hears '[ff02::9%vb]:5000' && kill "$sink" && wait "$sink"
}

hears() { # GROUP
	was=$("$ONTIME_BUILD/stat" -i "$instance" --json | jq '.classes[0].received')
	there "$datagrams" send "$1" 1
	[ "$("$ONTIME_BUILD/stat" -i "$instance" --json | jq '.classes[0].received')" -gt "$was" ]
}

sends_again() { # in by the new membership, out by the new interface
	there "$datagrams" send 239.1.2.3%vb:5000 1
	there "$datagrams" send 239.1.2.3%vb:5000 1
	[ "$("$ONTIME_BUILD/stat" -i "$instance" --json | jq '.classes[0].sent')" -gt 2801 ]
}

comes_later() {
	ip link del va
	launch '[class feed]' 'listen = 239.1.2.3%va:5000' 'send = 239.9.9.9%va:6000' && grep -q 'is not there yet' "$log" || return 1
	cable
	eventually grep -q '239.1.2.3%va:5000 is there now' "$log" && eventually grep -q 'there is a way to 239.9.9.9%va:6000 now' "$log" &&
		sink_at 239.9.9.9%vb:6000 && there "$datagrams" send 239.1.2.3%vb:5000 100 && eventually received 100 && came 239.9.9.9%vb:6000 100
}

say_from() { # ADDRESS N
	for _ in $(seq "$2"); do
		echo x | there socat -u - "UDP-DATAGRAM:239.1.2.3:5000,bind=$1,ip-multicast-if=$1"
	done
}

only_its_source() {
	launch '[class feed]' 'listen = 239.1.2.3%va:5000' 'group_sources = 10.9.0.3' 'send = 239.9.9.9%va:6000' || return 1
	say_from 10.9.0.2 5 && say_from 10.9.0.3 3 && eventually received 3 || return 1
	kill -9 "$(stage_pid ingress)" && eventually ready && say_from 10.9.0.2 2 && say_from 10.9.0.3 2 && eventually received 5
}

ttl_and_loop() { # as the socket has them: seen in what arrives, and in what does not come back
	launch '[class out]' 'listen = 127.0.0.1:5000' 'send = 239.9.9.9%va:6000' 'group_ttl = 7' 'group_loop = off' || return 1
	"$datagrams" sink 239.9.9.9%va:6000 >"$work/own" 2>&1 &
	own=$!
	there socat -u "UDP-RECVFROM:6000,ip-add-membership=239.9.9.9:vb,ip-recvttl" "SYSTEM:echo ttl \$SOCAT_IP_TTL" >"$work/ttl" &
	sees=$!
	eventually grep -q ready "$work/own" && eventually listens_there && echo x | socat -u - UDP-DATAGRAM:127.0.0.1:5000 && eventually grep -q 'ttl 7' "$work/ttl"
	status=$?
	kill "$own" "$sees" 2>/dev/null
	wait "$own" || true
	cat "$work/own" "$work/ttl"
	[ $status = 0 ] && grep -q ' 0 pkts' "$work/own"
}

listens_there() {
	there ss -lun | grep -q ':6000 '
}

broadcast_both_ways() {
	launch '[class call]' 'listen = 255.255.255.255:5000' 'send = 10.9.0.255:6000' 'broadcast = on' && sink_at 0.0.0.0:6000 || return 1
	echo x | there socat -u - UDP-DATAGRAM:255.255.255.255:5000,broadcast,bind=10.9.0.2,so-bindtodevice=vb
	eventually received 1 && kill "$sink" && wait "$sink" && cat "$work/sink" && grep -q '^0.0.0.0:6000 1 pkts' "$work/sink"
}

broadcast_unasked() {
	launch '[class call]' 'listen = 10.9.0.1:5000' 'send = 10.9.0.255:6000' && return 1
	cat "$work/launched"
	grep -q 'connect to 10.9.0.255:6000 for class call: Permission denied: a broadcast address needs broadcast = on' "$work/launched"
}

eventually is_there
ip link set lo up
there ip link set lo up
cable
check_here "groups of both families come in, and a group is sent to" groups_in_and_out
check_here "another group of the same port does not come in, whoever has joined it here" other_groups_do_not_come
check_here "memberships survive kill -9 of each stage: nothing is lost" kills_change_nothing
check_here "an interface that comes back with another index is joined, and sent by, again" interface_comes_back
check_here "an interface that comes later is joined, and sent by, when it is there" comes_later
check_here "of a source-specific group only its senders are received, before and after a kill" only_its_source
check_here "group_ttl and group_loop are what a member there sees" ttl_and_loop
check_here "a broadcast is received and sent where it is asked for" broadcast_both_ways
check "a broadcast address that is not asked for is refused, with what to do" broadcast_unasked
verdict group

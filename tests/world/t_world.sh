#!/bin/sh
# t_world.sh - addresses, routes, interfaces and queues that change around a running instance, in network namespaces of its own:
# this script's, with interface va, and a peer's, with vb, that ends with the process $peer.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
own_namespaces "a world that changes" --net "$0" "$@"
own_instance world
datagrams=build/tests/datagrams
# shellcheck source=tests/world/cable.sh
. tests/world/cable.sh
at_end() {
	kill "$peer" 2>/dev/null
}

on_failure() {
	cat "$work/launched" "$log" "$work/sink" 2>/dev/null || true
	"$ONTIME_BUILD/stat" -i "$instance" --json | jq -c '.classes[] | {class, received, sent, held, send_waits, dropped, send_errors}' || true
}

fresh() { # a network as at the beginning, whatever a case has left
	! read -r sink 2>/dev/null <"$work/sink.pid" || kill "$sink" 2>/dev/null || true
	run/stop.sh -i "$instance" >/dev/null 2>&1 || true
	ip link del va 2>/dev/null || true
	ip link del vpn 2>/dev/null || true
	cable
}

add_vpn() { # another way there: 10.8.0.1 and 10.8.0.2
	ip link add vpn type veth peer name vpn netns "$peer" && ip link set vpn up && ip_there link set vpn up &&
		ip addr add 10.8.0.1/24 dev vpn && ip_there addr add 10.8.0.2/24 dev vpn
}

launch() { # LINE...: classes of the config
	{
		printf '[pipeline]\ninstance = %s\npolicy = edf\n%s\n' "$instance" "${pipeline:-}"
		printf '%s\n' "$@"
	} >"$work/test.conf"
	run/launch.sh -c "$work/test.conf" >"$work/launched" 2>&1
}

stop() {
	run/stop.sh -i "$instance" >"$work/stopped" 2>&1 || [ $? = 3 ] || return 1 # 3: what had no way out is lost
	grep -v 'and gone: ' "$work/stopped"
}

sink_at() { # ADDRESS...: count what comes there, from now on
	: >"$work/sink"
	nsenter --net="/proc/$peer/ns/net" "$datagrams" sink "$@" >"$work/sink" 2>&1 &
	sink=$!
	echo "$sink" >"$work/sink.pid"
	eventually grep -q ready "$work/sink"
}

sink_ends() { # shows what came
	kill "$sink" && wait "$sink" && cat "$work/sink" && rm "$work/sink.pid"
}

came() { # ADDRESS N [FROM]: that number came there in order, all from that address
	if [ -n "${3:-}" ]; then
		grep -qxF "$1 $2 pkts, 0 out of order, from $3" "$work/sink"
	else
		grep -qF "$1 $2 pkts, 0 out of order" "$work/sink"
	fi
}

value() { # CLASS FILTER: of the account
	"$ONTIME_BUILD/stat" -i "$instance" --json | jq -r --arg class "$1" ".classes[] | select(.class == \$class) | $2"
}

received() { # CLASS N: so many, and none is held
	[ "$(value "$1" '"\(.received) \(.held) \(.unbalanced)"')" = "$2 0 0" ]
}

remade() { # N: sockets connected or bound again, as the log tells
	[ "$(grep -c 'is sent to from\|there is a way to .* now\|is received on interface\|is there now' "$log")" = "$1" ]
}

nothing_is_queued() { # by the kernel, on its way out
	! tc -s qdisc show dev va | grep backlog | grep -qv 'backlog 0b 0p'
}

through() { # N FROM: that number of datagrams through class a arrive at 10.9.0.2, from that address
	before=$(value a .received)
	sink_at 10.9.0.2:22001 && $datagrams send 127.0.0.1:21001 "$1" && eventually received a $((before + $1)) &&
		eventually nothing_is_queued && sink_ends && came 10.9.0.2:22001 "$1" "$2"
}

a="[class a]
listen = 127.0.0.1:21001
send = 10.9.0.2:22001
budget = 100ms"

# F1 a: DHCP gives another address.
another_address() {
	fresh && launch "$a" && through 100 10.9.0.1 || return 1
	ip addr del 10.9.0.1/24 dev va && ip addr add 10.9.0.7/24 dev va
	through 100 10.9.0.7 && remade 1 && run/restart.sh all -i "$instance" && through 100 10.9.0.7 || return 1
	ip addr del 10.9.0.7/24 dev va && ip addr add 10.9.0.1/24 dev va # and again: the port is kept by now
	through 100 10.9.0.1 && remade 2 && [ "$(value a .dropped.send_error)" = 0 ] && stop
}

same_port() {
	ss -nuH dst 10.9.0.2 | awk '{sub(/.*:/, "", $4); print $4}'
}

port_is_kept() { # a peer may know us by it
	fresh && launch "$a" && port=$(same_port) && [ -n "$port" ] || return 1
	ip addr del 10.9.0.1/24 dev va && ip addr add 10.9.0.7/24 dev va
	through 10 10.9.0.7 && [ "$(same_port)" = "$port" ] && stop
}

address_goes_and_comes() { # meanwhile: counted, and said once
	fresh && launch "$a" && through 100 10.9.0.1 || return 1
	ip addr del 10.9.0.1/24 dev va
	$datagrams send 127.0.0.1:21001 200 && eventually received a 300 && [ "$(value a .dropped.send_error)" = 200 ] || return 1
	[ "$(grep -c 'no way to 10.9.0.2' "$log")" = 1 ] || return 1
	ip addr add 10.9.0.7/24 dev va
	eventually grep -q '10.9.0.2:22001 .*from 10.9.0.7' "$log" && through 100 10.9.0.7 && [ "$(value a .dropped.send_error)" = 200 ] && stop
}

no_route_at_launch() {
	fresh && ip addr del 10.9.0.1/24 dev va && launch "$a" || return 1
	grep -q 'no way to 10.9.0.2:22001 yet' "$log" && $datagrams send 127.0.0.1:21001 10 && eventually received a 10 &&
		[ "$(value a '.send_errors.ENETUNREACH')" = 10 ] || return 1
	ip addr add 10.9.0.1/24 dev va
	through 100 10.9.0.1 && stop
}

# F1 b: a better route, and no error. The peer drops what comes by the tunnel from an address that it would answer by the cable.
another_route() {
	fresh && add_vpn && ip_there addr add 10.7.0.1/32 dev lo &&
		there sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.vpn.rp_filter=1 net.ipv4.conf.vb.rp_filter=1 || return 1
	ip route add 10.7.0.1 via 10.9.0.2
	launch "[class a]
listen = 127.0.0.1:21001
send = 10.7.0.1:22001
budget = none" || return 1
	ip route replace 10.7.0.1 via 10.8.0.2
	eventually grep -q 'from 10.8.0.1:[0-9]* now, no longer from 10.9.0.1' "$log" || echo "nobody saw it"
	sink_at 10.7.0.1:22001 && $datagrams send 127.0.0.1:21001 100 && eventually received a 100 && sink_ends && came 10.7.0.1:22001 100 10.8.0.1
	result=$?
	ip_there addr del 10.7.0.1/32 dev lo
	[ "$result" = 0 ] && stop
}

six="[class a]
listen = 127.0.0.1:21001
send = [fd00:9::2]:22001
budget = none"

another_ipv6_address() {
	fresh && launch "$six" || return 1
	ip addr del fd00:9::1/64 dev va && ip addr add fd00:9::7/64 dev va nodad
	eventually grep -q 'from \[fd00:9::7\]' "$log" || echo "nobody saw it" # from an address that is gone Linux sends it, at first
	sink_at '[fd00:9::2]:22001' && $datagrams send 127.0.0.1:21001 100 && eventually received a 100 && sink_ends &&
		came '[fd00:9::2]:22001' 100 '[fd00:9::7]' && remade 1 && stop
}

# F1 d: USB, tun, wlan: the interface is another one of the same name.
scoped="[class a]
listen = 127.0.0.1:21001
send = [fe80::99%va]:22001
budget = none
[class b]
listen = [fe80::11%va]:21002
send = 127.0.0.1:22002
budget = none"

another_interface() {
	fresh && launch "$scoped" || return 1
	ip link del va && cable # the link-local addresses too
	sink_at '[fe80::99%vb]:22001' && $datagrams send 127.0.0.1:21001 50 && eventually received a 50 && sink_ends &&
		came '[fe80::99%vb]:22001' 50 && [ "$(value a .dropped.send_error)" = 0 ] && stop
}

through_b() { # N BEFORE: from the peer, to the link-local address of va
	there "$datagrams" send '[fe80::11%vb]:21002' "$1" && eventually received b $(($2 + $1))
}

# The queue of the socket stays as well: what was in it when the interface went is passed on.
input_follows_its_interface() {
	fresh && launch "$scoped" && through_b 50 0 || return 1
	kill -STOP "$("$ONTIME_BUILD/hold" --stages -i "$instance" | sed -n 's/^ingress \([0-9]*\) .*/\1/p')"
	there "$datagrams" send '[fe80::11%vb]:21002' 20
	ip link del va && cable
	kill -CONT "$("$ONTIME_BUILD/hold" --stages -i "$instance" | sed -n 's/^ingress \([0-9]*\) .*/\1/p')"
	eventually received b 70 && eventually grep -q 'is received on interface' "$log"
	through_b 50 70 && run/restart.sh ingress -i "$instance" && through_b 50 120 && stop
}

own="[class b]
listen = 10.9.0.1:21002
send = 127.0.0.1:22002
budget = none"

input_address_comes_back() {
	fresh && launch "$own" && there "$datagrams" send 10.9.0.1:21002 50 && eventually received b 50 || return 1
	ip addr del 10.9.0.1/24 dev va && ip addr add 10.9.0.7/24 dev va && sleep 1
	ip addr del 10.9.0.7/24 dev va && ip addr add 10.9.0.1/24 dev va
	there "$datagrams" send 10.9.0.1:21002 50 && eventually received b 100 && stop
}

input_address_comes_later() { # meanwhile the other class works
	fresh && ip addr del 10.9.0.1/24 dev va && ip addr add 10.9.0.7/24 dev va
	launch "$a" "[class b]" "listen = 10.9.0.1:21002 [fd00:9::5]:21002" "send = 127.0.0.1:22002" || return 1
	[ "$(grep -c 'is not there yet' "$log")" = 2 ] && through 100 10.9.0.7 && run/restart.sh ingress -i "$instance" || return 1
	ip addr add 10.9.0.1/24 dev va && eventually grep -q '10.9.0.1:21002 is there now' "$log" && there "$datagrams" send 10.9.0.1:21002 50 &&
		eventually received b 50 || return 1
	ip addr add fd00:9::5/64 dev va nodad && eventually grep -q 'fd00:9::5\]:21002 is there now' "$log" &&
		there "$datagrams" send '[fd00:9::5]:21002' 50 && eventually received b 100 && through 100 10.9.0.7 && stop
}

# F3: the interface of one class is missing at launch; the other one works all the time.
interface_comes_later() {
	fresh && add_vpn && ip link del va || return 1
	launch "[class c]
listen = 127.0.0.1:21003
send = 10.8.0.2:22003
budget = none" "$scoped" || return 1
	[ "$(grep -c 'no interface va' "$log")" = 2 ] || return 1
	$datagrams send 127.0.0.1:21003 20 && $datagrams send 127.0.0.1:21001 20 && eventually received c 20 && eventually received a 20 &&
		[ "$(value c .sent)" = 20 ] && [ "$(value a .send_errors.ENODEV)" = 20 ] || return 1
	kill -9 "$("$ONTIME_BUILD/hold" --stages -i "$instance" | sed -n 's/^egress \([0-9]*\) .*/\1/p')" # the config is read without it again
	$datagrams send 127.0.0.1:21003 20 && eventually received c 40 && [ "$(value c .sent)" = 40 ] || return 1
	cable && eventually grep -q 'there is a way to \[fe80::99%va\]:22001 now' "$log" && sink_at '[fe80::99%vb]:22001' &&
		$datagrams send 127.0.0.1:21001 50 && eventually received a 70 && sink_ends && came '[fe80::99%vb]:22001' 50 || return 1
	eventually grep -q '\[fe80::11%va\]:21002 is there now' "$log" && through_b 50 0 && stop
}

port_in_use_is_a_refusal() {
	fresh && $datagrams sink 127.0.0.1:21001 >"$work/taken" 2>&1 &
	taken=$!
	eventually grep -q ready "$work/taken"
	launch "$a" && status=0 || status=$?
	kill "$taken"
	[ "$status" = 1 ] && grep -q 'another program has this port' "$work/launched"
}

drop_all() { # on the way out by va, as a policy does: no packet fits that queue, and none bypasses it
	# Where the neighbour is not known yet, packets wait for its address, and count as sent.
	ip neigh replace 10.9.0.2 lladdr "$(ip_there -br link show vb | awk '{print $3}')" dev va
	tc qdisc add dev va root bfifo limit 1
}

dropped_on_the_way_out() { # F2: is nobody held, and the wait bounded?
	fresh && launch "$a" && drop_all && $datagrams send 127.0.0.1:21001 300 || return 1
	eventually received a 300 && [ "$(value a .send_errors.ENOBUFS)" = 300 ] && [ "$(value a .send_waits)" -gt 5 ] &&
		[ "$(value a .send_waits)" -lt 200 ] && [ "$(grep -c 'nothing is taken for 10.9.0.2' "$log")" = 1 ] || return 1
	tc qdisc del dev va root
	through 100 10.9.0.1 && stop
}

waits_show_while_they_last() {
	fresh && launch "${a%budget*}budget = 10s" && drop_all && $datagrams send 127.0.0.1:21001 1 && eventually received a 1 &&
		[ "$(value a .send_waits)" -gt 5 ] && stop
}

# Two destinations, one of them blocked: what goes to the other arrives, all of it and soon.
one_of_two_is_blocked() {
	fresh && add_vpn && launch "[class two]
listen = 127.0.0.1:21001
send = 10.9.0.2:22002 10.8.0.2:22002
budget = none" && drop_all && sink_at 10.8.0.2:22002 && $datagrams send 127.0.0.1:21001 400 64 40 && eventually received two 400 &&
		sink_ends || return 1
	refused=$(value two .send_errors.ENOBUFS)
	[ "$refused" -gt 0 ] && [ "$refused" -lt 400 ] && came 10.8.0.2:22002 $((400 - refused)) 10.8.0.1 && [ "$(value two .send_waits)" -lt 20 ] && stop
}

# The control: a queue that is full for a while says the same, and loses nothing. (Of a super-datagram tbf keeps what fits.)
a_slow_link_loses_nothing() {
	pipeline="gso = off"
	fresh && launch "${a%budget*}budget = none" && through 10 10.9.0.1 || return 1
	tc qdisc add dev va root tbf rate 1mbit burst 2k limit 3k
	through 300 10.9.0.1 && [ "$(value a .dropped.send_error)" = 0 ] && [ "$(value a .send_waits)" -gt 10 ] && stop
}

eventually is_there && ip link set lo up && ip_there link set lo up
[ -z "${1-}" ] || { check "$1" "$1" && verdict world && exit; } # one alone, by its function's name
check "another local address: outputs send from it, through restarts too" another_address
check "an output that is connected again keeps its port" port_is_kept
check "an address that goes and comes back different: counted meanwhile, said once" address_goes_and_comes
check "no route at launch, then one" no_route_at_launch
check "a better route is taken, though nothing failed" another_route
check "another IPv6 address" another_ipv6_address
check "an output follows its interface to another index" another_interface
check "an input follows its interface to another index, and keeps its queue" input_follows_its_interface
check "an input whose address goes and comes back receives again" input_address_comes_back
check "an address that is missing at launch is bound when it comes" input_address_comes_later
check "an interface that is missing at launch stops no other class, and is used when it comes" interface_comes_later
check "a port in use is still a refusal, with status 1" port_in_use_is_a_refusal
check "what a rule drops on its way out is counted after a short wait, and nothing is held" dropped_on_the_way_out
check "waits for room are counted while they last" waits_show_while_they_last
check "a blocked destination holds up no other" one_of_two_is_blocked
check "a slow link loses nothing" a_slow_link_loses_nothing
verdict world

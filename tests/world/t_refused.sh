#!/bin/sh
# t_refused.sh [CHECK] - both ways through an instance that cannot send some of it: clients that are gone, a queue that is full, a client that
# cannot be answered, an address of one link only. In network namespaces of its own: clients are on the far end of two cables.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
own_namespaces "what is refused both ways" --net "$0" "$@"
own_instance refused
# shellcheck source=tests/world/cable.sh
. tests/world/cable.sh
server=
at_end() {
	[ -z "$server" ] || kill "$server" 2>/dev/null
	kill "$peer" 2>/dev/null
}

on_failure() {
	cat "$work/launched" "$work"/*.asked "$work/server" 2>/dev/null | tail -n 20
	tail -n 5 "$log" || true
	account '.classes[] | {class, received, sent, held, send_waits, refused_events, dropped, send_errors}' || true
}

back() { # FIELD: of the way back
	account ".classes[1].$1"
}

relay() { # SEND LISTEN...: a fresh instance
	run/stop.sh -i "$instance" >/dev/null 2>&1 || true
	rm -f "$work"/*.asked
	printf '[pipeline]\ninstance = %s\npolicy = edf\n[class game]\nsend = %s\nlisten = %s\nreplies = game-back\nsessions_per_source = 1024\n[class game-back]\n' \
		"$instance" "$1" "$2" >"$conf"
	run/launch.sh -c "$conf" >"$work/launched" 2>&1
}

serve() { # OPTION...: the destination, instead of the one before
	[ -z "$server" ] || end_process "$server"
	: >"$work/server"
	"$ONTIME_BUILD/tests/echo" 127.0.0.1:8888 "$@" >"$work/server" 2>&1 </dev/null &
	server=$!
	eventually grep -q ready "$work/server"
}

ask() { # NAME TO OPTION...: from the other namespace; the exit status is ask's
	as=$1
	shift
	there "$ONTIME_BUILD/tests/ask" "$@" >"$work/$as.asked" 2>&1
}

count() { # NAME WHAT: the number behind it
	sed -n "s/.*$2 \([0-9]*\).*/\1/p" "$work/$1.asked"
}

is_settled() { # nothing is under way, and all is accounted for
	[ "$(account '[.classes[] | .held + .unbalanced] | add')" = 0 ]
}

block() { # what is sent by the second cable is dropped on its way out, as by a queue that is full
	ip_there neigh replace 10.8.0.1 lladdr "$(ip -br link show vpn | awk '{print $3}')" dev vpn
	ip neigh replace 10.8.0.2 lladdr "$(ip_there -br link show vpn | awk '{print $3}')" dev vpn
	tc qdisc replace dev vpn root bfifo limit 1
}

unblock() {
	tc qdisc del dev vpn root
}

busy_ticks() { # of ingress, in hundredths of a second
	awk '{ print $14 + $15 }' "/proc/$(pid_of ingress)/stat"
}

sleeps() { # ingress, when nothing comes
	was=$(busy_ticks)
	sleep 1
	now=$(busy_ticks)
	echo "ingress used $((now - was)) ticks"
	[ $((now - was)) -lt 20 ]
}

# ICMP tells the listen socket of each answer to nobody: that costs no other client an answer, and wakes ingress once.
clients_are_gone() {
	relay 127.0.0.1:8888 0.0.0.0:7777 && serve --delay 60000 || return 1
	there sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv4.icmp_msgs_per_sec=100000 net.ipv4.icmp_msgs_burst=100000
	ask here 10.9.0.1:7777 --clients 10 --rate 1000 --seconds 3 --from 10.9.0.3 &
	here=$!
	ask gone 10.9.0.1:7777 --clients 60 --rate 1000 --churn 1 --rest 1 --timeout 1 --seconds 2 --from 10.9.0.2 --losses
	wait "$here" && eventually is_settled && [ "$(back refused_events)" -gt 100 ] && [ "$(back dropped.send_error)" = 0 ] && sleeps
}

# An answer that this machine's full queue drops is not taken for sent; others wait for it once, and only for a moment.
one_client_is_blocked() {
	relay 127.0.0.1:8888 0.0.0.0:7777 && serve && block || return 1
	ask here 10.9.0.1:7777 --clients 10 --rate 1000 --seconds 3 --from 10.9.0.3 &
	here=$!
	ask far 10.8.0.1:7777 --clients 5 --rate 300 --seconds 2 --from 10.8.0.2 --timeout 50 --losses
	unblock
	wait "$here" && eventually is_settled && [ "$(back send_errors.ENOBUFS)" = "$(count far sent)" ] && [ "$(back send_waits)" -lt 100 ]
}

# A firewall of this machine refuses one client, and tells the socket of it by ICMP too: those datagrams are dropped, the others' are not.
one_client_is_rejected() {
	relay 127.0.0.1:8888 0.0.0.0:7777 && serve || return 1
	nft 'add table inet t; add chain inet t out { type filter hook output priority 0; }; add rule inet t out ip daddr 10.9.0.2 reject'
	ask here 10.9.0.1:7777 --clients 10 --rate 1000 --seconds 3 --from 10.9.0.3 &
	here=$!
	ask far 10.9.0.1:7777 --clients 5 --rate 300 --seconds 2 --from 10.9.0.2 --timeout 50 --losses
	nft delete table inet t
	wait "$here" && eventually is_settled && [ "$(back send_errors.EPERM)" = "$(count far sent)" ] && sleeps
}

server_is_blocked() { # likewise of what sessions send
	relay 10.8.0.2:8888 0.0.0.0:7777 && block || return 1
	ask all 10.9.0.1:7777 --clients 50 --rate 1000 --seconds 1 --from 10.9.0.2 --timeout 50 --losses
	unblock
	eventually is_settled && [ "$(account '.classes[0].send_errors.ENOBUFS')" = "$(count all sent)" ] &&
		[ "$(account '.classes[0].send_waits')" -lt 200 ] && [ "$(grep -c 'nothing is taken for 10.8.0.2' "$log")" -le 1 ]
}

# With a large send buffer a burst does not wait for the receiver of the burst before.
answers_have_a_large_buffer() {
	relay 127.0.0.1:8888 0.0.0.0:7777 && [ "$(ss -nulmH 'sport = :7777' | sed -n 's/.*,tb\([0-9]*\),.*/\1/p')" -ge 4194304 ]
}

# The kernel takes a source address of one link only with the link.
global_client_of_a_link_local_address() {
	relay 127.0.0.1:8888 '[::]:7777' && serve || return 1
	link=$(ip_there -o link show vb | cut -d: -f1)
	ask one "[fe80::11%$link]:7777" --clients 3 --rate 300 --seconds 1 --from fd00:9::2 &&
		ask two "[fe80::11%$link]:7777" --clients 3 --rate 300 --seconds 1 --from fe80::99%vb &&
		ask three '[fd00:9::1]:7777' --clients 3 --rate 300 --seconds 1 --from fd00:9::2 && eventually is_settled || return 1
	relay 127.0.0.1:8888 '[fe80::11%va]:7777' && ask four "[fe80::11%$link]:7777" --clients 3 --rate 300 --seconds 1 --from fd00:9::2
}

eventually is_there && ip link set lo up && ip_there link set lo up && cable
ip link add vpn type veth peer name vpn netns "$peer" && ip link set vpn up && ip_there link set vpn up &&
	ip addr add 10.8.0.1/24 dev vpn && ip_there addr add 10.8.0.2/24 dev vpn
[ -z "${1-}" ] || { check_here "$1" "$1" && verdict refused && exit; } # one alone, by its function's name
check_here "clients that are gone cost the others nothing, and wake nobody for ever" clients_are_gone
check_here "what a full queue does not take for one client is counted, and holds up no other" one_client_is_blocked
if command -v nft >/dev/null; then
	check_here "a client that a firewall here refuses costs the others nothing" one_client_is_rejected
else
	skip "what a firewall here refuses: nftables is not installed"
fi
check_here "likewise of what goes to the destination" server_is_blocked
check_here "answers leave by a socket with a large buffer" answers_have_a_large_buffer
check_here "a client of a link-local address of ours is answered from it" global_client_of_a_link_local_address
verdict refused

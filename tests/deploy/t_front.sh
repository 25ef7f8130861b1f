#!/bin/sh
# t_front.sh - three nodes of ontime behind run/deploy/front.sh, each in namespaces of its own: a node that is killed, drained and brought
# back, under load. It prints what was lost, how long, and how many flows moved.
#
# This script's network namespace is the front. s leads to the source (10.9.0.2), n1 to n3 to the nodes (10.9.1.2 to 10.9.3.2).
set -eu
cd "$(dirname "$0")/../.."
if [ -z "${ONTIME_FRONT:-}" ]; then
	reason=
	unshare --net --mount --pid --ipc --fork true 2>/dev/null || reason="namespaces need root"
	[ -x "${ONTIME_BUILD:-build}/dash" ] || reason="build/dash is not built: run/deps.sh build installs libmicrohttpd-dev"
	unshare --net sh -c 'ip link add va type veth peer name vb && ip link set lo up && ip nexthop add id 1 dev lo &&
		ip nexthop add id 2 group 1 type resilient buckets 8' 2>/dev/null || reason="${reason:-no veth or no nexthop groups here (Linux 5.13)}"
	[ -z "$reason" ] || {
		echo "skip nodes behind a front: $reason"
		exit 77
	}
	ONTIME_FRONT=1 exec unshare --net "$0" "$@"
fi
# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh
work=$(mktemp -d)
ONTIME_BUILD=${ONTIME_BUILD:-build}
ONTIME_HISTOGRAMS=off
export ONTIME_BUILD ONTIME_HISTOGRAMS
spread=$ONTIME_BUILD/tests/spread
relay=10.99.0.1 # what the source sends to
flows=120
children=
front=

finish() {
	for pid in $front ${source:-} $children; do
		kill "$pid" 2>/dev/null || true
	done
	for i in 1 2 3; do
		end_node "$i"
	done
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

on_failure() {
	tail -n 20 "$work"/log.* "$work/front" 2>/dev/null || true
}

holder() { # NAME: a process with a network namespace of its own; its pid is in $work/net.NAME
	unshare --net sleep 1000 &
	children="$children $!"
	echo $! >"$work/net.$1"
	eventually other_net $!
}

other_net() { # PID
	[ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ]
}

at() { # NAME COMMAND...
	net=/proc/$(cat "$work/net.$1")/ns/net
	shift
	nsenter --net="$net" "$@"
}

cable() { # NAME NETWORK: this end is .1, the other .2
	holder "$1" && ip link add "$1" type veth peer name eth0 netns "$(cat "$work/net.$1")"
	ip addr add "$2.1/24" dev "$1" && ip link set "$1" up
	at "$1" ip link set lo up && at "$1" ip addr add "$2.2/24" dev eth0 && at "$1" ip link set eth0 up && at "$1" ip route add default via "$2.1"
}

make_network() {
	ip link set lo up
	cable s 10.9.0
	for i in 1 2 3; do
		cable n$i 10.9.$i && at n$i ip addr add $relay/32 dev lo
		cat >"$work/node.$i.conf" <<END
[pipeline]
instance = node
[dash]
listen = 10.9.$i.2:9999
[class flows]
listen = $relay:8080
send = 10.9.0.2:9080
budget = 10ms
END
	done
}

start_node() { # I, if it does not run: all its processes in a pid namespace, whose first is the launch; with /dev/shm and /run of its own
	! first_of "$1" >/dev/null || return 0
	# shellcheck disable=SC2016  # the inner script sees its own $1
	at "n$1" unshare --mount --pid --ipc --fork --mount-proc --kill-child sh -c 'mount -t tmpfs tmpfs /dev/shm && mount -t tmpfs tmpfs /run &&
		exec run/launch.sh --foreground -c "$1"' sh "$work/node.$1.conf" >"$work/log.$1" 2>&1 &
	echo $! >"$work/unshare.$1"
	eventually first_of "$1"
}

first_of() { # I: the pid of its first process, as seen from here
	[ -s "$work/unshare.$1" ] 2>/dev/null && pgrep -P "$(cat "$work/unshare.$1")"
}

inside() { # I COMMAND...: in all the namespaces of the node
	first=$(first_of "$1")
	shift
	# shellcheck disable=SC2016  # the inner script sees its own $0 and $@
	nsenter --net --mount --pid --ipc --target "$first" sh -c 'cd "$0" && exec "$@"' "$PWD" "$@"
}

end_node() { # I: every process at once, as a machine that loses its power
	first=$(first_of "$1" 2>/dev/null) || return 0
	kill -9 "$first" && rm "$work/unshare.$1"
}

start_front() { # OPTION...
	: >"$work/front"
	run/deploy/front.sh --every 0.1 "$@" $relay 10.9.1.2 10.9.2.2 10.9.3.2 >"$work/front" 2>&1 &
	front=$!
	eventually goes_to 10.9.1.2 10.9.2.2 10.9.3.2
}

end_front() {
	kill "$front" && wait "$front"
	front=
	[ -z "$(ip nexthop)" ] && [ -z "$(ip route show $relay)" ]
}

goes_to() { # NODE...: as the front said last
	tail -n 1 "$work/front" | grep -qF "$relay goes to $*"
}

spread_start() { # until spread_ends
	! kill "${source:-}" 2>/dev/null || wait "$source" || true # of a case that failed
	: >"$work/spread"
	nsenter --net="/proc/$(cat "$work/net.s")/ns/net" "$spread" $relay:8080 10.9.0.2:9080 $flows 6000 60 >"$work/json" 2>"$work/spread" &
	source=$!
	every_flow_comes
}

every_flow_comes() { # one that is sent from now on
	lines=$(wc -l <"$work/spread")
	eventually has_lines $((lines + 2))
}

has_lines() {
	[ "$(grep -c whole "$work/spread")" -ge "$1" ]
}

spread_ends() { # WHAT: shows its figures
	every_flow_comes && kill "$source" && wait "$source" || return 1
	source=
	jq -r --arg what "$1" '"     \($what): \(.sent - .received) of \(.sent) lost, a flow away for \(.away_ms) ms at most, \(.disordered) out of order, flows moved: \([.moves[].flows] | add // 0)"' \
		"$work/json" >>"$work/figures"
	jq -c . "$work/json"
}

is_so() { # CONDITION on the source's figures
	jq -e "$1" "$work/json" >/dev/null || { echo "not so: $1" && return 1; }
}

every_flow_arrives() {
	start_front && spread_start && spread_ends "three nodes" &&
		is_so '.sent == .received and .twice == 0 and .disordered == 0 and .moves == []'
}

killed_node() { # its flows alone go elsewhere; what is lost is what was sent to it until the front noticed
	spread_start && end_node 2 && eventually goes_to 10.9.1.2 10.9.3.2 && spread_ends "a node killed" &&
		is_so '.moves | length > 0 and all(.from == "10.9.2.2")' && is_so '.away_ms < 5000 and .twice == 0 and .disordered == 0'
}

comes_back() { # new flows reach it, and none that goes on moves
	spread_start && start_node 2 && eventually goes_to 10.9.1.2 10.9.2.2 10.9.3.2 && spread_ends "the node is back" &&
		is_so '.sent == .received and .twice == 0 and .moves == []'
}

drained_node() { # no flow loses anything
	spread_start && inside 1 run/drain.sh --wait 10 -c "$work/node.1.conf" && goes_to 10.9.2.2 10.9.3.2 && end_node 1 && spread_ends "a node drained, then killed" &&
		is_so '.sent == .received and .twice == 0' && is_so '.moves | length > 0 and all(.from == "10.9.1.2")'
}

a_restart_moves_nothing() { # of each stage of a node
	spread_start
	for stage in ingress edf egress; do
		inside 3 sh -c "kill -9 \$(run/status.sh --pid $stage -i node)" || return 1
	done
	spread_ends "three stages killed" && is_so '.sent == .received and .twice == 0 and .disordered == 0 and .moves == []'
}

plain_moves_more() { # for comparison: without a resilient group flows of the others move too
	end_front && start_node 1 && start_front --plain && spread_start && end_node 1 && eventually goes_to 10.9.2.2 10.9.3.2 &&
		spread_ends "a node killed, --plain" && is_so '.moves | any(.from != "10.9.1.2")'
}

nobody_is_ready() { # the front leaves all as it is
	end_node 2 && end_node 3 && eventually grep -q 'no node is ready: all is sent as before' "$work/front" && ip route show $relay | grep -q nhid
}

bad_words() {
	for words in "" "$relay" "--every 0 $relay 10.9.1.2" "--port x $relay 10.9.1.2" "--no $relay 10.9.1.2"; do
		# shellcheck disable=SC2086  # words
		fails_with 2 '^front: .*; see --help$\|See --help$' run/deploy/front.sh $words || return 1
	done
	fails_with 1 '^front: 192.0.2.9: no interface' run/deploy/front.sh $relay 192.0.2.9
}

check_here "the network is there" make_network
check "a bad option is one line, and so is a node that cannot be reached" bad_words
for i in 1 2 3; do
	check_here "node $i starts" start_node $i
done
check_here "every flow arrives, in order, from one node" every_flow_arrives
check_here "a node that is killed loses its flows to the others, and they lose none" killed_node
check_here "a node that is back takes no flow away from the others" comes_back
check_here "stages that are killed move no flow and lose nothing" a_restart_moves_nothing
check_here "a node that was drained loses nothing" drained_node
check_here "flows of the others move without a resilient group" plain_moves_more
check_here "with no node ready all stays as it was" nobody_is_ready
check_here "the front removes what it made" end_front
cat "$work/figures" 2>/dev/null || true
verdict front

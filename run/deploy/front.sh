#!/bin/bash
# front.sh - one address, several nodes of ontime: a route of equal paths (ECMP) to those nodes whose /ready says 200.
#
# usage: run/deploy/front.sh [OPTION]... ADDRESS NODE...
#
#   ADDRESS        what senders send to, as 192.0.2.1 (IPv4); each node has it on its loopback interface, and listens there
#   NODE           the address of a node, in a network of this machine's; its dashboard answers there
#   --port N       of the dashboards (default 9999)
#   --every S      seconds between two questions (default 0.2)
#   --misses N     that many without a 200 in a row take a node away, one with it brings it back (default 2)
#   --group N      the number of the nexthop group; those of the nodes are N+1, N+2, ... (default 4200)
#   --plain        no resilient group (Linux 5.13): each change moves flows of all nodes
#
# A flow, which is one pair of addresses and ports, goes to one node. When a node goes away, its flows alone move; when it is back, it gets
# flows that have been silent for a second, and after a minute its share. When no node is ready, all is as it was: there is no better place.
# Runs as root on the router in front of the nodes, and removes route and group when it is ended by TERM or INT.
# Exit status: 0 asked to end, 1 the kernel refuses, 2 usage.
set -u
export LC_ALL=C
port=9999 every=0.2 misses=2 group=4200 kind="type resilient buckets 256 idle_timer 1 unbalanced_timer 60"

say() { # a line with the time of day, as the log of an instance has it
	printf '%(%Y-%m-%dT%H:%M:%S)T front: %s\n' -1 "$*"
}

die() { # STATUS MESSAGE
	echo "front: $2" >&2
	exit "$1"
}

number() { # OPTION VALUE
	[[ $2 =~ ^[1-9][0-9]{0,8}$ ]] || die 2 "$1 $2: not a whole number; see --help"
}

while [ $# -gt 0 ]; do
	case $1 in
	-h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' "$0" && exit 0 ;;
	--plain) kind= ;;
	--port | --misses | --group) number "$1" "${2-}" && printf -v "${1#--}" %s "$2" && shift ;;
	--every)
		[[ ${2-} =~ ^[0-9]{0,4}(\.[0-9]{1,3})?$ && ${2-} =~ [1-9] ]] || die 2 "--every ${2-}: not a number of seconds; see --help"
		every=$2
		shift
		;;
	-*) die 2 "$1: unknown option; see --help" ;;
	*) break ;;
	esac
	shift
done
[ $# -ge 2 ] || die 2 "which address, and which nodes? See --help"
address=$1
shift
nodes=("$@")
is_in=() missed=() # of each node: is it to be sent to; questions in a row without a 200
now= # the nexthops that the group has

probe() { # NODE: does its /ready say 200?
	local line
	exec 3<>"/dev/tcp/$1/$port" && printf 'GET /ready HTTP/1.0\r\n\r\n' >&3 && read -r line <&3 && [[ $line == "HTTP/1."?" 200"* ]]
} 2>/dev/null

ask() { # all of them at the same time; sets is_in
	local i pids=()
	for i in "${!nodes[@]}"; do
		timeout 1 bash -c "$(declare -f probe); port=$port; probe '${nodes[i]}'" &
		pids[i]=$!
	done
	for i in "${!nodes[@]}"; do
		if wait "${pids[i]}"; then
			missed[i]=0
			is_in[i]=1
		elif ((++missed[i] >= misses)); then
			is_in[i]=0
		fi
	done
}

apply() { # the group has those that are in, or stays as it was
	local i want='' names=''
	for i in "${!nodes[@]}"; do
		((is_in[i])) || continue
		want=$want/$((group + 1 + i))
		names="$names ${nodes[i]}"
	done
	want=${want#/}
	if [ "$want" = "$now" ] || [ -z "$want" ]; then
		[ -n "$want" ] || [ -n "${has_told-}" ] || say "no node is ready: $([ -n "$now" ] && echo all is sent as before || echo nothing is sent yet)"
		[ -n "$want" ] && has_told= || has_told=1
		return
	fi
	# shellcheck disable=SC2086  # words
	ip nexthop replace id "$group" group "$want" $kind || die 1 "nexthop group $group: the kernel refuses it; --plain needs Linux 5.3 only"
	ip route replace "$address/32" nhid "$group" || die 1 "route to $address: the kernel refuses it"
	now=$want has_told=
	say "$address goes to$names"
}

clear() {
	ip route del "$address/32" nhid "$group" 2>/dev/null
	ip nexthop del id "$group" 2>/dev/null
	for i in "${!nodes[@]}"; do
		ip nexthop del id $((group + 1 + i)) 2>/dev/null
	done
}

trap 'clear; exit 0' TERM INT
trap clear EXIT
for i in "${!nodes[@]}"; do
	device=$(ip -o route get "${nodes[i]}" 2>/dev/null | sed -n 's/.* dev \([^ ]*\) .*/\1/p')
	[ -n "$device" ] || die 1 "${nodes[i]}: no interface of this machine leads there"
	ip nexthop replace id $((group + 1 + i)) via "${nodes[i]}" dev "$device" || die 1 "${nodes[i]}: the kernel refuses it as a next hop (root?)"
	missed[i]=0 is_in[i]=0
done
# By addresses and ports, not by addresses alone; and what is sent on comes and goes by this machine.
sysctl -q -w net.ipv4.fib_multipath_hash_policy=1 net.ipv4.ip_forward=1 || die 1 "sysctl: see above"
while :; do
	ask
	apply
	sleep "$every" &
	wait $!
done

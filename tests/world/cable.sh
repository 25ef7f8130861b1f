# shellcheck shell=sh
# cable.sh - what the tests with a cable share: a peer's network namespace, which ends with the process $peer, and a cable to it, from
# interface va here to vb there. Sourced, in a network namespace of the script's own.
unshare --net sleep 1000 &
peer=$!

there() { # COMMAND...: in the peer's namespace
	nsenter --net="/proc/$peer/ns/net" "$@"
}

ip_there() {
	there ip "$@"
}

is_there() { # has unshare() happened?
	[ "$(readlink "/proc/$peer/ns/net")" != "$(readlink /proc/self/ns/net)" ]
}

# The two ends of a cable, as ever: 10.9.0.1 and 10.9.0.2, and a link-local address each.
cable() {
	ip link add va type veth peer name vb netns "$peer"
	ip link set va up && ip_there link set vb up
	ip addr add 10.9.0.1/24 dev va && ip_there addr add 10.9.0.2/24 dev vb && ip_there addr add 10.9.0.3/24 dev vb
	ip addr add fd00:9::1/64 dev va nodad && ip_there addr add fd00:9::2/64 dev vb nodad
	ip addr add fe80::11/64 dev va nodad && ip_there addr add fe80::99/64 dev vb nodad
}

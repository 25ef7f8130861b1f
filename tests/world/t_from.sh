#!/bin/sh
# t_from.sh - datagrams leave from the address and port that are set, or not at all: while the address is not there, comes, goes, and comes back.
# In network namespaces of its own.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
own_namespaces "a set address to send from" --net "$0" "$@"
own_instance from
# shellcheck source=tests/world/cable.sh
. tests/world/cable.sh

at_end() {
	kill "$listener" "$peer" 2>/dev/null || true
}
listener=
ip link set lo up
eventually is_there
cable

on_failure() {
	cat "$work/launched" "$log" "$work/came" 2>/dev/null || true
}

cat >"$conf" <<END
[pipeline]
instance = $instance
[class set]
listen = 127.0.0.1:5000
send = 10.9.0.2:6000
from = 10.9.0.7:7000
[class port]
listen = 127.0.0.1:5001
send = 10.9.0.2:6000
from = 0.0.0.0:7001
END

# A line for each datagram there: who sent it.
listen_there() {
	# shellcheck disable=SC2016  # socat sets them
	printf '#!/bin/sh\necho "$SOCAT_PEERADDR:$SOCAT_PEERPORT" >>"%s"\n' "$work/came" >"$work/tell"
	chmod +x "$work/tell"
	nsenter --net="/proc/$peer/ns/net" socat -u UDP-RECVFROM:6000,fork "EXEC:$work/tell" &
	listener=$!
}

has_come() { # FROM N
	say x "${3:-5000}"
	[ "$(grep -cxF "$1" "$work/came")" -ge "$2" ]
}

nothing_else_came() {
	! grep -vxF "$1" "$work/came"
}

is_failing() {
	[ "$(account .classes[0].sent)" = "$1" ]
}

waits_for_the_address() {
	: >"$work/came"
	listen_there
	run/launch.sh -c "$conf" >"$work/launched" 2>&1 || return 1
	grep -q 'set.out.0: no way to 10.9.0.2:6000 yet: Cannot assign requested address' "$log" || return 1
	for _ in 1 2 3 4 5; do say x 5000; done
	sleep 0.3
	is_failing 0 && [ ! -s "$work/came" ]
}

address_comes() {
	ip addr add 10.9.0.7/24 dev va && eventually has_come 10.9.0.7:7000 3 && nothing_else_came 10.9.0.7:7000
}

# While it is gone, the address that the kernel would take is none to send from.
address_goes_and_comes_back() {
	ip addr del 10.9.0.7/24 dev va
	for _ in 1 2 3 4 5; do say x 5000; done
	sleep 0.3
	nothing_else_came 10.9.0.7:7000 || return 1
	n=$(wc -l <"$work/came")
	ip addr add 10.9.0.7/24 dev va && eventually has_come 10.9.0.7:7000 $((n + 3)) && nothing_else_came 10.9.0.7:7000
}

egress_dies() {
	for _ in 1 2 3; do
		n=$(wc -l <"$work/came")
		kill -9 "$("$ONTIME_BUILD/hold" --stages -i "$instance" | sed -n 's/^egress \([0-9]*\) .*/\1/p')"
		eventually has_come 10.9.0.7:7000 $((n + 1)) && nothing_else_came 10.9.0.7:7000 || return 1
	done
}

# With a wildcard the port stays, and the address is the one of the way.
port_stays_on_another_address() {
	: >"$work/came"
	eventually has_come 10.9.0.1:7001 2 5001 || return 1
	ip addr del 10.9.0.1/24 dev va && ip addr add 10.9.0.8/24 dev va || return 1
	eventually has_come 10.9.0.8:7001 2 5001
}

check_here "nothing leaves while the address is not there" waits_for_the_address
check_here "it comes: datagrams leave from it, and from its port" address_comes
check "it goes and comes back: nothing leaves from another" address_goes_and_comes_back
check "egress is killed: from the same address and port" egress_dies
check "a port without an address stays, when the address is another one" port_stays_on_another_address
echo "from: $passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]

#!/bin/sh
# t_proxy.sh - dnsdist as a server behind ontime that is told its clients by headers of the PROXY protocol, and as a front that tells them; the
# answers come back, whatever stage is killed. In a network namespace of its own.
set -eu
cd "$(dirname "$0")/../.."
lacks=
for tool in dnsdist dig; do
	PATH=$PATH:/usr/sbin command -v "$tool" >/dev/null || lacks="$lacks $tool"
done
if [ -n "$lacks" ]; then
	echo "skip a server that is told its clients: not installed:$lacks"
	exit 77
fi
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
own_namespaces "a server that is told its clients" --net "$0" "$@"
own_instance proxy
PATH=$PATH:/usr/sbin
dnsdists=

at_end() {
	for pid in $dnsdists; do
		kill "$pid" 2>/dev/null || true
	done
}
ip link set lo up

on_failure() {
	cat "$work/launched" "$work"/*.log "$log" 2>/dev/null || true
	account '.classes[] | {class, received, sent, held, dropped}' || true
}

# A server that answers by who asks: 192.0.2.5 to 127.0.0.5, 192.0.2.6 to ::1, and 192.0.2.99 to all others. It takes nothing without a header.
cat >"$work/server.lua" <<'END'
setLocal("127.0.0.1:5353")
addLocal("[::1]:5353")
setSecurityPollSuffix("")
setACL({"127.0.0.0/8", "::1/128"})
setProxyProtocolACL({"127.0.0.0/8", "::1/128"})
addAction(makeRule("127.0.0.5/32"), SpoofAction("192.0.2.5"))
addAction(makeRule("::1/128"), SpoofAction("192.0.2.6"))
addAction(AllRule(), SpoofAction("192.0.2.99"))
END
# A front that sends all it gets to ontime, with a header.
cat >"$work/front.lua" <<'END'
setLocal("127.0.0.1:5300")
setSecurityPollSuffix("")
setACL("127.0.0.0/8")
newServer({address="127.0.0.1:5001", useProxyProtocol=true, checkInterval=1})
END
cat >"$conf" <<END
[pipeline]
instance = $instance
[class ask]
listen = 127.0.0.1:5000
send = 127.0.0.1:5353
source = proxy
replies = answer
sessions = 256
sessions_per_source = 256
[class ask6]
listen = [::1]:5000
send = [::1]:5353
source = proxy
replies = answer6
sessions = 64
[class behind]
listen = 127.0.0.1:5001
send = 127.0.0.1:5353
source = proxy
accept_proxy = 127.0.0.0/8
replies = answer-behind
sessions = 64
[class answer]
[class answer6]
[class answer-behind]
END

start_dnsdist() { # NAME
	dnsdist --supervised --disable-syslog -C "$work/$1.lua" >"$work/$1.log" 2>&1 &
	dnsdists="$dnsdists $!"
}

ask() { # CLIENT SERVER PORT: what is answered
	dig -b "$1" "@$2" -p "$3" +short +tries=1 +time=1 a.example A
}

is_answered() { # ANSWER CLIENT SERVER PORT
	said=$(ask "$2" "$3" "$4") && [ "$said" = "$1" ]
}

is_bound() { # PORT
	ss -Hlun | grep -q ":$1 "
}

launch() {
	start_dnsdist server
	eventually is_bound 5353 || return 1
	run/launch.sh -c "$conf" >"$work/launched" 2>&1
}

server_knows_its_clients() {
	eventually is_answered 192.0.2.5 127.0.0.5 127.0.0.1 5000 && is_answered 192.0.2.99 127.0.0.6 127.0.0.1 5000 &&
		is_answered 192.0.2.5 127.0.0.5 127.0.0.1 5000
}

server_knows_clients_of_ipv6() {
	eventually is_answered 192.0.2.6 ::1 ::1 5000
}

pid_of() { # STAGE
	"$ONTIME_BUILD/hold" --stages -i "$instance" | sed -n "s/^$1 \([0-9]*\) .*/\1/p"
}

# 120 questions of two clients while stages die: a header that is lost or another's would be another answer, or none
kills_change_nothing() {
	for stage in ingress edf egress ingress egress edf; do
		kill -9 "$(pid_of "$stage")"
		for _ in 1 2 3 4 5 6 7 8 9 10; do
			is_answered 192.0.2.5 127.0.0.5 127.0.0.1 5000 && is_answered 192.0.2.99 127.0.0.7 127.0.0.1 5000 || return 1
		done
	done
}

front_is_believed() {
	start_dnsdist front
	eventually is_bound 5300 && eventually is_answered 192.0.2.5 127.0.0.5 127.0.0.1 5300 && eventually is_answered 192.0.2.99 127.0.0.8 127.0.0.1 5300
}

who_has_no_header_is_refused() {
	before=$(bad_proxy)
	! ask 127.0.0.5 127.0.0.1 5001 | grep -qv '^;' && [ "$(bad_proxy)" = $((before + 1)) ]
}

bad_proxy() {
	account '.classes[] | select(.class == "behind") | .dropped.bad_proxy // 0'
}

check_here "an instance starts, and a server that wants headers" launch
check "the server is told who asks, and its answers come back" server_knows_its_clients
check "of IPv6 too" server_knows_clients_of_ipv6
check "each stage killed twice: every question is answered as its client's" kills_change_nothing
check_here "a front with headers is believed, and its clients are passed on" front_is_believed
check "a datagram without a header, from where one is due, is dropped by name" who_has_no_header_is_refused
echo "proxy: $passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]

#!/bin/sh
# t_source.sh - servers that see their clients: by address, and by address and port, of IPv4 and IPv6, one way and with answers; while stages are
# killed and the config is reloaded; without the right; without the rules. In network namespaces: client - this machine - server.
# KILLS=N: of the storms (default 20).
set -eu
cd "$(dirname "$0")/../.."
PATH=$PATH:/usr/sbin
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
command -v nft >/dev/null || {
	echo "skip servers that see their clients: nftables is not installed"
	exit 77
}
# shellcheck source=tests/harness/unpacked.sh
. tests/harness/unpacked.sh
unpack rsyslogd rsyslog libestr0 libfastjson4
own_namespaces "servers that see their clients" --net "$0" "$@"
own_instance source
seen=$ONTIME_BUILD/tests/seen
kills=${KILLS:-20}
served=

at_end() {
	end_servers
	kill "$client" "$server" 2>/dev/null || true
}

end_servers() {
	for pid in $served; do
		end_process "$pid"
	done
	served=
}

unshare --net sleep 1000 &
client=$!
unshare --net sleep 1000 &
server=$!
ip link set lo up

on_failure() {
	cat "$work/launched" "$log" "$work"/said* 2>/dev/null || true
	account '.classes[] | {class, received, sent, held, dropped, send_errors}' || true
}

is_apart() { # PID: has its unshare() happened?
	[ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ]
}

at_client() { # COMMAND...
	nsenter --net="/proc/$client/ns/net" "$@"
}

at_server() { # COMMAND...
	nsenter --net="/proc/$server/ns/net" "$@"
}

# 64 addresses of clients; the server's way to them leads through this machine.
build_world() {
	eventually is_apart "$client" && eventually is_apart "$server" || return 1
	ip link add va type veth peer name vc netns "$client"
	ip link add vb type veth peer name vs netns "$server"
	ip link set va up && ip link set vb up && at_client ip link set vc up && at_server ip link set vs up
	at_server ip link set lo up && at_client ip link set lo up
	ip addr add 10.1.0.1/24 dev va && ip addr add 10.1.0.2/24 dev va && ip addr add fd01::1/64 dev va nodad
	ip addr add 10.2.0.1/24 dev vb && ip addr add fd02::1/64 dev vb nodad
	for i in $(seq 16 79); do
		at_client ip addr add "10.1.0.$i/24" dev vc && at_client ip addr add "fd01::$(printf %x "$i")/64" dev vc nodad
	done
	at_server ip addr add 10.2.0.2/24 dev vs && at_server ip addr add fd02::2/64 dev vs nodad
	eventually are_addresses_in_use || return 1
	at_server ip route add default via 10.2.0.1 && at_server ip -6 route add default via fd02::1
}

are_addresses_in_use() { # those of a link too: while they are tentative, nobody is asked for a neighbour of another's address
	[ -z "$(ip -6 addr show tentative)$(at_client ip -6 addr show tentative)$(at_server ip -6 addr show tentative)" ]
}

write_config() { # SOURCE [REPLIES]: with replies
	ports=
	case $1 in
	address) [ "$(uname -r | awk -F. '{print $1 * 100 + $2}')" -lt 603 ] || ports="via_ports = 41000-45999" ;;
	transparent) ports="via_ports = 7700-7700" ;;
	esac
	cat >"$conf" <<-END
		[pipeline]
		instance = $instance
		socket_buffer = 2MiB
		[class four]
		listen = 10.1.0.1:5000
		send = 10.2.0.2:6000
		source = $1
		${2:+replies = back4
		$ports}
		[class six]
		listen = [::]:5000
		send = [fd02::2]:6000
		source = $1
		${2:+replies = back6
		$ports}
	END
	[ -z "${2:-}" ] || printf '[class back4]\n[class back6]\n' >>"$conf"
}

launch() { # SOURCE [REPLIES]
	run/stop.sh -i "$instance" >/dev/null 2>&1 || true
	write_config "$@"
	run/launch.sh -c "$conf" >"$work/launched" 2>&1
}

serve() { # PROGRAM ARGS...: a server of each family; its pids in $served
	end_servers
	for at in 10.2.0.2:6000 "[fd02::2]:6000"; do
		nsenter --net="/proc/$server/ns/net" "$ONTIME_BUILD/tests/$1" ${2:+"$2"} "$at" ${3:+"$3"} >"$work/said.$at" &
		served="$served $!"
	done
	eventually grep -q ready "$work/said.10.2.0.2:6000" && eventually grep -q ready "$work/said.[fd02::2]:6000"
}

kill_stages() { # N
	"$ONTIME_BUILD/tests/kill_stages" -i "$instance" --only stages --kills "$1" --rate 20 --seed 1 >"$work/said.kills"
}

is_still() { # nothing is held, and all that came has left
	[ "$(account '.balanced and all(.classes[]; .held == 0 and .received == .sent)')" = true ]
}

came() { # FAMILY'S ADDRESS: what its server says at its end
	eventually grep -q pkts "$work/said.$1" && sed -n '/pkts/p' "$work/said.$1"
}

# Each datagram once, in order, unchanged, and from the one that it says; a kill now and then, and a reload in the middle.
one_way() { # SOURCE ANY-PORT KILLS
	launch "$1" && serve seen sink "$2" || return 1
	at_client "$seen" send 10.1.0.1:5000 10.1.0.16:30000 100 "$((100 + 10 * $3))" 300 &
	first=$!
	at_client "$seen" send "[fd01::1]:5000" "[fd01::10]:30000" 100 "$((100 + 10 * $3))" 300 &
	second=$!
	kill_stages "$3" || return 1
	sed -i '/^source/a dscp = ef' "$conf"
	run/reload.sh -i "$instance" || return 1
	wait "$first" && wait "$second" && eventually is_still || return 1
	end_servers
	for at in 10.2.0.2:6000 "[fd02::2]:6000"; do
		[ "$(came "$at")" = "$((100 * (100 + 10 * $3))) pkts, 0 from elsewhere, 0 twice, 0 out of order, 0 changed, of 100 clients" ] || return 1
	done
}

rules() { # what check says of this machine
	"$ONTIME_BUILD/check" -c "$conf" | awk '/^[^ ]/ {here = /^on this machine/} here && /^  /'
}

# The answer of the right server comes to the client that asked, from the address that it wrote to.
both_ways() { # SOURCE KILLS
	launch "$1" replies && serve echo "" || return 1
	rules >"$work/rules"
	sh -u "$work/rules" 2>"$work/said.rules" || return 1
	! "$ONTIME_BUILD/check" -c "$conf" | grep 'missing here' || return 1
	at_client "$ONTIME_BUILD/tests/ask" 10.1.0.1:5000 --clients 100 --rate 1000 --seconds "$((3 + $2 / 20))" --timeout 8000 --from 10.1.0.16/60 \
		>"$work/said.ask4" 2>&1 &
	first=$!
	at_client "$ONTIME_BUILD/tests/ask" "[fd01::1]:5000" --clients 100 --rate 1000 --seconds "$((3 + $2 / 20))" --timeout 8000 \
		>"$work/said.ask6" 2>&1 &
	second=$!
	kill_stages "$2" || return 1
	sed -i '/^source/a dscp = ef' "$conf"
	run/reload.sh -i "$instance" || return 1
	wait "$first" && wait "$second" && eventually is_still
}

# One that would leave by two addresses of ours is refused by name: the server could not tell them apart.
second_address_is_refused() {
	launch transparent replies && serve echo "" || return 1
	sed -i 's/^listen = 10.1.0.1:5000/listen = 10.1.0.1:5000 10.1.0.2:5000/' "$conf"
	run/stop.sh -i "$instance" && run/launch.sh -c "$conf" >"$work/launched" 2>&1 || return 1
	at_client "$seen" send 10.1.0.1:5000 10.1.0.16:31000 1 1 && at_client "$seen" send 10.1.0.2:5000 10.1.0.16:31000 1 1 || return 1
	eventually drops_are no_session 1
}

# Its address is of its link, which a server on another link does not see.
link_local_client_is_answered() {
	launch transparent replies && serve echo "" || return 1
	rules >"$work/rules"
	sh -u "$work/rules" 2>"$work/said.rules" || return 1
	its=$(at_client ip -6 -o addr show dev vc scope link | sed -n 's/.*inet6 \(fe80[^/]*\).*/\1/p')
	ours=$(ip -6 -o addr show dev va scope link | sed -n 's/.*inet6 \(fe80[^/]*\).*/\1/p')
	at_server ip -6 neigh replace "$its" lladdr "$(ip -br link show vb | awk '{print $3}')" dev vs nud permanent || return 1
	at_client "$ONTIME_BUILD/tests/ask" "[$ours%vc]:5000" --clients 10 --rate 500 --seconds 1 --timeout 8000 --from "$its%vc" && eventually is_still
}

calls_left() { # messages that left here, super-datagrams as one
	awk '$1 == "Udp:" && $2 ~ /^[0-9]/ {print $5}' /proc/net/snmp
}

waits_for_egress() { # N
	[ "$(account '.classes[0].waiting_egress')" = "$1" ]
}

# A front that is believed says that a group (224.0.0.1) has sent, from which the kernel sends nothing.
refused_four() {
	printf '\015\012\015\012\000\015\012QUIT\012\041\022\000\014\340\000\000\001\012\001\000\001\165\060\023\210x' >"$work/datagram"
	for _ in 1 2 3 4; do
		at_client nc -u -w0 -s 10.1.0.79 10.1.0.1 5000 <"$work/datagram" || return 1
	done
}

sender_that_is_refused_costs_others_no_run() {
	launch address && run/stop.sh -i "$instance" || return 1
	sed -i '/^listen = 10.1.0.1:5000/a accept_proxy = 10.1.0.79' "$conf"
	run/launch.sh -c "$conf" >"$work/launched" 2>&1 && serve seen sink address || return 1
	kill -STOP "$(live_pid_of egress)"
	refused_four && at_client "$ONTIME_BUILD/tests/datagrams" send 10.1.0.1:5000 40 200 && eventually waits_for_egress 44 || return 1
	before=$(calls_left)
	kill -CONT "$(live_pid_of egress)"
	eventually is_still_but_for 4 || return 1
	echo "40 datagrams left by $(($(calls_left) - before)) calls"
	[ "$(account '.classes[0].sent')" = 40 ] && [ $(($(calls_left) - before)) -le 8 ]
}

is_still_but_for() { # N that the kernel refused
	[ "$(account ".balanced and .classes[0].held == 0 and .classes[0].send_errors.EINVAL == $1")" = true ]
}

drops_are() { # REASON N
	[ "$(account ".classes[0].dropped.$1")" = "$2" ]
}

too_long_is_counted_by_name() {
	launch transparent && ip link set vb mtu 1280 || return 1
	at_client "$seen" send 10.1.0.1:5000 10.1.0.16:32000 1 40 1400 &&
		at_client "$seen" send "[fd01::1]:5000" "[fd01::10]:32000" 1 40 1400 || return 1
	eventually has_emsgsize 0 && eventually has_emsgsize 1
	status=$?
	ip link set vb mtu 1500
	return "$status"
}

has_emsgsize() { # CLASS
	[ "$(account ".classes[$1] | .send_errors.EMSGSIZE == .dropped.send_error and .dropped.send_error > 0")" = true ]
}

who_lacks_the_right_is_told() { # SOURCE
	run/stop.sh -i "$instance" >/dev/null 2>&1 || true
	write_config "$1"
	chmod -R o+rX "$work"
	fails_with 1 "hold: connect to 10.2.0.2:6000 for class four: Operation not permitted: .source. needs CAP_NET_RAW: .*setcap cap_net_raw+ep .*AmbientCapabilities=CAP_NET_RAW" \
		capsh --drop=cap_net_raw,cap_net_admin -- -c "exec $ONTIME_BUILD/hold -c $conf -- true"
}

missing_rules_are_told() {
	write_config address replies
	"$ONTIME_BUILD/check" -c "$conf" >"$work/said.check" || return 1
	[ "$(grep -c 'missing here' "$work/said.check")" -ge 1 ]
}

# dnsmasq logs the client that it sees.
dns_server_logs_its_clients() { # SOURCE
	launch "$1" || return 1
	end_servers
	nsenter --net="/proc/$server/ns/net" dnsmasq -k -C /dev/null -p 6000 -a 10.2.0.2 -z -R -h -q --log-facility=- -A /a.example/192.0.2.1 2>"$work/said.dns" &
	served=$!
	eventually grep -q started "$work/said.dns" || return 1
	for i in 20 21 22; do
		at_client dig -b "10.1.0.$i" @10.1.0.1 -p 5000 +tries=1 +time=1 a.example A >/dev/null || true
	done
	for i in 20 21 22; do
		eventually grep -q "query\[A\] a.example from 10.1.0.$i" "$work/said.dns" || return 1
	done
}

dns_server_answers_its_clients() { # SOURCE
	launch "$1" replies || return 1
	for i in 30 31; do
		[ "$(at_client dig -b "10.1.0.$i" @10.1.0.1 -p 5000 +tries=3 +time=3 +short a.example A)" = 192.0.2.1 ] || return 1
		grep -q "query\[A\] a.example from 10.1.0.$i" "$work/said.dns" || return 1
	done
}

# rsyslogd writes the sender beside each line; a stage is killed between two senders.
syslog_server_logs_its_clients() { # SOURCE
	launch "$1" || return 1
	end_servers
	cat >"$work/rsyslog.conf" <<-END
		global(workDirectory="$work" net.enableDNS="off")
		module(load="imudp")
		template(name="whose" type="string" string="%fromhost-ip% %msg%\n")
		ruleset(name="all") { action(type="omfile" file="$work/messages" template="whose") }
		input(type="imudp" address="10.2.0.2" port="6000" ruleset="all")
	END
	rm -f "$work/messages"
	rsyslogd_finds_its_modules
	# shellcheck disable=SC2086 # no word, or two
	nsenter --net="/proc/$server/ns/net" rsyslogd -n -f "$work/rsyslog.conf" -i "$work/rsyslogd.pid" $rsyslogd_options >"$work/said.syslog" 2>&1 &
	served=$!
	eventually listens_there 6000 || return 1
	for step in "20 ingress" "21 edf" "22 egress" "23"; do
		# shellcheck disable=SC2086 # two words, or one
		set -- $step
		at_client ip route replace 10.1.0.1/32 dev vc src "10.1.0.$1" && at_client logger -n 10.1.0.1 -P 5000 -d -t here "line of $1" || return 1
		[ -z "${2:-}" ] || kill -9 "$(live_pid_of "$2")" || return 1
		eventually ready || return 1
	done
	at_client ip route del 10.1.0.1/32 dev vc
	eventually four_lines_came
	cat "$work/messages"
	[ "$(sed 's/  */ /g' "$work/messages")" = "$(for i in 20 21 22 23; do echo "10.1.0.$i line of $i"; done)" ]
}

listens_there() { # PORT
	at_server ss -nluH "sport = :$1" | grep -q .
}

four_lines_came() {
	[ -e "$work/messages" ] && [ "$(wc -l <"$work/messages")" = 4 ]
}

check_here "clients, this machine and servers have cables and addresses" build_world
check "a rule that is missing is told" missing_rules_are_told
for how in "address any" "transparent"; do
	# shellcheck disable=SC2086 # two words, or one
	set -- $how
	check_here "source = $1: each datagram comes once, in order, from its sender, through $kills kills and a reload" one_way "$1" "${2:-}" "$kills"
	check_here "source = $1: answers come back likewise, by the rules that check prints" both_ways "$1" "$kills"
	if command -v dnsmasq >/dev/null && command -v dig >/dev/null; then
		check_here "source = $1: dnsmasq logs its clients" dns_server_logs_its_clients "$1"
		check "source = $1: dnsmasq answers them" dns_server_answers_its_clients "$1"
	else
		echo "skip source = $1: a server that logs its clients: dnsmasq and dig are not installed"
		skipped=$((skipped + 1))
	fi
	if command -v rsyslogd >/dev/null && command -v logger >/dev/null; then
		check_here "source = $1: rsyslogd writes the true sender of each line, through a kill of each stage" syslog_server_logs_its_clients "$1"
	else
		echo "skip source = $1: rsyslogd writes the true sender: rsyslogd or logger cannot be had"
		skipped=$((skipped + 1))
	fi
	if command -v capsh >/dev/null; then
		check "source = $1: who lacks the right is told which, and how to have it" who_lacks_the_right_is_told "$1"
	else
		echo "skip source = $1: who lacks the right is told: capsh is not installed"
		skipped=$((skipped + 1))
	fi
done
check_here "source = address: a sender that the kernel refuses costs the others no run" sender_that_is_refused_costs_others_no_run
check_here "source = transparent: a sender has one session, whichever address it wrote to" second_address_is_refused
check_here "source = transparent: a client with a link-local address is answered, by a server on another link" link_local_client_is_answered
check_here "source = transparent: what is longer than the link is counted by name" too_long_is_counted_by_name
verdict source

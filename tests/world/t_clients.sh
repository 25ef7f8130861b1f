#!/bin/sh
# t_clients.sh [CHECK] - clients as people run them, and their servers, both ways through an instance whose stages are killed in turn while
# they talk. Each is skipped where its program is missing. In a network namespace of its own.
set -eu
cd "$(dirname "$0")/../.."
PATH=$PATH:/usr/sbin
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
# shellcheck source=tests/harness/unpacked.sh
. tests/harness/unpacked.sh
unpack rsyslogd rsyslog libestr0 libfastjson4
unpack chronyd chrony
own_namespaces "clients and servers" --net "$0" "$@"
own_instance clients
ip link set lo up

at_end() {
	end_all
}

on_failure() {
	cat "$work/launched" "$work/server" "$work/client" 2>/dev/null | tail -n 30
	tail -n 5 "$log" || true
	account '.classes[] | "\(.class) received \(.received) sent \(.sent) held \(.held) dropped \(.dropped)"' || true
}

class() { # NAME LISTEN SEND: with replies; dig and ntpdig ask each time from another port, so they need many sessions
	printf '[class %s]\nlisten = %s\nsend = %s\nreplies = %s-back\nsessions_per_source = 1024\n[class %s-back]\n' "$1" "$2" "$3" "$1" "$1"
}

begin_config() { # in place of the last one, whose instance ends
	end_all
	: >"$work/server"
	: >"$work/client"
	run/stop.sh -i "$instance" >/dev/null 2>&1 || true
	printf '[pipeline]\ninstance = %s\npolicy = edf\n' "$instance" >"$conf"
}

launch() {
	run/launch.sh -c "$conf" >"$work/launched" 2>&1
}

relay() { # NAME LISTEN SEND...: an instance with these classes
	begin_config
	while [ $# -ge 3 ]; do
		class "$1" "$2" "$3" >>"$conf"
		shift 3
	done
	launch
}

more_came() { # than $before, both ways
	now=$(account '[.classes[] | .sent] | min') && [ "$now" -gt "$before" ]
}

kill_each() { # in mid-conversation: before and after each kill datagrams pass both ways
	for stage in ingress edf egress; do
		before=$(account '[.classes[] | .sent] | min')
		eventually more_came || { echo "nothing passes before $stage is killed" && return 1; }
		kill -9 "$(pid_of "$stage")"
		before=$(account '[.classes[] | .sent] | min')
		eventually ready || return 1
		eventually more_came || { echo "nothing passes after $stage was killed" && return 1; }
	done
}

nothing_is_lost() { # by the account; some had to pass
	eventually all_left || return 1
	[ "$(account '[.classes[] | .sent] | min')" -ge "${1:-10}" ]
}

all_left() {
	[ "$(account '[.classes[] | .received - .sent + .unbalanced] | map(fabs) | add')" = 0 ]
}

udp_is_open() { # ADDRESS:PORT
	ss -nlu | grep -qF "$1 "
}

serve_names() { # ADDRESS PORT
	begin dnsmasq --keep-in-foreground --port="$2" --listen-address="$1" --bind-interfaces --no-resolv --no-hosts --conf-file=/dev/null \
		--address=/test/10.1.2.3 --user=root --pid-file="$work/dnsmasq.pid" --cache-size=0
	eventually udp_is_open "$1:$2"
}

ask_names() { # PORT: 400 names, none asked for twice, each answered at the first try
	seq 1 400 | while read -r line; do
		echo "name$line.test A"
		sleep 0.005
	done | dig @127.0.0.1 -p "$1" +tries=1 +time=3 +short -f - >"$work/client" 2>&1 &
	client=$!
}

all_names_came() {
	wait "$client" && [ "$(grep -cxF 10.1.2.3 "$work/client")" = 400 ] && [ "$(wc -l <"$work/client")" = 400 ]
}

dns() {
	relay dns 127.0.0.1:5353 127.0.0.1:5300 && serve_names 127.0.0.1 5300 && ask_names 5353 && kill_each && all_names_came && nothing_is_lost 400
}

dns_balancer() { # a balancer of DNS as the destination
	relay dns 127.0.0.1:5353 127.0.0.1:5310 && serve_names 127.0.0.1 5300 || return 1
	printf 'setLocal("127.0.0.1:5310")\nnewServer{address="127.0.0.1:5300", checkInterval=1}\n' >"$work/dnsdist.conf"
	begin dnsdist --supervised --disable-syslog -C "$work/dnsdist.conf"
	eventually udp_is_open 127.0.0.1:5310 && eventually dnsdist_answers && ask_names 5353 && kill_each && all_names_came && nothing_is_lost 400
}

dnsdist_answers() {
	[ "$(dig @127.0.0.1 -p 5310 +short +tries=1 +time=1 up.test)" = 10.1.2.3 ]
}

# Without retransmission, so that a datagram that is lost shows as a call that failed.
calls_with_media() {
	relay sip 127.0.0.1:5060 127.0.0.1:5061 rtp 127.0.0.1:7000 127.0.0.1:6000 || return 1
	sipp -sd uas 2>/dev/null | sed 's/\[media_port\]/7000/' >"$work/uas.xml"
	sipp -sd uac_pcap 2>/dev/null | sed 's|pcap/g711a.pcap|/usr/share/sip-tester/g711a.pcap|; s|<exec play_pcap_audio="[^"]*2833[^"]*"/>|<exec command="true"/>|
		s/milliseconds="8000"/milliseconds="5000"/' >"$work/uac.xml"
	begin sipp -sf "$work/uas.xml" -i 127.0.0.1 -p 5061 -mi 127.0.0.1 -mp 6000 -rtp_echo -nr -nostdin -trace_err -error_file "$work/uas.err"
	eventually udp_is_open 127.0.0.1:5061
	sipp -sf "$work/uac.xml" 127.0.0.1:5060 -i 127.0.0.2 -p 5062 -mi 127.0.0.2 -mp 8000 -s x -m 10 -r 5 -nr -nostdin \
		-trace_err -error_file "$work/uac.err" -timeout 30 >"$work/client" 2>&1 </dev/null &
	client=$!
	if kill_each && wait "$client"; then
		media_came_back && nothing_is_lost 30
		return
	fi
	cat "$work"/ua?.err
	return 1
}

media_came_back() { # each datagram of media that went there
	[ "$(account '.classes[] | select(.class == "rtp") | .sent')" -gt 500 ] &&
		[ "$(account '.classes[] | select(.class == "rtp") | .sent')" = "$(account '.classes[] | select(.class == "rtp-back") | .sent')" ]
}

screen() {
	tmux -S "$work/tmux" capture-pane -p -t mosh
}

types() { # TEXT, and sees what the shell there makes of it
	tmux -S "$work/tmux" send-keys -t mosh "echo $1-\$((6 * 7))" Enter && eventually shows "$1-42"
}

shows() {
	screen | grep -qxF "$1"
}

a_shell() {
	relay mosh 127.0.0.1:60000 127.0.0.1:60001 || return 1
	LC_ALL=C.UTF-8 mosh-server new -i 127.0.0.1 -p 60001 -- sh </dev/null >"$work/server" 2>&1
	key=$(sed -n 's/^MOSH CONNECT 60001 //p' "$work/server" | tr -d '\r')
	[ "$key" ] || return 1
	LC_ALL=C.UTF-8 MOSH_KEY=$key TERM=xterm tmux -f /dev/null -S "$work/tmux" new-session -d -s mosh -x 80 -y 24 mosh-client 127.0.0.1 60000
	said=0
	eventually shows '#' || said=1
	types before || said=1
	for stage in ingress edf egress; do
		kill -9 "$(pid_of "$stage")"
		types "$stage" || said=1
		eventually ready || said=1
	done
	screen
	tmux -S "$work/tmux" send-keys -t mosh exit Enter
	eventually shell_has_ended || said=1
	tmux -S "$work/tmux" kill-server 2>/dev/null || true
	[ "$said" = 0 ] && nothing_is_lost 5
}

shell_has_ended() {
	! udp_is_open 127.0.0.1:60001
}

# Its control connection is TCP to the same port.
throughput() { # OPTION...
	relay iperf 127.0.0.2:5201 127.0.0.1:5201 && begin socat TCP-LISTEN:5201,bind=127.0.0.2,fork,reuseaddr TCP:127.0.0.1:5201 &&
		begin iperf3 -s -B 127.0.0.1 && sleep 0.5 || return 1
	iperf3 -u -c 127.0.0.2 -b 10M -l 1200 -t 4 --json "$@" >"$work/client" 2>&1 &
	client=$!
	kill_each_one_way && wait "$client" || return 1
	jq -r '.end.streams[].udp | "\(.packets) packets, \(.lost_packets) lost, \(.out_of_order) out of order"' "$work/client"
	[ "$(jq '[.end.streams[].udp | .lost_packets + .out_of_order] | add' "$work/client")" = 0 ] &&
		[ "$(jq '[.end.streams[].udp.packets] | min' "$work/client")" -gt 3000 ] && nothing_is_lost 1
}

most_came() {
	now=$(account '[.classes[] | .sent] | max') && [ "$now" -gt $((before + 100)) ]
}

kill_each_one_way() { # data go one way only
	for stage in ingress edf egress; do
		before=$(account '[.classes[] | .sent] | max')
		eventually most_came && kill -9 "$(pid_of "$stage")" && eventually ready || return 1
	done
	before=$(account '[.classes[] | .sent] | max')
	eventually most_came
}

ping_pong() {
	relay sockperf 127.0.0.1:11111 127.0.0.1:11112 && begin sockperf server -i 127.0.0.1 -p 11112 && eventually udp_is_open 127.0.0.1:11112 || return 1
	sockperf ping-pong -i 127.0.0.1 -p 11111 -t 4 >"$work/client" 2>&1 &
	client=$!
	kill_each && wait "$client" && grep -q '# dropped messages = 0; # duplicated messages = 0; # out-of-order messages = 0' "$work/client" &&
		grep -q 'avg-latency\|avg-lat' "$work/client" && nothing_is_lost 100
}

time_of_day() {
	relay ntp 127.0.0.2:123 127.0.0.1:123 || return 1
	printf 'local stratum 2\nallow\nbindaddress 127.0.0.1\ncmdport 0\npidfile %s\n' "$work/chronyd.pid" >"$work/chrony.conf"
	begin chronyd -d -x -u root -f "$work/chrony.conf"
	eventually udp_is_open 127.0.0.1:123
	ntpdig -t 3 -g 20 -p 100 127.0.0.2 >"$work/client" 2>&1 &
	client=$!
	kill_each && wait "$client" && grep -q 's2\|127.0.0.2' "$work/client" && ! grep -q 'no eligible servers' "$work/client" && nothing_is_lost 100
}

talk() { # WHO: a line every 20 ms
	for line in $(seq 1 120); do
		echo "$1 $line"
		sleep 0.02
	done
	sleep 1
}

heard() { # WHO FILE: all that was said, in order
	seq 1 120 | sed "s/^/$1 /" | cmp - "$2"
}

chat() {
	relay chat 127.0.0.1:4000 127.0.0.1:4001 || return 1
	{ while [ ! -e "$work/greeted" ]; do sleep 0.05; done; talk server; } | nc -u -l 127.0.0.1 4001 >"$work/at_server" &
	server=$!
	echo "$server" >>"$work/pids"
	eventually udp_is_open 127.0.0.1:4001
	rm -f "$work/greeted"
	talk client | nc -u -N -q 1 127.0.0.1 4000 >"$work/at_client" &
	client=$!
	eventually [ -s "$work/at_server" ] && touch "$work/greeted" && kill_each || return 1
	wait "$client" || true # it was ended, by its time
	sleep 0.5
	heard client "$work/at_server" && heard server "$work/at_client" && nothing_is_lost 120
}

# As autopilot and ground station speak MAVLink: each from a port of its own, and each hears nobody but the other's.
pair() {
	begin_config
	printf '[class up]\nlisten = 127.0.0.1:14556\nsend = 127.0.0.1:14550\nfrom = 127.0.0.1:14551\nreplies = down\nsessions = 1\n[class down]\n' >>"$conf"
	launch || return 1
	rm -f "$work/greeted"
	{ while [ ! -e "$work/greeted" ]; do sleep 0.05; done; talk ground; } | socat STDIO UDP:127.0.0.1:14551,bind=127.0.0.1:14550 >"$work/at_ground" &
	ground=$!
	eventually udp_is_open 127.0.0.1:14550
	talk vehicle | socat STDIO UDP:127.0.0.1:14556,bind=127.0.0.1:14555 >"$work/at_vehicle" &
	vehicle=$!
	printf '%s\n' "$ground" "$vehicle" >>"$work/pids"
	eventually [ -s "$work/at_ground" ] && touch "$work/greeted" && kill_each && wait "$vehicle" && wait "$ground" || return 1
	heard vehicle "$work/at_ground" && heard ground "$work/at_vehicle" && nothing_is_lost 120
}

fetch() { # again and again, until all were killed; each time whole
	until [ -e "$work/killed" ]; do
		rm -f "$work/got/file"
		gtlsclient -q --no-quic-dump --no-http-dump --download="$work/got" --exit-on-all-streams-close 127.0.0.1 4434 \
			https://localhost:4434/file && cmp "$work/htdocs/file" "$work/got/file" || return 1
	done
}

quic() { # its datagrams are numbered, and it repairs what is lost: the account says whether something was
	relay quic 127.0.0.1:4434 127.0.0.1:4433 && mkdir -p "$work/htdocs" "$work/got" || return 1
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/key" -out "$work/cert" -subj /CN=localhost -days 2 2>/dev/null
	head -c 60000000 /dev/urandom >"$work/htdocs/file"
	begin gtlsserver -q -d "$work/htdocs" 127.0.0.1 4433 "$work/key" "$work/cert"
	eventually udp_is_open 127.0.0.1:4433
	fetch >"$work/client" 2>&1 </dev/null &
	client=$!
	kill_each || return 1
	touch "$work/killed"
	wait "$client" && nothing_is_lost 1000
}

syslog() {
	relay syslog 127.0.0.1:5140 127.0.0.1:5141 || return 1
	cat >"$work/rsyslog.conf" <<END
global(workDirectory="$work")
module(load="imudp")
template(name="plain" type="string" string="%msg%\n")
ruleset(name="all") { action(type="omfile" file="$work/messages" template="plain") }
input(type="imudp" address="127.0.0.1" port="5141" ruleset="all")
END
	rsyslogd_finds_its_modules
	# shellcheck disable=SC2086 # no word, or two
	begin rsyslogd -n -f "$work/rsyslog.conf" -i "$work/rsyslogd.pid" $rsyslogd_options
	eventually udp_is_open 127.0.0.1:5141
	seq 1 2000 | while read -r line; do
		echo "line $line"
		[ $((line % 10)) != 0 ] || sleep 0.01
	done | logger -n 127.0.0.1 -P 5140 -d -t here &
	client=$!
	kill_each_one_way && wait "$client" && eventually all_is_written && nothing_is_lost 0
}

all_is_written() { # in order
	sed 's/^ *//' "$work/messages" | cmp -s - "$work/lines"
}

try() { # NAME FUNCTION PROGRAM...: [OPTION..] behind --
	name=$1
	function=$2
	shift 2
	[ "${only:-$function}" = "$function" ] || return 0
	missing=
	for program in "$@"; do
		command -v "$program" >/dev/null || missing="$missing $program"
	done
	if [ "$missing" ]; then
		skipped=$((skipped + 1))
		echo "skip $name:$missing is missing"
	else
		# shellcheck disable=SC2086
		check_here "$name" $function ${options:-}
	fi
}

only=${1:-}
seq 1 2000 | sed 's/^/line /' >"$work/lines"
try "dig asks dnsmasq, 400 times" dns dig dnsmasq
try "dig asks dnsmasq through dnsdist" dns_balancer dig dnsmasq dnsdist
try "sipp calls sipp, with media there and back" calls_with_media sipp
try "a shell by mosh" a_shell mosh-server mosh-client tmux
try "iperf3 loses none of its datagrams" throughput iperf3 socat
options=-R try "iperf3 loses none that come back (-R)" throughput iperf3 socat
options=--bidir try "iperf3 loses none in both directions at once" throughput iperf3 socat
try "sockperf ping-pong loses, doubles and reorders nothing" ping_pong sockperf
try "ntpdig gets the time from chronyd" time_of_day ntpdig chronyd
try "two people talk by nc" chat nc
try "an autopilot and its ground station, each by its one port (MAVLink)" pair socat
try "QUIC carries a file" quic gtlsclient gtlsserver openssl
try "logger writes to rsyslogd" syslog logger rsyslogd
verdict clients

#!/bin/sh
# t_destinations.sh [CHECK] - destinations that move, die and come back: names that are asked for again, a resolver that fails and lies, health of
# each kind, flapping under load and kills, the scout killed and stopped. In network and mount namespaces of its own.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
own_namespaces "destinations" "--net --mount" "$0" "$@"
own_instance destinations
[ -x "$ONTIME_BUILD/scout" ] || {
	echo "skip destinations: built without libc-ares-dev"
	exit 77
}
ip link set lo up
mkdir "$work/etc"
echo 'nameserver 127.0.0.53' >"$work/etc/resolv.conf"
mount --bind "$work/etc/resolv.conf" /etc/resolv.conf
names=$work/etc/names
: >"$names"

at_end() {
	end_all
}

on_failure() {
	cat "$work/launched" "$work"/*.asked 2>/dev/null | tail -n 20
	grep -v ready "$log" | tail -n 20 || true
	"$ONTIME_BUILD/stat" --once -i "$instance" || true
}

stub() { # NAME KIND ADDRESS:PORT: a server that answers what $work/NAME says
	begin_as "$1" "$ONTIME_BUILD/tests/stub" "$2" "$3" "$work/$1" && eventually grep -q ready "$work/$1.out"
}

begin_as() { # NAME COMMAND...: $begun
	as=$1
	shift
	: >"$work/$as.out"
	"$@" >"$work/$as.out" 2>&1 </dev/null &
	begun=$!
	echo "$begun" >>"$work/pids"
}

resolver() {
	begin_as resolver "$ONTIME_BUILD/tests/stub" names 127.0.0.53:53 "$names" && eventually grep -q ready "$work/resolver.out"
}

relay() { # LINE...: of the class; a fresh instance, and nothing beside it but the resolver
	end_all
	rm -f "$work"/*.asked
	run/stop.sh -i "$instance" >/dev/null 2>&1 || true
	resolver
	{
		printf '[pipeline]\ninstance = %s\npolicy = edf\n%s\n[class game]\nlisten = 127.0.0.1:7777\n' "$instance" "${pipeline-}"
		printf '%s\n' "$@"
	} >"$conf"
	run/launch.sh -c "$conf" >"$work/launched" 2>&1
}

echo_at() { # ADDRESS:PORT OPTION...: a destination that answers
	begin_as "echo.$1" "$ONTIME_BUILD/tests/echo" "$@" && eventually grep -q ready "$work/echo.$1.out"
}

ask() { # NAME OPTION...
	as=$1
	shift
	"$ONTIME_BUILD/tests/ask" 127.0.0.1:7777 "$@" >"$work/$as.asked" 2>&1
}

count() { # NAME WHAT: the number behind it
	sed -n "s/.*$2 \([0-9]*\).*/\1/p" "$work/$1.asked"
}

state() { # DESTINATION: up, down, drained, or nothing
	account ".classes[0].destinations[]? | select(.name == \"$1\") | .state"
}

is() { # DESTINATION STATE
	[ "$(state "$1")" = "$2" ]
}

is_at() { # DESTINATION ADDRESS
	[ "$(account ".classes[0].destinations[]? | select(.name == \"$1\") | .address")" = "$2" ]
}

logged() { # TEXT: how often
	grep -cF -- "$1" "$log" || true
}

is_balanced() {
	[ "$(account '[.classes[] | .held + .unbalanced] | add')" = 0 ]
}

scout() { # its pid, or nothing
	"$ONTIME_BUILD/hold" --scout -i "$instance" 2>/dev/null || true
}

has_other_scout() { # THAN
	now=$(scout) && [ -n "$now" ] && [ "$now" != "$1" ]
}

replies='replies = game-back
idle_unanswered = 60s'
back='[class game-back]'

# All that was asked has left, once; an answer that is under way while a session's socket gets another port is lost (run/scout/README.md).
all_were_asked() { # NAME ANSWERS-THAT-MAY-BE-LOST
	cat "$work/$1.asked"
	[ "$(account '.classes[0].sent')" = "$(count "$1" sent)" ] && [ "$(account '.classes[0].dropped | add')" = 0 ] &&
		[ "$(count "$1" lost)" -le "$2" ] && is_balanced
}

# The address of a name changes under load: senders go on, and nothing is lost but what lay at the old one.
a_name_changes() {
	echo 'sink.example 127.0.1.1 1' >"$names"
	relay "send = sink.example:8888" "resolve = 1s" "$replies" "$back" && echo_at 127.0.1.1:8888 && echo_at 127.0.1.2:8888 || return 1
	eventually is sink.example:8888 up && is_at sink.example:8888 127.0.1.1:8888 || return 1
	ask all --clients 20 --rate 1000 --seconds 6 --losses &
	asker=$!
	sleep 1
	echo 'sink.example 127.0.1.2 1' >"$names"
	eventually is_at sink.example:8888 127.0.1.2:8888 || return 1
	sleep 0.5
	end_process "$(pgrep -f "tests/echo 127.0.1.1:8888")"
	wait "$asker" || true
	all_were_asked all 5 && [ "$(logged 'is at 127.0.1.2:8888 now, no longer at 127.0.1.1:8888')" = 1 ]
}

# Without replies likewise; by a stage that is killed at that moment too.
a_name_changes_one_way() {
	echo 'sink.example 127.0.1.1 1' >"$names"
	relay "send = sink.example:8888" "resolve = 1s" && echo_at 127.0.1.2:8888 || return 1
	echo 'sink.example 127.0.1.2 1' >"$names"
	kill -9 "$(live_pid_of egress)"
	eventually is_at sink.example:8888 127.0.1.2:8888 && eventually leads_to 127.0.1.2:8888
}

leads_to() { # ADDRESS: a socket of the instance
	ss -uanH | awk '{print $5}' | grep -qxF "$1"
}

# What a resolver says that cannot be: nothing changes, and each is said once.
a_resolver_fails_and_lies() {
	echo 'sink.example 127.0.1.1 1' >"$names"
	relay "send = sink.example:8888" "resolve = 1s" "$replies" "$back" && echo_at 127.0.1.1:8888 && eventually is sink.example:8888 up || return 1
	for lie in fail mute six 0.0.0.0 239.1.1.1 255.255.255.255; do
		echo "sink.example $lie 1" >"$names"
		was=$(logged "cannot be resolved")
		eventually more_than "$was" "cannot be resolved" || return 1
		ask "$lie" --clients 5 --rate 500 --seconds 0.3 || return 1
		[ "$(logged "cannot be resolved")" = $((was + 1)) ] && is_at sink.example:8888 127.0.1.1:8888 || return 1
		was=$(logged "is resolved again")
		echo 'sink.example 127.0.1.1 1' >"$names"
		eventually more_than "$was" "is resolved again" || return 1
	done
	: >"$names" # it does not exist any more
	was=$(logged "cannot be resolved")
	eventually more_than "$was" "cannot be resolved" && ask none --clients 5 --rate 500 --seconds 0.3 && is_at sink.example:8888 127.0.1.1:8888
}

more_than() { # COUNT TEXT
	[ "$(logged "$2")" -gt "$1" ]
}

quick='health_every = 200ms
health_fall = 2
health_rise = 2'

# HEALTH SERVER-KIND TEXT-OF-ONE-THAT-IS-WELL TEXT-OF-ONE-THAT-IS-NOT: senders of one that is down go to the other, and back are new ones only.
looked_after() {
	printf '%b' "$3" >"$work/first"
	printf '%b' "$3" >"$work/second"
	relay "send = 127.0.1.1:8888 127.0.1.2:8888" "health = $1" "$quick" "spread = first" "$replies" "$back" || return 1
	echo_at 127.0.1.1:"$4" && echo_at 127.0.1.2:"$4" || return 1
	[ "$2" = none ] || { stub first "$2" 127.0.1.1:"$5" && first=$begun && stub second "$2" 127.0.1.2:"$5"; } || return 1
	eventually is 127.0.1.1:8888 up && eventually is 127.0.1.2:8888 up
}

is_used() { # ADDRESS: a datagram that is sent now gets there
	ask one --clients 1 --rate 100 --seconds 0.02 --from 127.3.0.1 && [ "$("$ONTIME_BUILD/stat" --sessions --json -i "$instance" | grep -c "$1")" -gt 0 ]
}

by_tcp() {
	looked_after tcp:9000 text 'x' 8888 9000 && ask before --clients 5 --rate 500 --seconds 0.3 || return 1
	ask all --clients 20 --rate 1000 --seconds 4 --losses &
	asker=$!
	sleep 0.5
	end_process "$first"
	eventually is 127.0.1.1:8888 down && eventually is 127.0.1.2:8888 up || return 1
	wait "$asker" || true
	[ "$(count all lost)" -le 5 ] && [ "$(logged "127.0.1.1:8888 is down: Connection refused")" -ge 1 ] || return 1
	[ "$(account '.healthy')" = true ] && stub first text 127.0.1.1:9000 && eventually is 127.0.1.1:8888 up &&
		[ "$(logged "127.0.1.1:8888 is up again")" -ge 1 ] && is_balanced
}

by_http() {
	looked_after http:9000/alive text 'HTTP/1.0 200 OK\r\n\r\n' 8888 9000 || return 1
	printf 'HTTP/1.0 503 Busy\r\n\r\n' >"$work/first"
	eventually is 127.0.1.1:8888 down && [ "$(logged '127.0.1.1:8888 is down: HTTP status 503')" = 1 ] || return 1
	printf 'HTTP/1.0 204 Fine\r\n\r\n' >"$work/first"
	eventually is 127.0.1.1:8888 up || return 1
	printf 'SSH-2.0\r\n' >"$work/first"
	eventually is 127.0.1.1:8888 down && [ "$(logged 'it answers otherwise than expected')" = 1 ]
}

by_udp() { # at the port that datagrams go to: an echo answers as it is asked
	relay "send = 127.0.1.1:8888 127.0.1.2:8888" "health = udp:70696e67=706f6e67" "$quick" && stub first ping 127.0.1.1:8888 &&
		stub second ping 127.0.1.2:8888 || return 1
	printf 'pong' | tee "$work/first" >"$work/second"
	eventually is 127.0.1.1:8888 up && eventually is 127.0.1.2:8888 up || return 1
	printf 'no' >"$work/first"
	eventually is 127.0.1.1:8888 down && [ "$(logged '127.0.1.1:8888 is down: it answers otherwise than expected')" -ge 1 ] || return 1
	: >"$work/second"
	eventually is 127.0.1.2:8888 down && [ "$(logged '127.0.1.2:8888 is down: no answer in time')" -ge 1 ] || return 1
	printf 'pong' >"$work/second"
	eventually is 127.0.1.2:8888 up
}

# Who is not there is found out by what is sent, and that it is there again by an empty datagram.
by_icmp() {
	relay "send = 127.0.1.1:8888 127.0.1.2:8888" "health = icmp" "$quick" "spread = first" "$replies" "$back" && echo_at 127.0.1.2:8888 || return 1
	eventually is 127.0.1.1:8888 up || return 1
	ask all --clients 10 --rate 500 --seconds 3 --losses &
	asker=$!
	eventually is 127.0.1.1:8888 down || return 1
	wait "$asker"
	cat "$work/all.asked"
	[ "$(count all lost)" -lt 600 ] && ask after --clients 10 --rate 500 --seconds 0.5 && echo_at 127.0.1.1:8888 && eventually is 127.0.1.1:8888 up
}

by_quiet() {
	relay "send = 127.0.1.1:8888 127.0.1.2:8888" "health = quiet:500ms" "spread = first" "$replies" "$back" && echo_at 127.0.1.1:8888 --drop 1 &&
		echo_at 127.0.1.2:8888 || return 1
	eventually is 127.0.1.1:8888 up || return 1
	ask all --clients 10 --rate 500 --seconds 3 --losses --timeout 200 || true
	cat "$work/all.asked"
	is 127.0.1.1:8888 down && [ "$(count all lost)" -gt 200 ] && [ "$(count all lost)" -lt 700 ] && ask after --clients 10 --rate 500 --seconds 0.5 &&
		[ "$(logged '127.0.1.1:8888 is down: its sessions ask, and none is answered')" = 1 ] && eventually is 127.0.1.1:8888 up
}

# No destination: packets wait until their deadline, and those that come back in time are not lost.
none_is_up() {
	: >"$work/first"
	relay "send = 127.0.1.1:8888" "health = tcp:9000" "$quick" "budget = 2s" && stub first text 127.0.1.1:9000 && first=$begun || return 1
	eventually is 127.0.1.1:8888 up || return 1
	end_process "$first"
	eventually is 127.0.1.1:8888 down || return 1
	[ "$(account '.causes[].cause')" = no_destination ] && [ "$(logged 'class game: no destination is up')" -ge 1 ] || return 1
	for i in 1 2 3 4 5; do say "$i" 7777; done
	eventually has_dropped 5 || return 1
	for i in 1 2 3 4 5; do say "$i" 7777; done
	stub first text 127.0.1.1:9000 && eventually is 127.0.1.1:8888 up && eventually has_left 5 && has_dropped 5 && is_balanced
}

none_is_up_and_full_is_drop() {
	relay "send = 127.0.1.1:8888" "health = tcp:9000" "$quick" "budget = 60s" && eventually is 127.0.1.1:8888 down || return 1
	for i in 1 2 3 4 5; do say "$i" 7777; done
	eventually has_dropped 5 && is_balanced
}

has_dropped() { # HOW MANY
	[ "$(account '.classes[0].dropped.no_destination')" = "$1" ]
}

has_left() { # HOW MANY: sent, or refused by nobody who listens there
	[ "$(account '.classes[0] | .sent + .dropped.send_error')" = "$1" ]
}

a_backup_is_used() {
	: >"$work/first"
	relay "send = 127.0.1.1:8888" "backup = 127.0.1.2:8888" "health = tcp:9000" "$quick" "$replies" "$back" && echo_at 127.0.1.1:8888 && echo_at 127.0.1.2:8888 || return 1
	cp "$work/first" "$work/second"
	stub second text 127.0.1.2:9000 && eventually is 127.0.1.1:8888 down && eventually is 127.0.1.2:8888 up || return 1
	ask by_backup --clients 5 --rate 500 --seconds 0.5 && stub first text 127.0.1.1:9000 && eventually is 127.0.1.1:8888 up &&
		ask again --clients 5 --rate 500 --seconds 0.5
}

drained_keeps_its_sessions() {
	relay "send = 127.0.1.1:8888 127.0.1.2:8888" "spread = first" "$replies" "$back" && echo_at 127.0.1.1:8888 && echo_at 127.0.1.2:8888 || return 1
	ask old --clients 5 --rate 500 --seconds 3 &
	asker=$!
	sleep 0.5
	sed -i 's/^spread = first/&\ndrain = 127.0.1.1:8888/' "$conf"
	run/reload.sh -i "$instance" && eventually is 127.0.1.1:8888 drained && ask new --clients 5 --rate 500 --seconds 0.5 --from 127.4.0.0/5 || return 1
	used=$("$ONTIME_BUILD/stat" --sessions --json -i "$instance" | grep -o '127.0.1.2:8888' | wc -l)
	wait "$asker" && [ "$used" -ge 1 ] && sed -i '/^drain/d' "$conf" && run/reload.sh -i "$instance" && eventually is_not_drained
}

is_not_drained() {
	[ "$(state 127.0.1.1:8888)" != drained ]
}

# A destination flaps each second while stages are killed: its datagrams are all there, once each.
flaps_under_kills() {
	relay "send = 127.0.1.1:8888 127.0.1.2:8888" "health = tcp:9000" "health_every = 100ms" "health_fall = 1" "health_rise = 1" "spread = maglev" "$replies" "$back" &&
		echo_at 127.0.1.1:8888 && echo_at 127.0.1.2:8888 || return 1
	: >"$work/first"
	: >"$work/second"
	stub first text 127.0.1.1:9000 && first=$begun && stub second text 127.0.1.2:9000 && eventually is 127.0.1.1:8888 up || return 1
	ask all --clients 50 --rate 2000 --seconds 9 --from 127.1.0.0/50 --losses --timeout 2000 &
	asker=$!
	for i in 1 2 3 4 5 6 7 8; do
		if [ $((i % 2)) = 1 ]; then end_process "$first"; else stub first text 127.0.1.1:9000 && first=$begun; fi
		for stage in egress ingress edf; do
			sleep 0.25
			kill -9 "$(live_pid_of "$stage")"
		done
	done
	wait "$asker" || true
	all_were_asked all 20 && [ "$(logged '127.0.1.1:8888 is down')" -ge 3 ]
}

# What a scout that is gone said last holds; another one goes on where it was.
scout_is_killed_and_stopped() {
	: >"$work/first"
	relay "send = 127.0.1.1:8888 127.0.1.2:8888" "health = tcp:9000" "$quick" "spread = first" "$replies" "$back" && echo_at 127.0.1.1:8888 && echo_at 127.0.1.2:8888 || return 1
	cp "$work/first" "$work/second"
	stub second text 127.0.1.2:9000 && eventually is 127.0.1.1:8888 down && eventually is 127.0.1.2:8888 up || return 1
	was=$(scout)
	for i in 1 2 3 4 5; do
		kill -9 "$(scout)"
		is 127.0.1.1:8888 down && eventually has_other_scout "$was" && ask "$i" --clients 5 --rate 500 --seconds 0.2 || return 1
		was=$(scout)
	done
	kill -9 "$("$ONTIME_BUILD/hold" --supervisor -i "$instance")" # its scout ends with it, and the next supervisor starts one
	eventually has_other_scout "$was" && is 127.0.1.1:8888 down || return 1
	was=$(scout)
	kill -STOP "$was"
	stub first text 127.0.1.1:9000 && ask stopped --clients 5 --rate 500 --seconds 1.5 && is 127.0.1.1:8888 down && kill -CONT "$was" &&
		eventually is 127.0.1.1:8888 up && [ "$(account '.classes[0].destinations | length')" = 2 ]
}

# No class asks for it any more: it ends, and what it said is forgotten.
a_reload_ends_it() {
	relay "send = 127.0.1.1:8888" "health = tcp:9000" "$quick" && eventually is 127.0.1.1:8888 down || return 1
	sed -i 's/^health = .*/health = off/' "$conf"
	run/reload.sh -i "$instance" && eventually is 127.0.1.1:8888 up && eventually has_no_scout
}

has_no_scout() {
	[ -z "$(scout)" ]
}

[ -z "${1-}" ] || { check_here "$1" "$1" && verdict destinations && exit; } # one alone, by its function's name
check_here "a name that gets another address under load loses nothing" a_name_changes
check_here "likewise one way, while egress is killed" a_name_changes_one_way
check_here "a resolver that fails or lies changes nothing, and is named once each time" a_resolver_fails_and_lies
check_here "health = tcp: senders go to the next destination, and back when it is there again" by_tcp
check_here "health = http goes by the status" by_http
check_here "health = udp goes by the answer" by_udp
check_here "health = icmp goes by what is refused" by_icmp
check_here "health = quiet goes by answers to sessions" by_quiet
check_here "with none up packets wait until their deadline, and are named" none_is_up
pipeline='full = drop' check_here "with full = drop they do not wait" none_is_up_and_full_is_drop
check_here "a backup is used while nothing else is up" a_backup_is_used
check_here "a drained destination keeps its sessions and gets no others" drained_keeps_its_sessions
check_here "a destination that flaps, and stages that are killed: nothing is lost" flaps_under_kills
check_here "a scout that is killed or stopped changes nothing" scout_is_killed_and_stopped
check_here "a reload that asks for no scout ends it" a_reload_ends_it
verdict destinations

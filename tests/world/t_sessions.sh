#!/bin/sh
# t_sessions.sh [CHECK] - sessions at their limits: too many senders, idle ones, servers that pause, refuse or are not there, a sender that comes
# back, another address of ours. In a network namespace of its own.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
own_namespaces "sessions at their limits" --net "$0" "$@"
own_instance sessions
ip link set lo up
ip addr add 10.77.0.1/32 dev lo

at_end() {
	end_all
}

on_failure() {
	cat "$work/launched" "$work"/*.asked "$work/server" 2>/dev/null | tail -n 30
	tail -n 5 "$log" || true
	account '.classes[] | "\(.class) received \(.received) sent \(.sent) held \(.held) dropped \(.dropped)"' || true
}

serve() { # OPTION...: the destination; $server
	begin "$ONTIME_BUILD/tests/echo" 127.0.0.1:8888 "$@"
	server=$begun
	eventually grep -q ready "$work/server"
}

relay() { # LINE...: of the class with replies; a fresh instance, and nothing beside it
	end_all
	rm -f "$work"/*.asked "$work/server"
	run/stop.sh -i "$instance" >/dev/null 2>&1 || true
	{
		printf '[pipeline]\ninstance = %s\npolicy = edf\n[class game]\nsend = 127.0.0.1:8888\n' "$instance"
		printf '%s\n' "$@"
	} >"$conf"
	run/launch.sh -c "$conf" >"$work/launched" 2>&1
}

ask() { # NAME OPTION...: to 127.0.0.1:7777, or $at; the exit status is ask's
	as=$1
	shift
	"$ONTIME_BUILD/tests/ask" "${at:-127.0.0.1:7777}" "$@" >"$work/$as.asked" 2>&1
}

count() { # NAME WHAT: the number behind it
	sed -n "s/.*$2 \([0-9]*\).*/\1/p" "$work/$1.asked"
}

dropped() { # REASON [CLASS]
	account ".classes[] | select(.class == \"${2:-game}\") | .dropped.$1"
}

is_balanced() {
	[ "$(account '[.classes[] | .held + .unbalanced] | add')" = 0 ]
}

with_replies='listen = 127.0.0.1:7777
replies = game-back'
back='[class game-back]'

full_table() { # who finds it full is counted by name; who has a session goes on
	relay "$with_replies" "sessions = 20" "sessions_per_source = 20" "$back" && serve || return 1
	ask old --clients 20 --rate 2000 --seconds 3 --from 127.1.0.0/20 &
	old=$!
	sleep 1
	ask new --clients 30 --rate 300 --seconds 1 --from 127.2.0.0/30 --timeout 200 && return 1
	wait "$old" && [ "$(count new sent)" -gt 200 ] && [ "$(count new lost)" = "$(count new sent)" ] &&
		[ "$(dropped no_session)" = "$(count new sent)" ] && is_balanced
}

full_source() { # one address cannot take them all
	relay "$with_replies" "sessions = 20" "sessions_per_source = 5" "$back" && serve || return 1
	ask greedy --clients 20 --rate 1000 --seconds 1 --from 127.1.0.1 --losses --timeout 200
	[ "$(count greedy answered)" = $(($(count greedy sent) / 4)) ] && [ "$(dropped no_session)" = "$(count greedy lost)" ] || return 1
	ask modest --clients 15 --rate 1000 --seconds 1 --from 127.2.0.0/15 && is_balanced
}

passed() { # datagrams of senders that found a session
	account '.classes[0].sent'
}

await_session() { # for another sender, while the only session is idle: $took_ms
	was=$(passed)
	before_ms=$(($(date +%s%N) / 1000000))
	while [ "$(passed)" = "$was" ]; do
		ask two --rate 100 --seconds 0.009 --from 127.2.0.1 --timeout 1 --losses || true
		took_ms=$(($(date +%s%N) / 1000000 - before_ms))
		[ "$took_ms" -lt 15000 ] || return 1
	done
	echo "a session was free after $took_ms ms"
}

took() { # MS: to 10 % and 100 ms
	[ "$took_ms" -ge $(($1 * 9 / 10 - 100)) ] && [ "$took_ms" -le $(($1 * 11 / 10 + 100)) ]
}

idle_ends() {
	relay "$with_replies" "sessions = 1" "sessions_per_source = 1" "idle = 2s" "idle_unanswered = 500ms" "$back" && serve &&
		ask one --rate 100 --seconds 0.1 --from 127.1.0.1 && await_session && took 2000
}

idle_unanswered_ends() {
	relay "$with_replies" "sessions = 1" "sessions_per_source = 1" "idle = 20s" "idle_unanswered = 700ms" "$back" && serve --drop 1 || return 1
	ask one --rate 100 --seconds 0.1 --from 127.1.0.1 --timeout 1 --losses || true
	[ "$(passed)" = 10 ] && await_session && took 700
}

server_pauses() { # for longer than a session without an answer lives, but these have had answers
	relay "$with_replies" "idle_unanswered = 1s" "$back" && serve --pause 5000 || return 1
	ask all --clients 20 --rate 1000 --seconds 7 --timeout 4000 &
	asker=$!
	sleep 1
	kill -USR1 "$server"
	wait "$asker" && [ "$(sed -n 's/.* max \([0-9]*\).*/\1/p' "$work/all.asked")" -gt 4500000 ] && is_balanced
}

server_refuses() { # ICMP says so; sessions live on, and what was refused is counted
	relay "$with_replies" "$back" && serve --refuse 1000 || return 1
	ask all --clients 20 --rate 1000 --seconds 3 --losses &
	asker=$!
	sleep 1
	kill -USR1 "$server"
	wait "$asker"
	cat "$work/all.asked"
	[ "$(count all lost)" -gt 300 ] && [ "$(count all lost)" -lt 1700 ] && [ "$(account '[.classes[].refused_events] | add')" -gt 0 ] &&
		[ "$(dropped no_session)" = 0 ] && is_balanced && ask again --clients 20 --rate 1000 --seconds 0.5
}

comes_back() { # from the same port, when its session has ended: it gets another one
	relay "$with_replies" "idle = 500ms" "idle_unanswered = 500ms" "$back" && serve || return 1
	ask one --port 9999 --from 127.1.0.1 --rate 200 --seconds 0.3 && sleep 1.2 && ask two --port 9999 --from 127.1.0.1 --rate 200 --seconds 0.3 &&
		is_balanced
}

any_address() { # the answer is from the address that the sender wrote to, whatever route there is
	relay "listen = 0.0.0.0:7777" "replies = game-back" "$back" && serve || return 1
	for to in 127.0.0.1 127.0.0.9 10.77.0.1; do
		at=$to:7777 ask "$to" --clients 5 --rate 500 --seconds 0.5 --from 127.1.0.1 || return 1
	done
	at=10.77.0.1:7777 ask own --clients 5 --rate 500 --seconds 0.5 --from 10.77.0.1 && is_balanced
}

any_ipv6_address() {
	ip addr add fd00:77::1/128 dev lo nodad 2>/dev/null || true
	relay "listen = [::]:7777" "replies = game-back" "$back" && serve || return 1
	for to in '[::1]' '[fd00:77::1]'; do
		at=$to:7777 ask six --clients 5 --rate 500 --seconds 0.5 --from ::1 || return 1
	done
	is_balanced
}

without_replies() { # what is answered is read, counted, and goes nowhere
	relay "listen = 127.0.0.1:7777" && serve || return 1
	ask all --clients 10 --rate 1000 --seconds 1 --losses --timeout 100
	[ "$(count all answered)" = 0 ] && eventually all_are_unexpected && is_balanced
}

all_are_unexpected() {
	are_unexpected "$(count all sent)"
}

many_at_once() { # a session each, from their first datagram on
	relay "$with_replies" "sessions = 4096" "sessions_per_source = 4096" "$back" && serve &&
		ask all --clients 4096 --rate 5000 --seconds 3 --from 127.1.0.0/64 --timeout 5000 && [ "$(dropped no_session)" = 0 ] && is_balanced
}

flood_of_senders() { # that nobody has heard of before: the open sessions live on, whatever is dropped, and memory is what it was
	relay "$with_replies" "sessions = 40" "sessions_per_source = 40" "idle_unanswered = 500ms" "$back" && serve || return 1
	ask old --clients 20 --rate 1000 --seconds 4 --from 127.1.0.0/20 &
	old=$!
	sleep 0.5
	was_kb=$(resident)
	ask flood --clients 500 --rate 20000 --churn 1 --from 127.64.0.0/4000000 --seconds 2.5 --timeout 50 --losses || true
	wait "$old" || return 1
	echo "$(count flood ports) senders, $was_kb KiB before, $(resident) KiB after"
	[ "$(count flood ports)" -gt 2000 ] && [ "$(dropped no_session)" -gt 100 ] && [ "$(resident)" -le $((was_kb + 256)) ] && is_balanced
}

resident() { # of the stages, KiB of their own: not the slots, which are in the segment
	for pid in $("$ONTIME_BUILD/hold" --stages -i "$instance" | awk '{print $2}'); do
		sed -n 's/^RssAnon:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$pid/status"
	done | awk '{s += $1} END {print s}'
}

strangers() { # none gets into the queue of the one socket of all sessions, however little room it has and whoever reads it
	relay "$with_replies" "via = 127.64.0.0/10" "sessions = 100" "$back" && serve && ask all --clients 20 --rate 1000 --seconds 0.5 || return 1
	its_port=$(ss -uanH | awk '$4 ~ /^0\.0\.0\.0:/ { sub(".*:", "", $4); print $4; exit }')
	reader=$(live_pid_of ingress)
	kill -STOP "$reader" && "$ONTIME_BUILD/tests/flood" "127.64.0.1:$its_port" --senders 40000 --rate 100000 && kill -CONT "$reader" &&
		ask again --clients 20 --rate 1000 --seconds 0.5 && eventually are_unexpected 40000 &&
		[ "$(account '[.classes[].dropped.kernel] | add')" = 0 ] && is_balanced
}

refusals() { # by ICMP: of each session, whichever of the two sockets the kernel tells of it
	relay "$with_replies" "via = 127.64.0.0/10" "sessions = 200" "sessions_per_source = 200" "$back" || return 1
	ask all --clients 100 --rate 100 --seconds 1 --from 127.1.0.0/100 --losses --timeout 100
	eventually is_refused "$(count all sent)" && is_balanced
}

is_refused() { # HOW MANY
	[ "$(account '[.classes[].refused_events] | add')" = "$1" ]
}

are_unexpected() { # HOW MANY
	[ "$(account '.classes[0].unexpected_reply')" = "$1" ]
}

[ -z "${1-}" ] || { check_here "$1" "$1" && verdict sessions && exit; } # one alone, by its function's name
check_here "a sender that finds no session free is counted, and the open sessions go on" full_table
check_here "one address takes no more sessions than it may" full_source
check_here "a session that was answered ends after idle" idle_ends
check_here "a session that was not ends after idle_unanswered" idle_unanswered_ends
check_here "a server that pauses for 5 s loses nothing" server_pauses
check_here "a server that is not there is counted, and used when it is there again" server_refuses
check_here "a sender that comes back when its session has ended gets another" comes_back
check_here "a reply comes from the address that the sender wrote to" any_address
check_here "likewise by IPv6" any_ipv6_address
check_here "without replies an answer is counted, and nothing comes back" without_replies
check_here "4,096 senders at once are answered, each itself" many_at_once
check_here "a flood of new senders takes no session from the old ones, and no memory" flood_of_senders
check_here "with via, what is no answer gets into no queue" strangers
check_here "with via, what a destination refuses is counted for each session" refusals
verdict sessions

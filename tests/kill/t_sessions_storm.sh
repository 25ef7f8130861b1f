#!/bin/sh
# t_sessions_storm.sh [SECONDS [SEED]] - a stage is killed every 50 ms while clients with ever new ports share 40 sessions that end after
# IDLE_MS (400): no answer reaches a wrong client, none comes twice or out of order, and each that is lost has a name. 20 s each way by default; by hand 340 for 10,000 sessions.
# GSO=on: datagrams leave as super-datagrams where they can, both ways.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
own_namespaces "a storm of sessions" --net "$0" "$@"
own_instance sessions
seconds=${1:-20}
seed=${2:-1}
idle_ms=${IDLE_MS:-400}
gso=${GSO:-off}
bytes=200 # of a datagram
ONTIME_BUILD=$PWD/${ONTIME_BUILD:-build}
server=
ip link set lo up

at_end() {
	[ -z "$server" ] || kill "$server" 2>/dev/null || true
}

on_failure() {
	tail -n 10 "$log" 2>/dev/null || true
	account '.classes[] | {class, received, sent, held, dropped}' || true
}

# Each client rests for longer than a session lives without it, so 39 of them need 39 sessions at most.
storm() { # DELAY-US OPTION-OF-ASK...: to $work/asked and $work/killed
	delay_us=$1
	shift
	"build/tests/echo" 127.0.0.1:8888 --delay "$delay_us" >"$work/echo" &
	server=$!
	eventually grep -q ready "$work/echo" && names >"$work/before"
	"build/tests/ask" 127.0.0.1:7777 --clients 39 --from 127.1.0.0/13 --rate 20000 --size "$bytes" --churn 60 --rest $((idle_ms + 300)) --timeout 3000 \
		--seconds "$seconds" --seed "$seed" "$@" >"$work/asked" &
	asker=$!
	build/tests/kill_stages -i "$instance" --only stages --kills $((seconds * 20)) --rate 20 --seed "$seed" >"$work/killed" ||
		echo "no stage to kill" >>"$work/asked"
	wait "$asker" && right=0 || right=$?
	kill "$server"
	wait "$server" || true
	server=
	eventually is_balanced && names >"$work/after"
	cat "$work/asked" "$work/killed" "$work/echo"
	sed 's/^/     /' "$work/asked" >>"$work/figures"
	[ "$right" = 0 ] && ! grep -q 'no stage to kill' "$work/asked"
}

# What has become of datagrams that did not arrive, by name; the kernel's count of full buffers has the account's `kernel` in it. An answer
# that comes when its session has ended finds nobody at the port.
names() {
	[ "$gso" = off ] || nft -j list counter inet storm closed | jq -r --argjson each "$bytes" \
		'.nftables[] | .counter // empty | "nobody at the port, behind the first of a super-datagram \((.bytes - 28 * .packets) / $each - .packets)"'
	awk '$1 == "Udp:" && $2 ~ /^[0-9]/ {print "nobody at the port", $3; print "full buffer", $4}' /proc/net/snmp
	# shellcheck disable=SC2016 # jq's
	account '.classes[] | .class as $class | ((.dropped | del(.kernel) | to_entries[] | "\($class) \(.key) \(.value)"), "\($class) unexpected_reply \(.unexpected_reply)")'
}

# What leaves for a client that is gone: of a super-datagram the kernel counts one as "nobody at the port".
count_closed_ports() {
	nft -f - <<-END
		table inet storm {
			counter closed { }
			chain in {
				type filter hook input priority 0
				udp sport 7777 socket wildcard 0 accept
				udp sport 7777 counter name closed
			}
		}
	END
}

# Of those lost each has a name, and each name is one of them.
each_has_a_name() {
	lost=$(sed -n 's/.* lost \([0-9]*\),.*/\1/p' "$work/asked")
	unsent=$(sed -n 's/^read \([0-9]*\), answered \([0-9]*\),.*/\1 \2/p' "$work/echo" | awk '{print $1 - $2}')
	paste -d' ' "$work/before" "$work/after" | awk '{n = $NF - $(NF / 2); NF = NF / 2 - 1; if (n) print "     " $0 ": " n}' >"$work/named"
	cat "$work/asked" "$work/echo" "$work/named"
	sed "1s/^/     of $lost lost:\n/" "$work/named" >>"$work/figures"
	[ "$lost" ] && [ "$unsent" = 0 ] && [ "$(awk '{n += $NF} END {print n + 0}' "$work/named")" = "$lost" ]
}

none_is_lost() {
	cat "$work/asked" "$work/echo"
	grep -q ', lost 0,' "$work/asked"
}

was_held_back() { # the machine, for as long as a session lives: an answer may then come when its session has ended
	awk -v most=$((idle_ms * 750)) '/kept/ {kept = $(NF - 1)} /^sent/ {kept = $NF} kept > most {found = 1} END {exit !found}' "$work/asked" "$work/echo"
}

many_sessions() { # opened: a port each
	[ "$(sed -n 's/.*; ports \([0-9]*\).*/\1/p' "$work/asked")" -gt $((seconds * 6000 / idle_ms)) ]
}

each_stage_was_killed() {
	cat "$work/killed"
	sed -n 's/^kill_stages: [0-9]* kills (ingress \([0-9]*\), edf \([0-9]*\), egress \([0-9]*\),.*/\1 \2 \3/p' "$work/killed" |
		awk -v least="$seconds" '{n++; ok = $1 > least && $2 > least && $3 > least} END {exit !(n && ok)}'
}

nothing_is_dropped() {
	account '.classes[] | {class, received, sent, held, dropped}'
	[ "$(account '[.classes[] | .received - .sent] | add')" = 0 ] && [ "$(account '.classes[0].received == .classes[1].received')" = true ]
}

is_balanced() {
	[ "$(account '[.classes[] | .held + .unbalanced] | add')" = 0 ]
}

cat >"$conf" <<END
[pipeline]
instance = $instance
policy = edf
gso = $gso
[class game]
listen = 127.0.0.1:7777
send = 127.0.0.1:8888
replies = game-back
sessions = 40
sessions_per_source = 40
idle = ${idle_ms}ms
idle_unanswered = ${idle_ms}ms
[class game-back]
END
if [ "$gso" = on ] && ! count_closed_ports; then
	echo "skip a storm of sessions with super-datagrams: no nftables that look for sockets"
	exit 77
fi
run/launch.sh -c "$conf" >"$work/launched" 2>&1 || cat "$work/launched"
check_here "no answer reaches a wrong client, comes twice or out of order" storm 0 --losses
check_here "each answer that is lost has a name" each_has_a_name
if none_is_lost >/dev/null || ! was_held_back; then
	check "none is lost" none_is_lost
	check "the account has no drop, in either direction" nothing_is_dropped
else
	skipped=$((skipped + 2))
	echo "skip none is lost: the machine held answers back for longer than a session lives"
	sed 's/^/     /' "$work/asked" "$work/echo"
fi
check_here "sessions were opened by the dozen a second" many_sessions
check_here "each stage was killed often enough" each_stage_was_killed
# More senders than sessions, so that each is taken as soon as it is free, and each answer comes as its session ends.
check_here "nor when answers come as sessions end and others wait for these, though many are lost then" storm $((idle_ms * 1000)) --losses --clients 200 --churn 1 --rest 50 --timeout $((idle_ms * 2))
check_here "each of these has a name" each_has_a_name
check_here "the account balances" eventually is_balanced
check "a stop is clean" run/stop.sh -i "$instance"
cat "$work/figures"
verdict "sessions_storm, gso = $gso"

#!/bin/sh
# t_port.sh - one port, several classes: what a rule names goes into its class before any queue, whatever is killed, reloaded, or not there
# yet. In a network namespace of its own.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
own_namespaces "one port for several classes" --net "$0" "$@"
own_instance port
ip link set lo up

on_failure() {
	cat "$work/launched" "$log" "$work/load" 2>/dev/null || true
	"$ONTIME_BUILD/stat" -i "$instance" --json | jq -c '.classes[] | {class, received, sent, held, dropped}' || true
}

write_conf() { # ADDRESS VOICE-RULE SIGNAL-RULE
	cat >"$work/conf" <<END
[pipeline]
instance = $instance
policy = edf
[class voice]
listen = $1:5000
match = $2
send = 127.0.0.1:6000
budget = 5ms
[class signal]
listen = $1:5000 $1:5001
match = $3
send = 127.0.0.1:6001
budget = 20ms
[class rest]
listen = $1:5001 $1:5000
send = 127.0.0.1:6002
END
}

launch() {
	run/launch.sh -c "$work/conf" >"$work/launched" 2>&1
}

received() { # of the three classes
	"$ONTIME_BUILD/stat" -i "$instance" --json | jq -r '[.classes[].received] | join(" ")'
}

are_received() { # N N N, and nothing is held
	[ "$(received)" = "$*" ] && [ "$("$ONTIME_BUILD/stat" -i "$instance" --json | jq '[.classes[] | .held + .unbalanced] | add')" = 0 ]
}

send_marked() { # TOS WORD PORT [ADDRESS]: a datagram of the word's bytes
	printf '%s' "$2" | socat -u - "UDP-DATAGRAM:${4:-127.0.0.1}:$3,ip-tos=$1"
}

each_to_its_class() {
	write_conf 127.0.0.1 'dscp ef and size <= 9' 'byte 0 = 0x21 and size >= 3, dscp cs3' && launch || return 1
	send_marked 184 short 5000 && send_marked 184 'longer than nine' 5000 && send_marked 187 ecn 5000 && send_marked 96 x 5000 && send_marked 0 '!ab' 5001 && send_marked 0 '!a' 5001 &&
		send_marked 184 short 5001 && eventually are_received 2 2 3
}

reload_moves_the_border() {
	write_conf 127.0.0.1 'from 127.0.0.0/8' 'dscp ef' && kill -HUP "$("$ONTIME_BUILD/hold" --supervisor -i "$instance")"
	eventually is_in_force && grep -q 'voice.match: dscp ef and size <= 9 -> from 127.0.0.0/8' "$log" || return 1
	send_marked 0 all 5000 && send_marked 184 all 5001 && eventually are_received 3 3 3
}

is_in_force() {
	[ "$(grep -c ': reloaded ' "$log")" -ge 3 ]
}

strays_are_told() { # of a class without a rule whose sizes another one names, before they are sent; and of one behind another
	write_conf 127.0.0.1 'size <= 100' 'dscp cs3'
	"$ONTIME_BUILD/load" -c "$work/conf" --send-only --rate rest=1000 --size 24-176 --sources 2 --seconds 0.1 >"$work/load" 2>&1 || true
	grep -E 'class rest: of 1,000 datagrams as they are made here 2[0-9][0-9] are class voice.s by its rule \(match = size <= 100\)' "$work/load" || return 1
	"$ONTIME_BUILD/load" -c "$work/conf" --send-only --rate signal=1000 --size 1-100 --seconds 0.1 >"$work/load" 2>&1 || true
	grep 'class signal: of 1,000 datagrams as they are made here 1,000 are class voice.s by its rule' "$work/load" || return 1
	"$ONTIME_BUILD/load" -c "$work/conf" --send-only --rate rest=1000,signal=1000 --size 101-200 --seconds 0.1 >"$work/load" 2>&1 || true
	! grep 'as they are made here' "$work/load"
}

load_all() { # SECONDS
	"$ONTIME_BUILD/load" -c "$work/conf" --rate 6000 --seconds "$1" >"$work/load" 2>&1
}

kills_change_nothing() {
	write_conf 127.0.0.1 'dscp ef' 'dscp af41' && launch || return 1
	load_all 6 &
	source=$!
	for stage in ingress edf egress ingress ingress; do
		sleep 0.7
		kill -9 "$("$ONTIME_BUILD/hold" --stages -i "$instance" | sed -n "s/^$stage \([0-9]*\) .*/\1/p")"
		eventually ready
	done
	kill -9 "$("$ONTIME_BUILD/hold" --supervisor -i "$instance")"
	wait "$source" || return 1
	cat "$work/load"
	each=$(received | tr ' ' '\n' | sort -u)
	[ "$(echo "$each" | wc -l)" = 1 ] && [ "$each" -gt 10000 ] && ! grep 'not delivered\|out of order' "$work/load"
}

address_comes_later() {
	run/stop.sh -i "$instance" >/dev/null 2>&1
	write_conf 10.77.0.1 'dscp ef' 'dscp af41' && launch && grep -q '10.77.0.1:5000 is not there yet' "$log" || return 1
	ip addr add 10.77.0.1/32 dev lo && eventually are_bound || return 1
	load_all 2 && each=$(received | tr ' ' '\n' | sort -u) && [ "$(echo "$each" | wc -l)" = 1 ] && [ "$each" -gt 3000 ]
}

are_bound() {
	[ "$(grep -c '10.77.0.1:500[01] is there now' "$log")" = 5 ]
}

another_instance_is_refused() {
	sed "s/^instance = .*/instance = $instance-b/" "$work/conf" >"$work/other"
	run/launch.sh -c "$work/other" >"$work/refused" 2>&1 && run/stop.sh -i "$instance-b" && return 1
	cat "$work/refused"
	grep -q 'another program has this port' "$work/refused"
}

recipe_holds() { # with a client that marks what it sends
	run/stop.sh -i "$instance" >/dev/null 2>&1
	[ "$(wc -l <run/recipes/one-port.conf)" -le 15 ] && "$ONTIME_BUILD/check" -c run/recipes/one-port.conf || return 1
	sed "s/^instance = .*/instance = $instance/" run/recipes/one-port.conf >"$work/conf" && launch || return 1
	ffmpeg -nostdin -v error -f lavfi -i sine=duration=3 -c:a mp2 -f mpegts "udp://127.0.0.1:20000?dscp=46&pkt_size=376" &&
		send_marked 0 bulk 20000 && send_marked 2 'able to slow down' 20000 && eventually is_split
}

is_split() { # the marked ones are voice, and nothing else is
	received >"$work/split" && read -r voice rest <"$work/split" && [ "$voice" -gt 50 ] && [ "$rest" = 2 ]
}

load_says_what_it_cannot_make() {
	write_conf 10.77.0.1 'size <= 9' 'dscp af41'
	fails_with 1 'class voice: match = size <= 9: the datagrams made here can have a DSCP' "$ONTIME_BUILD/load" -c "$work/conf" --seconds 1
}

check_here "each datagram goes to the class whose rule names it, the others to the last class" each_to_its_class
check_here "a reload moves the border at once" reload_moves_the_border
run/stop.sh -i "$instance" >/dev/null 2>&1
check_here "no datagram changes its class, is lost or overtakes another while stages and supervisor are killed" kills_change_nothing
check_here "an address that comes later is bound with its rules" address_comes_later
check_here "another instance with the same port is refused" another_instance_is_refused
if command -v ffmpeg >/dev/null; then
	check_here "the recipe for one port puts what ffmpeg marks EF into its class" recipe_holds
else
	skipped=$((skipped + 1))
	echo "skip the recipe for one port: ffmpeg is missing: run/deps.sh test installs it"
fi
check_here "load says which of its own datagrams another class gets" strays_are_told
check "load says which rule it cannot make datagrams for" load_says_what_it_cannot_make
verdict port

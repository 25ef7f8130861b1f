#!/bin/sh
# t_named.sh - build/load on an instance: what the relay dropped has its name, and `lost` is what nobody can name.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
own_instance named
build=$ONTIME_BUILD
conf=$work/stress.conf
own_config run/stress.conf

stop() {
	run/stop.sh -i "$instance" >/dev/null || [ $? = 3 ] # what an overload leaves is not sent in time
}

launch() {
	run/launch.sh -c "$conf" >/dev/null
}

load() { # STATUS FILE ARGS...: as JSON
	want=$1
	json=$2
	shift 2
	"$build/load" -c "$conf" --json "$@" >"$json" 2>"$work/said" && got=0 || got=$?
	cat "$json" "$work/said"
	[ "$got" = "$want" ] || { echo "status $got, not $want" && return 1; }
}

found() { # FILE CONDITION
	jq -e "$2" "$1" >/dev/null || { echo "not so: $2" && return 1; }
}

account() { # FILE: the counters of the instance
	"$build/stat" -i "$instance" --json >"$1" || [ $? = 3 ]
}

all_is_named='all(.flows[]; .lost == 0 and .not_delivered == .sent - .received and ([.named[]] | add // 0) == .not_delivered and
	.others == 0) and .asked'

# Twice the work there is time for: what the account says that the class lost, load says.
overload_is_named() {
	account "$work/before" && load 0 "$work/json" --rate 6000 --seconds 2 && account "$work/after" || return 1
	found "$work/json" "$all_is_named and ([.flows[].not_delivered] | add) > 1000" &&
		jq -en --slurpfile json "$work/json" --slurpfile was "$work/before" --slurpfile is "$work/after" '
			all($json[0].flows[]; .class as $class | .named as $named |
				($was[0].classes[] | select(.class == $class).dropped) as $d0 |
				($is[0].classes[] | select(.class == $class).dropped) as $d1 |
				all($d1 | keys[]; $d1[.] - $d0[.] == ($named[.] // 0)))'
}

a_line_says_so() {
	"$build/load" -c "$conf" --rate 6000 --seconds 1 >"$work/table" || return 1
	cat "$work/table"
	grep -qE '^low: [0-9,]+ not delivered: ([0-9,]+ [a-z_]+, )*[0-9,]+ [a-z_]+, by name$' "$work/table" && ! grep -w lost "$work/table" | grep -v '^class'
}

counts_have_commas() {
	"$build/load" -c "$conf" --rate low=4000 --seconds 2 >"$work/table" || return 1
	cat "$work/table"
	grep -qE '^low: [0-9],[0-9]{3} not delivered: ' "$work/table"
}

several_loads_at_once() { # each drives a class of its own
	load 0 "$work/a" --rate high=2000 --seconds 2 >"$work/said.a" &
	a=$!
	load 0 "$work/b" --rate low=4000 --seconds 2 || return 1
	wait $a || { cat "$work/said.a" && return 1; }
	found "$work/a" "$all_is_named" && found "$work/b" "$all_is_named and .flows[0].not_delivered > 1000"
}

others_are_said() { # one that only sends, into the same classes
	"$build/load" -c "$conf" --send-only --rate 4000 --seconds 2 >/dev/null &
	"$build/load" -c "$conf" --rate 4000 --seconds 2 --json >"$work/json" && got=0 || got=$?
	wait $!
	cat "$work/json"
	[ "$got" = 0 ] && found "$work/json" '.asked and all(.flows[]; .others > 0 and .lost == 0)' || return 1
	"$build/load" -c "$conf" --send-only --rate 4000 --seconds 2 >/dev/null &
	"$build/load" -c "$conf" --rate 4000 --seconds 2 >"$work/table" || true
	wait $!
	cat "$work/table"
	grep -q '^note: class low: [0-9,]* that this run did not send came through the relay too' "$work/table"
}

kills_are_no_matter() {
	load 0 "$work/json" --rate 6000 --seconds 3 >"$work/said.load" &
	load=$!
	for stage in egress edf ingress edf egress ingress; do
		sleep 0.3
		kill -9 "$(run/status.sh --pid $stage -i "$instance")" || return 1
		eventually ready || return 1
	done
	wait $load || { cat "$work/said.load" && return 1; }
	found "$work/json" "$all_is_named and ([.flows[].not_delivered] | add) > 1000"
}

restarts_are_no_matter() {
	load 0 "$work/json" --rate 6000 --seconds 3 >"$work/said.load" &
	load=$!
	sleep 0.5
	run/restart.sh all -i "$instance" || return 1
	wait $load || { cat "$work/said.load" && return 1; }
	found "$work/json" "$all_is_named"
}

kernel_drops_are_named() { # edf stands still, ingress cannot go on, and the socket is full
	sed 's/^full = .*/full = wait/; s/^socket_buffer = .*//; s/^\[pipeline\]/&\nsocket_buffer = 64KiB/' "$conf" >"$work/small.conf"
	stop && run/launch.sh -c "$work/small.conf" >/dev/null || return 1
	load 0 "$work/json" --rate low=20000 --seconds 1 --drain 2 && found "$work/json" "$all_is_named and .flows[0].named.kernel > 100" && status=0 ||
		status=1
	stop && launch || return 1
	return "$status"
}

held_is_named() { # at a rate of 64 kbit/s much is still on its way when load ends
	stop && run/launch.sh -c "$conf" --rate=64kbit >/dev/null || return 1
	load 0 "$work/json" --rate 300 --seconds 1 --drain 0.05 --size 1000 && found "$work/json" '[.flows[].named.held // 0] | add > 0' && status=0 || status=1
	stop && launch || return 1
	return "$status"
}

a_new_launch_has_forgotten() {
	"$build/load" -c "$conf" --rate 6000 --seconds 3 >"$work/table" &
	load=$!
	sleep 0.7
	stop && launch || return 1
	wait $load && status=0 || status=$?
	cat "$work/table"
	[ "$status" = 3 ] && grep -q "^note: nobody was asked what became of them: .*'$instance' was launched anew" "$work/table"
}

without_an_instance_nobody_is_asked() {
	stop
	load 3 "$work/json" --rate 300 --seconds 0.3 --drain 0.1 && found "$work/json" '(.asked | not) and all(.flows[]; .lost == .sent and (has("named") | not))' || return 1
	"$build/load" -c "$conf" --rate 300 --seconds 0.3 --drain 0.1 >"$work/table" || true
	cat "$work/table"
	launch && grep -q '^note: nobody was asked what became of them: .*is not running' "$work/table" && grep -q '^high: 30 not delivered: 30 lost$' "$work/table"
}

# Another relay has the addresses, and an instance of that name, with other addresses, runs beside it.
another_relay_is_not_mistaken() {
	sed "s/127\.0\.0\.1:\([0-9]*\)/127.0.0.3:\1/" "$conf" >"$work/other.conf"
	"$build/tests/forward" "$work/other.conf" --lose 7 --only long >"$work/harm" &
	relay=$!
	eventually grep -q ready "$work/harm" || return 1
	"$build/load" -c "$work/other.conf" --rate 3000 --seconds 1 --drain 0.3 >"$work/table" && status=0 || status=$?
	kill $relay
	wait $relay || true
	cat "$work/table"
	[ "$status" = 3 ] && [ "$(grep -c ': 7 not delivered: 7 lost$' "$work/table")" = 3 ] && grep -q '^note: nobody was asked .*is not what passed them on' "$work/table"
}

another_machine_is_not_asked() { # an address of the network beyond an interface
	# shellcheck disable=SC2016
	unshare -n sh -c '
		ip link set lo up && ip link add ontime0 type veth peer name ontime1 && ip link set ontime1 up && ip addr add 192.0.2.1/24 dev ontime0 && ip link set ontime0 up &&
		ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:01 dev ontime0 || exit 77
		"$0/load" -c "$1" --rate 300 --seconds 0.3 --drain 0.1' "$build" "$work/away.conf" >"$work/table" 2>&1 && status=0 || status=$?
	cat "$work/table"
	[ "$status" = 3 ] && grep -q '^note: nobody was asked what became of them: 192.0.2.2:[0-9]* is on another machine$' "$work/table"
}

# A source that stops makes a class late; the relay did not.
own_delay_is_told_when_it_counts() {
	stop && sed 's/^work = .*/work = none/; s/^policy = .*/policy = edf/; s/^budget = .*/budget = 200ms/' "$conf" >"$work/plain.conf" &&
		run/launch.sh -c "$work/plain.conf" >/dev/null || return 1
	"$build/load" -c "$work/plain.conf" --rate 600 --seconds 1.5 >"$work/quiet" &
	load=$!
	wait $load || return 1
	"$build/load" -c "$work/plain.conf" --rate 600 --seconds 2 >"$work/table" &
	load=$!
	sleep 0.7
	kill -STOP $load
	sleep 0.8
	kill -CONT $load
	wait $load || { cat "$work/table" && return 1; }
	cat "$work/quiet" "$work/table"
	stop && launch || return 1
	! grep 'own delay' "$work/quiet" && [ "$(grep -cE "^note: class [a-z]+: past its budget of 200 ms by this source's own delay; relay alone: p50 [0-9]+ us, p99 [0-9]+ us$" "$work/table")" = 3 ]
}

launch
check "what an overloaded relay drops has its name, and the status is 0" overload_is_named
check "a line of each class says how many, and why" a_line_says_so
check "large counts have commas" counts_have_commas
check "several loads at once each get their own" several_loads_at_once
check "other senders in the same class are said" others_are_said
check "kill -9 of each stage meanwhile takes no name away" kills_are_no_matter
check "nor does a restart" restarts_are_no_matter
check "what the kernel dropped has a name" kernel_drops_are_named
check "and what is held still" held_is_named
check "a relay that was launched anew meanwhile knows nothing: lost, status 3" a_new_launch_has_forgotten
check "without an instance nobody is asked: lost, status 3" without_an_instance_nobody_is_asked
check "another relay is not taken for the instance" another_relay_is_not_mistaken
sed 's/listen = 127\.0\.0\.1:/listen = 192.0.2.2:/' "$conf" >"$work/away.conf"
if unshare -n ip link add ontime0 type veth peer name ontime1 2>/dev/null; then
	check "a relay on another machine is not asked, and load says so" another_machine_is_not_asked
else
	skipped=$((skipped + 1))
	echo "skip a relay on another machine: no network namespace with a pair of interfaces (veth) here"
fi
check "the source's own delay is told when it made a class late" own_delay_is_told_when_it_counts
verdict named

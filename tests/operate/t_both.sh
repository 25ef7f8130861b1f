#!/bin/sh
# t_both.sh - the operator's scripts on an instance whose classes carry replies: launch, limits, reload, drain, stop.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
own_instance both
build=$ONTIME_BUILD
port=$listen

on_failure() {
	tail -n 5 "$ONTIME_RUN_DIR/$instance/log" 2>/dev/null || true
}

configure() { # KEY = VALUE, of the class that asks; the way back ranks above it
	cat >"$conf" <<-END
		[pipeline]
		instance = $instance
		policy = edf
		[class reply]
		[class ask]
		listen = 127.0.0.1:$port
		send = 127.0.0.1:$((port + 1))
		replies = reply
		sessions = ${sessions:-400}
		idle = ${idle:-60s}
		sessions_per_source = ${per_source:-400}
		${ports:+via_ports = $ports}
		${via:+via = $via}
	END
}

open_sessions() {
	"$build/stat" -i "$instance" --json | jq '[.classes[].sessions_open] | add'
}

has_open() { # HOW MANY
	[ "$(open_sessions)" = "$1" ]
}

nothing_is_left() {
	[ -z "$(find /dev/shm "$ONTIME_RUN_DIR" \( -name "ontime.$instance.*" -o -path "$ONTIME_RUN_DIR/$instance" \) -print)" ] && [ -z "$(processes_of "$ONTIME_RUN_DIR/$instance")" ]
}

launch_says_what_it_is() {
	configure && timeout 20 run/launch.sh -c "$conf" >"$work/said" || return 1
	cat "$work/said"
	grep -q '^  reply  *replies of ask' "$work/said" && grep -q "^  ask  *127.0.0.1:$port <-> 127.0.0.1:$((port + 1))" "$work/said" &&
		grep -q '<-> both ways' "$work/said" &&
		grep -q "^try:  nc -d -u -l 127.0.0.1 $((port + 1)) &  echo hello | nc -u -w1 127.0.0.1 $port\$" "$work/said"
}

idle_is_in_force_at_once() {
	"$build/load" -c "$conf" --rate 1000 --seconds 0.5 --sources 20 --json >"$work/json" && has_open 20 || return 1
	idle=200ms configure && run/reload.sh -i "$instance" | tee "$work/said" && grep -q 'idle' "$work/said" && eventually has_open 0
}

so_is_the_most_of_one_address() {
	per_source=5 configure && run/reload.sh -i "$instance" && eventually has_open 0 || return 1
	"$build/load" -c "$conf" --rate 1000 --seconds 0.5 --sources 20 --json >"$work/json" || [ $? = 3 ] || return 1
	cat "$work/json"
	has_open 5 && jq -e '.flows[0].named.no_session > 100 and .flows[0].lost == 0' "$work/json"
}

needs_a_relaunch() { # KEY: what was just configured
	run/reload.sh -i "$instance" >"$work/said" 2>&1 && status=0 || status=$?
	cat "$work/said"
	[ "$status" = 3 ] && grep -q "$1" "$work/said" && grep -q 'relaunch' "$work/said"
}

what_sockets_are_made_for_needs_a_relaunch() {
	per_source=5
	{ sessions=300 configure && needs_a_relaunch sessions; } && { ports=40000-45000 configure && needs_a_relaunch via_ports; } &&
		configure && sed -i 's/^replies = .*//; s/^\[class reply\]//' "$conf" && needs_a_relaunch 'replies\|reply'
}

stop_sends_what_was_accepted() { # both ways; five senders of before have their sessions still
	per_source='' configure && run/reload.sh -i "$instance" >/dev/null || return 1
	"$build/load" -c "$conf" --rate 5000 --seconds 2 --sources 20 --json >"$work/json" 2>&1 &
	load=$!
	eventually has_open 25 && run/stop.sh -i "$instance" || return 1
	wait "$load" || true
	grep 'stopped: all that was accepted has been sent' "$ONTIME_RUN_DIR/$instance.log" && nothing_is_left
}

a_low_limit_is_one_line() {
	configure
	prlimit --nofile=300:300 run/launch.sh -c "$conf" >"$work/said" 2>&1 && status=0 || status=$?
	cat "$work/said"
	[ "$status" = 1 ] && grep -q '400 sessions take .* open files, and 300 are allowed: raise the limit (ulimit -Hn' "$work/said" && nothing_is_left
}

a_soft_limit_is_raised() {
	prlimit --nofile=300:2000 run/launch.sh -c "$conf" >/dev/null && "$build/load" -c "$conf" --rate 1000 --seconds 0.3 --sources 350 --json >"$work/json" &&
		run/stop.sh -i "$instance"
}

ports_are_those_of_via_ports() {
	ports=41000-41999 configure
	run/launch.sh -c "$conf" >"$work/said" 2>&1 || { grep -q 'via_ports needs Linux 6.3' "$work/said" && return 0; }
	"$build/load" -c "$conf" --rate 1000 --seconds 0.5 --sources 20 --json >"$work/json" &&
		"$build/stat" -i "$instance" --sessions --json | jq -e '.classes[0].sessions | length == 20 and all(.[]; .port >= 41000 and .port <= 41999)' &&
		run/stop.sh -i "$instance"
}

# By a socket for each session, or by one for all: with supervisor and holder gone a launch takes them from a stage.
sessions_are_adopted() {
	configure
	run/launch.sh -c "$conf" >/dev/null || return 1
	"$build/load" -c "$conf" --rate 5000 --seconds 3 --sources 20 --json >"$work/json" 2>&1 &
	load=$!
	eventually has_open 20 && orphan "$instance" || return 1
	run/launch.sh -c "$conf" >"$work/said" 2>&1 || { cat "$work/said" && return 1; }
	cat "$work/said"
	kill -9 "$("$build/hold" --stages -i "$instance" | sed -n 's/^ingress \([0-9]*\) .*/\1/p')"
	wait "$load" && grep -q adopted "$work/said" && has_open 20 && run/stop.sh -i "$instance"
}

# A kernel before 6.3, as far as that call goes.
an_old_kernel_is_one_line() {
	ports=41000-41999 configure
	LD_PRELOAD=$PWD/$build/tests/plugins/old_kernel.so run/launch.sh -c "$conf" >"$work/said" 2>&1 && status=0 || status=$?
	cat "$work/said"
	[ "$status" = 1 ] && grep -q 'sockets of 400 sessions of class ask: .*: via_ports needs Linux 6.3' "$work/said" && nothing_is_left
}

check "a launch says that it goes both ways, also when the way back ranks first" launch_says_what_it_is
check "a reload of idle is in force at once, for sessions that are open too" idle_is_in_force_at_once
check "so is the most sessions of one address" so_is_the_most_of_one_address
check "sessions, via_ports and replies need a relaunch, and it says so" what_sockets_are_made_for_needs_a_relaunch
check "a stop sends what was accepted, and leaves nothing" stop_sends_what_was_accepted
check "too few open files is one line, and leaves nothing" a_low_limit_is_one_line
check "a soft limit is raised" a_soft_limit_is_raised
check "local ports are those of via_ports" ports_are_those_of_via_ports
check "a kernel that has no port ranges is one line, and leaves nothing" an_old_kernel_is_one_line
check "sessions go on when a launch adopts the instance" sessions_are_adopted
via=127.64.0.0/10
check "so they do with one socket for all" sessions_are_adopted
verdict both

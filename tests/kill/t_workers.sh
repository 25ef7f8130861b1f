#!/bin/sh
# t_workers.sh [KILLS] - packets worked on by processes of their own: they share the work, keep the order, and whoever dies, stage or worker,
# nothing is lost. 60 kills of stages by default, and four times as many of workers.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
kills=${1:-60}
own_instance workers
ONTIME_BUILD=$PWD/${ONTIME_BUILD:-build}
load=
killer=
at_end() {
	# shellcheck disable=SC2086 # one, two, or none
	kill $load $killer 2>/dev/null
}

relay() { # WORK WORKERS [LINE...]: a fresh instance with two classes
	run/stop.sh -i "$instance" >/dev/null 2>&1 || true
	cat >"$conf" <<-END
		[pipeline]
		instance = $instance
		policy = edf
		work = $1
		workers = $2
		hung = 1s
		${3:-}
		[class high]
		listen = 127.0.0.1:$listen
		send = 127.0.0.1:$send
		budget = 5ms
		[class low]
		listen = 127.0.0.1:$((listen + 1))
		send = 127.0.0.1:$((send + 1))
		budget = 200ms
	END
	run/launch.sh -c "$conf" >"$work/launched" 2>&1 || { cat "$work/launched" && return 1; }
}

workers_of() { # the stage: pids
	pgrep -P "$(live_pid_of edf)"
}

are_workers() { # HOW MANY
	[ "$(workers_of | wc -l)" = "$1" ]
}

drive() { # RATE SECONDS OPTION...: all that leaves comes, once and in order
	rate=$1
	seconds=$2
	shift 2
	"$ONTIME_BUILD/load" -c "$conf" --rate "$rate" --seconds "$seconds" --size 500-900 "$@" >"$work/load" 2>&1
}

is_balanced() {
	[ "$(account '[.classes[] | .held + .unbalanced] | add')" = 0 ]
}

is_whole() { # nothing dropped for whatever reason
	cat "$work/load"
	[ "$(account '[.classes[] | .received - .sent] | add')" = 0 ] && is_balanced
}

they_share_the_work() { # some 0.3 ms each: one of them does 3,300 a second
	relay simulate 4 && are_workers 4 && drive 6000 2 && is_whole
}

they_are_ordinary() { # and on any CPU that the supervisor may use; the stage's signals are not theirs
	edf=$(live_pid_of edf)
	supervisor=$("$ONTIME_BUILD/hold" --supervisor -i "$instance")
	for pid in $(workers_of); do
		[ "$(cut -d' ' -f41 "/proc/$pid/stat")" = 0 ] && grep -qx "$(grep Cpus_allowed_list "/proc/$supervisor/status")" "/proc/$pid/status" || return 1
		kill -TERM "$pid" && kill -HUP "$pid" && kill -INT "$pid"
	done
	sleep 0.3
	are_workers 4 && [ "$(live_pid_of edf)" = "$edf" ]
}

a_reload_leaves_them() {
	was=$(workers_of | tr '\n' ' ')
	sed -i 's/^budget = 200ms/budget = 150ms/' "$conf" && run/reload.sh -i "$instance" && drive 3000 1 && is_whole && [ "$(workers_of | tr '\n' ' ')" = "$was" ]
}

another_number_needs_a_relaunch() {
	sed -i 's/^workers = .*/workers = 3/' "$conf"
	run/reload.sh -i "$instance" >"$work/said" 2>&1 && status=0 || status=$?
	sed -i 's/^workers = .*/workers = 4/' "$conf"
	cat "$work/said"
	[ "$status" = 3 ] && grep -q 'workers: 4 -> 3' "$work/said"
}

slices_are_refused() {
	sed 's/^workers = .*/&\nslice = 50us/' "$conf" >"$work/sliced.conf"
	fails_with 2 'workers = "4": work in a process is not interrupted; remove it, or slice' run/launch.sh -c "$work/sliced.conf"
}

kill_workers() { # one in 50 ms, until there is no instance
	while edf=$(live_pid_of edf) && [ -e "$dir" ]; do
		pid=$(pgrep -P "${edf:-0}" | shuf -n 1) && kill -9 "$pid" 2>/dev/null
		sleep 0.05
	done
}

whoever_dies() { # workers, stages, stand-bys, supervisor and holder
	relay simulate 4 || return 1
	drive 2000 600 &
	load=$!
	kill_workers &
	killer=$!
	"$ONTIME_BUILD/tests/kill_stages" -i "$instance" --kills "$kills" --rate 5 >"$work/killed" || { cat "$work/killed" && return 1; }
	kill "$killer"
	wait "$killer" || true
	killer=
	pkill -INT -P "$load" || kill -INT "$load"
	wait "$load" && whole=0 || whole=$?
	load=
	cat "$work/killed"
	echo "another worker was started: $(grep -c 'another one is started' "$dir/log") lines"
	is_whole && [ "$whole" = 0 ] && eventually ready && eventually are_workers 4
}

nobody_outlives_edf() { # nor is there a second edf before the last worker of the first one is gone
	relay "plugin:build/tests/plugins/crash.so" 2 'fifo = off' && say loop && eventually is_at_work || return 1
	was=$(workers_of | tr '\n' ' ')
	edf=$(live_pid_of edf)
	kill -9 "$edf" && eventually is_another "$edf" || return 1
	for pid in $was; do
		is_gone "$pid" || return 1
	done
	eventually is_poison 1
}

is_another() { # PID: is edf another process by now?
	now=$(live_pid_of edf)
	[ -n "$now" ] && [ "$now" != "$1" ]
}

is_at_work() { # one that uses its CPU
	[ "$(account '.classes[0].received')" = 1 ]
}

is_poison() { # HOW MANY, and nothing waits
	[ "$(account '.classes[0].dropped.poison')" = "$1" ] && is_balanced
}

a_plugin_costs_its_worker() { # WAY: however it ends the process, and the stage goes on; the packet is tried three times
	relay "plugin:build/tests/plugins/crash.so" 2 'fifo = off' || return 1
	edf=$(live_pid_of edf)
	n=0
	for way in crash 'exit 0' _exit quick group segv usr2 term overflow loop; do
		say "$way" && say after && n=$((n + 1)) || return 1
		[ "$way" != term ] || n=$((n - 1)) # a worker takes no TERM
		eventually is_poison $n || { echo "$way: $(account '.classes[0].dropped.poison') poison"; return 1; }
	done
	tail -n 3 "$dir/log"
	[ "$(live_pid_of edf)" = "$edf" ] && [ "$(account '.classes[0].sent')" = 11 ] && eventually are_workers 2
}

others_go_on() { # while one of two is in an endless loop for a second, three times
	say loop
	drive low=500 2 && eventually is_balanced && cat "$work/load" && ! grep -q "not delivered" "$work/load"
}

a_plugin_that_is_away() {
	cp "$ONTIME_BUILD/tests/plugins/crash.so" "$work/crash.so"
	relay "plugin:$work/crash.so" 2 && mv "$work/crash.so" "$work/away.so" || return 1
	for pid in $(workers_of); do kill -9 "$pid"; done
	eventually grep -q 'load plugin .*/crash.so: No such file or directory: it is tried again' "$dir/log" && say before && mv "$work/away.so" "$work/crash.so" &&
		eventually are_workers 2 && eventually has_sent 1 && [ "$(live_pid_of edf)" = "$(pid_of edf)" ]
}

has_sent() { # HOW MANY
	[ "$(account '.classes[0].sent')" = "$1" ]
}

a_stop_leaves_nothing() {
	run/stop.sh -i "$instance" && [ -z "$(processes_of "$dir")" ] && ! pgrep -f "^$ONTIME_BUILD/edf.*$instance"
}

check_here "four workers do what one could not" they_share_the_work
check_here "they are ordinary processes, and the stage's signals are not theirs" they_are_ordinary
check_here "a reload leaves them as they are" a_reload_leaves_them
check_here "another number needs a relaunch, and it says so" another_number_needs_a_relaunch
check_here "slices beside workers are refused" slices_are_refused
check_here "whoever dies, nothing is lost, doubled or out of order" whoever_dies
check_here "when edf dies its workers have, before there is another" nobody_outlives_edf
check_here "a plugin that ends its process costs a worker, not the stage" a_plugin_costs_its_worker
check_here "a packet that is never done with holds up no other worker's" others_go_on
check_here "a plugin file that is missing is waited for" a_plugin_that_is_away
check_here "a stop leaves nothing" a_stop_leaves_nothing
verdict workers

#!/bin/sh
# t_control.sh - the supervisor is asked: by run/status.sh, restart.sh, reload.sh and stop.sh, by clients that it must bear, and by a
# service manager. Under traffic, and nothing is lost.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
own_instance control
own_config build/full.conf 's/^policy = .*/policy = edf/'
cp "$conf" "$work/good.conf"
main=
manager=
at_end() {
	# shellcheck disable=SC2086 # one, or none
	kill $manager $main 2>/dev/null
}

on_failure() {
	tail -n 6 "$dir/log" "$work/service" 2>/dev/null || true
}

check() { # NAME COMMAND...
	check_here "$@"
}

stages() {
	"$ONTIME_BUILD/hold" --stages -i "$instance" 2>/dev/null
}

pid_of() { # WHO
	case $1 in
	supervisor | holder) "$ONTIME_BUILD/hold" "--$1" -i "$instance" ;;
	*) stages | sed -n "s/^$1 \([0-9]*\) .*/\1/p" ;;
	esac
}

is_another() { # WHO PID
	now=$(pid_of "$1") && [ -n "$now" ] && [ "$now" != "$2" ]
}

nothing_is_left() {
	[ ! -e "$(segment_of "$instance")" ] && [ -z "$(processes_of "$dir")" ]
}

load_start() { # SECONDS [OPTION]...
	seconds=$1
	shift
	"$ONTIME_BUILD/load" -c "$conf" --rate 5000 --seconds "$seconds" --size 0-1472 "$@" >"$work/load" 2>&1 &
	load=$!
}

load_is_whole() {
	wait "$load" && ! grep -q 'not delivered' "$work/load" && return 0
	cat "$work/load"
	return 1
}

budget_is() { # NS: of the second class, now
	"$ONTIME_BUILD/stat" -i "$instance" --json | jq -e ".classes[1].budget_ns == $1"
}

lines_are() { # STATUS LINES COMMAND...: exactly these
	want=$1
	printf '%s\n' "$2" >"$work/want"
	shift 2
	"$@" >"$work/said" 2>&1 && got=0 || got=$?
	diff "$work/want" "$work/said" && [ "$got" = "$want" ]
}

is_this_users_alone() {
	[ "$(stat -c '%F %a %u' "$dir/control")" = "socket 700 $(id -u)" ] && [ ! -e "$dir/control.new" ]
}

reload_is_in_force() { # when it says so, and not some time later
	sed -i 's/^budget = 10ms/budget = 11ms/' "$conf"
	lines_are 0 "ontime: medium.budget: 10ms -> 11ms
ontime: $conf is in force in all three stages" run/reload.sh -i "$instance" && budget_is 11000000 &&
		lines_are 0 "ontime: no value differs
ontime: $conf is in force in all three stages" run/reload.sh -c "$conf"
}

reload_of_another_file() { # once
	lines_are 0 "ontime: medium.budget: 11ms -> 10ms
ontime: $work/good.conf is in force in all three stages
ontime: a reload without a file reads $conf again" run/reload.sh -c "$work/good.conf" && budget_is 10000000 &&
		run/reload.sh -i "$instance" && budget_is 11000000
}

reload_is_refused() {
	echo 'nonsense = 1' >>"$conf"
	fails_with 2 "^ontime: $conf:[0-9]*: nonsense = \"1\": unknown key; .*: nothing was changed\$" run/reload.sh -i "$instance" || return 1
	sed 's/^payload_bytes = .*/payload_bytes = 1400B/' "$work/good.conf" >"$conf"
	lines_are 3 "ontime: payload_bytes: 1536B -> 1400B (needs a relaunch)
ontime: medium.budget: 11ms -> 10ms
ontime: reload $conf: some changes need a relaunch: nothing was changed" run/reload.sh -i "$instance" || return 1
	: >"$conf"
	fails_with 2 "reload $conf: it is empty: nothing was changed" run/reload.sh -i "$instance" || return 1
	mv "$conf" "$work/away"
	fails_with 2 "reload $conf: No such file or directory: nothing was changed" run/reload.sh -i "$instance" || return 1
	fails_with 2 'not an option' run/reload.sh "$instance" && budget_is 11000000 && cp "$work/good.conf" "$conf" && run/reload.sh -i "$instance"
}

names_the_stage_that_is_behind() { # and does not wait for it without end
	sed 's/^hung = .*/hung = 60s/; s/^heartbeat = .*/heartbeat = 1s/' "$work/good.conf" >"$conf"
	run/reload.sh -i "$instance" || return 1
	frozen=$(pid_of egress)
	kill -STOP "$frozen"
	fails_with 1 "is in force, but egress has not said within 5 s that it goes by it: see the log" run/reload.sh -i "$instance" && status=0 || status=1
	kill -CONT "$frozen"
	cp "$work/good.conf" "$conf" && run/reload.sh -i "$instance" && return "$status"
}

restarts() {
	load_start 2
	for stage in ingress edf egress; do
		was=$(pid_of $stage)
		run/restart.sh $stage -i "$instance" >"$work/said" && grep -qx "ontime: $stage restarted: pid $was -> $(pid_of $stage), start [0-9]*" "$work/said" || return 1
	done
	[ "$(run/restart.sh all -i "$instance" | grep -c restarted)" = 3 ] && load_is_whole
}

answers_with_another_supervisor() { # that is killed, and whose successor has the socket by then; a frozen one is woken
	load_start 2
	for request in "run/restart.sh edf" run/reload.sh run/status.sh; do
		was=$(pid_of supervisor)
		kill -9 "$was"
		$request -i "$instance" && is_another supervisor "$was" || return 1
	done
	kill -STOP "$(pid_of supervisor)"
	run/reload.sh -i "$instance" && load_is_whole
}

comes_back() { # the name, when it vanishes, is a file, or the directory is another
	rm "$dir/control" && eventually test -S "$dir/control" && rm "$dir/control" && : >"$dir/control" && eventually test -S "$dir/control" &&
		rm -rf "$dir" && eventually test -S "$dir/control" && run/reload.sh -i "$instance"
}

is_found_elsewhere() { # where the run directory cannot be written to, and from another
	(ONTIME_RUN_DIR=$work/other run/restart.sh edf -i "$instance") || return 1
	mv "$dir" "$work/was" && : >"$dir" && kill -9 "$(pid_of supervisor)" && run/restart.sh edf -i "$instance" && status=0 || status=1
	rm "$dir" && rm -rf "$work/was" && eventually test -S "$dir/control" && run/reload.sh -i "$instance" && return "$status"
}

bears() { # HOW...: of each many, while packets pass and requests are answered; it has no more descriptors and memory than before
	load_start 4
	supervisor=$(pid_of supervisor)
	"$ONTIME_BUILD/tests/clients" "$dir" silent 40 >"$work/clients" || return 1
	before=$(find "/proc/$supervisor/fd" | wc -l)
	kib=$(awk '/^VmRSS/ {print $2}' "/proc/$supervisor/status")
	bothering=
	for how in silent deaf huge odd passing gone; do
		"$ONTIME_BUILD/tests/clients" "$dir" $how 400 >>"$work/clients" 2>&1 &
		bothering="$bothering $!"
	done
	most=0
	for _ in 1 2 3; do
		timeout 10 run/restart.sh edf -i "$instance" && timeout 10 run/reload.sh -i "$instance" || return 1
		now=$(find "/proc/$supervisor/fd" | wc -l)
		[ "$now" -le "$most" ] || most=$now
	done
	for pid in $bothering; do
		wait "$pid" || return 1
	done
	after=$(awk '/^VmRSS/ {print $2}' "/proc/$supervisor/status")
	echo "descriptors $before, at most $most; KiB $kib, then $after"
	[ "$(grep -c '^400 ' "$work/clients")" = 6 ] && [ "$(pid_of supervisor)" = "$supervisor" ] && [ "$most" -le $((before + 24)) ] &&
		[ "$after" -le $((kib + 512)) ] && load_is_whole
}

says_what_it_wants() {
	[ "$("$ONTIME_BUILD/tests/clients" "$dir" ask bogus)" = '2
unknown request "bogus": status, restart [STAGE], reload [FILE], stop or adopt' ] || return 1
	"$ONTIME_BUILD/tests/clients" "$dir" ask "$(printf '%0400d' 7)" | grep -qx 'the request has 400 bytes, and 319 are the most' &&
		"$ONTIME_BUILD/tests/clients" "$dir" ask "restart hold" | grep -qx 'restart hold: which? ingress, edf, egress, supervisor or all' &&
		"$ONTIME_BUILD/tests/clients" "$dir" ask "reload x" | grep -q 'named from / on'
}

another_user_changes_nothing() { # even where the owner has opened the socket to all
	chmod 755 "$work" "$ONTIME_RUN_DIR" "$dir" && chmod 777 "$dir/control" && cp "$ONTIME_BUILD/tests/clients" "$work/clients.bin" && chmod 755 "$work/clients.bin"
	was=$(pid_of edf)
	for request in stop "restart edf" reload; do
		setpriv --reuid 12345 --regid 12345 --clear-groups "$work/clients.bin" "$dir" ask "$request" >"$work/said" || return 1
		cat "$work/said"
		grep -qx "${request%% *}: only the user of the instance (uid $(id -u)) and root may do that" "$work/said" || return 1
	done
	[ "$(setpriv --reuid 12345 --regid 12345 --clear-groups "$work/clients.bin" "$dir" ask status)" = 0 ] && ready && [ "$(pid_of edf)" = "$was" ]
}

stops_in_order() { # on a signal to the supervisor: what was accepted is sent first, at 2 Mbit/s; a supervisor killed meanwhile has a successor that goes on
	sed 's/^rate = .*/rate = 2Mbit/' "$work/good.conf" >"$conf" && grep -q '^rate = 2Mbit' "$conf" && run/reload.sh -i "$instance" || return 1
	before=$(received)
	"$ONTIME_BUILD/load" -c "$conf" --rate 4000 --seconds 0.2 --size 500-500 --drain 4 >"$work/load" 2>&1 &
	load=$!
	eventually has_received_all && was=$(pid_of supervisor) && kill -TERM "$was" && eventually is_being_stopped || return 1
	[ -z "$1" ] || kill -9 "$was"
	eventually nothing_is_left && [ -e "$dir/log" ] && load_is_whole && ! grep 'and gone: ' "$dir/log" && grep 'stopped: all that' "$dir/log"
	cp "$work/good.conf" "$conf"
}

received() {
	"$ONTIME_BUILD/stat" -i "$instance" --json | jq '[.classes[].received] | add'
}

has_received_all() { # of 800 packets, which take 1.7 s at 2 Mbit/s
	[ "$(received)" = $((before + 800)) ]
}

is_being_stopped() {
	[ "$("$ONTIME_BUILD/tests/clients" "$dir" ask status 2>/dev/null | tail -n 1)" = "the instance is being stopped" ]
}

manager_listens() {
	mkdir "$work/manager"
	"$ONTIME_BUILD/tests/clients" "$work/manager" notify >"$work/told" &
	manager=$!
	eventually test -S "$work/manager/notify"
}

start_service() { # OPTION...
	NOTIFY_SOCKET=$work/manager/notify WATCHDOG_USEC=3000000 run/launch.sh --service -c "$conf" "$@" >"$work/service" 2>&1 &
	main=$!
}

told() { # N LINE: so often
	[ "$(grep -cx "$2" "$work/told")" -ge "$1" ]
}

serves() { # the process that was started is the supervisor
	start_service
	eventually told 1 READY=1 && ready && [ "$(pid_of supervisor)" = "$main" ] && eventually told 1 'STATUS=all stages run' && eventually told 2 WATCHDOG=1 &&
		run/reload.sh -i "$instance" && eventually told 1 RELOADING=1 && eventually told 2 READY=1 && grep -q '^MONOTONIC_USEC=[0-9]*$' "$work/told"
}

service_is_adopted() { # after kill -9 of its main process, by the holder's supervisor, then by the service that is started again
	load_start 4
	kept=$(stages | cut -d' ' -f1,2)
	kill -9 "$main" && eventually is_another supervisor "$main" || return 1
	start_service
	eventually told 3 READY=1 && [ "$(pid_of supervisor)" = "$main" ] && [ "$(stages | cut -d' ' -f1,2)" = "$kept" ] && load_is_whole
}

a_second_service_is_refused() { # and so is a launch
	NOTIFY_SOCKET=$work/manager/notify run/launch.sh --service -c "$conf" >"$work/second" 2>&1 && return 1 || [ $? = 2 ] || return 1
	cat "$work/second"
	[ "$(cat "$work/second")" = "ontime: instance '$instance' has a supervisor (pid $main) that is the main process of a service: stop that service" ] &&
		fails_with 1 "is running already (supervisor $main)" run/launch.sh -c "$conf" && run/status.sh -i "$instance" >"$work/said" &&
		grep -qx 'ontime: the supervisor is the main process of a service' "$work/said"
}

service_heals() { # all are killed at once
	kill -STOP "$(pid_of supervisor)" "$(pid_of holder)" # or one would replace the other
	# shellcheck disable=SC2046
	kill -9 $(processes_of "$dir")
	eventually processes_are_gone && start_service && eventually told 4 READY=1 && ready
}

processes_are_gone() {
	[ -z "$(processes_of "$dir")" ]
}

service_stops() { # and a configuration that is refused ends it with status 2
	kill -TERM "$main" && wait "$main" && told 1 STOPPING=1 && eventually nothing_is_left && [ ! -e "$dir" ] || return 1
	start_service --fifo=nonsense
	wait "$main" && return 1 || [ $? = 2 ] || return 1
	grep -q 'fifo="nonsense"' "$work/service" && nothing_is_left
}

run/launch.sh -c "$conf" >/dev/null
check "the socket is this user's alone" is_this_users_alone
check "a reload says what changes, and is in force when it ends" reload_is_in_force
check "a reload from another file, once" reload_of_another_file
check "a reload that is refused, or needs a relaunch, says so by line and status, and changes nothing" reload_is_refused
check "a stage that does not go by the new configuration in time is named" names_the_stage_that_is_behind
check "restarts are answered when the successor is ready, and lose nothing" restarts
check "a request outlives its supervisor" answers_with_another_supervisor
check "the socket comes back when it vanishes" comes_back
check "the supervisor is found whatever becomes of the run directory" is_found_elsewhere
check "clients that send nothing, read nothing, or too much, neither hold it up nor make it grow" bears
check "what is no request is answered in one line" says_what_it_wants
if [ "$(id -u)" = 0 ]; then
	check "another user may look, and change nothing" another_user_changes_nothing
else
	skipped=$((skipped + 1))
	echo "skip another user may look, and change nothing: it needs root to be another user"
fi
check "TERM stops the instance in order, and nothing that was accepted is lost" stops_in_order ""
run/launch.sh -c "$conf" >/dev/null
check "the successor of a supervisor killed meanwhile goes on with the stop" stops_in_order killed
check "a service manager is there" manager_listens
check "it is told of readiness, reloads and life, and has the supervisor itself" serves
check "a service whose supervisor is killed is adopted, then by its successor, and nothing is lost" service_is_adopted
check "a second service of the instance is refused in one line" a_second_service_is_refused
check "a service that was killed as a whole starts again" service_heals
check "a service stops on TERM, and leaves nothing" service_stops
verdict control

#!/bin/sh
# t_mishaps.sh - what goes wrong around a running instance at night: killed keepers, races, typing errors, odd places.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
own_instance mishaps on
own_config run/ontime.conf

# A log line must not land in the segment because that got descriptor 2.
closed_stderr() {
	build/edf -c "$conf" 2>&- && return 1
	ready
}

# What is mistyped must not stop or start something else.
typing_errors_are_refused() {
	fails_with 2 '--bogus: unknown option' run/stop.sh --bogus && fails_with 2 'not an option' run/stop.sh "$instance" &&
		fails_with 2 'unknown option' run/status.sh --bogus && fails_with 2 'unknown option' run/restart.sh edf --bogus &&
		fails_with 2 'name the instance with -i' run/stop.sh -c /nonexistent && fails_with 2 '-i: its value is missing' run/stop.sh -i &&
		fails_with 2 'not an option' run/launch.sh "$instance" && fails_with 2 'unknown option' run/launch.sh --remove &&
		fails_with 2 '-c: its value is missing' run/launch.sh -c && fails_with 2 'No such file' run/launch.sh -c /nonexistent/f && ready
}

names_are_no_paths() {
	mkdir "$work/precious"
	fails_with 2 'instance="../precious"' run/stop.sh -i ../precious && [ -d "$work/precious" ]
}

name_is_found_in_a_broken_file() {
	printf '[pipeline]\n\tinstance: %s\nnonsense\n' "$instance" >"$work/broken.conf"
	run/status.sh -c "$work/broken.conf"
}

scripts_run_through_a_link() {
	ln -s "$(realpath run/status.sh)" "$work/link" && cd / && "$work/link" -i "$instance"
}

two_launches_at_once() { # one wins, and what the other says is true
	run/launch.sh -c "$conf" >"$work/first" 2>&1 &
	first=$!
	run/launch.sh -c "$conf" >"$work/second" 2>&1 && second=0 || second=1
	wait "$first" && first=0 || first=1
	cat "$work/first" "$work/second"
	[ $((first + second)) = 1 ] && grep -q 'running already' "$work/first" "$work/second" && ready && run/status.sh -i "$instance"
}

launch_waits_for_stop() {
	run/stop.sh -i "$instance" &
	eventually has_no_supervisor && run/launch.sh -c "$conf" && wait "$!" && ready
}

has_no_supervisor() {
	! build/hold --supervisor -i "$instance" >"$work/supervisor" 2>&1
}

stop_waits_for_launch() {
	run/stop.sh -i "$instance" && (run/launch.sh -c "$conf" &) && eventually test -e "$dir" && run/stop.sh -i "$instance" && nothing_is_left
}

nothing_is_left() {
	[ -z "$(processes_of "$dir")" ] && [ ! -e "$dir" ] && [ ! -e "$(segment_of "$instance")" ]
}

crash_loop() { # COUNT: edf dies that often in a row, without having passed anything on
	n=$1
	while [ "$n" -gt 0 ]; do
		if build/hold --signal edf KILL -i "$instance" 2>/dev/null; then n=$((n - 1)); else sleep 0.01; fi
	done
}

launch_follows_stop_in_a_crash_loop() { # nothing keeps the ports
	crash_loop 8 && run/stop.sh -i "$instance" && run/launch.sh -c "$conf" && ready
}

# However often it died: it is tried again within a second, said once, and shown until it lasts.
no_stage_is_given_up() {
	crash_loop 13 && sleep 1.5 && ready && [ "$(grep -c 'edf ended .* in a row' "$dir/log")" = 1 ] &&
		eventually grep -q 'edf runs again' "$dir/log" && eventually run/status.sh -i "$instance"
}

stop_ends_stages_of_a_damaged_segment() {
	printf '\377' | dd of="$(segment_of "$instance")" bs=1 seek=1700 conv=notrunc 2>/dev/null
	run/stop.sh -i "$instance" && nothing_is_left && run/launch.sh -c "$conf"
}

failed_start_is_told_at_once() { # and nothing stays
	run/stop.sh -i "$instance" >/dev/null
	run/launch.sh -c "$conf" --work=plugin:/nonexistent.so >"$work/out" 2>&1 && return 1 || status=$?
	cat "$work/out"
	[ "$status" = 2 ] && grep -q 'plugin:/nonexistent.so": the plugin cannot be opened: No such file' "$work/out" && nothing_is_left && run/launch.sh -c "$conf"
}

damaged_instance_is_left_alone() {
	magic=$(od -An -tu1 -N1 "$(segment_of "$instance")")
	printf '\377' | dd of="$(segment_of "$instance")" bs=1 conv=notrunc 2>/dev/null
	fails_with 2 'run/stop.sh, then run/launch.sh' run/launch.sh -c "$conf" && status=0 || status=1
	# shellcheck disable=SC2059 # an octal number
	printf "\\$(printf %o "$((magic))")" | dd of="$(segment_of "$instance")" bs=1 conv=notrunc 2>/dev/null
	ready && run/status.sh -i "$instance" && return "$status"
}

stale_pids_are_nobody() { # of a supervisor that is gone, now a stranger's
	orphan "$instance"
	sleep 60 &
	stranger=$!
	echo "$stranger" >"$dir/supervisor.pid"
	fails_with 1 'nobody supervises' run/restart.sh edf -i "$instance" && run/launch.sh -c "$conf" && run/restart.sh all -i "$instance" &&
		kill "$stranger"
}

has_successor() { # STAGE PID
	ready && [ "$(live_pid_of "$1")" != "$2" ]
}

a_freeze_is_no_hang() { # of all for longer than `hung`: as by a debugger, a cgroup freezer, a paused machine
	starts=$(build/hold --stages -i "$instance" | cut -d' ' -f1,2)
	frozen="$(live_pid_of ingress) $(live_pid_of edf) $(live_pid_of egress)"
	supervisor=$(build/hold --supervisor -i "$instance")
	# shellcheck disable=SC2086 # three pids
	kill -STOP $frozen "$supervisor" && sleep 2.5 && kill -CONT "$supervisor" && sleep 0.1 && kill -CONT $frozen
	sleep 1.2 # two looks of the supervisor
	[ "$(build/hold --stages -i "$instance" | cut -d' ' -f1,2)" = "$starts" ]
}

other_run_directory() { # a second supervisor would start each stage twice
	ONTIME_RUN_DIR=$work/other run/launch.sh -c "$conf" >"$work/out" 2>&1 && return 1
	cat "$work/out"
	grep -q 'is running already' "$work/out" && ready && run/status.sh -i "$instance"
}

stop_without_run_directory() { # as when a user logs out, and $XDG_RUNTIME_DIR goes
	rm -rf "$dir"
	run/stop.sh -i "$instance" && nothing_is_left && run/launch.sh -c "$conf"
}

too_few_descriptors() {
	run/stop.sh -i "$instance" >/dev/null
	prlimit --nofile=20 run/launch.sh -c "$conf" >"$work/out" 2>&1 && return 1
	cat "$work/out"
	grep -q 'raise the limit of open files' "$work/out" && nothing_is_left && run/launch.sh -c "$conf"
}

launch_from_elsewhere() { # a relative plugin is found, and the advice is for this instance
	run/stop.sh -i "$instance" >/dev/null
	here=$PWD
	(cd / && "$here/run/launch.sh" -c "$conf" --work=plugin:build/plugins/upper.so) >"$work/out"
	cat "$work/out"
	ready && grep -q "run/stop.sh -i $instance " "$work/out" && grep -q "nc -u -w1 127.0.0.1 ${listen}" "$work/out"
}

gone() { # PID
	[ ! -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status"
}

a_frozen_holder_goes_on() { # for a launch, which finds that it has a supervisor to start
	kill -STOP "$(build/hold --holder -i "$instance")" && kill -9 "$(build/hold --supervisor -i "$instance")"
	fails_with 1 'is running already' run/launch.sh -c "$conf" && run/status.sh -i "$instance"
}

asked_between_supervisors() { # to end: it starts no other
	holder=$(build/hold --holder -i "$instance")
	kill -9 "$(build/hold --supervisor -i "$instance")" && kill -TERM "$holder" && eventually gone "$holder" || return 1
	! build/hold --supervisor -i "$instance" && ready && fails_with 1 'is running already (supervisor' run/launch.sh -c "$conf" && ready # a stand-by has
}

stop_drains_through_a_dead_stage() { # whose supervisor died too, and whose holder was to start that again
	kill -STOP "$(build/hold --holder -i "$instance")"
	kill -9 "$(build/hold --supervisor -i "$instance")" "$(live_pid_of edf)"
	build/load -c "$conf" --rate 2000 --seconds 0.2 --drain 0 >/dev/null 2>&1 || true
	[ "$(build/hold --held -i "$instance")" -gt 0 ] && run/stop.sh -i "$instance" >"$work/out" && nothing_is_left || return 1
	! grep 'and gone: ' "$work/out" && run/launch.sh -c "$conf"
}

overrides_count() { # what the launch says is of what runs, and not of the file alone
	run/stop.sh -i "$instance" >/dev/null
	run/launch.sh -c "$conf" --dash.listen="127.0.0.1:$((listen + 9))" --high.source=proxy >"$work/out"
	cat "$work/out"
	grep -q "^ *http://127.0.0.1:$((listen + 9))/ .*the supervisor has it served" "$work/out" && grep -q 'with source = proxy a header names the true one' "$work/out" && ! grep 'build/dash' "$work/out"
}

a_service_cleans_up_in_turn() { # what a launch before it has just made is none of its leavings
	run/stop.sh -i "$instance" >/dev/null
	mkdir -p "$dir" && echo precious >"$dir/log" || return 1
	exec 8>"$ONTIME_RUN_DIR/.lock" && flock 8 || return 1
	ONTIME_DIR=$dir run/launch.sh --service -c "$conf" >"$work/service" 2>&1 8>&- &
	service=$!
	sleep 1
	grep precious "$dir/log" && flock -u 8 && exec 8>&- && eventually ready && grep precious "$ONTIME_RUN_DIR/$instance.log" || return 1
	fails_with 1 'is running already' run/launch.sh -c "$conf" && run/stop.sh -i "$instance" && wait "$service" && run/launch.sh -c "$conf"
}

root_acts_as_nobody() { # as of a unit whose supervisor has just died: systemctl says that it is active, and nobody is there
	# shellcheck disable=SC2016 # the stand-in has this for itself
	{ ready || run/launch.sh -c "$conf"; } && mkdir "$work/stubs" && printf '#!/bin/sh\n[ "$1" != show ] || echo active\n' >"$work/stubs/systemctl" && chmod 755 "$work/stubs/systemctl" && orphan "$instance" || return 1
	for script in reload.sh 'restart.sh edf' drain.sh stop.sh; do
		# shellcheck disable=SC2086 # a script and its words
		fails_with 1 "^ontime: instance '$instance' is a unit's, and has no supervisor now whose user root could act as: nothing was done; systemctl status ontime@$instance.service" \
			unshare -m env PATH="$work/stubs:$PATH" sh -c 'mount -t tmpfs none /run && mkdir -p /run/systemd/system && exec "$@"' sh run/$script -i "$instance" || return 1
	done
	ready && run/launch.sh -c "$conf"
}

follows_another() { # a tail, of the log until its holder ends
	now=$(pgrep -P "$launch" -x tail) && [ "$now" != "$1" ]
}

follows() { # the log: it says that it runs some time before
	first=$(pgrep -P "$launch" -x tail)
}

holder_dies_then_stop() {
	eventually follows && kill -9 "$(build/hold --holder -i "$instance")" && eventually follows_another "$first" &&
		run/stop.sh -i "$instance"
}

foreground() { # ends with the instance, however that is stopped, and leaves no process
	run/stop.sh -i "$instance" >/dev/null
	run/launch.sh -c "$conf" --foreground >"$work/foreground" 2>&1 &
	launch=$!
	eventually grep -q 'is running' "$work/foreground" && "$@" && eventually ended && wait "$launch" && nothing_is_left
}

ended() {
	! kill -0 "$launch" 2>/dev/null || grep -q '^State:.Z' "/proc/$launch/status"
}

run/launch.sh -c "$conf" >/dev/null
check "a stage without stderr harms nothing" closed_stderr
check "what is mistyped is refused with status 2" typing_errors_are_refused
check "the name of an instance is no path" names_are_no_paths
check "the name of an instance is found in a broken file too" name_is_found_in_a_broken_file
check "a script runs through a symbolic link, from anywhere" scripts_run_through_a_link
check "stop ends what runs on a damaged segment" stop_ends_stages_of_a_damaged_segment
check "a launch while one stops waits, then starts" launch_waits_for_stop
check "a launch right after a stop in a crash loop finds its ports free" launch_follows_stop_in_a_crash_loop
check "a stop while one launches waits, then stops" stop_waits_for_launch
check "of two launches at once one is refused, the other runs" two_launches_at_once
check "a launch that cannot work on packets says so at once, with status 2" failed_start_is_told_at_once
check "a launch beside a damaged segment ends nothing" damaged_instance_is_left_alone
check "the pids of the dead are nobody's; a new supervisor keeps all" stale_pids_are_nobody
check "a stage that dies and dies is never given up" no_stage_is_given_up
check "a freeze of all is not taken for a hang" a_freeze_is_no_hang
check "a launch from another run directory does not supervise a second time" other_run_directory
check "stop works when the run directory is gone" stop_without_run_directory
check "a launch from elsewhere finds a relative plugin, and its advice is right" launch_from_elsewhere
check "too few descriptors are told" too_few_descriptors
check "a holder that was frozen goes on with a launch" a_frozen_holder_goes_on
check "a holder that is asked to end between two supervisors ends" asked_between_supervisors
check "a stop drains through a stage that died with its supervisor" stop_drains_through_a_dead_stage
check "a launch in the foreground ends with a stop from elsewhere" foreground run/stop.sh -i "$instance"
check "a launch in the foreground outlives its holder" foreground holder_dies_then_stop
if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
	check "root waits for the supervisor of a unit, and then does nothing as root" root_acts_as_nobody
else
	skipped=$((skipped + 1))
	echo "skip root waits for the supervisor of a unit: it takes root, and a mount namespace"
fi
check "a launch says what its own words have changed" overrides_count
check "a service that starts leaves what a launch has just made" a_service_cleans_up_in_turn
# shellcheck disable=SC2016 # set in there
check "a launch in the foreground stops on TERM" foreground eval 'kill -TERM "$launch"'
run/stop.sh -c "$conf" >/dev/null
verdict mishaps

#!/bin/sh
# t_abuse.sh - what operators do at the wrong moment, through the scripts that they run: one clear line each, and nothing is lost.
set -eu
cd "$(dirname "$0")/../.."
if [ -z "${ONTIME_ABUSE:-}" ] && [ "$(id -u)" = 0 ] && unshare --mount --propagation private true 2>/dev/null; then
	ONTIME_ABUSE=mount exec unshare --mount --propagation private "$0" "$@" # for a disk that is full
fi
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
own_instance abuse
own_config build/full.conf 's/^policy = .*/policy = edf/; s/^hung = .*/hung = 60s/; s/^heartbeat = .*/heartbeat = 1s/'
cp "$conf" "$work/good.conf"
stranger=
at_end() {
	# shellcheck disable=SC2086 # one, or none
	kill $stranger 2>/dev/null
	[ ! -e "$work/full" ] || umount -l "$work/full" 2>/dev/null
}

check() { # NAME COMMAND...
	check_here "$@"
}

nothing_is_left() {
	[ ! -e "$(segment_of "$instance")" ] && [ -z "$(processes_of "$dir")" ]
}

load_start() { # SECONDS
	"$ONTIME_BUILD/load" -c "$work/good.conf" --rate 10000 --seconds "$1" --size 0-1472 >"$work/load" 2>&1 &
	load=$!
	eventually passes
}

passes() {
	[ "$("$ONTIME_BUILD/stat" -i "$instance" --json | jq '[.classes[].sent] | add')" -gt "${passed_before:-0}" ]
}

load_is_whole() {
	wait "$load" && ! grep -q 'not delivered' "$work/load" && return 0
	cat "$work/load"
	return 1
}

budget_is() { # NS: of the second class, now
	"$ONTIME_BUILD/stat" -i "$instance" --json | jq -e ".classes[1].budget_ns == $1"
}

is_balanced() {
	"$ONTIME_BUILD/stat" --once -i "$instance" | grep -x balanced
}

broken_file() {
	load_start 1
	sed 's/^policy = .*/policy = best/' "$work/good.conf" >"$conf"
	fails_with 2 "^ontime: $conf:[0-9]*: policy = \"best\": .*: nothing was changed\$" run/reload.sh -i "$instance" && load_is_whole && is_balanced
}

reload_during_a_restart() { # both do what they were asked for
	load_start 2
	sed 's/^budget = 10ms/budget = 12ms/' "$work/good.conf" >"$conf"
	for _ in 1 2 3; do
		run/restart.sh all -i "$instance" >"$work/restart" 2>&1 &
		restart=$!
		run/reload.sh -i "$instance" >"$work/reload" 2>&1 || return 1
		wait "$restart" || return 1
	done
	cat "$work/restart" "$work/reload"
	[ "$(grep -c 'restarted: pid' "$work/restart")" = 3 ] && grep -qx "ontime: $conf is in force in all three stages" "$work/reload" &&
		budget_is 12000000 && load_is_whole && is_balanced
}

hangup_storm() { # a thousand of them, and the last file is what is in force
	load_start 3
	supervisor=$("$ONTIME_BUILD/hold" --supervisor -i "$instance")
	i=0
	while [ $i -lt 1000 ]; do
		[ $((i % 100)) != 0 ] || sed "s/^budget = 10ms/budget = $((20 + i / 100))ms/" "$work/good.conf" >"$conf"
		kill -HUP "$supervisor"
		i=$((i + 1))
	done
	run/reload.sh -i "$instance" && budget_is 29000000 && [ "$("$ONTIME_BUILD/hold" --supervisor -i "$instance")" = "$supervisor" ] &&
		load_is_whole && is_balanced && run/status.sh -i "$instance"
}

egress_has_reloaded() { # once more
	[ "$(grep -c 'egress: reloaded' "$dir/log")" -gt "$reloads" ]
}

stop_during_a_reload() { # which waits for a frozen stage; it gets one line, and the stop what it was asked for
	kill -STOP "$(live_pid_of edf)"
	reloads=$(grep -c 'egress: reloaded' "$dir/log")
	run/reload.sh -i "$instance" >"$work/reload" 2>&1 &
	reload=$!
	eventually egress_has_reloaded || return 1
	[ "$(run/stop.sh -i "$instance")" = "ontime: instance '$instance' is stopped" ] || return 1
	wait "$reload" && return 1 || [ $? = 1 ] || return 1
	cat "$work/reload"
	[ "$(tail -n 1 "$work/reload")" = "ontime: the instance is being stopped meanwhile" ] && nothing_is_left
}

fresh() {
	cp "$work/good.conf" "$conf"
	run/launch.sh -c "$conf" >"$work/launched" || { cat "$work/launched"; return 1; }
}

launch_during_a_stop() { # while it has packets to send: the launch waits, then starts; what was accepted before is sent first
	held_load || return 1
	run/stop.sh -i "$instance" >"$work/stop" 2>&1 &
	stop=$!
	eventually is_being_stopped || return 1
	run/launch.sh -c "$conf" >"$work/launched" 2>&1 &
	launch=$!
	sleep 0.5
	kill -CONT "$held" && wait "$launch" && wait "$stop" && cat "$work/stop" "$work/launched" &&
		[ "$(cat "$work/stop")" = "ontime: instance '$instance' is stopped" ] && grep -qx "ontime: instance '$instance' is running" "$work/launched" && ready && load_is_whole
}

received() {
	"$ONTIME_BUILD/stat" -i "$instance" --json | jq '[.classes[].received] | add'
}

held_load() { # 800 packets, received, which an egress that is frozen keeps until it is told to go on
	was=$(received)
	held=$(live_pid_of egress)
	kill -STOP "$held" || return 1
	"$ONTIME_BUILD/load" -c "$work/good.conf" --rate 4000 --seconds 0.2 --size 500-500 --drain 20 >"$work/load" 2>&1 &
	load=$!
	eventually has_received_all
}

has_received_all() {
	[ "$(received)" = $((was + 800)) ]
}

is_being_stopped() {
	"$ONTIME_BUILD/hold" --ask status -i "$instance" 2>&1 | grep -qx 'ontime: the instance is being stopped'
}

changes_during_a_stop() { # are refused in one line
	held_load || return 1
	run/stop.sh -i "$instance" >"$work/stop" 2>&1 &
	stop=$!
	eventually is_being_stopped && fails_with 1 'no reload: the instance is being stopped' run/reload.sh -i "$instance" &&
		fails_with 1 'no restart: the instance is being stopped' run/restart.sh edf -i "$instance" && kill -CONT "$held" && wait "$stop" && load_is_whole && nothing_is_left
}

launch_after_half_a_stop() { # whose supervisor and holder were killed: that is gone on with, then it is launched
	run/launch.sh -c "$conf" >"$work/launched" && held_load || return 1
	"$ONTIME_BUILD/hold" --ask stop -i "$instance" >"$work/stop" 2>&1 &
	eventually is_being_stopped && orphan "$instance" && kill -CONT "$held" && run/launch.sh -c "$conf" >"$work/launched" 2>&1 && status=0 || status=1
	cat "$work/stop" "$work/launched"
	[ "$(sed -n 1,2p "$work/launched")" = "ontime: instance '$instance' is stopped
ontime: instance '$instance' is running" ] && ready && load_is_whole && run/stop.sh -i "$instance" && return "$status"
}

two_launches() { # at once: one runs, the other says who does
	cp "$work/good.conf" "$conf"
	run/launch.sh -c "$conf" >"$work/first" 2>&1 &
	first=$!
	run/launch.sh -c "$conf" >"$work/second" 2>&1 && second=0 || second=$?
	wait "$first" && first=0 || first=$?
	[ $first != 0 ] || mv "$work/second" "$work/refused"
	[ $first = 0 ] || mv "$work/first" "$work/refused"
	cat "$work/refused"
	[ $((first + second)) = 1 ] && ready && [ "$(cat "$work/refused")" = "ontime: instance '$instance' is running already (supervisor $("$ONTIME_BUILD/hold" --supervisor -i "$instance")): run/stop.sh -i $instance stops it, run/status.sh -i $instance shows it" ]
}

a_second_supervisor() { # however it is started: refused in a line that says who has the instance
	has="$("$ONTIME_BUILD/hold" --supervisor -i "$instance")"
	fails_with 1 "is running already (supervisor $has)" env ONTIME_RUN_DIR="$work/other" run/launch.sh -c "$conf" &&
		fails_with 1 "it has a supervisor (pid $has" "$ONTIME_BUILD/hold" --adopt -i "$instance" -c "$conf" -- run/supervisor.sh &&
		fails_with 1 "a holder (pid [0-9]*) has its sockets" "$ONTIME_BUILD/hold" --keep --adopt -i "$instance" -c "$conf" -- run/supervisor.sh &&
		fails_with 1 'is there already: it runs' "$ONTIME_BUILD/hold" -c "$conf" -- run/supervisor.sh && ready && [ "$("$ONTIME_BUILD/hold" --supervisor -i "$instance")" = "$has" ]
}

is_refused() { # PATTERN COMMAND...: in one line that matches, with a status that says so
	pattern=$1
	shift
	said=$("$@" 2>&1) && return 1
	printf '%s\n' "$said"
	printf '%s\n' "$said" | grep -q "$pattern" && [ "$(printf '%s\n' "$said" | wc -l)" = 1 ]
}

of_another_user() {
	mkdir "$work/his" && chmod 755 "$work" && cp -r run "$work/his/" && mkdir "$work/his/build"
	for program in ingress edf egress hold supervise; do cp "$ONTIME_BUILD/$program" "$work/his/build/"; done
	chown -R 12345 "$work/his" && chmod 644 "$conf" || return 1
	for act in "launch.sh -c $conf" "stop.sh -i $instance" "restart.sh edf -i $instance" "reload.sh -i $instance"; do
		# shellcheck disable=SC2086
		is_refused 'another user (uid 0;' setpriv --reuid 12345 --regid 12345 --clear-groups env -i PATH="$PATH" ONTIME_RUN_DIR="$work/his/dir" \
			ONTIME_BUILD="$work/his/build" "$work/his/run/"$act || return 1
	done
	ready
}

stale_run_directory() { # of an earlier boot: its pids are strangers by now, and its socket has nobody behind it
	run/stop.sh -i "$instance" >/dev/null
	sleep 300 &
	stranger=$!
	mkdir -p "$dir" && echo $stranger >"$dir/supervisor.pid" && printf '/nonexistent.conf\n--bogus=1\n' >"$dir/launched" && echo nonsense >"$dir/active.conf" && : >"$dir/control" || return 1
	fails_with 1 'is not running' run/reload.sh -i "$instance" && fails_with 1 'is not running' run/status.sh -i "$instance" &&
		run/launch.sh -c "$conf" && run/reload.sh -i "$instance" && run/stop.sh -i "$instance" && kill -0 $stranger && nothing_is_left && fresh
}

full_disk() { # for log, socket and all: it passes packets, restarts, reloads and stops
	run/stop.sh -i "$instance" >/dev/null
	mkdir "$work/full" && mount -t tmpfs -o size=64k,mode=700 tmpfs "$work/full" || return 1
	ONTIME_RUN_DIR=$work/full
	fresh || return 1
	dd if=/dev/zero of="$work/full/fill" bs=1k 2>/dev/null
	load_start 2
	sed 's/^budget = 10ms/budget = 13ms/' "$work/good.conf" >"$conf"
	run/reload.sh -i "$instance" && budget_is 13000000 && run/restart.sh all -i "$instance" && kill -9 "$("$ONTIME_BUILD/hold" --supervisor -i "$instance")" &&
		run/restart.sh edf -i "$instance" && run/status.sh -i "$instance" && load_is_whole && run/stop.sh -i "$instance" && status=0 || status=1
	umount -l "$work/full" && ONTIME_RUN_DIR=$work/run
	nothing_is_left && return "$status"
}

run/launch.sh -c "$conf" >/dev/null
check "a reload with a broken file" broken_file
check "a reload during a restart" reload_during_a_restart
check "a thousand HUPs" hangup_storm
check "a stop during a reload" stop_during_a_reload
check "it runs again" fresh
check "a launch during a stop" launch_during_a_stop
check "a reload and a restart during a stop" changes_during_a_stop
check "a launch after a stop that was killed half-way" launch_after_half_a_stop
check "two launches at once" two_launches
check "a second supervisor" a_second_supervisor
if [ "$(id -u)" = 0 ]; then
	check "a launch, a stop and a restart of another user" of_another_user
else
	skipped=$((skipped + 1))
	echo "skip a launch, a stop and a restart of another user: it needs root to be another user"
fi
check "a stale run directory, whose pids are strangers" stale_run_directory
if [ "${ONTIME_ABUSE:-}" = mount ]; then
	check "a full disk" full_disk
else
	skipped=$((skipped + 1))
	echo "skip a full disk: mounting one needs root"
fi
run/stop.sh -i "$instance" >/dev/null
verdict abuse

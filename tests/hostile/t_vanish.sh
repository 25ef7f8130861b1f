#!/bin/sh
# t_vanish.sh - names, files and binaries that go away under an instance, stops that are cut short, limits, frozen processes: it goes on.
# shellcheck disable=SC2016,SC2119 # scripts for other shells are in single quotes; an argument may be left out
set -eu
cd "$(dirname "$0")/../.."
name=vanish
# shellcheck source=tests/hostile/lib.sh
. tests/hostile/lib.sh

## Stops that are cut short

interrupted_stops() { # the next call makes it right, whichever it is
	for ms in 0.005 0.015 0.025 0.040 0.060 0.100 0.200; do
		relaunch >"$work/out" 2>&1 || return 1
		timeout -s KILL $ms run/stop.sh -i $instance >"$work/out" 2>&1 || true
		[ -z "$(pid_of edf)" ] || kill -9 "$(pid_of edf)" || true
		run/launch.sh -c "$conf" >"$work/out" 2>&1 || grep -q 'running already\|not stopped cleanly' "$work/out" || return 1
		if has_no_supervisor; then run/stop.sh -i $instance && nothing_is_left || return 1; else eventually ready || return 1; fi
	done
}

## Names that go away

segment_without_a_name() {
	relaunch && rm "$segment" && traffic && run/status.sh -i $instance && within 5 "$ONTIME_BUILD/stat" --once -i $instance &&
		run/restart.sh all -i $instance && kill_each_stage || return 1
	fails_with 1 'is running already' run/launch.sh -c "$conf" && orphan $instance && eventually has_no_supervisor && run/launch.sh -c "$conf" && traffic &&
		run/stop.sh -i $instance && nothing_is_left
}

names_are_back() {
	[ -s "$dir/log" ] && [ "$(cat "$dir/supervisor.pid")" = "$(pid_of supervisor)" ] && cmp -s "$conf" "$dir/active.conf"
}

run_directory_removed() { # [FILE]: and that too
	relaunch || return 1
	"$ONTIME_BUILD/load" -c "$conf" --rate 5000 --seconds 2 >"$work/load" 2>&1 &
	rm -rf "$ONTIME_RUN_DIR" "$@"
	kill_each_stage && eventually names_are_back && rm -rf "$ONTIME_RUN_DIR" && orphan $instance && eventually has_no_supervisor && run/launch.sh -c "$conf" &&
		kill_each_stage && run/status.sh -i $instance && { { wait $! && ! grep -q 'not delivered' "$work/load"; } || { cat "$work/load"; return 1; }; } && run/stop.sh -i $instance && nothing_is_left
}

config_removed_at_a_restart() {
	relaunch && rm "$dir/active.conf" && kill_each_stage && eventually names_are_back
}

## The log

rotated_log() { # lines of the supervisor, of a restarted stage and of one that went on
	relaunch && mv "$dir/log" "$dir/log.1" && kill -HUP "$(pid_of supervisor)" && eventually grep -q 'ingress: reloaded' "$dir/log" &&
		eventually grep -q 'egress: reloaded' "$dir/log" && kill -9 "$(pid_of edf)" && eventually grep -q 'supervise: edf ended' "$dir/log" &&
		eventually grep -q 'edf: ready' "$dir/log" && ! grep -q reloaded "$dir/log.1" && rm "$dir/log.1"
}

log_is_cut() { # 8 MB of lines in two seconds
	relaunch --work=plugin:"$ONTIME_BUILD/tests/plugins/chatter.so" || return 1
	"$ONTIME_BUILD/load" -c "$conf" --rate 20000 --seconds 2 >"$work/load" 2>&1 &
	load=$!
	largest=0
	while kill -0 $load 2>/dev/null; do
		size=$(stat -c %s "$dir/log")
		largest=$((size > largest ? size : largest))
		sleep 0.05
	done
	sleep 1.2
	echo "largest: $largest, at the end: $(stat -c %s "$dir/log"), $(cat "$work/load")"
	[ $largest -lt 10000000 ] && [ $largest -gt 1000000 ] && [ "$(stat -c %s "$dir/log")" -lt 5000000 ] && grep -q 'the older ones are gone' "$dir/log"
}

## Limits, upgrades, frozen processes

process_limit() { # as another user, for whom it counts
	run/stop.sh -i $instance
	as_him "$work/his/run/launch.sh" -c "$work/his.conf" || return 1
	supervisor=$(pgrep -u $him -x supervise)
	eventually pgrep -u $him -x 'edf\*' || return 1
	as_him prlimit --nproc=1: --pid "$supervisor" && pkill -9 -u $him -x 'edf\*?' && sleep 2 && ! pgrep -u $him -x edf && as_him prlimit --nproc=1000: --pid "$supervisor" &&
		eventually pgrep -u $him -x edf && eventually as_him "$work/his/run/status.sh" -c "$work/his.conf" && kill -0 "$supervisor" && status=0 || status=1
	grep -c 'trying again' "$work/his/dir/$instance/log"
	as_him "$work/his/run/stop.sh" -c "$work/his.conf" && return "$status"
}

has_another() { # WHO PID
	now=$("$ONTIME_BUILD/hold" "--$1" -i $instance) && [ "$now" != "$2" ]
}

replace_keepers() { # each by the other, twice
	for who in supervisor holder supervisor holder; do
		old=$("$ONTIME_BUILD/hold" "--$who" -i $instance)
		kill -9 "$old" && eventually has_another $who "$old" || return 1
	done
}

broken_binary() { # dies at once: it is tried as a stand-by, now and then; when it is well again, it stands by at the next restart
	rm -rf "$work/build" && cp -r "$ONTIME_BUILD" "$work/build"
	sound=$ONTIME_BUILD
	ONTIME_BUILD=$work/build
	relaunch && eventually pgrep -x 'edf\*' || return 1
	printf '#!/bin/sh\necho >>%s/tries\nkill -SEGV $$\n' "$work" >"$work/broken"
	chmod 755 "$work/broken" "$work/build" && install "$work/broken" "$work/build/edf" && sleep 4
	tries=$(wc -l <"$work/tries")
	echo "$tries tries"
	[ "$tries" -ge 1 ] && [ "$tries" -le 4 ] && ready && install "$sound/edf" "$work/build/edf" && run/restart.sh edf -i $instance &&
		eventually pgrep -x 'edf\*' && traffic && run/stop.sh -i $instance && nothing_is_left
}

other_layout() { # built and installed under a running instance, without a new LAYOUT_VERSION
	mkdir "$work/new" && cp -r Makefile common ingress edf egress run "$work/new/" &&
		sed -i 's/^\t_Atomic uint32_t ingress_to_edf_pkts.*/&\n\t_Atomic uint64_t added;/' "$work/new/common/shm/layout.h" && cp -r "$ONTIME_BUILD" "$work/build" &&
		make -s -j2 -C "$work/new" build/ingress build/edf build/egress build/hold build/supervise || return 1
	sound=$ONTIME_BUILD
	ONTIME_BUILD=$work/build
	relaunch || return 1
	for program in ingress edf egress; do install "$work/new/build/$program" "$work/build/"; done
	kill_each_stage && traffic && run/restart.sh all -i $instance && kill_each_stage && traffic && kill -9 "$(pid_of ingress)" && eventually ready || return 1
	[ "$(grep -c 'is of a build with another layout' "$dir/log")" = 6 ] || return 1 # at the first death, and when asked
	replace_keepers && kill_each_stage && kill_each_stage || return 1 # and the next supervisor has what runs
	for program in hold supervise; do install "$work/new/build/$program" "$work/build/"; done
	lines=$(wc -l <"$dir/log")
	ONTIME_BUILD=$sound # what asks is of the old layout still
	replace_keepers && kill_each_stage && sleep 2 || return 1
	ONTIME_BUILD=$work/build
	[ $(($(wc -l <"$dir/log") - lines)) -lt 60 ] || return 1
	fails_with 2 'another layout' run/launch.sh -c "$conf" && run/stop.sh -i $instance && nothing_is_left && run/launch.sh -c "$conf" && ready &&
		run/stop.sh -i $instance && nothing_is_left
}

frozen_supervisor() {
	relaunch && kill -STOP "$(pid_of supervisor)" && fails_with 1 'running already' within 10 run/launch.sh -c "$conf" &&
		kill -STOP "$(pid_of edf)" && within 15 run/stop.sh -i $instance && nothing_is_left
}

reload_storm() { # also on stages that are just being started, and with one frozen while it reads
	relaunch && supervisor=$(pid_of supervisor) || return 1
	(while [ ! -e "$work/enough" ]; do kill -HUP "$supervisor"; done) &
	for round in 1 2 3 4 5 6 7; do kill_each_stage || break; done
	: >"$work/enough" && wait $! && rm "$work/enough"
	[ "$round" = 7 ] && traffic && ! grep 'signal 1)' "$dir/log" && [ "$(pid_of supervisor)" = "$supervisor" ]
}

frozen_reader() { # of the configuration: the reload is refused, and the supervisor is there for others
	relaunch && supervisor=$(pid_of supervisor) || return 1
	for fd in "/proc/$supervisor/fd"/*; do
		case $(readlink "$fd") in *ontime-config*) break ;; esac
	done
	"$ONTIME_BUILD/tests/poke" "$fd" lock >"$work/locked" 2>&1 &
	eventually grep -q locked "$work/locked" && kill -HUP "$supervisor" && kill_each_stage &&
		grep -q 'keep it for the stages: .*nothing was changed' "$dir/log" && kill $! && kill -HUP "$supervisor" &&
		eventually grep -q 'egress: reloaded' "$dir/log"
}

signals_to_a_young_supervisor() { # before it can take them they must not end it
	relaunch >"$work/out" || return 1
	for round in 1 2 3 4 5; do
		orphan $instance && eventually has_no_supervisor
		(until "$ONTIME_BUILD/hold" --signal supervisor HUP -i $instance 2>/dev/null; do :; done) &
		run/launch.sh -c "$conf" && wait $! && eventually ready || return 1
	done
	[ "$(grep -c 'supervise: adopted ingress' "$dir/log")" -ge 5 ]
}

twins_are_adopted() { # a supervisor that dies right after it has started a stage: the next one finds it
	relaunch >"$work/out" || return 1
	for round in 1 2 3 4 5 6; do
		kill -9 "$(pid_of egress)" && orphan $instance && eventually has_no_supervisor
		run/launch.sh -c "$conf" && eventually ready || return 1
	done
	sleep 2.3 # a twin would wait for its place that long, and say so
	! grep 'this stage is already running' "$dir/log" && kill_each_stage && traffic
}

adopted_as_it_is() { # with a class more in the file than the instance has
	relaunch && cp "$conf" "$work/kept.conf" && printf '[class fifth]\nlisten = 127.0.0.1:17090\nsend = 127.0.0.1:17091\nbudget = 9ms\n' >>"$conf" &&
		orphan $instance && eventually has_no_supervisor && run/launch.sh -c "$conf" && status=0 || status=1
	mv "$work/kept.conf" "$conf"
	[ "$status" = 0 ] && kill_each_stage && traffic
}

any_order_at_once() { # launches, stops, restarts and reloads, each cut short at some point
	for round in $(seq 40); do
		for what in "launch.sh -c $conf" "stop.sh -i $instance" "restart.sh all -i $instance"; do
			# shellcheck disable=SC2086 # words
			timeout -s KILL "0.$((round * 37 % 9))$((round * 13 % 10))" run/$what >"$work/out.${what%% *}" 2>&1 &
		done
		pkill -HUP -x supervise || true
		[ $((round % 4)) != 0 ] || pkill -9 -x 'supervise|hold' || true
		sleep 0.05
	done
	wait
	within 60 run/stop.sh -i $instance && nothing_is_left && run/launch.sh -c "$conf" && ready && traffic
}

no_proc() { # is said
	fails_with 1 '/proc is not mounted' unshare --mount sh -c 'mount -t tmpfs tmpfs /proc; exec run/launch.sh -c "$0"' "$conf"
}

no_current_directory() {
	run/stop.sh -i $instance >/dev/null
	mkdir "$work/cwd" && (cd "$work/cwd" && rmdir "$work/cwd" && "$here/run/launch.sh" -c "$conf" && "$here/run/restart.sh" edf -i $instance && "$here/run/stop.sh" -i $instance)
}

settle_him_in

check "a stop that was cut short is made right by the next call" interrupted_stops
check "a segment that lost its name goes on in all" segment_without_a_name
check "a run directory that was removed under load comes back" run_directory_removed
check "both at once" run_directory_removed "$segment"
check "the active config may vanish while a stage restarts" config_removed_at_a_restart
check "a log that was moved away is begun anew by all" rotated_log
check "a log is cut when it is too long" log_is_cut
check "a process limit is over when it is over" process_limit
check "a build of another layout under a running instance: it goes on, and stop cleans up" other_layout
check "a binary that crashes at once is not started without end" broken_binary
check "a frozen supervisor blocks neither launch nor stop" frozen_supervisor
check "a storm of reloads ends no stage that is being started" reload_storm
check "a reader of the configuration that is frozen does not freeze the supervisor" frozen_reader
check "signals to a supervisor that is being started do not end it" signals_to_a_young_supervisor
check "a stage that was just started by a supervisor that died is adopted" twins_are_adopted
check "adoption takes what the instance has, not what its file says by now" adopted_as_it_is
check "launches, stops, restarts and reloads, cut short at any point, in any order" any_order_at_once
check "a missing /proc is said" no_proc
check "a current directory that is gone harms nothing" no_current_directory
run/stop.sh -i $instance >/dev/null 2>&1 || true
check "nothing is left" nothing_is_left
verdict vanish

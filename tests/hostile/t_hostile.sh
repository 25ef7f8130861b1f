#!/bin/sh
# t_hostile.sh - another user, another container, a cleaner and an upgrade meet an instance of root's: none of them is believed.
# shellcheck disable=SC2016 # scripts for other shells are in single quotes
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh

if [ "${1:-}" != inside ]; then # names, pids and ports of its own: nothing that goes wrong here reaches anybody
	if [ "$(id -u)" != 0 ] || ! unshare --mount --net --pid --fork --kill-child true 2>/dev/null; then
		echo "skip hostile: it needs root, and namespaces, to play another user"
		exit 77
	fi
	exec unshare --mount --propagation private --net --pid --fork --kill-child --mount-proc sh -c '
		mount -t tmpfs -o mode=1777 tmpfs /dev/shm &&
			mount -t tmpfs -o mode=755 tmpfs /run && ip link set lo up && "$0" inside' "$0" # the first process takes in what is orphaned
fi

him=12345 # another user
work=$(mktemp -d)
chmod 755 "$work"
here=$PWD
ONTIME_RUN_DIR=$work/run
ONTIME_BUILD=$here/${ONTIME_BUILD:-build}
ONTIME_HISTOGRAMS=off
export ONTIME_RUN_DIR ONTIME_BUILD ONTIME_HISTOGRAMS
instance=hostile
other=$instance-b
dir=$ONTIME_RUN_DIR/$instance
segment=/dev/shm/ontime.$instance.v$(sed -n 's/^#define LAYOUT_VERSION \([0-9]*\).*/\1/p' common/shm/layout.h)
other_segment=/dev/shm/ontime.$other.${segment##*.}
conf=$work/ours.conf
trap 'cd "$here" && run/stop.sh -i $instance >/dev/null 2>&1 || true; rm -rf "$work"' EXIT # what else runs ends with the namespace
trap 'exit 1' INT TERM

configure() { # INSTANCE PORT FILE: inputs from PORT on, outputs 10 higher
	sed "s/^instance = .*/instance = $1/; s/127\.0\.0\.1:808\([0-9]\)/127.0.0.1:$2\1/; s/127\.0\.0\.1:908\([0-9]\)/127.0.0.1:$(($2 + 1))\1/; s/^policy = .*/policy = edf/" run/ontime.conf >"$3"
	chmod 644 "$3"
}

on_failure() {
	tail -n 5 "$dir/log" 2>/dev/null || true
}

as_him() { # COMMAND...: with his own build, and his own run directory
	setpriv --reuid $him --regid $him --clear-groups env -i PATH="$PATH" HOME=/nonexistent ONTIME_RUN_DIR="$work/his/dir" \
		ONTIME_BUILD="$work/his/build" "$@"
}

settle_him_in() {
	mkdir "$work/his" "$work/his/build" "$work/victim"
	cp -r run "$work/his/"
	for program in ingress edf egress hold supervise; do cp "$ONTIME_BUILD/$program" "$work/his/build/"; done
	configure $instance 1801 "$work/his.conf"
	chown -R $him:$him "$work/his"
	echo precious >"$work/victim/log"
	echo precious >"$work/victim/active.conf"
}

victim_is_well() {
	[ "$(stat -c '%u %a' "$work/victim")" = "0 755" ] && [ "$(ls -A "$work/victim")" = "active.conf
log" ] && [ "$(cat "$work/victim/log" "$work/victim/active.conf")" = "precious
precious" ]
}

stages() {
	"$ONTIME_BUILD/hold" --stages -i "${1:-$instance}" 2>/dev/null
}

pid_of() { # WHO: if it is alive
	if [ "$1" = supervisor ]; then
		"$ONTIME_BUILD/hold" --supervisor -i $instance
	else
		stages | sed -n "s/^$1 \([0-9]*\) .* 1$/\1/p"
	fi
}

ready() {
	[ "$(stages "${1:-}" | grep -c ' ready .* 1$')" = 3 ]
}

relaunch() { # [OPTION]...: from nothing
	run/stop.sh -i $instance >/dev/null 2>&1 || true
	run/launch.sh -c "$conf" "$@"
}

traffic() {
	"$ONTIME_BUILD/load" -c "$conf" --rate 2000 --seconds 0.2 --drain 0.5
}

kill_each_stage() { # and each comes back
	for stage in ingress edf egress; do
		old=$(pid_of $stage)
		kill -9 "$old" && eventually has_successor $stage "$old" || return 1
	done
}

has_successor() { # STAGE PID
	now=$(pid_of "$1")
	[ -n "$now" ] && [ "$now" != "$2" ] && ready
}

within() { # SECONDS COMMAND...
	limit=$1
	shift
	timeout "$limit" "$@"
}

nothing_is_left() {
	[ ! -e "$dir" ] && [ ! -e "$segment" ] && eventually nobody_runs
}

nobody_runs() { # nor waits to be buried
	! pgrep -x 'ingress|edf|egress|supervise'
}

## Names that another user took first

his_instance() { # launched by him, with the name of ours
	as_him "$work/his/run/launch.sh" -c "$work/his.conf"
	his_pids=$(pgrep -u $him .)
	[ "$(echo "$his_pids" | wc -w)" = 4 ]
}

his_all_run() {
	# shellcheck disable=SC2086 # four pids
	kill -0 $his_pids && [ "$(stat -c %u "$segment")" = $him ]
}

is_refused() { # by all that acts, at once, in one line that names the owner
	fails_with 2 "(uid $him; this is uid 0): nothing of it is touched; act as its owner" within 5 run/launch.sh -c "$conf" &&
		fails_with 1 "(uid $him; this is uid 0): nothing of it is touched" within 5 run/stop.sh -i $instance
}

his_instance_is_left_alone() {
	is_refused && fails_with 1 'another user' within 5 run/restart.sh edf -i $instance || return 1
	for who in supervisor ingress edf egress; do
		fails_with 1 'another user' "$ONTIME_BUILD/hold" --signal $who KILL -i $instance || return 1
	done
	! "$ONTIME_BUILD/hold" --remove -i $instance && ! "$ONTIME_BUILD/hold" --remove --force -i $instance && his_all_run
}

his_words_kill_nobody() { # root's own process, as the pid of his stages; then all, and root's own group
	sleep 300 >"$work/out" 2>&1 &
	stranger=$!
	for word in $stranger 0xffffffff 0 1; do
		as_him "$work/his/poke" "$segment" "$word" && is_refused || return 1
	done
	kill -0 $stranger && his_all_run && kill $stranger
}

his_orphans_are_not_adopted() { # his supervisor is gone, and root would have been the next
	as_him sh -c "kill -9 \$(pgrep -u $him -x supervise)" && eventually has_no_supervisor && is_refused &&
		[ "$(pgrep -u $him . | wc -w)" = 3 ]
}

has_no_supervisor() {
	! "$ONTIME_BUILD/hold" --supervisor -i $instance >"$work/supervisor" 2>&1
}

observers_bear_his_truncation() { # they look on, until he cuts it short under them; then they say so
	within 5 "$ONTIME_BUILD/stat" --once -i $instance && "$ONTIME_BUILD/hold" --stages -i $instance || return 1
	"$ONTIME_BUILD/dash" -i $instance --listen 127.0.0.1:9999 >"$work/dash" 2>&1 &
	dash=$!
	"$ONTIME_BUILD/stat" --json --interval 0.1 -i $instance >"$work/stat" 2>&1 &
	stat=$!
	eventually test -s "$work/stat" && as_him truncate -s 8192 "$segment" && eventually grep -q 'cut short' "$work/stat" &&
		eventually grep -q 'cut short' "$work/dash" && kill $dash $stat || return 1
	for size in 8192 4096 100 0; do
		as_him truncate -s $size "$segment"
		within 5 "$ONTIME_BUILD/stat" --once -i $instance && return 1 || [ $? -lt 3 ] || return 1
		"$ONTIME_BUILD/hold" --stages -i $instance && return 1 || [ $? -lt 3 ] || return 1
	done
}

his_name_of_any_kind() { # HOW...: he makes something of that name; it is refused, and stays
	rm -rf "$segment"
	as_him "$@" "$segment" && is_refused && [ "$(stat -c %u "$segment")" = $him ] && status=0 || status=1
	within 5 "$ONTIME_BUILD/stat" --once -i $instance && status=1 || [ $? -lt 3 ] || status=1
	rm -rf "$segment"
	return "$status"
}

name_of_another_instance() { # a hard link to it: what has the other's segment is not ours
	run/launch.sh -c "$work/other.conf" && ln "$other_segment" "$segment" || return 1
	fails_with 2 'it has another name too' within 5 run/launch.sh -c "$conf" &&
		fails_with 1 'it has another name too' within 5 run/stop.sh -i $instance && status=0 || status=1
	rm "$segment"
	ready $other && run/stop.sh -i $other && return "$status"
}

other_names_stop_nobody() { # an empty file for another layout, a removed one that he holds open
	as_him sh -c ": >${segment%.v*}.v1; exec 5<>$segment; rm $segment; exec sleep 300" >"$work/out" 2>&1 &
	eventually test -e "${segment%.v*}.v1" && eventually test ! -e "$segment" && run/launch.sh -c "$conf" && traffic &&
		run/stop.sh -i $instance && [ -e "${segment%.v*}.v1" ] && nothing_is_left && status=0 || status=1
	pkill -u $him -x sleep && rm -f "${segment%.v*}.v1" && return "$status"
}

taken_after_ours_was_removed() { # ours runs on without a name, and his has it
	relaunch && rm "$segment" && as_him sh -c "cat <$work/his.conf >$segment" && kill_each_stage && traffic &&
		run/restart.sh all -i $instance && run/stop.sh -i $instance && [ "$(stat -c %u "$segment")" = $him ] && status=0 || status=1
	rm -f "$segment"
	nothing_is_left && return "$status"
}

## Pid words in our own segment

our_words_kill_nobody() {
	relaunch || return 1
	sleep 300 >"$work/out" 2>&1 &
	stranger=$!
	for word in 0 1 0xffffffff $stranger; do
		frozen=$(pid_of edf)
		kill -STOP "$frozen" && "$ONTIME_BUILD/tests/poke" "$segment" "$word" && eventually has_successor edf "$frozen" || return 1
		"$ONTIME_BUILD/tests/poke" "$segment" "$word" && run/restart.sh all -i $instance || return 1
		"$ONTIME_BUILD/tests/poke" "$segment" "$word" && run/status.sh -i $instance && within 5 "$ONTIME_BUILD/stat" --once -i $instance || return 1
		kill -9 "$(pid_of supervisor)" && eventually has_no_supervisor
		"$ONTIME_BUILD/tests/poke" "$segment" "$word" && run/launch.sh -c "$conf" || return 1
		"$ONTIME_BUILD/tests/poke" "$segment" "$word" && run/stop.sh -i $instance && nothing_is_left && run/launch.sh -c "$conf" || return 1
	done
	kill $stranger
}

## Other namespaces

in_a_container() { # COMMAND: with pids of its own, and /dev/shm and run directory of all
	unshare --pid --fork --kill-child --mount-proc sh -c "$1"
}

other_pid_namespace() { # a stop in a sibling: a stranger there has the number that edf has here
	run/stop.sh -i $instance >/dev/null
	in_a_container "run/launch.sh -c '$conf' && build=$ONTIME_BUILD && \$build/hold --stages -i $instance >'$work/inside' &&
		until [ -e '$work/enough' ]; do sleep 0.05; done; run/stop.sh -i $instance" >"$work/container" 2>&1 &
	container=$!
	eventually test -s "$work/inside" && number=$(sed -n 's/^edf \([0-9]*\) .*/\1/p' "$work/inside") &&
		in_a_container "echo $((number - 1)) >/proc/sys/kernel/ns_last_pid; sleep 300 & [ \$! = $number ] || exit 3
			for act in run/stop.sh 'run/restart.sh edf'; do
				said=\$(\$act -i $instance 2>&1) && exit 4; echo \"\$said\" | grep 'another pid namespace' || exit 5
			done; run/launch.sh -c '$conf' && exit 6; kill -0 $number" && ready && status=0 || status=1
	: >"$work/enough"
	wait $container || status=1
	rm "$work/enough"
	cat "$work/container"
	nothing_is_left && return "$status"
}

container_of_the_same_name() { # with a /dev/shm of its own: stop here must not end what runs there
	unshare --mount --net sh -c "mount -t tmpfs tmpfs /dev/shm; ip link set lo up; export ONTIME_RUN_DIR='$work/there'
		run/launch.sh -c '$conf' && : >'$work/begun'; until [ -e '$work/enough' ]; do sleep 0.05; done
		\"\$ONTIME_BUILD/hold\" --stages -i $instance | grep -c ' ready .* 1\$' >'$work/ready'; run/stop.sh -i $instance" >"$work/container" 2>&1 &
	container=$!
	eventually test -e "$work/begun" && run/stop.sh -i $instance && run/launch.sh -c "$conf" && run/stop.sh -i $instance && status=0 || status=1
	: >"$work/enough"
	wait $container || status=1
	rm "$work/enough"
	cat "$work/container"
	[ "$(cat "$work/ready")" = 3 ] && return "$status"
}

## Run directories

run_dir_is_refused() { # DIRECTORY PATTERN
	ONTIME_RUN_DIR=$1
	fails_with 1 "$2" within 5 run/launch.sh -c "$conf" && status=0 || status=1
	within 5 run/stop.sh -i $instance || true
	victim_is_well && [ ! -e "$segment" ] && return "$status"
}

shared_run_directories() {
	sticky=$work/sticky
	mkdir -m 1777 "$sticky" && mkdir "$work/mixed" "$work/mixed2"
	as_him mkdir -m 1777 "$sticky/his"
	as_him ln -s "$work/victim" "$sticky/link"
	as_him ln -s "$work/victim" "$sticky/.lock"
	ln -s "$work/victim" "$work/mixed/$instance" && chown -h $him "$work/mixed/$instance"
	ln -s "$work/victim" "$work/mixed2/.lock" && mkdir -m 777 "$work/mixed2/$instance" && chown $him "$work/mixed2/$instance"
	ln -s "$work/victim/log" "$work/mixed2/$instance/log"
	run_dir_is_refused "$sticky/his" 'another user' && run_dir_is_refused "$sticky/link" 'a link of another user' &&
		run_dir_is_refused "$sticky/link/x" 'a link of another user' && run_dir_is_refused "$sticky" 'others may put things into it' &&
		run_dir_is_refused "$work/mixed" 'a link of another user' && run_dir_is_refused "$work/mixed2" 'another user' &&
		run_dir_is_refused "$sticky/his/below" 'another user'
}

kept_mode() { # a directory that others need is not closed to them, and what is in it stays
	mkdir -m 755 "$work/etc" "$work/etc/$instance" && : >"$work/etc/$instance/precious" && ln -s "$work/etc" "$work/our-link" || return 1
	ONTIME_RUN_DIR=$work/our-link
	run/launch.sh -c "$conf" && run/stop.sh -i $instance && [ "$(stat -c %a "$work/etc")" = 755 ] && [ -e "$work/etc/$instance/precious" ]
}

his_lock_blocks_nobody() {
	mkdir -p "$work/open" && chmod 755 "$work/open"
	ONTIME_RUN_DIR=$work/open
	as_him flock --no-fork "$work/open" sleep 300 >"$work/out" 2>&1 &
	within 10 run/launch.sh -c "$conf" && ! as_him flock -n "$work/open/.lock" true && within 10 run/stop.sh -i $instance && status=0 || status=1
	pkill -u $him -x sleep && return "$status"
}

his_run_directory_after_ours() { # ours was cleaned away, and he made it again, full of links
	ONTIME_RUN_DIR=$work/sticky/gone
	run/launch.sh -c "$conf" && supervisor=$(pid_of supervisor) && rm -rf "$ONTIME_RUN_DIR" && as_him mkdir -m 777 "$ONTIME_RUN_DIR" &&
		as_him ln -s "$work/victim" "$ONTIME_RUN_DIR/$instance" && kill -HUP "$supervisor" && kill_each_stage && sleep 1.2 && kill -HUP "$supervisor" &&
		traffic && run/restart.sh all -i $instance && victim_is_well && [ "$(pid_of supervisor)" = "$supervisor" ] || return 1
	fails_with 1 'another user' within 5 run/stop.sh -i $instance && ONTIME_RUN_DIR=$work/another run/stop.sh -i $instance && victim_is_well && nothing_is_left
}

odd_run_directories() {
	for name in 'c++' 'r(1)' 'a[b]' "it's \$HOME & x" 'back\slash' 'star*' '  two  blanks' '100%d' '-n' 'ü"q"'; do
		(
			ONTIME_RUN_DIR=$work/odd/$name
			run/launch.sh -c "$conf" && run/status.sh -i $instance && run/restart.sh egress -i $instance &&
				kill -HUP "$(cat "$ONTIME_RUN_DIR/$instance/supervisor.pid")" && run/stop.sh -i $instance && [ ! -e "$ONTIME_RUN_DIR/$instance" ]
		) || { echo "in $name"; return 1; }
	done
}

full_run_directory() { # one sentence; and what runs goes on, takes a reload, and writes it down once there is room
	mkdir "$work/full" && mount -t tmpfs -o size=64k,mode=755 tmpfs "$work/full" && full_disk && status=0 || status=1
	umount -l "$work/full"
	return "$status"
}

full_disk() {
	cp "$conf" "$work/full.conf" && ONTIME_RUN_DIR=$work/full && run/launch.sh -c "$work/full.conf" || return 1
	dd if=/dev/zero of="$work/full/fill" bs=1k 2>/dev/null
	sed -i 's/^budget = 10ms/budget = 11ms/' "$work/full.conf"
	kill -HUP "$(pid_of supervisor)" && eventually has_budget 11000000 && kill_each_stage && rm "$work/full/fill" &&
		eventually grep -q 'budget = 11ms' "$work/full/$instance/active.conf" && run/stop.sh -i $instance || return 1
	dd if=/dev/zero of="$work/full/fill" bs=1k 2>/dev/null
	within 20 run/launch.sh -c "$conf" >"$work/said" 2>&1 && run/stop.sh -i $instance && return 0
	cat "$work/said" && [ "$(wc -l <"$work/said")" -le 2 ] && nothing_is_left
}

has_budget() { # NS, of the second class
	"$ONTIME_BUILD/stat" -i $instance --json | jq -e ".classes[1].budget_ns == $1" >"$work/jq"
}

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
	fails_with 1 'is running already' run/launch.sh -c "$conf" && kill -9 "$(pid_of supervisor)" && eventually has_no_supervisor && run/launch.sh -c "$conf" && traffic &&
		run/stop.sh -i $instance && nothing_is_left
}

names_are_back() {
	[ -s "$dir/log" ] && [ "$(cat "$dir/supervisor.pid")" = "$(pid_of supervisor)" ] && cmp -s "$conf" "$dir/active.conf"
}

run_directory_removed() { # [FILE]: and that too
	relaunch || return 1
	"$ONTIME_BUILD/load" -c "$conf" --rate 5000 --seconds 2 >"$work/load" 2>&1 &
	rm -rf "$ONTIME_RUN_DIR" "$@"
	kill_each_stage && eventually names_are_back && rm -rf "$ONTIME_RUN_DIR" && kill -9 "$(pid_of supervisor)" && eventually has_no_supervisor && run/launch.sh -c "$conf" &&
		kill_each_stage && run/status.sh -i $instance && { wait $! || { cat "$work/load"; return 1; }; } && run/stop.sh -i $instance && nothing_is_left
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
	as_him prlimit --nproc=1: --pid "$supervisor" && pkill -9 -u $him -x edf && sleep 2 && ! pgrep -u $him -x edf && as_him prlimit --nproc=1000: --pid "$supervisor" &&
		eventually pgrep -u $him -x edf && eventually as_him "$work/his/run/status.sh" -c "$work/his.conf" && kill -0 "$supervisor" && status=0 || status=1
	grep -c 'trying again' "$work/his/dir/$instance/log"
	as_him "$work/his/run/stop.sh" -c "$work/his.conf" && return "$status"
}

other_layout() { # built and installed under a running instance, without a new LAYOUT_VERSION
	mkdir "$work/new" && cp -r Makefile common ingress edf egress run "$work/new/" &&
		sed -i 's/^\t_Atomic uint32_t ingress_to_edf_pkts.*/&\n\t_Atomic uint64_t added;/' "$work/new/common/shm/layout.h" && cp -r "$ONTIME_BUILD" "$work/build" &&
		make -s -j2 -C "$work/new" build/ingress build/edf build/egress build/hold build/supervise || return 1
	ONTIME_BUILD=$work/build
	relaunch || return 1
	for program in ingress edf egress; do install "$work/new/build/$program" "$work/build/"; done
	kill_each_stage && traffic && run/restart.sh all -i $instance && kill_each_stage && traffic && kill -9 "$(pid_of ingress)" && eventually ready || return 1
	[ "$(grep -c 'is of a build with another layout' "$dir/log")" = 6 ] || return 1 # at the first death, and when asked
	for program in hold supervise; do install "$work/new/build/$program" "$work/build/"; done
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
		kill -9 "$(pid_of supervisor)" && eventually has_no_supervisor
		(until "$ONTIME_BUILD/hold" --restart edf -i $instance 2>/dev/null; do :; done) &
		run/launch.sh -c "$conf" && wait $! && eventually ready || return 1
	done
	[ "$(grep -c 'supervise: adopted ingress' "$dir/log")" -ge 5 ]
}

twins_are_adopted() { # a supervisor that dies right after it has started a stage: the next one finds it
	relaunch >"$work/out" || return 1
	for round in 1 2 3 4 5 6; do
		supervisor=$(pid_of supervisor)
		kill -9 "$(pid_of egress)" && kill -9 "$supervisor" && eventually has_no_supervisor
		run/launch.sh -c "$conf" && eventually ready || return 1
	done
	sleep 2.3 # a twin would wait for its place that long, and say so
	! grep 'this stage is already running' "$dir/log" && kill_each_stage && traffic
}

adopted_as_it_is() { # with a class more in the file than the instance has
	relaunch && cp "$conf" "$work/kept.conf" && printf '[class fifth]\nlisten = 127.0.0.1:17090\nsend = 127.0.0.1:17091\nbudget = 9ms\n' >>"$conf" &&
		kill -9 "$(pid_of supervisor)" && eventually has_no_supervisor && run/launch.sh -c "$conf" && status=0 || status=1
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
		[ $((round % 4)) != 0 ] || pkill -9 -x supervise || true
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

configure $instance 1701 "$conf"
configure $other 1901 "$work/other.conf"
settle_him_in
cp "$ONTIME_BUILD/tests/poke" "$work/his/poke"

check_here "another user launches an instance of our name" his_instance
check "root refuses it in one line, and touches nothing of it" his_instance_is_left_alone
check "pids that he writes into it kill nobody" his_words_kill_nobody
check "his stages are not adopted when his supervisor is gone" his_orphans_are_not_adopted
check "observers bear that he cuts it short under them" observers_bear_his_truncation
pkill -9 -u $him || true
rm -f "$segment"
check "a file of our name is refused, and stays" his_name_of_any_kind cp "$work/his.conf"
check "a file that anybody may write is refused, and stays" his_name_of_any_kind install -m 666 "$work/his.conf"
check "a link of our name is refused, and stays" his_name_of_any_kind ln -s "$work/victim/log"
check "a link to a segment of ours is refused, and stays" his_name_of_any_kind ln -s "$other_segment"
check "a pipe of our name is refused, and stays" his_name_of_any_kind mkfifo
check "a directory of our name is refused, and stays" his_name_of_any_kind mkdir
check "a second name of another instance's segment is refused" name_of_another_instance
check "names of his that are not in the way stop nobody" other_names_stop_nobody
check "a name that he takes after ours was removed stops nobody" taken_after_ours_was_removed
check "whatever the pid words of our segment say, no stranger is hurt" our_words_kill_nobody
check "what runs in another pid namespace is left alone, and so is who has its number" other_pid_namespace
check "what runs in a container under the same name is left alone" container_of_the_same_name
check "run directories that others can reach are refused, and nothing behind links is touched" shared_run_directories
check "a directory that others need keeps its mode and its files" kept_mode
check "a lock that he holds blocks nobody" his_lock_blocks_nobody
check "a run directory that he made after ours was removed is not written to" his_run_directory_after_ours
check "a run directory may have any name" odd_run_directories
check "a full run directory stops nothing" full_run_directory
check "a stop that was cut short is made right by the next call" interrupted_stops
check "a segment that lost its name goes on in all" segment_without_a_name
check "a run directory that was removed under load comes back" run_directory_removed
check "both at once" run_directory_removed "$segment"
check "the active config may vanish while a stage restarts" config_removed_at_a_restart
check "a log that was moved away is begun anew by all" rotated_log
check "a log is cut when it is too long" log_is_cut
check "a process limit is over when it is over" process_limit
check "a build of another layout under a running instance: it goes on, and stop cleans up" other_layout
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
verdict hostile

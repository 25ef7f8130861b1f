#!/bin/sh
# t_hostile.sh - another user, another container and run directories of his meet an instance of root's: none of them is believed.
# shellcheck disable=SC2016,SC2119 # scripts for other shells are in single quotes; an argument may be left out
set -eu
cd "$(dirname "$0")/../.."
name=hostile
# shellcheck source=tests/hostile/lib.sh
. tests/hostile/lib.sh

## Names that another user took first

his_instance() { # launched by him, with the name of ours
	as_him "$work/his/run/launch.sh" -c "$work/his.conf"
	his_pids=$(pgrep -u $him -x 'hold|supervise|ingress|edf|egress') # and stand-bys, which come and go
	[ "$(echo "$his_pids" | wc -w)" = 5 ]
}

his_all_run() {
	# shellcheck disable=SC2086 # five pids
	kill -0 $his_pids && [ "$(stat -c %u "$segment")" = $him ]
}

is_refused() { # by all that acts, at once, in one line that names the owner
	fails_with 2 "(uid $him; this is uid 0): nothing of it is touched; act as its owner (sudo -u '#$him')" within 5 run/launch.sh -c "$conf" &&
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
	as_him sh -c "kill -STOP \$(pgrep -u $him -x supervise); kill -9 \$(pgrep -u $him -x hold); kill -9 \$(pgrep -u $him -x supervise)" && eventually has_no_supervisor && is_refused &&
		[ "$(pgrep -u $him -x 'ingress|edf|egress' | wc -w)" = 3 ]
}

observers_bear_his_truncation() { # they look on, until he cuts it short under them; then they say so
	eventually within 5 "$ONTIME_BUILD/stat" --once -i $instance && "$ONTIME_BUILD/hold" --stages -i $instance || return 1
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
		orphan $instance && eventually has_no_supervisor
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
run/stop.sh -i $instance >/dev/null 2>&1 || true
check "nothing is left" nothing_is_left
verdict hostile

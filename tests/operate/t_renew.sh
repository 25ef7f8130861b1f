#!/bin/sh
# t_renew.sh - supervisor and holder go over to the files that are there now: under traffic, and nothing is lost, whatever dies then.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh
work=$(mktemp -d)
ONTIME_RUN_DIR=$work/run
from=${ONTIME_BUILD:-build}
ONTIME_BUILD=$work/build # of files that are replaced
ONTIME_HISTOGRAMS=off
export ONTIME_RUN_DIR ONTIME_BUILD ONTIME_HISTOGRAMS
conf=$work/test.conf
instance=renew$$
log=$ONTIME_RUN_DIR/$instance/log
listen=$((10000 + $$ % 1000 * 10)) # the ports are this run's own, so that two runs on one machine do not meet
send=$((listen + 10000))
sed "s/^instance = .*/instance = $instance/; s/^policy = .*/policy = edf/; s/127\.0\.0\.1:808/127.0.0.1:${listen%0}/; s/127\.0\.0\.1:908/127.0.0.1:${send%0}/" "$from/full.conf" >"$conf"
mkdir "$ONTIME_BUILD"
for program in hold supervise ingress edf egress stat load check; do
	cp "$from/$program" "$ONTIME_BUILD"
done
trap 'run/stop.sh -i "$instance" >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

on_failure() {
	tail -n 12 "$log" 2>/dev/null || true
}

check() { # NAME COMMAND...
	check_here "$@"
}

pid_of() { # WHO
	case $1 in
	supervisor | holder) "$ONTIME_BUILD/hold" "--$1" -i "$instance" ;;
	*) run/status.sh --pid "$1" -i "$instance" ;;
	esac
}

is_another() { # WHO PID
	now=$(pid_of "$1" 2>/dev/null) && [ -n "$now" ] && [ "$now" != "$2" ]
}

replace() { # VERSION PROGRAM...: by a file of that version, as a package does
	to=$1
	shift
	for program in "$@"; do
		LC_ALL=C sed "s/\(ONTIME_VERSION=\)[0-9]\.[0-9]\.[0-9]/\1$to/" "$from/$program" >"$ONTIME_BUILD/new" && chmod 755 "$ONTIME_BUILD/new" &&
			! cmp -s "$from/$program" "$ONTIME_BUILD/new" && mv "$ONTIME_BUILD/new" "$ONTIME_BUILD/$program" || return 1
	done
}

load_start() { # SECONDS
	"$ONTIME_BUILD/load" -c "$conf" --rate 5000 --seconds "$1" --size 0-1472 >"$work/load" 2>&1 &
	load=$!
}

load_is_whole() {
	wait "$load" && ! grep -q 'not delivered' "$work/load" && return 0
	cat "$work/load"
	return 1
}

run_files() { # VERSION NAME...: these are of that version, by their own files and by what status says
	run/status.sh -i "$instance" >"$work/said" || return 1
	version=$1
	shift
	for name in "$@"; do
		grep "^  $name .* $version\$" "$work/said" && ! readlink "/proc/$(pid_of "$name")/exe" | grep deleted || return 1
	done
}

says_that_they_differ() {
	run_files "$version" ingress edf egress supervisor holder && ! grep 'another build' "$work/said" || return 1
	replace 7.7.7 supervise hold edf && run/status.sh -i "$instance" >"$work/said" &&
		grep -q '^ontime: of another build than the installed one (ontime .*): edf supervisor holder: run/restart.sh all -i '"$instance" "$work/said" &&
		grep -q "^  edf .* $version\$" "$work/said"
}

all_are_renewed() { # the same two processes, which run the new files
	supervisor=$(pid_of supervisor) holder=$(pid_of holder)
	load_start 2
	run/restart.sh all -i "$instance" | grep -x 'ontime: supervisor and holder go over to the files that are there now' || return 1
	run_files 7.7.7 edf supervisor holder && ! grep 'another build' "$work/said" && [ "$(pid_of supervisor) $(pid_of holder)" = "$supervisor $holder" ] && load_is_whole
}

only_if_there_is_reason() {
	[ "$(run/restart.sh all -i "$instance" | tee "$work/said" | grep -c restarted)" = 3 ] && ! grep 'go over' "$work/said"
}

ends_are_told() { # of stages that were started before: how each ended, and none is left as a zombie
	for stage in ingress edf egress; do
		was=$(pid_of $stage)
		run/restart.sh supervisor -i "$instance" && kill -9 "$was" && eventually is_another $stage "$was" && eventually grep "$stage ended (signal 9): another is started" "$log" || return 1
	done
	eventually has_no_zombies
}

has_no_zombies() {
	! pgrep -r Z -P "$(pid_of supervisor)"
}

replace_each_other() { # whoever of the two is the parent
	load_start 3
	for who in supervisor holder supervisor holder; do
		run/restart.sh supervisor -i "$instance" && was=$(pid_of $who) && kill -9 "$was" && eventually is_another $who "$was" && eventually run/status.sh -i "$instance" || return 1
	done
	run/restart.sh supervisor -i "$instance" && load_is_whole && has_no_zombies
}

storm() { # one renewal after the other, stages dying meanwhile
	load_start 4
	for stage in ingress edf egress ingress edf egress ingress edf egress; do
		"$ONTIME_BUILD/hold" --ask "restart supervisor" -i "$instance" >"$work/said" 2>&1 &
		asking=$!
		kill -9 "$(pid_of $stage)" 2>/dev/null || true
		wait "$asking" || true
		"$ONTIME_BUILD/hold" --ask "restart supervisor" -i "$instance" || return 1
	done
	eventually run/status.sh -i "$instance" && load_is_whole && "$ONTIME_BUILD/stat" --once -i "$instance" | grep -x balanced && eventually has_no_zombies
}

keeps_what_is_in_force() {
	sed -i 's/^budget = 10ms/budget = 20ms/' "$conf" && run/reload.sh -i "$instance" || return 1
	sed -i 's/^budget = 20ms/budget = 30ms/' "$conf" && run/restart.sh supervisor -i "$instance" || return 1
	run/config.sh -i "$instance" | grep -qx 'budget = 20ms' && run/reload.sh -i "$instance" | grep '20ms -> 30ms'
}

is_refused_at_once() { # STATUS EXIT: that status of a launch whose supervisor ends so: the holder ends with it
	printf '#!/bin/sh\nexit %s\n' "$2" >"$ONTIME_BUILD/new" && chmod 755 "$ONTIME_BUILD/new" && mv "$ONTIME_BUILD/new" "$ONTIME_BUILD/supervise" || return 1
	run/launch.sh -c "$conf" && return 1 || [ $? = "$1" ] || return 1
	put_back supervise && [ ! -e "$(segment_of "$instance")" ] && [ -z "$(processes_of "$ONTIME_RUN_DIR/$instance")" ]
}

refusal_is_the_answer() {
	is_refused_at_once 2 2 && is_refused_at_once 1 3 && is_refused_at_once 1 1
}

put_other_layout() { # PROGRAM...: by files of a build with another layout
	hash=$(sed -n 's/.* 0x\([0-9a-f]*\)ULL$/\1/p' "$from/obj/layout-hash.h")
	bytes=$(echo "$hash" | sed 's/\(..\)\(..\)\(..\)\(..\)\(..\)\(..\)\(..\)\(..\)/\\x\8\\x\7\\x\6\\x\5\\x\4\\x\3\\x\2\\x\1/')
	for program in "$@"; do
		at=$(LC_ALL=C grep -obUaP "$bytes" "$from/$program" | LC_ALL=C cut -d : -f 1 | head -n 1)
		[ "$at" ] && cp "$from/$program" "$ONTIME_BUILD/new" && printf '\1\2\3\4\5\6\7\10' | dd of="$ONTIME_BUILD/new" bs=1 seek="$at" conv=notrunc status=none &&
			! cmp -s "$from/$program" "$ONTIME_BUILD/new" && mv "$ONTIME_BUILD/new" "$ONTIME_BUILD/$program" || return 1
	done
}

put_back() { # PROGRAM...
	for program in "$@"; do
		cp "$from/$program" "$ONTIME_BUILD/new" && mv "$ONTIME_BUILD/new" "$ONTIME_BUILD/$program" || return 1
	done
}

the_first_may_fail() { # a renewal: the holder stays, and starts the supervisor before it
	sleep 1 # what ends earlier is the answer to the launch
	load_start 2
	holder=$(pid_of holder) supervisor=$(pid_of supervisor)
	for status in 2 3 1; do
		if [ $status = 1 ]; then # no script: it is put back while it is read
			cp /bin/false "$ONTIME_BUILD/new"
		else
			printf '#!/bin/sh\nexit %s\n' $status >"$ONTIME_BUILD/new"
		fi
		chmod 755 "$ONTIME_BUILD/new" && mv "$ONTIME_BUILD/new" "$ONTIME_BUILD/supervise" || return 1
		"$ONTIME_BUILD/hold" --ask "restart supervisor" -i "$instance" || return 1
		[ $status != 1 ] || put_back supervise || return 1 # that may pass, so the file is tried again
		eventually is_another supervisor "$supervisor" && eventually run/status.sh -i "$instance" && [ "$(pid_of holder)" = "$holder" ] || return 1
		supervisor=$(pid_of supervisor)
		put_back supervise || return 1
	done
	run/restart.sh supervisor -i "$instance" && load_is_whole
}

kill_both() { # supervisor and holder in one moment, and wait until a stand-by has started others
	eventually all_stand_by || return 1
	was=$(pid_of supervisor)
	kill -STOP "$was" && kill -9 "$(pid_of holder)" "$was" && eventually is_another supervisor "$was" && eventually run/status.sh -i "$instance"
}

all_stand_by() {
	[ "$(pgrep -c -x '(ingress|edf|egress)\*' -P "$(pid_of supervisor)")" = 3 ]
}

a_rescued_one_is_as_good() { # it has the binary of the supervisor that runs, were the files replaced before or after
	load_start 6
	kill_both && put_other_layout supervise && was=$(pid_of supervisor) && kill -9 "$was" && eventually is_another supervisor "$was" && eventually run/status.sh -i "$instance" || return 1
	kill_both && was=$(pid_of supervisor) && kill -9 "$was" && eventually is_another supervisor "$was" && eventually run/status.sh -i "$instance" || return 1
	put_back supervise && replace 8.8.8 supervise hold edf && run/restart.sh all -i "$instance" && run_files 8.8.8 edf supervisor holder && load_is_whole
}

another_layout_goes_back() { # it cannot go on with this segment: the one before does
	put_other_layout supervise || return 1
	load_start 3
	supervisor=$(pid_of supervisor)
	for stage in all supervisor; do
		fails_with 3 "^ontime: instance '$instance' runs with another layout of the shared memory than the build that is installed (.*), which cannot go on with it: nothing was changed; run/stop.sh and run/launch.sh put that build in force" \
			run/restart.sh $stage -i "$instance" || return 1
	done
	"$ONTIME_BUILD/hold" --ask "restart supervisor" -i "$instance" && eventually grep 'supervise is of a build with another layout than this instance: the supervisor before it goes on' "$log" || return 1
	eventually "$ONTIME_BUILD/hold" --supervisor -i "$instance" && [ "$(pid_of supervisor)" = "$supervisor" ] && run/restart.sh edf -i "$instance" && load_is_whole &&
		run/status.sh -i "$instance" | grep 'of another build than the installed one .*: supervisor:'
}

what_cannot_run_is_said() {
	: >"$ONTIME_BUILD/new" && chmod 755 "$ONTIME_BUILD/new" && mv "$ONTIME_BUILD/new" "$ONTIME_BUILD/supervise" || return 1
	"$ONTIME_BUILD/hold" --ask "restart supervisor" -i "$instance" && eventually grep 'go over to .*/supervise: .*: the supervisor that runs goes on' "$log" &&
		run/restart.sh edf -i "$instance" && run/status.sh -i "$instance"
}

another_layout_is_told() { # with all files of it, as after an upgrade; a stop sends what was accepted
	put_other_layout hold supervise ingress edf egress check || return 1
	fails_with 3 'another layout of the shared memory than the build that is installed' run/restart.sh all -i "$instance" &&
		fails_with 3 'another layout of the shared memory than the build that is installed' run/restart.sh edf -i "$instance" &&
		fails_with 1 'made by a build with another layout of the segment: run/stop.sh, then run/launch.sh' run/status.sh -i "$instance" &&
		fails_with 2 'made by a build with another layout of the segment: run/stop.sh, then run/launch.sh' run/launch.sh -c "$conf" || return 1
	kill -STOP "$1"
	"$ONTIME_BUILD/load" -c "$conf" --rate 2000 --seconds 0.1 --drain 0 >/dev/null 2>&1 || true
	kill -CONT "$1"
	stops && tail -n 1 "$ONTIME_RUN_DIR/$instance.log" | grep 'stopped: all that was accepted has been sent' && run/launch.sh -c "$conf"
}

stops() {
	run/stop.sh -i "$instance" && [ ! -e "$(segment_of "$instance")" ] && [ -z "$(processes_of "$ONTIME_RUN_DIR/$instance")" ]
}

check "a launch whose supervisor refuses ends with it" refusal_is_the_answer
run/launch.sh -c "$conf" >/dev/null
version=$("$from/hold" --version | sed 's/^ontime //')
check "a first renewal that is refused, or fails, ends nothing" the_first_may_fail
check "status says which process runs another file than the one that is there" says_that_they_differ
check "a restart of all renews supervisor and holder in place, and nothing is lost" all_are_renewed
check "and leaves them alone when they run the files that are there" only_if_there_is_reason
check "a renewed supervisor knows how its stages end, and reaps them" ends_are_told
check "renewed, supervisor and holder replace each other" replace_each_other
check "renewals one after the other while stages are killed: nothing is lost" storm
check "what is in force stays in force" keeps_what_is_in_force
check "what a stand-by has started in their place is upgraded, and outlives a supervisor, likewise" a_rescued_one_is_as_good
check "a supervisor of another layout goes back to the one before" another_layout_goes_back
check "a file that cannot be executed is said, and nothing stops" what_cannot_run_is_said
put_back supervise
run/restart.sh all -i "$instance" >/dev/null
check "a whole build of another layout is told by each command, and a stop is in order" another_layout_is_told "$(pid_of egress)"
check "a stop leaves nothing" stops
verdict renew

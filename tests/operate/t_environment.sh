#!/bin/sh
# t_environment.sh - what a launch inherits is not what an instance runs with: descriptors, signals, umask, directory, priority,
# streams, words of the environment, limits.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
here=$PWD
ONTIME_BUILD=$here/${ONTIME_BUILD:-build}
own_instance around
chmod 755 "$work"
user=54321 # whom nobody is
own_config run/ontime.conf
trap clean_up EXIT

clean_up() { # whatever has failed, and whoever was who launched
	run/stop.sh -i "$instance" >/dev/null 2>&1 || true
	for pid in $(everyone); do
		kill -9 "$pid" || true
	done
	rm -f "/dev/shm/ontime.$instance".*
	umount "$work/mount" 2>/dev/null || true
	rm -rf "$work"
}

stages() { # their pids
	"$ONTIME_BUILD/hold" --stages -i "$instance" | sed -n 's/^[a-z]* \([0-9]*\) .* 1$/\1/p'
}

supervisor() { # its pid, shown to be this instance's
	pid=$(cat "$ONTIME_RUN_DIR/$instance/supervisor.pid")
	grep -qzx "ONTIME_INSTANCE=$instance" "/proc/$pid/environ" && echo "$pid"
}

everyone() { # stages, supervisor, and whatever else was started for the instance and stays
	grep -lzx "ONTIME_INSTANCE=$instance" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3
}

of_each() { # FIELD PATTERN PIDS...: /proc/PID/status says so of each
	field=$1
	pattern=$2
	shift 2
	[ $# -gt 0 ] || return 1
	for pid in "$@"; do
		grep -q "^$field:[[:blank:]]*$pattern$" "/proc/$pid/status" && continue
		echo "$pid, $(cat "/proc/$pid/comm"): $(grep "^$field" "/proc/$pid/status"), not $pattern"
		return 1
	done
}

# What each launch below must have led to, whatever it inherited.

runs() {
	eventually ready && eventually run/status.sh -i "$instance"
}

# Of each stage: sockets and the like, the segment, the log, and which file a supervisor is to be run from; of all: nothing of the launch's.
descriptors_are_its_own() {
	for pid in $(stages); do
		for fd in "/proc/$pid/fd"/*; do
			case $(readlink "$fd") in
			socket:* | anon_inode:* | /dev/null | "/dev/shm/ontime.$instance."* | /memfd:* | "$ONTIME_RUN_DIR/$instance"/* | "$ONTIME_BUILD/supervise" | "/proc/$pid/schedstat" | /proc/"$pid"/net/softnet_stat) ;;
			pipe:*) [ "${fd##*/}" -gt 0 ] ;;
			*) echo "stage $pid, $(cat "/proc/$pid/comm"): ${fd##*/} -> $(readlink "$fd")" && return 1 ;;
			esac || return 1
		done
	done
	for pid in $(everyone); do
		! find "/proc/$pid/fd" -lname "$work/stray" | grep . || return 1
	done
}

# Nothing is blocked but what a supervisor waits for. Nothing is ignored but PIPE, as a stage chooses, and 32 and 33, which
# belong to the C library.
signals_are_the_default() {
	# shellcheck disable=SC2046 # a pid each
	of_each SigBlk 0000000000000000 $(stages) && of_each SigIgn '0000000[01][08]000[01]000' $(stages) "$(supervisor)" &&
		of_each SigBlk '[0-9a-f]*[014589cd][0145][0-9a-f][0-9a-f]' "$(supervisor)" # not ALRM, USR1 and USR2
}

files_are_private() {
	modes=$(stat -c '%a %n' "$ONTIME_RUN_DIR/$instance" "/dev/shm/ontime.$instance".*)
	printf '%s\n' "$modes"
	[ "$(printf '%s\n' "$modes" | cut -d' ' -f1 | tr '\n' ' ')" = "700 600 " ] || return 1
	! find "$ONTIME_RUN_DIR/$instance" -perm /022 | grep .
}

directory_is_nobodys() { # the installation's, or the root
	for pid in $(everyone); do
		case $(readlink "/proc/$pid/cwd") in / | "$here") ;; *) echo "$pid, $(cat "/proc/$pid/comm"), works in $(readlink "/proc/$pid/cwd")" && return 1 ;; esac
	done
}

priority_is_the_default() { # nice 0, unless a real-time policy has taken its place; only root can go back to it
	[ "$(id -u)" = 0 ] || return 0
	for pid in $(stages); do
		# shellcheck disable=SC2046 # a number each
		set -- $(sed 's/.*) //' "/proc/$pid/stat")
		[ "${17}" = 0 ] || [ "${39}" != 0 ] || { echo "$pid, $(cat "/proc/$pid/comm"), is at nice ${17}" && return 1; }
	done
}

no_terminal() {
	for pid in $(everyone); do
		# shellcheck disable=SC2046 # a number each
		set -- $(sed 's/.*) //' "/proc/$pid/stat")
		[ "$5" = 0 ] || { echo "$pid, $(cat "/proc/$pid/comm"), has a terminal" && return 1; }
	done
}

has_successor() { # STAGE PID
	ready && [ "$(live_pid_of "$1")" != "$2" ]
}

budget_is() { # NS
	[ "$("$ONTIME_BUILD/stat" -i "$instance" --json | jq '.classes[1].budget_ns')" = "$1" ]
}

operates() { # a crash, a restart, a reload and a stop
	before=$(live_pid_of egress)
	kill -9 "$before"
	eventually has_successor egress "$before" && run/restart.sh all -i "$instance" && eventually ready || return 1
	sed -i 's/^budget = 10ms/budget = 11ms/' "$conf"
	kill -HUP "$(supervisor)"
	eventually budget_is 11000000 && status=0 || status=1
	sed -i 's/^budget = 11ms/budget = 10ms/' "$conf"
	[ "$status" = 0 ] && stops
}

stops() {
	run/stop.sh -i "$instance" && nothing_is_left
}

nothing_is_left() {
	[ ! -e "$ONTIME_RUN_DIR/$instance" ] && [ -z "$(find /dev/shm -name "ontime.$instance.*")" ] && eventually nobody
}

nobody() {
	[ -z "$(everyone)" ]
}

all_is_well() { # NAME: each promise is a check of its own, so that each fault shows
	check "$1: it runs" runs
	check "$1: descriptors" descriptors_are_its_own
	check "$1: signals" signals_are_the_default
	check "$1: files are private" files_are_private
	check "$1: directory" directory_is_nobodys
	check "$1: priority" priority_is_the_default
	check "$1: no terminal" no_terminal
	check "$1: crash, restart, reload and stop work" operates
	run/stop.sh -i "$instance" >/dev/null 2>&1 || true # where they do not
}

it_runs_and_stops() { # NAME
	check "$1: it runs" runs
	check "$1: descriptors" descriptors_are_its_own
	check "$1: no terminal" no_terminal
	check "$1: it stops" stops
	run/stop.sh -i "$instance" >/dev/null 2>&1 || true
}

launch() { # COMMAND...: through it, if any
	timeout 60 "$@" "$here/run/launch.sh" -c "$conf" >"$work/out" 2>&1 </dev/null && return 0 || status=$?
	cat "$work/out"
	return "$status"
}

# shellcheck disable=SC2016 # for the shells in there, here and below
stray_descriptors() {
	: >"$work/stray"
	launch bash -c 'exec 7<"$0" 9<"$0" 15>"$0" 200<"$0"; umask 000; exec nice -n 10 "$@"' "$work/stray"
}

# shellcheck disable=SC2016
odd_signals() {
	launch env --ignore-signal=HUP,TERM,CHLD,PIPE,QUIT --block-signal=USR1,USR2,ALRM,HUP,TERM,CHLD sh -c 'umask 777; "$@"' sh
}

# shellcheck disable=SC2016
directory_is_removed() {
	mkdir "$work/gone"
	launch sh -c 'cd "$0" && rmdir "$0" && "$@"' "$work/gone"
}

# Words of the environment, and few of the usual ones; and a file system that somebody stood on is not kept busy.
# shellcheck disable=SC2016
odd_words() {
	mkdir "$work/mount"
	[ "$(id -u)" != 0 ] || mount -t tmpfs tmpfs "$work/mount" || return 1
	launch env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin ONTIME_RUN_DIR="$ONTIME_RUN_DIR" ONTIME_BUILD="$ONTIME_BUILD" ONTIME_HISTOGRAMS=off \
		LISTEN_FDS=77 LISTEN_FDNAMES="x:space:high.in.0:segment:config" LISTEN_PID=1 NOTIFY_SOCKET="$work/notify" WATCHDOG_USEC=1 \
		LC_ALL=xx_YY.nonsense LANG=tr_TR.UTF-8 CDPATH=/tmp:/ POSIXLY_CORRECT=1 TMPDIR=/nonexistent ENV=/nonexistent \
		ONTIME_INSTANCE=other ONTIME_CONFIG=/nonexistent ONTIME_CONFIG_NAME=/nonexistent ONTIME_DIR=/nonexistent ONTIME_LOG=nonsense \
		sh -c 'cd "$0" && "$@"' "$work/mount" || return 1
	[ "$(id -u)" != 0 ] || umount "$work/mount"
}

notifies_nobody() { # NOTIFY_SOCKET was meant for who launched
	for pid in $(stages); do
		! tr '\0' '\n' <"/proc/$pid/environ" | grep -e '^NOTIFY_SOCKET=' -e '^WATCHDOG_' || return 1
	done
}

# shellcheck disable=SC2016 # for the shell in there
closed_streams() {
	timeout 60 sh -c '"$@" <&- >&- 2>&-' sh "$here/run/launch.sh" -c "$conf"
}

full_streams() {
	timeout 60 run/launch.sh -c "$conf" >/dev/full 2>/dev/full </dev/null
}

pipe_that_is_closed_early() { # a quiet end of launch, if any; the instance is there
	{ timeout 60 run/launch.sh -c "$conf" && echo 0 >"$work/status" || echo $? >"$work/status"; } 2>"$work/out" </dev/null | head -n 1
	cat "$work/out" "$work/status"
	[ "$(cat "$work/status")" = 0 ] || [ "$(cat "$work/status")" = 141 ]
}

terminal() { # that closes when launch has ended
	TERM=dumb timeout 60 script -qec "$here/run/launch.sh -c $conf" "$work/typescript" >"$work/out" 2>&1 </dev/null && return 0
	cat "$work/out"
	return 1
}

output_that_ends() { # nobody keeps the launch's output open: who reads it sees its end
	timeout 60 run/launch.sh -c "$conf" </dev/null 2>&1 | timeout 20 cat >"$work/out"
	grep -q 'is running' "$work/out"
}

limit_processes() { # NUMBER: for all that was started for the instance
	for pid in $(everyone); do
		$as prlimit --pid "$pid" --nproc="$1:" || [ ! -e "/proc/$pid" ] || return 1
	done
}

stands_by() {
	pgrep -x 'egress\*' -P "$(supervisor)"
}

as="setpriv --reuid=$user --regid=$user --clear-groups"

# A second at a limit of processes while a stage dies: it comes back when there is room.
limit_of_processes() {
	chown "$user" "$ONTIME_RUN_DIR"
	# shellcheck disable=SC2086 # words
	launch $as || return 1
	eventually stands_by || return 1
	limit_processes 1 || return 1
	before=$(live_pid_of egress)
	kill -9 "$(pgrep -x 'egress\*' -P "$(supervisor)")" "$before" # or the stand-by, which is there already, would take over
	sleep 1
	[ -z "$(live_pid_of egress)" ] || { echo "egress was started: the limit is none" && return 1; }
	# shellcheck disable=SC2086
	limit_processes 1000 && eventually has_successor egress "$before" && eventually $as run/status.sh -i "$instance" &&
		$as run/stop.sh -i "$instance" && eventually nobody
}

check "a launch with stray descriptors, umask 000, at nice 10" stray_descriptors
all_is_well "stray descriptors, umask 000, nice 10"
check "a launch with signals ignored and blocked, umask 777" odd_signals
all_is_well "signals ignored and blocked, umask 777"
check "a launch from a directory that is gone" directory_is_removed
all_is_well "directory that is gone"
check "a launch with odd words in the environment, from a file system that is unmounted then" odd_words
check "odd words: no one else's service manager is notified" notifies_nobody
all_is_well "odd words, and a file system that is unmounted"
check "a launch with its streams closed" closed_streams
all_is_well "closed streams"
check "a launch with its streams full" full_streams
all_is_well "full streams"
check "a launch into a pipe that is closed early" pipe_that_is_closed_early
it_runs_and_stops "pipe that is closed early"
check "a launch from a terminal that closes" terminal
it_runs_and_stops "terminal that closes"
check "a launch whose output is read to its end" output_that_ends
it_runs_and_stops "output read to its end"
if [ "$(id -u)" = 0 ] && $as test -r "$here/run/launch.sh" -a -x "$ONTIME_BUILD/hold"; then
	mkdir -p "$ONTIME_RUN_DIR" && rm -rf "${ONTIME_RUN_DIR:?}"/*
	check "a stage that cannot be started at a limit of processes is started after it" limit_of_processes
else
	skipped=$((skipped + 1))
	echo "skip a stage that cannot be started at a limit of processes: needs root, and files that others may read"
fi
verdict environment

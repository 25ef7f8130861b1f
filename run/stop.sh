#!/bin/sh
# stop.sh - drain an instance, stop it, and remove everything it made.
#
# usage: run/stop.sh [-i INSTANCE | -c FILE]
#
# Order: ingress reads its sockets empty (at most a second of continuing traffic), the lanes drain, then edf and egress
# stop. Also cleans up after everything was killed. Exit status: 0 stopped, or nothing was running.
set -eu
here=$(dirname "$(realpath "$0")") # it may be called through a symbolic link
# shellcheck source=run/common.sh
. "$here/common.sh"

case ${1:-} in
-h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' "$0" && exit 0 ;;
esac
[ -x "$build/hold" ] || die 0 "nothing is built, so nothing runs"
instance=$(instance_of "$@")
dir=$run_root/$instance

unpin() { # the latency histograms
	[ ! -x "$build/latency" ] || ONTIME_LOG=warning "$build/latency" --detach -i "$instance" || true
}

pid_of() { # the pid of $stage if it is alive, else nothing
	"$build/hold" --stages -i "$instance" 2>/dev/null | while read -r name pid _ _ _ _ _ alive; do
		[ "$name" != "$stage" ] || [ "$alive" = 0 ] || echo "$pid"
	done
}

wait_until_gone() { # PID TENTHS
	tenths=$2
	while [ -e "/proc/$1" ] && [ "$tenths" -gt 0 ]; do
		grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null && return 0
		sleep 0.1
		tenths=$((tenths - 1))
	done
	[ "$tenths" -gt 0 ]
}

end_stage() { # SIGNAL
	pid=$(pid_of)
	[ -n "$pid" ] || return 0
	kill -CONT "$pid" 2>/dev/null || true
	kill -s "$1" "$pid" 2>/dev/null || true
	wait_until_gone "$pid" 30 || kill -KILL "$pid" 2>/dev/null || true
}

lock_instances
finish() { # MESSAGE
	unpin
	"$build/hold" --remove --force -i "$instance"
	rm -rf "$dir"
	rmdir "$run_root" 2>/dev/null || true
	say "$1"
	exit 0
}

[ -d "$dir" ] || "$build/hold" --stages -i "$instance" >/dev/null 2>&1 || finish "instance '$instance' is not running"
[ ! -d "$dir" ] || : >"$dir/stopping"
groups=
for pid in $(pgrep -f "supervisor\.sh -c $dir/active\.conf"); do # first those who would start a stage again
	is_supervisor "$pid" || continue
	groups="$groups $(ps -o pgid=,sess= -p "$pid" | awk '$1 == $2 && $1 > 1 {print $1}')" # setsid in launch.sh made it
	kill -TERM "$pid" 2>/dev/null || true
	wait_until_gone "$pid" 20 || kill -KILL "$pid" 2>/dev/null || true
done
! "$build/hold" --supervised -i "$instance" 2>/dev/null ||
	die 1 "instance '$instance' has a supervisor, but not in $run_root: another user's, or of another ONTIME_RUN_DIR or XDG_RUNTIME_DIR"
stage=ingress
end_stage USR1
tries=50
while [ "$("$build/hold" --held -i "$instance" 2>/dev/null || echo 0)" != 0 ] && [ "$tries" -gt 0 ]; do
	sleep 0.1
	tries=$((tries - 1))
done
left=$("$build/hold" --held -i "$instance" 2>/dev/null || echo 0)
[ "$left" = 0 ] || say "$left packets could not be sent within 5 s and are gone"
for stage in edf egress; do
	end_stage TERM
done
# shellcheck disable=SC2086 # one a line
for group in $(printf '%s\n' $groups | sort -u); do # what is left has our sockets: a sleep, a stage of a damaged segment
	kill -s KILL -- "-$group" 2>/dev/null || continue
	tries=50
	while kill -s 0 -- "-$group" 2>/dev/null && [ "$tries" -gt 0 ]; do
		sleep 0.02
		tries=$((tries - 1))
	done
done
finish "instance '$instance' is stopped"

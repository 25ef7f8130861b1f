#!/bin/sh
# t_calls.sh - what is short at a stage's start is temporary: status 1 and one line, or the stage goes on without; never status 2.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
if [ $# = 0 ] && unshare -n true 2>/dev/null; then # it gives the machine an address
	exec unshare -n "$0" --in-namespace
fi
[ "${1:-}" != --in-namespace ] || ip link set lo up
ONTIME_BUILD=$PWD/build
own_instance calls on
fail=$PWD/build/tests/plugins/fail_start.so
own_config build/full.conf "s|^work = .*|work = plugin:$work/upper.so|"
cp build/plugins/upper.so "$work"

start() { # STAGE COMMAND...: the stage, with sockets and segment of its own, through the command
	stage=$1
	shift
	build/hold -c "$conf" -- "$@" "build/$stage" -c "$conf" && status=0 || status=$?
	build/hold --remove -i "$instance"
	return "$status"
}

text_of() { # ERROR: as strerror(3) has it
	case $1 in
	EMFILE) echo 'Too many open files' ;;
	ENFILE) echo 'Too many open files in system' ;;
	ENOMEM) echo 'Cannot allocate memory' ;;
	ENOBUFS) echo 'No buffer space available' ;;
	EAGAIN) echo 'Resource temporarily unavailable' ;;
	ENOLCK) echo 'No locks available' ;;
	EIO) echo 'Input/output error' ;;
	EACCES) echo 'Permission denied' ;;
	ENOENT) echo 'No such file or directory' ;;
	ENOSPC) echo 'No space left on device' ;;
	esac
}

outcome_is() { # ends|goes-on CALL ERROR STAGE: with 1 after one line that gives the error as the reason, or it gets ready
	# shellcheck disable=SC2086 # one word, or three
	start "$4" timeout 10 ${nameless:-env} LD_PRELOAD="$fail" FAIL_START="$2 $3" >"$work/out" 2>&1 && status=0 || status=$?
	case $1:$status in
	ends:1) [ "$(grep -c . "$work/out")" = 1 ] && grep -q "^\([^ ]* error \)\{0,1\}$4: .*$(text_of "$3")" "$work/out" && return ;;
	goes-on:0) grep -q "^[^ ]* $4: ready (" "$work/out" && return ;;
	esac
	echo "$4: $2 fails with $3, and it should be: $1 (status $status)"
	cat "$work/out"
	return 1
}

survives() { # ends|goes-on CALL STAGE ERRORS
	for error in $(echo "$4" | tr , ' '); do
		outcome_is "$1" "$2" "$error" "$3" || return 1
	done
}

each_row() { # of the table, as far as it is about starts
	while IFS='	' read -r stage call errors outcome how <&9; do
		case $stage:$outcome in *:ends | *:goes-on) ;; *) continue ;; esac
		check "$stage: where $call fails, a start $outcome" ${how:+"$how"} survives "$outcome" "$call" "$stage" "$errors"
	done 9<tests/operate/calls.table
}

nameless() { # COMMAND...: with nothing handed on but by number
	nameless="env -u LISTEN_FDNAMES"
	"$@"
}

starts() { # without a fault: what is said above is the fault's doing
	for each in ingress edf egress; do
		start "$each" timeout -s TERM 1 && status=0 || status=$?
		[ "$status" = 124 ] || return 1
	done
}

# shellcheck disable=SC2016 # for the shell in there
config_is_away() {
	cp "$conf" "$work/away.conf"
	start edf sh -c 'rm "$1"; shift; exec "$@"' sh "$conf" >"$work/out" 2>&1 && status=0 || status=$?
	mv "$work/away.conf" "$conf"
	cat "$work/out"
	[ "$status" = 1 ] && grep -q 'cannot be opened: No such file' "$work/out"
}

# The descriptor that was handed on cannot be opened just now, and the name is gone: that says nothing about another layout's.
# shellcheck disable=SC2016 # for the shell in there
segment_is_nameless() {
	start ingress sh -c 'rm "/dev/shm/ontime.$1".v*; : >"/dev/shm/ontime.$1.v9999"; shift; exec "$@"' sh "$instance" \
		env LD_PRELOAD="$fail" FAIL_START="open EMFILE" >"$work/out" 2>&1 && status=0 || status=$?
	rm -f "/dev/shm/ontime.$instance.v9999"
	cat "$work/out"
	[ "$status" = 1 ] && grep -q 'segment .*Too many open files' "$work/out"
}

# shellcheck disable=SC2016 # for the shell in there
config_is_wrong() { # the control: this is what status 2 is for
	cp "$conf" "$work/away.conf"
	start edf sh -c 'echo nonsense >>"$1"; shift; exec "$@"' sh "$conf" >"$work/out" 2>&1 && status=0 || status=$?
	mv "$work/away.conf" "$conf"
	cat "$work/out"
	[ "$status" = 2 ] && grep -q 'neither a \[section\]' "$work/out"
}

comes_back() { # FILE: the stages start again once it is there again
	[ -e "$1" ] || return 0 # an instance that needs no such file
	mv "$1" "$1.away"
	kill -9 "$(live_pid_of edf)"
	sleep 1
	mv "$1.away" "$1"
	eventually ready && eventually run/status.sh -i "$instance" && build/stat --once -i "$instance" | grep -q '^balanced$'
}

has_upper() { # once more, since a datagram before the receiver is there is refused
	say hello
	[ "$(cat "$work/got")" = HELLO ]
}

upper() { # a datagram goes through the plugin
	timeout 15 nc -u -l -W 1 127.0.0.1 "$send" >"$work/got" &
	receiver=$!
	eventually has_upper && wait "$receiver"
}

launch_is_refused() { # and says so before anything is started
	fails_with 2 "test.conf:.*: work = .*the plugin cannot be opened: No such file" run/launch.sh -c "$1" && [ ! -e "$dir/log" ]
}

loops_are_refused() { # behind a wildcard: through an address of this machine, which only a launch can know
	sed "s/^work = .*/work = none/; s/^listen = .*:$listen$/listen = 0.0.0.0:$listen/; s/^send = .*:$send$/send = 10.99.0.1:$listen/" "$conf" >"$work/loop.conf"
	build/hold --check -c "$work/loop.conf" || return 1
	ip addr add 10.99.0.1/32 dev lo &&
		fails_with 2 'loop.conf:.*: send = .*class high listens there (10.99.0.1:.*high -> high' build/hold --check -c "$work/loop.conf"
}

sed "s|^work = .*|work = plugin:$work/none.so|" "$conf" >"$work/none-test.conf"
check "a stage starts where no call fails" starts
check "a config that is away is temporary" config_is_away
check "a config that is wrong is not" config_is_wrong
check "where open is short and the segment has no name, a start is put off" segment_is_nameless
each_row
check "a launch without its plugin is refused" launch_is_refused "$work/none-test.conf"
if [ "${1:-}" = --in-namespace ]; then
	check "a loop through an address of this machine is refused" loops_are_refused
else
	skipped=$((skipped + 1))
	echo "skip a loop through an address of this machine is refused: needs root, for a network of its own"
fi
run/launch.sh -c "$conf" >/dev/null
check "a plugin works" upper
check "a plugin that is away for a second comes back" comes_back "$work/upper.so"
check "a config copy that is away for a second comes back" comes_back "$dir/active.conf"
check "a plugin works again" upper
run/stop.sh -i "$instance" >/dev/null
verdict calls

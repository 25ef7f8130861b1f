#!/bin/sh
# t_calls.sh - one failing call at a stage's start is temporary: status 1, one line, and the next start gets on.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh
if [ $# = 0 ] && unshare -n true 2>/dev/null; then # it gives the machine an address
	exec unshare -n "$0" --in-namespace
fi
[ "${1:-}" != --in-namespace ] || ip link set lo up
work=$(mktemp -d)
ONTIME_RUN_DIR=$work/run
ONTIME_BUILD=$PWD/build
export ONTIME_RUN_DIR ONTIME_BUILD
conf=$work/test.conf
instance=calls$$
dir=$ONTIME_RUN_DIR/$instance
fail=$PWD/build/tests/plugins/fail_start.so
listen=$((10000 + $$ % 1000 * 10)) # the ports are this run's own, so that two runs on one machine do not meet
send=$((listen + 10000))
sed "s/^instance = .*/instance = $instance/; s/127\.0\.0\.1:808/127.0.0.1:${listen%0}/; s/127\.0\.0\.1:908/127.0.0.1:${send%0}/; s|^work = .*|work = plugin:$work/upper.so|" run/ontime.conf >"$conf"
cp build/plugins/upper.so "$work"
trap 'run/stop.sh -i "$instance" >/dev/null 2>&1 || true; build/hold --remove -i "$instance" || true; rm -rf "$work"' EXIT INT TERM

on_failure() {
	tail -n 5 "$dir/log" 2>/dev/null || true
}

start() { # STAGE COMMAND...: the stage, with sockets and segment of its own, through the command
	stage=$1
	shift
	build/hold -c "$conf" -- "$@" "build/$stage" -c "$conf" && status=0 || status=$?
	build/hold --remove -i "$instance"
	return "$status"
}

passes() { # CALL ERROR TEXT STAGE...: each of them ends with 1, and says why
	call="$1 $2"
	reason=$3
	shift 3
	for each in "$@"; do
		# shellcheck disable=SC2086 # one word, or three
		fails_with 1 "$each: .*$reason" start "$each" ${nameless:-env} LD_PRELOAD="$fail" FAIL_START="$call" timeout 5 || return 1
	done
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

# shellcheck disable=SC2016 # for the shell in there
config_is_wrong() { # the control: this is what status 2 is for
	cp "$conf" "$work/away.conf"
	start edf sh -c 'echo nonsense >>"$1"; shift; exec "$@"' sh "$conf" >"$work/out" 2>&1 && status=0 || status=$?
	mv "$work/away.conf" "$conf"
	cat "$work/out"
	[ "$status" = 2 ] && grep -q 'neither a \[section\]' "$work/out"
}

pid_of() { # STAGE: if it is alive
	build/hold --stages -i "$instance" | sed -n "s/^$1 \([0-9]*\) .* 1$/\1/p"
}

ready() {
	[ "$(build/hold --stages -i "$instance" | grep -c ' ready .* 1$')" = 3 ]
}

comes_back() { # FILE: the stages start again once it is there again
	[ -e "$1" ] || return 0 # an instance that needs no such file
	mv "$1" "$1.away"
	kill -9 "$(pid_of edf)"
	sleep 1
	mv "$1.away" "$1"
	eventually ready && eventually run/status.sh -i "$instance" && build/stat --once -i "$instance" | grep -q '^balanced$'
}

has_upper() { # once more, since a datagram before the receiver is there is refused
	echo hello | nc -u -w0 127.0.0.1 "$listen"
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
for error in EMFILE ENFILE ENOMEM EIO EACCES ENOENT; do
	check "a config that cannot be opened with $error is temporary" passes fopen $error 'cannot be opened' ingress edf egress
done
check "a config that is away is temporary" config_is_away
check "a config that is wrong is not" config_is_wrong
for error in EMFILE ENFILE ENOMEM EACCES; do
	check "a segment that cannot be opened with $error is temporary" nameless passes shm_open $error 'segment' ingress edf egress
done
check "a segment that cannot be mapped is temporary" passes mmap ENOMEM 'segment' ingress edf egress
for error in EMFILE ENFILE ENOMEM; do
	check "an epoll instance refused with $error is temporary" passes epoll_create1 $error '' ingress
done
for error in ENOMEM ENOSPC; do
	check "a socket that cannot be watched with $error is temporary" passes epoll_ctl $error '' ingress
done
for error in ENOBUFS ENOMEM; do
	check "a socket that does not answer with $error is temporary" passes getsockopt $error '' ingress edf egress
done
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

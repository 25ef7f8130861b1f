# shellcheck shell=sh disable=SC2154
# check.sh - what the test scripts share: run a check and count it, wait for something, expect a refusal. Sourced, from the top.
passed=0
failed=0
skipped=0

on_failure() { :; } # a script may define its own: what else to show

count_check() { # STATUS NAME
	if [ "$1" = 0 ]; then
		passed=$((passed + 1))
		printf 'ok   %s\n' "$2"
	else
		failed=$((failed + 1))
		printf 'FAIL %s\n' "$2"
	fi
}

check() { # NAME COMMAND...: in a subshell; what it says shows only when it fails
	checked=$1
	shift
	if said=$("$@" 2>&1); then
		count_check 0 "$checked"
	else
		count_check 1 "$checked"
		printf '%s\n' "$said"
		on_failure
	fi
}

check_here() { # NAME COMMAND...: not in a subshell, so that what it sets stays; needs a directory $work
	checked=$1
	shift
	if "$@" >"$work/checked" 2>&1; then
		count_check 0 "$checked"
	else
		count_check 1 "$checked"
		cat "$work/checked"
		on_failure
	fi
}

eventually() { # COMMAND...: within 10 seconds
	tries=200
	until "$@"; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 0.05
	done
}

is_gone() { # PID: and its sockets with it
	! [ -e "/proc/$1" ] || grep -q '^State:	Z' "/proc/$1/status" 2>/dev/null || ! [ -e "/proc/$1" ]
}

end_process() { # PID: is told to end, and is gone then, whose child it may be
	kill "$1" 2>/dev/null || return 0
	wait "$1" 2>/dev/null || true
	eventually is_gone "$1"
}

say() { # TEXT [PORT]: one datagram to this machine; from a file, since nc -w0 gives up on a pipe that has nothing yet
	printf '%s' "$1" >"$work/datagram" && nc -u -w0 127.0.0.1 "${2:-$listen}" <"$work/datagram"
}

processes_of() { # RUN-DIRECTORY OF AN INSTANCE: the pids of what was launched with it and has not ended
	for pid in $(pgrep -x '(ingress|edf|egress)\*?|supervise|hold' || true); do
		! tr '\0' '\n' 2>/dev/null <"/proc/$pid/environ" | grep -qxF "ONTIME_DIR=$1" || echo "$pid"
	done
}

fails_with() { # STATUS PATTERN COMMAND...: that exit status, and ONE line that matches
	want=$1
	pattern=$2
	shift 2
	text=$("$@" 2>&1) && got=0 || got=$?
	printf '%s (status %s)\n' "$text" "$got"
	[ "$got" = "$want" ] && printf '%s\n' "$text" | grep -q -e "$pattern" && [ "$(printf '%s\n' "$text" | wc -l)" = 1 ]
}

orphan() { # INSTANCE: nobody starts its stages again, nor a supervisor, until a launch
	keeper=$("$ONTIME_BUILD/hold" --supervisor -i "$1")
	kill -STOP "$keeper" # or it would replace the others before it dies itself
	"$ONTIME_BUILD/hold" --signal standbys KILL -i "$1"
	kill -9 "$("$ONTIME_BUILD/hold" --holder -i "$1")"
	kill -9 "$keeper"
}

segment_of() { # INSTANCE: where its segment has a name
	echo "/dev/shm/ontime.$1.v$(sed -n 's/^#define LAYOUT_VERSION //p' common/shm/layout.h)"
}

verdict() { # NAME: the last line, and the exit status
	printf '%s: %d passed, %d failed, %d skipped\n' "$1" "$passed" "$failed" "$skipped"
	[ "$failed" = 0 ]
}

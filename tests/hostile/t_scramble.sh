#!/bin/sh
# t_scramble.sh [MUTATIONS [SEED]] - bits and words are changed in every part of a running instance's segment, while datagrams pass, and
# stages, supervisor and holder are built with the address and undefined-behaviour sanitizers. A stage that finds damage ends with one line
# and another goes on; or packets are dropped, by name. No wild access, no hang, no datagram to another class. 20,000 by default.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
mutations=${1:-20000}
seed=${2:-1}
ONTIME_BUILD=$PWD/build/san-address-undefined
[ -x "$ONTIME_BUILD/tests/scramble" ] || make -s "-j$(nproc)" SAN=address,undefined all build/san-address-undefined/tests/scramble
ASAN_OPTIONS=detect_leaks=0
UBSAN_OPTIONS=print_stacktrace=1
export ASAN_OPTIONS UBSAN_OPTIONS
own_instance scramble

configure() { # LINES OF [pipeline]
	cat >"$conf" <<-END
		[pipeline]
		instance = $instance
		payload_bytes = 512B
		hung = 1s
		$1
		[class asked]
		listen = 127.0.0.1:$listen
		send = 127.0.0.1:$send
		budget = 100ms
		replies = answers
		sessions = 16
		idle = 200ms
		idle_unanswered = 100ms
		[class answers]
		budget = 100ms
		[class shown]
		listen = 127.0.0.1:$((listen + 1))
		send = 127.0.0.1:$((send + 1))
		source = proxy
		[class plain]
		listen = 127.0.0.1:$((listen + 2))
		send = 127.0.0.1:$((send + 2))
		budget = 10ms
	END
}

# What it does until it is stuck, after which a launch makes all well; so often as it takes.
scramble() { # MUTATIONS
	left=$1 relaunches=0
	: >"$work/scrambled"
	while [ "$left" -gt 0 ]; do
		run/stop.sh -i "$instance" >/dev/null 2>&1 || true
		run/launch.sh -c "$conf" >"$work/launched" 2>&1 || { cat "$work/launched"; return 1; }
		status=0
		"$ONTIME_BUILD/tests/scramble" -c "$conf" "$left" $((seed + relaunches)) >"$work/bout" 2>&1 || status=$?
		cat "$work/bout" >>"$work/scrambled"
		did=$(sed -n 's/^\([0-9]*\) mutations.*/\1/p' "$work/bout")
		left=$((left - ${did:-0}))
		if [ "${did:-0}" = 0 ] || { [ "$status" != 0 ] && [ "$status" != 3 ]; }; then
			cat "$work/bout"
			return 1
		fi
		no_wild_access || return 1
		[ "$status" = 0 ] || says_why || return 1
		relaunches=$((relaunches + 1))
		[ "$relaunches" -lt 200 ] || return 1
	done
}

says_why() { # nothing passes: so a stage does not run, and has said that the segment is damaged
	"$ONTIME_BUILD/hold" --stages -i "$instance" >"$work/stages"
	grep -q 'damaged\|contradict' "$log" && [ "$(grep -c ' ready .* 1$' "$work/stages")" -lt 3 ] && return 0
	echo "stuck, and nobody says why"
	cat "$work/stages"
	tail -n 40 "$log"
	return 1
}

all_logs() { # of the runs before, and of this one
	cat "$ONTIME_RUN_DIR/$instance.log" "$log" 2>/dev/null
}

no_wild_access() {
	! all_logs | grep -A 30 'AddressSanitizer\|runtime error:\|Assertion\|signal 11\|signal 7)'
}

# For each end of a stage there was an error of its own, or the supervisor ended it, since it did not move.
each_end_is_said() {
	all_logs | awk '
	/ error (ingress|edf|egress): / { for (i = 1; i <= NF; i++) if ($i ~ /^(ingress|edf|egress):$/) said[substr($i, 1, length($i) - 1)]++ }
	/ supervise: (ingress|edf|egress) [(]pid [0-9]+[)] has not moved/ { for (i = 1; i <= NF; i++) if ($i == "supervise:") said[$(i + 1)]++ }
	/ supervise: (ingress|edf|egress) ended \(/ {
		for (i = 1; i <= NF; i++) if ($i == "supervise:") who = $(i + 1)
		ends++
		if (said[who]-- < 1) { print; bad++ }
	}
	END { printf "%d ends of stages\n", ends; exit bad > 0 }'
}

goes_on() { # as ever, after a launch
	run/stop.sh -i "$instance" >/dev/null 2>&1 || true
	run/launch.sh -c "$conf" >"$work/launched" 2>&1 && eventually ready && "$ONTIME_BUILD/stat" --once -i "$instance" | grep -q '^balanced$'
}

try() { # NAME LINES
	configure "$2"
	check "$1: $mutations mutations, and datagrams go on to their classes" scramble "$mutations"
	sed 's/^/     /' "$work/scrambled"
	each_end_is_said | tail -n 1 | sed 's/^/     /'
	check "$1: no wild access" no_wild_access
	check "$1: each stage that ends says why" each_end_is_said
	check "$1: a launch makes it well" goes_on
	run/stop.sh -i "$instance" >/dev/null 2>&1 || true
	mv "$ONTIME_RUN_DIR/$instance.log" "$work/log.$1"
}

try relay "gro = on"
try workers "work = plugin:$ONTIME_BUILD/plugins/upper.so
workers = 2"
verdict scramble

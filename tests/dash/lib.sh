# shellcheck shell=sh disable=SC2034,SC2154
# lib.sh - what the dashboard's tests share: an instance and a dash of their own. Sourced, with $name set.

# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
own_instance "$name" "${ONTIME_HISTOGRAMS:-on}"
instance=${DASH_INSTANCE:-$instance}
other_instance=$instance-b
port=$((listen + 4))
url=http://127.0.0.1:$port
other_conf=$work/other.conf # of a second instance
children=

finish() { # what runs is ended by its pid, what was made is removed
	for pid in $children; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	run/stop.sh -c "$conf" >/dev/null 2>&1 || true
	[ ! -f "$other_conf" ] || run/stop.sh -c "$other_conf" >/dev/null 2>&1 || true
	rm -rf "$work"
}
trap finish EXIT

make_other_conf() { # the last digits 0 to 3 of its ports become 6 to 9
	sed "s/^instance = .*/instance = $other_instance/; s/^\(listen\|send\)\(.*\)0\$/\1\26/; s/^\(listen\|send\)\(.*\)1\$/\1\27/
		s/^\(listen\|send\)\(.*\)2\$/\1\28/; s/^\(listen\|send\)\(.*\)3\$/\1\29/" "$conf" >"$other_conf"
}

skip() { # NAME REASON
	skipped=$((skipped + 1))
	printf 'skip %s: %s\n' "$1" "$2"
}

counts() { # what `check`s a program ran by itself: its ok, FAIL and skip lines, in FILE
	passed=$((passed + $(grep -c '^ok ' "$1" || true)))
	failed=$((failed + $(grep -c '^FAIL ' "$1" || true)))
	skipped=$((skipped + $(grep -c '^skip ' "$1" || true)))
}

run_part() { # COMMAND...: a program that prints such lines; if it ends with a status but no FAIL line, that is one
	"$@" >"$work/part" 2>&1 && status=0 || status=$?
	cat "$work/part"
	counts "$work/part"
	if [ "$status" != 0 ] && ! grep -q '^FAIL ' "$work/part"; then
		failed=$((failed + 1))
		printf 'FAIL %s ended with status %s\n' "$2" "$status"
	fi
}

get() { # PATH [NAME: VALUE]...: status, headers and body; node is needed anyway, curl is not
	node tests/dash/get.js "$url$1" "$2" "$3"
}

is_up() { # does it answer at all?
	get /healthz '' '' >/dev/null 2>&1
}

says() { # PATH PATTERN: does that answer have such a line?
	get "$1" '' '' 2>&1 | grep -q "$2"
}

start_dash() { # ARGS...: sets $dash
	"$ONTIME_BUILD/dash" -i "$instance" --listen "127.0.0.1:$port" "$@" 2>"$work/dash.log" &
	dash=$!
	children="$children $dash"
	eventually is_up || { cat "$work/dash.log"; return 1; }
}

without_dash() { # are the tests impossible? then prints why
	if [ ! -x "$ONTIME_BUILD/dash" ]; then
		echo "build/dash is not built: run/deps.sh build installs libmicrohttpd-dev"
	elif ! command -v node >/dev/null; then
		echo "nodejs cannot be installed here"
	else
		return 1
	fi
}

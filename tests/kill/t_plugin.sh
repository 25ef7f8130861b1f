#!/bin/sh
# t_plugin.sh - an instance whose plugin is slow to open, ends the stage, or loses its file: the supervisor brings it through.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
own_instance plugin on
ONTIME_TEST_OPEN_MS=4000 # of the plugin, twice as long as `hung`
export ONTIME_TEST_OPEN_MS
cat >"$work/conf" <<END
[pipeline]
instance = $instance
work = plugin:$work/crash.so
hung = 2s
[class one]
listen = 127.0.0.1:$listen
send = 127.0.0.1:$send
END
cp build/tests/plugins/crash.so "$work/crash.so"

edf() { # FIELD of --stages: 2 pid, 3 state ...
	build/hold --stages -i "$instance" | awk -v field="$1" '$1 == "edf" && $NF == 1 {print $field}'
}

counted() { # JQ-EXPRESSION over class one
	build/stat --json -i "$instance" | jq -e ".classes[0] | $1" >/dev/null
}

is_ready() {
	[ "$(edf 3)" = ready ]
}

slow_open_is_waited_for() {
	run/launch.sh -c "$work/conf" || return 1
	is_ready && ! grep -E 'has not moved|ended' "$log"
}

exit_costs_its_packet() { # TEXT N: the N-th packet does it three times, and the stage opens its plugin each time
	say "$1"
	say after
	tries=600
	until counted ".held == 0 and .dropped.poison >= $2" || [ "$tries" = 0 ]; do
		tries=$((tries - 1))
		sleep 0.05
	done
	counted ".received == 2 * $2 and .sent == $2 and .dropped.poison == $2" && eventually is_ready
}

reload_is_refused() { # by what the operator does, while the stage goes on trying
	sed -i 's/^hung = .*/hung = 3s/' "$work/conf"
	kill -HUP "$(cat "$ONTIME_RUN_DIR/$instance/supervisor.pid")"
	eventually grep -q 'work = .*the plugin cannot be opened: No such file or directory; .*: nothing was changed' "$log" &&
		grep -q '^hung = 2s' "$ONTIME_RUN_DIR/$instance/active.conf"
}

missing_file_is_waited_for() {
	mv "$work/crash.so" "$work/away.so"
	kill -9 "$(edf 2)"
	sleep 1
	say meanwhile
	! is_ready && reload_is_refused || return 1
	mv "$work/away.so" "$work/crash.so"
	tries=400
	until is_ready || [ "$tries" = 0 ]; do
		tries=$((tries - 1))
		sleep 0.05
	done
	is_ready && eventually counted '.held == 0 and .sent == 3'
}

check "a plugin that takes 4 s to open is waited for, whatever hung says" slow_open_is_waited_for
check "exit(0) on a datagram costs that one, and not the stage" exit_costs_its_packet "exit 0" 1
check "so does one that nothing in the process can see" exit_costs_its_packet "group exit" 2
check "a plugin file that is missing at a restart is waited for, and a reload meanwhile is refused" missing_file_is_waited_for
verdict plugin-instance

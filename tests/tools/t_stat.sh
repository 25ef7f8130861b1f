#!/bin/sh
# t_stat.sh - build/stat on a real terminal (tmux) and off it, on a running instance: monitor, table, JSON, recording.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
own_instance stat on
own_config build/full.conf 's/^policy = .*/policy = edf/; s/^hung = .*/hung = 60s/; s/^socket_buffer = .*/socket_buffer = 256KiB/'
load=
at_end() {
	no_terminal
	[ -z "$load" ] || kill "$load" 2>/dev/null
}

on_failure() {
	screen || true
}

skip() { # REASON NAME
	skipped=$((skipped + 1))
	printf 'skip %s: %s\n' "$2" "$1"
}

terminal() { # SHELL-COMMAND: in a fresh terminal of 80x24, of a server of its own
	no_terminal
	n_terminals=$(($(cat "$work/n_terminals" 2>/dev/null || echo 0) + 1))
	echo "$n_terminals" >"$work/n_terminals" # a file: checks run in subshells
	rm -f "$work/status"
	in_tmux -f /dev/null new-session -d -s t -x 80 -y 24 "$1"
}

in_tmux() { tmux -S "$work/tmux.$(cat "$work/n_terminals" 2>/dev/null || echo 0)" "$@"; }
no_terminal() { in_tmux kill-server 2>/dev/null || true; }
screen() { in_tmux capture-pane -p -t t 2>&1; }
keys() { in_tmux send-keys -t t "$@"; }
shows() { screen | grep -qE -- "$1"; }
shows_not() { ! shows "$1"; }
size() { in_tmux resize-window -t t -x "$1" -y "$2"; }
monitor_pid() { pgrep -f "^build/stat -i $instance" || true; }

# The monitor between two lines and two looks at the terminal's settings; how it ended goes to a file.
monitor() { # OPTIONS
	terminal "echo before; stty -g >$work/before; build/stat -i $instance ${1:-}; echo \$? >$work/status; stty -g >$work/after; echo after; exec cat"
	eventually shows '^balanced|waiting' && return 0
	echo "the monitor does not show anything"
	return 1
}

restored() { # the screen and the settings are what they were, and it said 0
	eventually test -s "$work/status" && eventually shows '^after' && shows '^before' && shows_not 'budget|balanced' || return 1
	[ "$(cat "$work/status")" = 0 ] && cmp "$work/before" "$work/after"
}

each_class_is_there() {
	for class in high medium low besteffort; do
		shows "^$class " || return 1
	done
	shows ' p50 +p95 +p99 +p99.9 +max budget' && shows '^egress .*ready' && shows '^balanced'
}

load_start() { # RATE SECONDS
	build/load -c "$conf" --rate "$1" --seconds "$2" --size 64-1400 >"$work/load" 2>&1 &
	load=$!
}

load_end() {
	kill "$load" 2>/dev/null || true
	wait "$load" || true
	load=
}

# in/s and out/s of all four classes within 10 % of 500/s: a busy machine is late, but not wrong for long.
rates_are_right() {
	screen | awk '
		function value(t) { return t ~ /k$/ ? 1000 * t : t + 0 }
		$1 ~ /^(high|medium|low|besteffort)$/ && $2 !~ /\[/ {
			if (value($2) > 450 && value($2) < 550 && value($3) > 450 && value($3) < 550) right++ }
		END { exit right != 4 }'
}

percentiles_are_there() { # of a class with a deadline: on-time %, five times with units, the budget
	shows '^low +[0-9.k]+ +[0-9.k]+ +[0-9.k]+ +[0-9.]+%([ !]+[0-9.]+[mu]?s){5} +100ms'
}

oversize_shows() {
	head -c 2000 /dev/zero | nc -u -w1 127.0.0.1 $((listen + 1)) || true
	eventually shows '^medium +oversize .* 1( |$)'
}

overflow() { # more than the sockets hold, while nobody reads; the kernel tells with the next datagram
	pid=$(build/hold --stages -i "$instance" | sed -n 's/^ingress \([0-9]*\) .*/\1/p')
	kill -STOP "$pid"
	build/load -c "$conf" --saturate --seconds 0.5 --size 1000-1000 >/dev/null 2>&1 || true
	kill -CONT "$pid"
	echo next | nc -u -w1 127.0.0.1 "$listen" || true
}

kernel_drops_show() {
	overflow
	eventually shows '^high +kernel ' || return 1
	total=$(build/stat -i "$instance" --json | jq -r '.classes[0].dropped.kernel')
	[ "$total" -gt 0 ] && eventually shows "^high +kernel +[0-9.kM]+ +$total "
}

late_packets_show() { # a ping through a frozen edf is late, and edf_wait is where its time went
	pid=$(build/hold --stages -i "$instance" | sed -n 's/^edf \([0-9]*\) .*/\1/p')
	kill -STOP "$pid"
	echo late | nc -u -w1 127.0.0.1 "$listen" || true
	kill -CONT "$pid"
	eventually shows ' high +edf_wait .* [1-9][0-9]*$'
}

restart_shows() {
	pid=$(build/hold --stages -i "$instance" | sed -n 's/^egress \([0-9]*\) .*/\1/p')
	kill -9 "$pid"
	eventually shows '^egress +[0-9]+ ready +[0-9]+s +!?1 ' && shows_not "^egress +$pid "
}

fits() { # ROWS COLS: title above, verdict and keys at the bottom, nothing wider
	shows "^ontime $instance " && [ "$(screen | sed -n "$1p" | cut -c1-8)" = balanced ] &&
		screen | sed -n "$1p" | grep -q '? help$' && [ "$(screen | wc -L)" -le "$2" ]
}

resizes() {
	size 60 15
	eventually fits 15 60 && shows '^high .* 1ms$' && shows '^ingress ' || return 1
	size 200 50
	eventually fits 50 200 && shows 'received +sent +dropped +sent late' && shows 'beat ago' || return 1
	size 10 3
	eventually shows '^ontime' || return 1
	size 80 24
	eventually fits 24 80 && each_class_is_there
}

keys_are_obeyed() {
	keys 2
	eventually shows_not '^stage ' && shows '^besteffort ' || return 1
	keys 4
	eventually shows_not '^class ' && shows '^high +kernel' || return 1
	keys 1
	eventually shows '^stage ' || return 1
	keys c
	eventually shows 'since launch, ' || return 1
	keys c
	eventually shows '  last [0-9.]+ s' || return 1
	keys Space
	eventually shows 'PAUSED' || return 1
	keys Space
	eventually shows_not 'PAUSED' || return 1
	keys '?'
	eventually shows '^q +quit' || return 1
	keys '?'
	eventually each_class_is_there
}

relaunch_shows() {
	run/stop.sh -c "$conf" >/dev/null
	eventually shows 'not running, waiting' || return 1
	shows 'run/launch.sh' || return 1
	run/launch.sh -c "$conf" >/dev/null
	eventually each_class_is_there && eventually shows '^high +0 +0 +0 '
}

quits_on_q() {
	keys q
	restored
}

quits_on_interrupt() {
	monitor && keys C-c && restored
}

quits_on_signal() {
	monitor && kill -TERM "$(monitor_pid)" && restored
}

suspends() { # by Ctrl-Z, and comes back
	terminal "exec sh -i"
	keys "build/stat -i $instance" Enter
	eventually shows '^balanced' || return 1
	keys C-z
	eventually shows 'Stopped' && shows_not '^balanced' || return 1
	keys fg Enter
	eventually each_class_is_there && keys q && eventually shows_not '^balanced'
}

is_gone() { # PID: ended; maybe its parent, who is gone too, did not live to reap it
	[ ! -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status"
}

ends_with_its_terminal() {
	monitor && pid=$(monitor_pid) && [ -n "$pid" ] || return 1
	no_terminal
	eventually is_gone "$pid"
}

no_such_terminal() { # TERM: one line, status 2, and it says what to do
	terminal "$1 build/stat -i $instance 2>$work/err; echo \$? >$work/status; exec cat"
	eventually test -s "$work/status" && [ "$(cat "$work/status")" = 2 ] || return 1
	[ "$(wc -l <"$work/err")" = 1 ] && grep -q 'use --once' "$work/err"
}

is_cheap() { # at ten looks a second, by the CPU time of the process
	monitor "--interval 0.1"
	eventually each_class_is_there || return 1
	load_start 4000 60
	pid=$(monitor_pid)
	read -r before _ </proc/"$pid"/schedstat
	sleep 3
	read -r after _ </proc/"$pid"/schedstat
	load_end
	echo "$(((after - before) / 3000)) millionths of a CPU"
	[ $((after - before)) -lt 60000000 ]
}

# The same counts in both, class by class; and no histogram is lost.
table_and_json_agree() {
	build/stat -i "$instance" --json >"$work/json"
	jq -r '.classes[] | [.class, .received, .sent, ([.dropped[]] | add), .held, .sent_late] | join(" ")' "$work/json" >"$work/a"
	build/stat -i "$instance" --once | awk 'NR > 1 && NR <= 5 { print $1, $2, $3, $4, $5, $6 }' >"$work/b"
	cmp "$work/a" "$work/b" && [ "$(jq '.classes[0].received' "$work/json")" -gt 0 ] || return 1
	jq -e 'all(.classes[]; .sent == ([.latency_buckets[][1]] | add)) and .balanced' "$work/json"
	build/stat -i "$instance" | tail -n 1 | grep -qx balanced
}

stream_ends_with_its_reader() {
	rm -f "$work/status"
	{
		timeout 10 build/stat -i "$instance" --json --interval 0.1 2>"$work/err" && status=0 || status=$?
		echo "$status" >"$work/status"
	} | head -n 3 >"$work/lines"
	eventually test -s "$work/status" && [ "$(cat "$work/status")" = 0 ] && [ ! -s "$work/err" ] || return 1
	jq -es 'length == 3 and (.[0].classes[0] | has("recent") | not) and .[2].classes[0].recent.ns > 50000000' "$work/lines"
}

table_ends_with_its_reader() {
	rm -f "$work/status"
	{
		build/stat -i "$instance" 2>"$work/err" && status=0 || status=$?
		echo "$status" >"$work/status"
	} | true
	eventually test -s "$work/status" && [ "$(cat "$work/status")" = 0 ] && [ ! -s "$work/err" ]
}

lines() { wc -l <"$work/record"; }
grown() { [ "$(lines)" -ge "$1" ]; }

records() { # over a killed stage, a stop and a launch
	build/stat -i "$instance" --record "$work/record" --interval 0.1 2>"$work/said" &
	recorder=$!
	load_start 4000 60
	eventually grown 5
	kill -9 "$(build/hold --stages -i "$instance" | sed -n 's/^edf \([0-9]*\) .*/\1/p')"
	eventually grown 12
	load_end
	run/stop.sh -c "$conf" >/dev/null
	eventually grep -q 'waiting: .*not running' "$work/said" || return 1
	run/launch.sh -c "$conf" >/dev/null
	eventually grown $(($(lines) + 5)) || return 1
	kill -TERM "$recorder"
	wait "$recorder" && grep -q 'is running again' "$work/said"
}

# Each line is JSON by itself, time and counts only grow within a launch, and `recent` is missing just after each launch.
record_is_sound() {
	[ "$(jq -c . "$work/record" | wc -l)" = "$(lines)" ] || return 1
	jq -es '
		(map(.created_at_ns) | unique | length) == 2
		and (group_by(.created_at_ns) | all(.[]; . as $l | all(range(1; length); . as $i
			| $l[$i].at_ns > $l[$i - 1].at_ns
			and all(range(4); . as $c | ($l[$i].classes[$c] as $now | $l[$i - 1].classes[$c] as $before
				| $now.received >= $before.received and $now.sent >= $before.sent
				and ([$now.dropped[]] | add) >= ([$before.dropped[]] | add)
				and $now.recent.sent >= 0 and $now.recent.p99 >= $now.recent.p50)))))
		and (group_by(.created_at_ns) | all(.[]; .[0].classes[0] | has("recent") | not))
		and (map(.stages[1].starts) | max) == 2
		and (map(.classes[0].recent.p50 // 0) | max) > 0
		and all(.[]; .classes[0] | has("latency_buckets") | not)' "$work/record"
}

appends() {
	before=$(lines)
	timeout -s INT 0.5 build/stat -i "$instance" --record "$work/record" --interval 0.1 || [ $? = 124 ]
	[ "$(lines)" -gt "$before" ] && [ "$(jq -c . "$work/record" | wc -l)" = "$(lines)" ]
}

full() { # COMMAND...: with its standard output on a full device
	"$@" >/dev/full
}

small_disk() { # in a mount namespace of its own: what is on it when it is full can be read to the last line
	unshare -m sh -c "mount -t tmpfs -o size=64k none '$work/disk' && exec \"\$0\" \"\$@\"" \
		sh -c "timeout 20 build/stat -i $instance --record $work/disk/r --interval 0.1; echo \"status \$?\"
			jq -c . $work/disk/r | wc -l; wc -l <$work/disk/r; tail -c 1 $work/disk/r | od -An -c" >"$work/out" 2>&1
	cat "$work/out"
	grep -q 'stat: write to .*: No space left on device.*make room' "$work/out" && grep -q '^status 1$' "$work/out" || return 1
	[ "$(sed -n 3p "$work/out")" = "$(sed -n 4p "$work/out")" ] && [ "$(sed -n 3p "$work/out")" -gt 3 ] && tail -n 1 "$work/out" | grep -qF '\n'
}

marks_are_shown() {
	build/stat --once -i "$instance" >"$work/table" || return 1
	! grep marked "$work/table" && monitor && shows_not 'mark/s' || return 1
	sed -i '0,/^ecn = off/s//ecn = mark/' "$conf" && run/reload.sh -i "$instance" && build/stat --once -i "$instance" >"$work/table" || return 1
	grep marked "$work/table"
	[ "$(grep -c marked "$work/table")" = 1 ] && grep -q '^  high  *sent with CE set here (marked): 0$' "$work/table" && eventually shows 'mark/s' &&
		build/stat --json -i "$instance" | jq -e '.classes[0].marked == 0'
}

help_fits() {
	[ "$(build/stat --help | wc -l)" -le 24 ] && [ "$(build/stat --help | wc -L)" -le 80 ]
}

check "launch" run/launch.sh -c "$conf"
check "the monitor starts on a terminal" monitor
[ "$failed" = 0 ] || exit 1 # nothing below could pass
check "every class, the stages and the verdict are in 80x24" eventually each_class_is_there
load_start 2000 60
check "rates are those of the load" eventually rates_are_right
check "percentiles stand beside the budget" eventually percentiles_are_there
check "a stage that was killed shows as another process, restarted once" restart_shows
load_end
check "an oversize datagram is under its class and reason" oversize_shows
check "what the kernel dropped is under its class and reason" kernel_drops_show
check "where late packets lost their time shows" late_packets_show
check "60x15, 200x50 and 10x3 are drawn whole" resizes
check "the keys do what the help says" keys_are_obeyed
check "the table and the JSON agree" table_and_json_agree
check "a stopped instance shows as waiting, a new launch as itself" relaunch_shows
check "q ends it with status 0 and the terminal as it was" quits_on_q
check "so does Ctrl-C" quits_on_interrupt
check "so does SIGTERM" quits_on_signal
check "Ctrl-Z suspends it, fg brings it back" suspends
check "it ends with its terminal" ends_with_its_terminal
check "an unset TERM is one line and status 2" no_such_terminal "env -u TERM"
check "a dumb terminal is one line and status 2" no_such_terminal "TERM=dumb"
check "ten looks a second take less than 2 % of a CPU" is_cheap
no_terminal
check "a stream of JSON ends with its reader" stream_ends_with_its_reader
check "a table nobody reads is a quiet end" table_ends_with_its_reader
check "a recording goes on over a killed stage and a relaunch" records
check "a recording is JSON line by line, and counts only grow" record_is_sound
check "a recording is appended to" appends
check "a device that is full is one line and status 1" fails_with 1 'No space left' build/stat -i "$instance" --record /dev/full
for how in --once --json --help "--json --interval 0.1"; do
	# shellcheck disable=SC2086
	check "stat $how on a full output is one line and status 1" fails_with 1 'No space left' full build/stat -i "$instance" $how
done
for program in ingress edf egress hold dash load simulate check latency; do
	[ ! -x build/$program ] || check "$program --help on a full output is one line and status 1" fails_with 1 'No space left' full build/$program --help
done
mkdir "$work/disk"
if unshare -m mount -t tmpfs none "$work/disk" 2>/dev/null; then
	check "a recording on a full disk ends with its last whole line" small_disk
else
	skip "no mount namespace can be made here" "a recording on a full disk ends with its last whole line"
fi
check "marks have a row and a column where a class marks, and only there" marks_are_shown
check "help fits a screen" help_fits
check "an unknown option is one line and status 2" fails_with 2 'unknown option' build/stat --frequent
check "an interval out of range is one line and status 2" fails_with 2 '0.1 to 60' build/stat --interval 0.05
check "an interval without a number is one line and status 2" fails_with 2 'its value is missing' build/stat --interval
check "--record with --json is one line and status 2" fails_with 2 'one of them' build/stat --record x --json
check "a file that cannot be opened is one line and status 1" fails_with 1 'No such file' build/stat -i "$instance" --record /nonexistent/x
check "an instance that does not run is one line and status 1" fails_with 1 'not running' build/stat -i "${instance}x"
verdict stat

#!/bin/sh
# t_stress.sh - run/stress.sh as a user calls it: its report says what build/load and build/stat found, and nothing is left behind.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
own_instance stress on
conf=$work/stress.conf
own_config run/stress.conf

check() { # NAME COMMAND...
	check_here "$@"
}

stress() { # ARGS...
	run/stress.sh -c "$conf" --report "$work/report.md" "$@"
}

nothing_is_left() {
	[ ! -e "$(segment_of "$instance")" ] && [ ! -e "$ONTIME_RUN_DIR/$instance" ] && ! pgrep -f "$conf" >/dev/null
}

it_runs() {
	stress --seconds 2 && [ -s "$work/report.md" ] && nothing_is_left
}

# What was offered was received or dropped by the kernel; what the pipeline sent, the sink received, whole.
identities_hold() {
	jq -e '[.runs[].name] == ["edf", "edf-drop", "guarded"] and all(.runs[]; .stat as $stat | .stat.balanced and
		([.load.flows[].class] == ["high", "medium", "low"]) and
		all(.load.flows[]; .class as $class | ($stat.classes[] | select(.class == $class)) as $account |
			.sent == $account.received and .received == $account.sent and $account.held == 0 and
			.lost == 0 and .not_delivered == ($account.dropped | add) and .not_delivered == .sent - .received and
			.duplicated + .reordered + .corrupt == 0 and .on_time <= .received and
			.on_time <= $account.sent - $account.sent_late))' "$work/report.json"
}

# The load is what was asked for, twice what the work lets through; so much is lost, and each stage has used its CPU.
stress_is_stress() {
	jq -e 'all(.runs[]; .load.source.sent_pps > 5500 and .load.source.sent_pps < 7600 and
		([.load.flows[].not_delivered] | add) > 0.3 * ([.load.flows[].sent] | add) and
		([.load.flows[].received] | add) / .load.source.seconds < 3700 and
		([.cpu[].stage] == ["edf", "egress", "ingress"]) and all(.cpu[]; .cpu_ns > 0))' "$work/report.json"
}

# Each row of the Markdown against the figures: class, budget, offered, on time, by the pipeline, received, p50 ..
markdown_is_of_the_figures() {
	jq -r 'def two: . * 100 | round / 100; .runs[] | .stat as $stat | .load.flows[] | .class as $class |
		($stat.classes[] | select(.class == $class)) as $account |
		[$class, .sent, (100 * .on_time / .sent_timed | two), (100 * ($account.sent - $account.sent_late) / .sent | two),
			.received, (.latency_ns.p99 / 100 | round / 10)] | join(" ")' "$work/report.json" >"$work/should"
	awk -F' *[|] *' '/^## / {table = 1} table && $2 ~ /^(high|medium|low)$/ && $3 ~ / ms$/ {print $2, $4, $5, $6, $7, $10}' \
		"$work/report.md" >"$work/is"
	diff "$work/should" "$work/is" && [ "$(wc -l <"$work/is")" = 9 ] &&
		jq -r '.runs[].stat.classes[] | "\(.class) \(.dropped | add)"' "$work/report.json" >"$work/should" &&
		awk -F' *[|] *' '/^Dropped/ {table = 1} /^Throughput/ {table = 0} table && NF > 8 && $2 ~ /^(high|medium|low)$/ {print $2, $(NF - 1)}' \
			"$work/report.md" >"$work/is" && diff "$work/should" "$work/is" && grep -q '(report.svg)' "$work/report.md"
}

chart_is_drawn() { # a bar per class and policy, as high as the figure
	xmllint --noout "$work/report.svg" &&
		jq -r '.runs as $runs | range(3) as $class | $runs[] | .load.flows[$class] | 1000 * .on_time / .sent_timed | round / 10' \
			"$work/report.json" >"$work/should" &&
		sed -n 's/^<rect .* width="30" height="\([0-9.]*\)".*/\1/p' "$work/report.svg" | awk '{print $1 / 2}' >"$work/is" &&
		diff "$work/should" "$work/is" && [ "$(wc -l <"$work/is")" = 9 ] && grep -q 'prefers-color-scheme: dark' "$work/report.svg"
}

sweep_tries_all() { # and its best is what its own rule says
	stress --sweep --seconds 1 --quanta "16:4:1 1:1:1" --queues "16 256" --spins 0us >"$work/said" && cat "$work/said" "$work/report.csv" &&
		cut -d, -f1-4 "$work/report.csv" >"$work/is" && printf '%s\n' policy,quanta,queue,spin guarded,16:4:1,16,0us guarded,16:4:1,256,0us \
			guarded,1:1:1,16,0us guarded,1:1:1,256,0us | diff - "$work/is" || return 1
	best=$(jq -Rrs 'split("\n")[1:] | map(select(. != "") | split(",")) | map(select(.[8] == "no")) |
		min_by([(.[6] | tonumber | . + 0.5 | floor), -(.[7] | tonumber)]) | "quanta \(.[1]), queues of \(.[2]), spin \(.[3]): \(.[6] | tonumber) %"' \
		"$work/report.csv")
	grep -F "$best" "$work/said" && awk -F, 'NR > 1 && ($5 < 5000 || $6 < 0.3 * $5 || $6 > 0.8 * $5) {exit 1}' "$work/report.csv" && nothing_is_left
}

queues_that_grow_are_seen() { # with full = wait the sockets take what the work cannot
	sed 's/^full = .*/full = wait/' "$conf" >"$work/wait.conf"
	run/stress.sh -c "$work/wait.conf" --report "$work/report.md" --sweep --policies edf --seconds 1 --quanta 1:1:1 --queues 16 \
		--spins 0us >"$work/said" && cat "$work/said" "$work/report.csv" &&
		[ "$(tail -n 1 "$work/report.csv" | cut -d, -f9)" = yes ] && grep -q 'even there a queue grows' "$work/said"
}

interrupted() { # SIGNAL STATUS: nothing is left
	rm -f "$work"/report.*
	env --default-signal=INT run/stress.sh -c "$conf" --report "$work/report.md" --seconds 60 &
	run=$!
	eventually pgrep -f "load -c $conf" || return 1
	kill -s "$1" $run
	wait $run && got=0 || got=$?
	echo "status $got"
	[ "$got" = "$2" ] && nothing_is_left && [ ! -e "$work/report.md" ]
}

refused() { # STATUS PATTERN ARGS...: that status, and one line
	want=$1
	pattern=$2
	shift 2
	text=$(stress "$@" 2>&1) && got=0 || got=$?
	printf '%s (status %s)\n' "$text" "$got"
	[ "$got" = "$want" ] && printf '%s\n' "$text" | grep -qF -- "$pattern" && [ "$(printf '%s\n' "$text" | wc -l)" = 1 ] && nothing_is_left
}

bad_options_are_refused() {
	refused 2 '--nonsense: unknown option' --nonsense && refused 2 'its value is missing' --seconds &&
		refused 2 '--seconds x: not a number' --seconds x && refused 2 'unknown choice' --policies best &&
		refused 2 'not 3 numbers' --sweep --quanta 1:2 && refused 2 'too small' --sweep --queues 0 &&
		refused 2 '"x" is not a number' --rate high=x && refused 2 'no directory' --report "$work/none/x.md" &&
		refused 2 'not a number; use' --sweep --spins x && refused 2 'No such file' -c "$work/none"
}

busy_ports_are_said() {
	cp "$conf" "$work/busy.conf"
	"$ONTIME_BUILD/load" -c "$work/busy.conf" --sink-only >/dev/null &
	busy=$!
	eventually grep -qi ":$(printf %04x "$send") " /proc/net/udp && refused_now=0 || refused_now=1
	[ "$refused_now" = 1 ] || refused 1 'another program has this port' --seconds 1 || refused_now=1
	kill -INT $busy
	wait $busy || true
	return "$refused_now"
}

running_instance_is_left_alone() {
	run/launch.sh -c "$conf" >/dev/null || return 1
	text=$(stress --seconds 1 2>&1) && got=0 || got=$?
	echo "$text"
	[ "$got" = 1 ] && echo "$text" | grep -q 'is running already' && run/status.sh -i "$instance" && run/stop.sh -i "$instance"
}

check "it runs all policies and leaves nothing" it_runs
check "load and the account agree on every count" identities_hold
check "the load is more than the work lets through" stress_is_stress
check "the report is of the figures" markdown_is_of_the_figures
check "so is the chart" chart_is_drawn
check "the sweep tries all and names the best" sweep_tries_all
check "the sweep sees a queue that grows" queues_that_grow_are_seen
check "Ctrl-C removes all that was started" interrupted INT 130
check "so does the end of a login" interrupted TERM 143
check "a bad option is one line and status 2" bad_options_are_refused
check "a port in use is one line and status 1" busy_ports_are_said
check "an instance that runs is left alone" running_instance_is_left_alone
verdict stress

#!/bin/sh
# t_busy.sh - real time by default: who gets the CPU when it is busy, and who is told. Through run/launch.sh, on real processes.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
own_instance busy
chmod 755 "$work"
own_config run/ontime.conf
hogs=
at_end() {
	end_hogs
}

cpu=$(taskset -cp $$ | sed 's/.*[^0-9]//')	# the last that is allowed: where `cpus = auto` puts all stages when CPUs are few
first=$(taskset -cp $$ | sed 's/.*: //; s/[^0-9].*//')

launch() { # OPTIONS: all stages on $cpu, on any machine
	run/stop.sh -i "$instance" >/dev/null # of a check that failed
	run/launch.sh -c "$conf" --cpus="$cpu" "$@"
}

policies() { # of ingress, edf and egress: "fifo 11, other 0, ..."
	for stage in ingress edf egress; do
		chrt -p "$(pid_of "$stage")" | sed -n 's/.*policy: SCHED_\([A-Z]*\).*/\1/p; s/.*priority: //p' | tr 'A-Z\n' 'a-z '
	done | sed 's/ $//'
}

has_policies() { # PATTERN
	said=$(policies)
	echo "$said"
	printf '%s\n' "$said" | grep -qx "$1"
}

start_hogs() { # N COMMAND...: N shells that spin on the stages' CPU
	n=$1
	shift
	while [ "$n" -gt 0 ]; do
		taskset -c "$cpu" "$@" sh -c 'while :; do :; done' &
		hogs="$hogs $!"
		n=$((n - 1))
	done
}

end_hogs() {
	for hog in $hogs; do
		kill -KILL "$hog" 2>/dev/null || true
		wait "$hog" 2>/dev/null || true
	done
	hogs=
}

ran_ns() { # PID...: all together on a CPU
	for pid in "$@"; do
		cut -d' ' -f1 "/proc/$pid/schedstat" 2>/dev/null || echo 0
	done | awk '{s += $1} END {printf "%.0f\n", s}'
}

now_ns() {
	awk '{printf "%.0f\n", $1 * 1e9}' /proc/uptime
}

# For 3 s an ordinary process that wants all of the CPU runs beside the stages. What strangers take of its part is not the stages'
# fault, so theirs is judged: they leave at least 15 %, where a flood in real time would leave the kernel's 5.
leaves_room() {
	hogs=
	start_hogs 1 nice -n 0
	hog=${hogs# }
	# shellcheck disable=SC2046
	set -- $(pid_of ingress) $(pid_of edf) $(pid_of egress)
	began=$(now_ns)
	own=$(ran_ns "$hog")
	stages=$(ran_ns "$@")
	sleep 3
	own=$(($(ran_ns "$hog") - own))
	stages=$(($(ran_ns "$@") - stages))
	took=$(($(now_ns) - began))
	end_hogs
	echo "of the CPU: the stages $((stages * 100 / took)) %, an ordinary process $((own * 100 / took)) %"
	[ $((stages * 100)) -le $((took * 85)) ] && [ "$stages" -gt 0 ] && [ $((own * 100)) -ge $((took * 2)) ]
}

leaves_room_under() { # LOAD-OPTIONS, then --, then options of the launch
	options=
	while [ "$1" != -- ]; do
		options="$options $1"
		shift
	done
	shift
	launch "$@" >/dev/null || return 1
	# shellcheck disable=SC2086
	taskset -c "$first" build/load -c "$conf" $options --size 512-512 --seconds 6 >/dev/null 2>&1 &
	load=$!
	sleep 0.7
	leaves_room && status=0 || status=$?
	kill "$load" 2>/dev/null || true
	wait "$load" 2>/dev/null || true
	[ "$status" = 0 ] || tail -n 4 "$log"
	run/stop.sh -i "$instance" >/dev/null || [ $? = 3 ] || status=1 # 3: what an overload left is lost
	return "$status"
}

leaves_room_after() { # DATAGRAM: one that the plugin never returns from
	launch --work=plugin:build/tests/plugins/spin.so --hung=60s >/dev/null || return 1
	before=$(policies)
	say "$1"
	leaves_room && status=0 || status=$?
	echo "before: $before, after: $(policies)"
	[ "$before" = 'fifo 11 fifo 10 fifo 12' ] || status=1
	run/stop.sh -i "$instance" >/dev/null || [ $? = 3 ] || status=1 # 3: what an overload left is lost
	return "$status"
}

gives_back_and_takes_again() {
	launch --work=plugin:build/tests/plugins/spin.so >/dev/null || return 1
	has_policies 'fifo 11 fifo 10 fifo 12' || return 1
	build/load -c "$conf" --rate 3000 --size 512-512 --seconds 2 >/dev/null 2>&1 || true # 3 s of work a second
	grep -c 'egress: real time given back: the stages use [0-9]* % of CPU' "$log" || return 1
	eventually has_policies 'fifo 11 fifo 10 fifo 12' || return 1
	grep -q 'egress: real time taken again' "$log" || return 1
	[ "$(grep -c 'real time' "$log")" -le 4 ] # one line a change, of all stages, and not more often than each 10 s
	status=$?
	run/stop.sh -i "$instance" >/dev/null || [ $? = 3 ] || status=1 # 3: what an overload left is lost
	return "$status"
}

rises_downstream() {
	launch >/dev/null || return 1
	has_policies 'fifo 10 fifo 11 fifo 12' || return 1
	chrt -p "$(cat "$ONTIME_RUN_DIR/$instance/supervisor.pid")" | grep -q SCHED_OTHER || return 1
	build/stat -i "$instance" --json | jq -e '[.stages[].sched] == ["fifo", "fifo", "fifo"]'
}

children_are_ordinary() { # what a plugin starts
	launch --work=plugin:build/tests/plugins/spin.so --plugin_calls="clone clone3 set_robust_list rseq clock_nanosleep" >/dev/null || return 1
	say fork
	edf=$(pid_of edf)
	eventually sh -c "chrt -p \$(pgrep -P $edf) | grep SCHED_OTHER" && status=0 || status=$?
	run/stop.sh -i "$instance" >/dev/null || [ $? = 3 ] || status=1 # 3: what an overload left is lost
	return "$status"
}

without_rights() { # COMMAND...: launch under it
	run/stop.sh -i "$instance" >/dev/null
	"$@" run/launch.sh -c "$conf" --cpus="$cpu" "--fifo=$fifo" >"$work/launched" || return 1
}

one_line_says_so() { # under `fifo = auto` one for all stages, and it is no warning; all goes on
	fifo=auto
	without_rights "$@" || return 1
	cat "$log" "$work/launched"
	for said in "$log" "$work/launched"; do
		[ "$(grep -c 'no real time: SCHED_FIFO: .*CAP_SYS_NICE.*ulimit -r.*LimitRTPRIO=' "$said")" = 1 ] || return 1
	done
	has_policies 'other 0 other 0 other 0' || return 1
	build/load -c "$conf" --rate 1000 --seconds 1 >/dev/null 2>&1 || true
	build/stat -i "$instance" --once | grep -qx balanced && status=0 || status=$?
	run/stop.sh -i "$instance" >/dev/null || [ $? = 3 ] || status=1 # 3: what an overload left is lost
	return "$status"
}

each_stage_warns() {
	fifo=on
	without_rights "$@" || return 1
	[ "$(grep -c 'no real time: SCHED_FIFO' "$log")" = 3 ] && status=0 || status=$?
	run/stop.sh -i "$instance" >/dev/null || [ $? = 3 ] || status=1 # 3: what an overload left is lost
	return "$status"
}

says_nothing_when_off() {
	fifo=off
	without_rights "$@" || return 1
	! grep 'real time' "$log" && has_policies 'other 0 other 0 other 0' && status=0 || status=1
	run/stop.sh -i "$instance" >/dev/null || [ $? = 3 ] || status=1 # 3: what an overload left is lost
	return "$status"
}

is_clamped() {
	fifo=auto
	without_rights prlimit --rtprio=2 "$@" || return 1
	has_policies 'fifo 1 fifo 1 fifo 2' && ! grep 'no real time' "$log" && status=0 || status=1
	run/stop.sh -i "$instance" >/dev/null || [ $? = 3 ] || status=1 # 3: what an overload left is lost
	return "$status"
}

missed() { # FIFO: packets of High beside two busy processes that were not sent in time, of 4,000, to $work/missed.FIFO
	launch "--fifo=$1" >/dev/null || return 1
	start_hogs 2 nice -n 0
	taskset -c "$first" build/load -c "$conf" --rate 8000 --size 64-512 --seconds 2 >/dev/null 2>&1 || true
	end_hogs
	build/stat -i "$instance" --json | jq '.classes[0] | .received - .sent + .sent_late' >>"$work/missed.$1"
	run/stop.sh -i "$instance" >/dev/null
}

keeps_high_on_time() { # three rounds, in turns; the best of each: strangers can only make it worse
	for _ in 1 2 3; do
		missed off && missed auto || return 1
	done
	off=$(sort -n "$work/missed.off" | head -n 1)
	auto=$(sort -n "$work/missed.auto" | head -n 1)
	echo "missed of 4000: fifo = off: $(tr '\n' ' ' <"$work/missed.off") auto: $(tr '\n' ' ' <"$work/missed.auto")"
	[ "$auto" -le "$off" ] && [ "$auto" -le 200 ]
}

is_named() { # beside one in real time, without it: one line, from the stage itself, and in what stat reads
	launch --fifo=off >/dev/null || return 1
	start_hogs 1 chrt -f 1
	build/load -c "$conf" --rate 8000 --size 64-512 --seconds 4 >/dev/null 2>&1 || true
	end_hogs
	cat "$log"
	waited=$(build/stat -i "$instance" --json | jq '[.stages[].queued_ns] | max')
	echo "waited: $waited ns"
	grep -q 'starved: for [0-9]* % of the last [0-9.]* s it was ready to run, and others had CPU' "$log" &&
		[ "$(grep -c starved "$log")" -le 3 ] && [ "$waited" -gt 500000000 ] && status=0 || status=1
	run/stop.sh -i "$instance" >/dev/null || [ $? = 3 ] || status=1 # 3: what an overload left is lost
	return "$status"
}

is_not_named() { # a flood keeps each stage waiting for the other two: nobody is starved
	launch --fifo=off >/dev/null || return 1
	taskset -c "$first" build/load -c "$conf" --saturate --size 512-512 --gso --seconds 3 >/dev/null 2>&1 || true
	! grep starved "$log" && status=0 || status=1
	run/stop.sh -i "$instance" >/dev/null || [ $? = 3 ] || status=1 # 3: what an overload left is lost
	return "$status"
}

strangers_are_quiet() { # for a second, one process that wants the stages' CPU gets most of it
	start_hogs 1 nice -n 0
	began=$(now_ns)
	sleep 1
	own=$(ran_ns "${hogs# }")
	took=$(($(now_ns) - began))
	end_hogs
	[ $((own * 100)) -ge $((took * 80)) ]
}

as_nobody="setpriv --bounding-set=-sys_nice --inh-caps=-sys_nice"
[ "$(id -u)" = 0 ] || as_nobody=
if ! command -v chrt >/dev/null || ! command -v setpriv >/dev/null; then
	skipped=1
	echo "skip all: chrt and setpriv are missing (util-linux)"
	verdict busy
	exit
fi
# shellcheck disable=SC2086
if ! prlimit --rtprio=0 $as_nobody chrt -f 1 true 2>/dev/null; then
	check "without the right to real time one line says what would allow it, and all goes on" \
		one_line_says_so prlimit --rtprio=0 $as_nobody
	check "with fifo = on each stage warns" each_stage_warns prlimit --rtprio=0 $as_nobody
	check "with fifo = off nobody speaks of it" says_nothing_when_off prlimit --rtprio=0 $as_nobody
fi
if ! chrt -f 12 true 2>/dev/null; then
	skipped=$((skipped + 1))
	echo "skip what needs real time: this process may not have it (CAP_SYS_NICE, ulimit -r)"
else
	check "without work priority rises downstream, and the supervisor is ordinary" rises_downstream
	if prlimit --rtprio=2 true 2>/dev/null; then
		# shellcheck disable=SC2086
		check "RLIMIT_RTPRIO is enough, and clamps" is_clamped $as_nobody
	else
		skipped=$((skipped + 1))
		echo "skip RLIMIT_RTPRIO is enough, and clamps: this process may not raise it (CAP_SYS_RESOURCE)"
	fi
	check "children of a plugin are ordinary" children_are_ordinary
	check "real time is given back while the CPU is full, and taken again" gives_back_and_takes_again
	check "a flood leaves others room" leaves_room_under --saturate --gso --
	check "simulated work under overload leaves others room" leaves_room_under --rate 20000 -- --work=simulate
	check "spinning work under overload leaves others room" \
		leaves_room_under --rate 5000 -- --work=plugin:build/tests/plugins/spin.so
	check "a plugin in an endless loop leaves others room" leaves_room_after loop
	check "a plugin that naps for ever leaves others room" leaves_room_after nap
	check "beside busy processes High misses less than without real time" keeps_high_on_time
	check "a stage that waits for its CPU says so" is_named
fi
if strangers_are_quiet; then
	check "a stage that waits for other stages does not" is_not_named
else
	skipped=$((skipped + 1))
	echo "skip a stage that waits for other stages does not: strangers use more than a fifth of its CPU"
fi
verdict busy

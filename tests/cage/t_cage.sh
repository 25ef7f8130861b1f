#!/bin/sh
# t_cage.sh - a running instance as the kernel sees it: each process has the rights that it needs, and no other; calls of a plugin that are in
# no table end its process with one line, and cost its packet.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
own_instance cage

nice=0 # a digit of a mask: CAP_SYS_NICE, where no limit can take its place (CAP_SYS_RESOURCE is missing here)
# shellcheck disable=SC3045 # the shell may have it
(ulimit -r 12) 2>/dev/null || nice='[08]'

relay() { # LINE...: a fresh instance with one class
	run/stop.sh -i "$instance" >/dev/null 2>&1 || true
	{
		printf '[pipeline]\ninstance = %s\n' "$instance"
		[ $# = 0 ] || printf '%s\n' "$@"
		printf '[class one]\nlisten = 127.0.0.1:%s\nsend = 127.0.0.1:%s\n' "$listen" "$send"
	} >"$conf"
	run/launch.sh -c "$conf" >"$work/launched" 2>&1 || { cat "$work/launched" && return 1; }
}

status_of() { # PID FIELD
	sed -n "s/^$2:[[:blank:]]*//p" "/proc/$1/status"
}

is_counted() { # FILTER over class one
	account ".classes[0] | $1" | grep -qx true
}

each_stage_is_shut_in() {
	for stage in ingress edf egress; do
		pid=$(live_pid_of $stage)
		echo "$stage: Seccomp $(status_of "$pid" Seccomp), NoNewPrivs $(status_of "$pid" NoNewPrivs)"
		[ "$(status_of "$pid" Seccomp)" = 2 ] && [ "$(status_of "$pid" NoNewPrivs)" = 1 ] || return 1
		[ "$(id -u)" != 0 ] || [ "$(grep -cE "^Cap(Prm|Eff|Inh|Amb|Bnd):.0{8}00${nice}00000$" "/proc/$pid/status")" = 5 ] || { grep ^Cap "/proc/$pid/status" && return 1; }
	done
}

little_of_root_is_left() { # of holder and supervisor: none that reaches into another process, the clock, the network or a mount
	[ "$(id -u)" = 0 ] || return 0
	for pid in $("$ONTIME_BUILD/hold" --supervisor -i "$instance") $("$ONTIME_BUILD/hold" --holder -i "$instance"); do
		for field in CapPrm CapEff CapBnd; do
			has=$(printf '%d' "0x$(status_of "$pid" $field)")
			for number in 0 1 5 12 16 17 19 25; do # CHOWN, DAC_OVERRIDE, KILL, NET_ADMIN, SYS_MODULE, SYS_RAWIO, SYS_PTRACE, SYS_TIME
				[ $((has >> number & 1)) = 0 ] || { echo "$pid $field has $number" && return 1; }
			done
		done
	done
}

successors_are_too() { # by a stand-by, and started anew
	for way in kill kill kill restart; do
		for stage in ingress edf egress; do
			was=$(live_pid_of $stage)
			if [ $way = kill ]; then kill -9 "$was"; else run/restart.sh $stage -i "$instance"; fi
			eventually is_another $stage "$was" || return 1
		done
		eventually ready && each_stage_is_shut_in || return 1
	done
}

is_another() { # STAGE PID
	now=$(live_pid_of "$1")
	[ -n "$now" ] && [ "$now" != "$2" ]
}

no_process_can_rise() {
	for pid in $(processes_of "$dir"); do
		[ "$(status_of "$pid" NoNewPrivs)" = 1 ] || { cat "/proc/$pid/comm" && return 1; }
	done
	[ "$(processes_of "$dir" | wc -l)" = 8 ]
}

it_can_be_turned_off() {
	relay 'cage = off' || return 1
	for stage in ingress edf egress; do
		[ "$(status_of "$(live_pid_of $stage)" Seccomp)" = 0 ] || return 1
	done
}

a_reload_is_read() { # by stages that open no file, and that find out which families there are
	relay || return 1
	sed -i "s/^\[class one\]/&\nbudget = 7ms/; s/^listen = .*/listen = *:$listen/" "$conf"
	run/stop.sh -i "$instance" >/dev/null && run/launch.sh -c "$conf" >/dev/null || return 1
	was=$(stages_of)
	sed -i 's/^budget = .*/budget = 8ms/' "$conf" && run/reload.sh -i "$instance" && [ "$(account '.classes[0].budget_ns')" = 8000000 ] &&
		mv "$log" "$log.moved" && eventually test -e "$log" && sleep 1.5 && [ "$(stages_of)" = "$was" ] && each_stage_is_shut_in
}

stages_of() { # which process is which, and how often each was started
	"$ONTIME_BUILD/hold" --stages -i "$instance" | cut -d' ' -f1,2,4
}

a_call_costs_its_packet() { # WORD WHAT-THE-LOG-SAYS LINE...: three times, and the class goes on
	word=$1
	pattern=$2
	shift 2
	relay "work = plugin:$ONTIME_BUILD/tests/plugins/crash.so" 'fifo = off' "$@" && say "$word" && say after && eventually is_counted '.dropped.poison == 1 and .sent == 1 and .held == 0' &&
		eventually ready && [ "$(grep -c "$pattern" "$log")" = 3 ]
}

allowed_calls_cost_nothing() {
	relay "work = plugin:$ONTIME_BUILD/tests/plugins/crash.so" 'plugin_calls = openat clone clone3 mmap mprotect exit set_robust_list rseq' "$@" && say open && say thread &&
		say fork && eventually is_counted '.sent == 3 and .held == 0 and .dropped.poison == 0' && ! grep 'ended' "$log"
}

a_name_that_is_none_is_refused() {
	sed 's/^plugin_calls.*/plugin_calls = openat frobnicate/' "$conf" >"$work/odd.conf"
	fails_with 2 'plugin_calls = "openat frobnicate": "frobnicate" is no system call of this machine' run/launch.sh -c "$work/odd.conf"
}

a_plugin_cannot_speak_for_its_stage() { # its open() ends the process by hand, with the status of a configuration that is refused
	ONTIME_TEST_OPEN_EXIT=$work/exit
	export ONTIME_TEST_OPEN_EXIT
	relay "work = plugin:$ONTIME_BUILD/tests/plugins/crash.so" "$@" && echo 2 >"$work/exit" && was=$(live_pid_of edf) || return 1
	for pid in $(pgrep -P "$was") "$was"; do
		kill -9 "$pid" || true
	done
	eventually grep -q 'exited [12]' "$log" && sleep 1 && rm "$work/exit" && eventually ready && say after && eventually is_counted '.sent == 1' &&
		! grep 'stays down' "$log"
}

begun() {
	relay && each_stage_is_shut_in
}

check "each stage makes the calls of its table, and no other" begun
check "holder and supervisor keep what they need of root's power" little_of_root_is_left
check "so does one that takes over, or is started anew" successors_are_too
check "no program that any process of the instance starts gives it a right" no_process_can_rise
check "a reload is read by stages that open no file" a_reload_is_read
check "cage = off is heard" it_can_be_turned_off
check "a call that is in no table costs its packet, and a line names it" a_call_costs_its_packet open 'system call openat ([0-9]*) is none that edf makes.*plugin_calls'
check "so does one that executes a file" a_call_costs_its_packet execute 'system call execve ([0-9]*) is none that edf makes'
check "a thread, which cannot be named, is told by its end" a_call_costs_its_packet thread 'edf ended (signal [0-9]*: a system call that it may not make'
check "in a worker too" a_call_costs_its_packet open 'system call openat ([0-9]*) is none that edf-worker-[0-9] makes' 'workers = 2'
check "calls that the configuration allows cost nothing" allowed_calls_cost_nothing
check "in workers either" allowed_calls_cost_nothing 'workers = 2'
check "a name that is no call is refused" a_name_that_is_none_is_refused
check "a plugin's exit status while it is opened is not taken for the stage's word" a_plugin_cannot_speak_for_its_stage
check "nor that of one in a worker" a_plugin_cannot_speak_for_its_stage 'workers = 2'
verdict cage

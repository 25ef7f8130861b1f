#!/bin/sh
# t_kernels.sh - the pipeline and its histograms under the kernels of Debian 12 and 13, in an emulator (tests/machine/kernel-vm.sh).
#
# usage: tests/machine/t_kernels.sh [RELEASE..]          default: bookworm trixie (6.1, 6.12); bullseye has 5.10, too old for histograms
#        tests/machine/t_kernels.sh all RELEASE [PART..] the whole functional suite there, or some parts of it (unit, sim, storm, t_world, ...)
#
# `all` takes about an hour, so tests/run.sh leaves it to hand. What scales has a tenth of its size there, and each part ten times as
# long. Not in it: lint, t_coverage, t_mutants and the sanitizers, which judge sources and tests; t_aarch64 and this script, which
# are emulators themselves; tests/bench.sh, which measures.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh
instance=kernels
pins=/sys/fs/bpf/ontime

pid_of() { # STAGE
	build/hold --stages -i "$instance" | sed -n "s/^$1 \([0-9]*\) .*/\1/p"
}

ready() {
	[ "$(build/hold --stages -i "$instance" 2>/dev/null | grep -c ' ready .* 1$')" = 3 ]
}

load() { # SECONDS: at a rate that an emulated processor has room for; all must arrive, once, in order, unchanged
	build/load -c "$work/conf" --rate 400 --seconds "$1" --size 0-1472 >"$work/load" && ! grep 'not delivered' "$work/load"
}

counts_are_exact() {
	build/tests/counts "$instance" 20 && build/stat -i "$instance" --once | tail -n 1 | grep -q '^balanced'
}

launches_attached() {
	run/launch.sh -c "$work/conf" >"$work/said" 2>&1 && status=0 || status=$?
	cat "$work/said"
	[ "$status" = 0 ] && grep -q 'mounted the bpffs' "$work/said" && grep -q 'histograms are attached' "$work/said"
}

load_and_compare() {
	load 2 && counts_are_exact
}

is_shown_by_bpftool() {
	bpftool -j map dump pinned "$pins/$instance/latency" |
		jq -e --argjson sent "$(build/stat -i "$instance" --json | jq '.classes[0].sent')" \
			'[.[] | (.formatted // .).value | select(.class == "high" and .span == "total" and .count == $sent)] | length == 1'
}

bpftool_shows_it() { # once a second, by a timer in the kernel
	eventually is_shown_by_bpftool
}

kill_under_load() {
	load 8 >"$work/loaded" &
	source=$!
	sleep 1
	for stage in ingress edf egress; do
		kill -9 "$(pid_of $stage)"
		eventually ready
	done
	wait "$source" && cat "$work/loaded" && eventually ready && counts_are_exact
}

made_up_times() { # what t_latency.sh checks there: known times, batches that come again, the overflow bucket
	made_up=$work/made-up
	mkdir "$made_up" && cp build/latency build/latency.bpf.o "$made_up"
	for stage in ingress edf egress; do
		cp build/tests/drive "$made_up/$stage"
	done
	"$made_up/ingress" create made-up && "$made_up/latency" -i made-up || return 1
	for stage in ingress edf egress; do
		"$made_up/$stage" drive made-up || return 1
	done
	"$made_up/ingress" check made-up && "$made_up/latency" --detach -i made-up && build/hold --remove --force -i made-up
}

no_links() { # they go a moment after their pins
	[ -z "$(bpftool link show)" ]
}

nothing_is_left() {
	run/stop.sh -i "$instance" || return 1
	ls -R /dev/shm /sys/fs/bpf
	eventually no_links || { bpftool link show && return 1; }
	[ -z "$(ls /dev/shm)" ] && [ ! -e "$pins" ] && [ ! -e "$work/run/$instance" ] && ! pgrep -af "$ontime/(build|run)/"
}

is_too_old() {
	case $(uname -r) in [1-4].* | 5.[0-9].* | 5.1[0-4].*) ;; *) false ;; esac
}

runs_without() { # histograms, and says why in one line
	run/launch.sh -c "$work/conf" >"$work/said" 2>&1 && cat "$work/said" &&
		[ "$(grep -c '^latency: histograms need Linux 5.15' "$work/said")" = 1 ] && load 2 && build/stat -i "$instance" --once
}

inside() { # the guest
	ontime=$PWD
	work=$(mktemp -d)
	ONTIME_BUILD=$ontime/build # as it is: there is no time to build
	ONTIME_RUN_DIR=$work/run
	export ONTIME_BUILD ONTIME_RUN_DIR
	sed "s/^instance = .*/instance = $instance/; s/^policy = .*/policy = edf/" run/ontime.conf >"$work/conf"
	if is_too_old; then
		check "$release: runs without histograms, and says so" runs_without
		check "$release: stop leaves no segment, pin, link or process" nothing_is_left
		verdict kernels
		exit
	fi
	check "$release: launch mounts the bpffs and attaches" launches_attached
	check "$release: counts equal the account's, for each class and span" load_and_compare
	check "$release: plain bpftool shows the same, by name" bpftool_shows_it
	check "$release: nothing is lost and counts stay exact through kill -9 of each stage" kill_under_load
	check "$release: known times are in the right buckets; batches that come again count once" made_up_times
	check "$release: stop leaves no segment, pin, link or process" nothing_is_left
	verdict kernels
}

add_sums() { # FILE STATUS NAME: of the last line that counts; without one, or with a status that no FAIL explains, one has failed
	# shellcheck disable=SC2046 # three numbers, or nothing
	set -- "$2" "$3" $(sed -n 's/^.*: \([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p' "$1" | tail -n 1)
	if [ $# = 5 ]; then
		passed=$((passed + $3)) failed=$((failed + $4)) skipped=$((skipped + $5))
	elif [ "$1" = 77 ]; then
		skipped=$((skipped + 1))
		return
	fi
	if [ $# != 5 ] || { [ "$1" != 0 ] && [ "$1" != 77 ] && [ "$4" = 0 ]; }; then
		count_check 1 "$2: ended with status $1$([ "$1" != 124 ] || echo " (took too long)")"
	fi
}

part() { # NAME SECONDS COMMAND..: unless others were asked for
	name=$1
	case " ${only:-$name} " in *" $name "*) ;; *) return 0 ;; esac
	seconds=$2
	shift 2
	echo "== $name"
	began=$(date +%s)
	timeout -k 10 "$seconds" "$@" >"$work/part" 2>&1 </dev/null &
	running=$!
	tail -q -n +1 -f --pid="$running" "$work/part"
	wait "$running" && status=0 || status=$?
	add_sums "$work/part" "$status" "$name"
	echo "== $name: status $status after $(($(date +%s) - began)) s"
}

functional_suite() { # as in tests/run.sh
	part unit 600 build/tests/unit
	part sim 900 build/tests/sim --worlds 50
	part sim_faults 600 build/tests/sim --seconds 30 --faults 20
	part sim_sweep 900 build/tests/sim --sweep 1
	part crash 900 build/tests/crash
	part crash_shaped 900 build/tests/crash --gso=off --rate=1Gbit
	part threads 600 build/tests/threads
	part pipeline 1800 build/tests/pipeline
	part plugin 900 build/tests/plugin
	part storm 900 build/tests/storm --kills 100 --seed 1 --gso on --rate 2000
	part storm_no_gso 900 build/tests/storm --kills 50 --seed 2 --gso off --rate 2000
	part t_supervised_storm 900 tests/kill/t_supervised_storm.sh 60 1 5 1000
	for script in $(scripts_near_the_kernel_first); do
		part "$script" 1800 tests/*/"$script.sh"
	done
}

scripts_near_the_kernel_first() {
	first="t_world t_operate t_latency t_systemd t_mishaps t_health t_plugin t_calls t_environment t_hostile t_vanish"
	echo "$first" | tr ' ' '\n'
	for script in tests/*/t_*.sh; do
		script=$(basename "$script" .sh)
		case " $first t_aarch64 t_coverage t_kernels t_make t_mutants t_mutants_sim t_supervised_storm " in
		*" $script "*) ;;
		*) echo "$script" ;;
		esac
	done
}

inside_all() { # the guest
	work=$(mktemp -d)
	functional_suite
	verdict kernels
}

all_under() { # RELEASE [PART..]
	[ $# -gt 0 ] || { sed -n '4,5s/^# //p' "$0" && exit 2; }
	release=$1
	shift
	make -s tests
	make -s NO_PROBES=1 build/no-probes/edf # of t_latency
	tests/machine/kernel-vm.sh --memory 6G "$release" 14400 "cd '$PWD' && tests/machine/t_kernels.sh --inside-all $*"
}

under() { # RELEASE: adds up what its guest reports
	tests/machine/kernel-vm.sh "$1" 180 "cd '$PWD' && tests/machine/t_kernels.sh --inside '$1 ('\$(uname -r)')'" >"$said" 2>&1 && status=0 || status=$?
	cat "$said"
	add_sums "$said" "$status" "$1"
}

if [ "${1:-}" = --inside ]; then
	release=$2
	inside
	exit
fi
if [ "${1:-}" = --inside-all ]; then
	shift
	only=$*
	inside_all
	exit
fi
[ -x build/latency ] || { echo "skip kernels: build/latency was not built: it needs libbpf-dev"; exit 77; }
make -s all build/tests/counts build/tests/drive
if [ "${1:-}" = all ]; then
	shift
	all_under "$@"
	exit
fi
said=$(mktemp)
trap 'rm -f "$said"' EXIT
[ $# -gt 0 ] || set -- bookworm trixie
for release in "$@"; do
	under "$release"
done
verdict kernels

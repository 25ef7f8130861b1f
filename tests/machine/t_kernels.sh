#!/bin/sh
# t_kernels.sh - the pipeline and its histograms under the kernels of Debian 12 and 13, in an emulator (tests/machine/kernel-vm.sh).
#
# usage: tests/machine/t_kernels.sh [RELEASE..]     default: bookworm trixie (6.1, 6.12); bullseye has 5.10, too old for histograms
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
	build/load -c "$work/conf" --rate 400 --seconds "$1" --size 0-1472
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

under() { # RELEASE: adds up what its guest reports
	tests/machine/kernel-vm.sh "$1" 180 "cd '$PWD' && tests/machine/t_kernels.sh --inside '$1 ('\$(uname -r)')'" >"$said" 2>&1 && status=0 || status=$?
	cat "$said"
	# shellcheck disable=SC2046 # three numbers, or nothing
	set -- "$1" $(sed -n 's/^kernels: \([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p' "$said")
	if [ "$status" = 77 ]; then
		skipped=$((skipped + 1))
	elif [ $# = 4 ]; then
		passed=$((passed + $2)) failed=$((failed + $3)) skipped=$((skipped + $4))
	else
		count_check 1 "$1: ended with status $status"
	fi
}

if [ "${1:-}" = --inside ]; then
	release=$2
	inside
	exit
fi
[ -x build/latency ] || { echo "skip kernels: build/latency was not built: it needs clang and libbpf-dev"; exit 77; }
make -s all build/tests/counts build/tests/drive
said=$(mktemp)
trap 'rm -f "$said"' EXIT
[ $# -gt 0 ] || set -- bookworm trixie
for release in "$@"; do
	under "$release"
done
verdict kernels

#!/bin/sh
# t_fuzz.sh [SECONDS [TARGET]...] - each fuzz target, or those named, for that long (3 s), under the address and undefined-behaviour sanitizers.
#
# Each begins with its seeds (tests/fuzz/seeds). What it finds is kept in build/fuzz/found, and ends it at once when it is given to
# it again: build/fuzz/fuzz/TARGET FILE. Needs clang with libFuzzer; the page's own, recording, node.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh
seconds=${1:-3}
[ $# = 0 ] || shift
found=build/fuzz/found
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

all="$(for source in tests/fuzz/*.c; do printf '%s ' "$(basename "$source" .c)"; done)recording"
targets=${*:-$all}
for target in $targets; do
	case " $all " in *" $target "*) continue ;; esac
	printf 'fuzz: no target "%s"; there are: %s\n' "$target" "$all" >&2
	exit 2
done
fixed_addresses=$(setarch -R true 2>/dev/null && echo "setarch -R") || true # the address sanitizer knows but few layouts
mkdir -p "$found"

build() { # TARGET: why it cannot be, or nothing
	if [ "$1" = recording ]; then
		command -v node >/dev/null || { echo "no node here"; return; }
		make -s build/dash || exit 1
		return
	fi
	if [ ! -e "$work/try" ]; then
		printf 'int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n) { return d && n > 9; }\n' >"$work/try.c"
		clang -fsanitize=fuzzer,address "$work/try.c" -o "$work/try" 2>/dev/null || { echo "no clang with libFuzzer here"; return; }
	fi
	make -s "-j$(nproc)" CC=clang CFLAGS='-O1 -g -w' BUILD=build/fuzz SAN=fuzzer-no-link,address,undefined "build/fuzz/fuzz/$1" || exit 1
}

collect_seeds() { # TARGET: what it begins with
	mkdir "$work/$1" "$work/$1.new"
	[ ! -d "tests/fuzz/seeds/$1" ] || cp "tests/fuzz/seeds/$1"/* "$work/$1/"
	case $1 in
	config) # what the project's own configurations are, and one with each key there is
		for file in run/*.conf run/recipes/*.conf; do cp "$file" "$work/$1/$(basename "$file")"; done
		make -s build/full.conf && sed 's/^;\([a-z]\)/\1/; s/^# \([a-z_]* = \)/\1/' build/full.conf >"$work/$1/full"
		;;
	esac
}

longest_of() { # TARGET: bytes
	case $1 in
	config) echo 16384 ;;
	http) echo 20000 ;;
	recovery) echo 512 ;;
	segment) echo 256 ;;
	*) echo 4096 ;;
	esac
}

# A stage that dies leaves all that it has, a server is left to the end of its process, and a key and its value in two words become
# one that is never freed.
leaks_of() { # TARGET: 1 if it is to free what it takes
	case $1 in command | http | recovery) echo 0 ;; *) echo 1 ;; esac
}

fuzz() { # TARGET
	span=$seconds
	[ "$1" != recovery ] || [ "$span" -ge 20 ] || span=20 # it has three stages recover each time
	if [ "$1" = recording ]; then
		timeout -k 10 $((seconds * 2 + 60)) node tests/fuzz/recording.js "$seconds" "$work/recording" "$found/recording-" build/dash >"$work/said" 2>&1
		return
	fi
	# shellcheck disable=SC2086  # several words
	ASAN_OPTIONS=detect_leaks=$(leaks_of "$1") $fixed_addresses timeout -k 10 $((span * 2 + 120)) "build/fuzz/fuzz/$1" "-max_total_time=$span" "-detect_leaks=$(leaks_of "$1")" -timeout=60 -rss_limit_mb=2048 \
		-print_final_stats=1 -close_fd_mask=3 "-max_len=$(longest_of "$1")" "-artifact_prefix=$found/$1-" "$work/$1.new" "$work/$1" >"$work/said" 2>&1
}

for target in $targets; do
	lacks=$(build "$target")
	if [ "$lacks" ]; then
		skipped=$((skipped + 1))
		printf 'skip %s: %s (run/deps.sh test installs it)\n' "$target" "$lacks"
		continue
	fi
	collect_seeds "$target"
	fuzz "$target" && status=0 || status=$?
	executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/said" | tail -n 1)
	reached=$(sed -n 's/.*[^a-z]cov: \([0-9]*\) .*/\1/p' "$work/said" | tail -n 1)
	of=$(sed -n 's/.*(\([0-9]*\) inline 8-bit counters).*/\1/p' "$work/said" | head -n 1)
	[ "${executions:-0}" -ge 50 ] || status=1 # less is hardly more than its seeds
	count_check "$status" "$target: ${executions:-no} executions, ${reached:-0} branches reached${of:+ of $of in all that is linked}"
	[ "$status" = 0 ] || tail -n 60 "$work/said"
done
verdict fuzz

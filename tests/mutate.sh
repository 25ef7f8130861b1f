#!/bin/sh
# mutate.sh - how many small faults in the pure code do the unit tests notice? By hand: a minute or so for each file.
#
# usage: tests/mutate.sh [FILE.c..]        default: all of tests/mutate/suites, which names the suites that are about a file
#
# Each mutant (tests/mutate/mutants.awk) is one changed line, compiled and linked into the unit tests; the suites of its file must fail, or not
# end. One whose machine code is the original's is none. Prints each survivor but those of tests/mutate/alike, which no test can tell from the
# original, and a score for each file. Exit status 1 when one is below LEAST (95) percent.
set -eu
cd "$(dirname "$0")/.."
build=build/mutate
flags="-std=gnu17 -O1 -w -fno-strict-aliasing -D_GNU_SOURCE -Icommon -I. -Irun -Itests -I$build/obj"

# passes OBJECT UNIT FILE - do the unit tests of FILE, linked with OBJECT in its place?
passes()
{
	sh -c "$(sed "s|@MUTANT@|$1|; s|@UNIT@|$2|" "$work/link")" || exit 2
	# shellcheck disable=SC2046 # several words
	timeout -k 1 20 "$2" $(sed -n "s|^$3 ||p" tests/mutate/suites) >"$2.log" 2>&1
}

# one FILE NUMBER - the mutant of that number in the list $work/mutants; prints its fate.
one()
{
	here=$work/$2
	mkdir "$here"
	sed -n "$2p" "$work/mutants" >"$here/row"
	IFS=$(printf '\t') read -r line what text <"$here/row"
	TEXT=$text awk -v line="$line" 'NR == line { print ENVIRON["TEXT"]; next } { print }' "$1" >"$here/mutant.c"
	# shellcheck disable=SC2086 # several words
	if ! gcc $flags -iquote "$(dirname "$1")" -x c -c -o "$here/mutant.o" - <"$here/mutant.c" 2>/dev/null; then
		fate=none
	elif cmp -s "$here/mutant.o" "$work/original.o"; then
		fate=none
	else
		if passes "$here/mutant.o" "$here/unit" "$1"; then fate=survived; else fate=noticed; fi
	fi
	was=$(sed -n "${line}p" "$1" | sed 's/^[ \t]*//')
	[ $fate != survived ] || ! grep -qxF "$1: $what: $was" tests/mutate/alike || fate=alike
	printf '%s\t%s: %s: %s\n' $fate "$1" "$what" "$was"
	rm -rf "$here"
}

if [ "${1-}" = --one ]; then
	one "$2" "$3"
	exit 0
fi

make -s "-j$(nproc)" BUILD=$build CFLAGS=-O1 $build/tests/unit $build/plugins/upper.so $build/plugins/slow.so
work=$(mktemp -d)
export work
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
failed=0 passed=0
# shellcheck disable=SC2046 # several words
[ $# -gt 0 ] || set -- $(cut -d ' ' -f 1 tests/mutate/suites)
for file in "$@"; do
	awk -f tests/mutate/mutants.awk "$file" >"$work/mutants"
	cp "$file" "$work/original.c"
	# shellcheck disable=SC2086
	gcc $flags -iquote "$(dirname "$file")" -x c -c -o "$work/original.o" - <"$work/original.c"
	make -n BUILD=$build CFLAGS=-O1 -W "$file" $build/tests/unit |
		sed -n "\\, -o $build/tests/unit,{s| $build/obj/${file%.c}.o | @MUTANT@ |; s| -o .*| -o @UNIT@|; p;}" >"$work/link"
	passes "$work/original.o" "$work/unit" "$file" || { cat "$work/unit.log" && exit 2; }
	seq "$(wc -l <"$work/mutants")" | xargs -P "$(nproc)" -I {} "$0" --one "$file" {} >"$work/fates"
	sed -n 's/^survived\t/survived: /p' "$work/fates"
	score=$(awk -F '\t' -v least="${LEAST:-95}" '{ n[$1]++ } END {
		all = n["noticed"] + n["survived"]
		percent = all ? 100 * n["noticed"] / all : 0
		printf("%s %d of %d noticed (%.1f %%), %d alike", percent >= least ? "ok  " : "FAIL", n["noticed"], all, percent, n["alike"])
	}' "$work/fates")
	printf '%-4s %s: %s\n' "${score%% *}" "$file" "${score#* }"
	case $score in ok*) passed=$((passed + 1)) ;; *) failed=$((failed + 1)) ;; esac
done
echo "mutate: $passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]

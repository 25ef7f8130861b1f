#!/bin/sh
# mutate.sh - how many small faults in the pure code do the unit tests notice? By hand: a minute or two for each file.
#
# usage: tests/mutate.sh [FILE..]          default: each of tests/mutate/suites, which says what tests a file
#
# Each mutant (tests/mutate/mutants.awk) is the file with one line changed, as a library in the place of the original's object. It is noticed
# when a test of the file's suites fails on it, when it crashes them, or when it does not end. One that does not compile is none, nor is one
# whose machine code is the original's, or another mutant's. Prints each that survives but those of tests/mutate/alike, and a table.
# Exit status 1: less than LEAST (95) percent of a file's are noticed, or tests/mutate/alike has one that is. 2: it cannot be told.
#
# JOBS: mutants at one time (one for each CPU). BUILD: a build whose unit tests it takes (build). SUITES: others than the file's.
# AGAIN: the output of an earlier run, whose survivors are all it tries.
set -eu
cd "$(dirname "$0")/.."
build=${BUILD:-build} jobs=${JOBS:-$(nproc)} cc=${CC:-gcc}
most_cpu_s=2 # of a suite; the longest takes 0.3 s
most_s=120 # of a suite that sleeps, on a machine with much else to do

die()
{
	echo "mutate: $*" >&2
	exit 2
}

# compile TREE OBJECT - each source, where FILE is TREE's, into OBJECT.1, ...; fails if one does not compile.
compile()
{
	k=0
	for source in $sources; do
		k=$((k + 1))
		[ ! -e "$1/$source" ] || source=$1/$source
		$cc -std=gnu17 -O2 -w -fPIC -fno-semantic-interposition "-ffile-prefix-map=$1/=" -D_GNU_SOURCE -I"$1/common" -I"$1" -I"$1/run" \
			-Icommon -I. -Irun -Itests "-I$build/obj" -c "$source" -o "$2.$k" 2>/dev/null || return 1
	done
}

# try FOLDER - what its libmutant.so does in the suites: "noticed", "survived", or what went wrong.
try()
{
	for suite in $suites; do
		# shellcheck disable=SC3045 # dash, bash and busybox have these limits
		said=$({
			ulimit -c 0
			ulimit -t $most_cpu_s
			status=0
			LD_LIBRARY_PATH=$1 timeout -k 1 $most_s "$work/unit" "$suite" 2>&1 || status=$?
			echo "status $status"
		} 2>/dev/null | grep -m 1 -E '^FAIL |^status ') || said="no status"
		case $said in
		'status 0') ;;
		FAIL*) echo noticed && return ;;
		# killed by a signal: it crashed, or took too long; timeout says 124, and 137 if that did not do
		'status 124' | 'status 12'[89] | 'status 1'[3-6]?) echo noticed && return ;;
		*) echo "suite $suite: $said" && return ;;
		esac
	done
	echo survived
}

# make_mutants WORKER - each of the list that is its turn, compiled; its fate is known if it is none. Prints NUMBER, SUM OF ITS MACHINE CODE.
make_mutants()
{
	tree=$work/tree.$1
	mkdir -p "$tree/$(dirname "$file")"
	ln -s "$PWD/$(dirname "$file")"/* "$tree/$(dirname "$file")"
	rm "$tree/$file"
	n=0
	while IFS='	' read -r line function what text; do
		n=$((n + 1))
		[ $((n % jobs)) -eq "$1" ] || continue
		: "$function" "$what"
		TEXT=$text awk -v line="$line" 'NR == line { print ENVIRON["TEXT"]; next } { print }' "$file" >"$tree/$file"
		if compile "$tree" "$work/object.$n"; then
			printf '%s %s\n' $n "$(cat "$work/object.$n".* | sha256sum | cut -d ' ' -f 1)"
		else
			printf '%s invalid\n' $n
		fi
	done <"$work/mutants"
}

# try_mutants WORKER - each of those to try that is its turn. Prints NUMBER, FATE.
try_mutants()
{
	mkdir "$work/lib.$1"
	awk -v jobs="$jobs" -v turn="$1" 'NR % jobs == turn' "$work/distinct" | while read -r n; do
		$cc -shared "$work/object.$n".* -o "$work/lib.$1/libmutant.so" || exit 2
		echo "$n $(try "$work/lib.$1")"
	done
}

# each STEP - as many workers as there are jobs, their output together.
each()
{
	pids='' k=0
	while [ $k -lt "$jobs" ]; do
		"$1" $k >"$work/out.$k" &
		pids="$pids $!" k=$((k + 1))
	done
	for pid in $pids; do
		wait "$pid" || die "$file: $1 failed"
	done
	cat "$work"/out.*
}

# link_unit - the unit tests without the objects of the sources, which are a library.
link_unit()
{
	mkdir "$work/original" "$work/tree"
	compile "$work/tree" "$work/original/object" || die "$file: it does not compile"
	sum=$(cat "$work"/original/object.* | sha256sum | cut -d ' ' -f 1)
	$cc -shared "$work"/original/object.* -o "$work/original/libmutant.so"
	edit="s| -o $build/tests/unit.*| -L$work/original -Wl,--no-as-needed -lmutant -o $work/unit|"
	for source in $sources; do
		edit="$edit; s| $build/obj/${source%.c}.o | |"
	done
	make -n BUILD="$build" -W "$file" "$build/tests/unit" | sed -n "\\, -o $build/tests/unit,{$edit; p;}" >"$work/link"
	sh -e "$work/link" || die "$file: its unit tests cannot be linked"
}

# list - the mutants of the file, and what they are called
list()
{
	awk -f tests/mutate/mutants.awk "$file" >"$work/all"
	awk -F '\t' -v file="$file" 'FILENAME == ARGV[1] { lines[FNR] = $0; sub(/^[ \t]+/, "", lines[FNR]); next }
		{ print file ": " $2 ": " $3 ": " lines[$1] }' "$file" "$work/all" >"$work/all.names"
	paste "$work/all.names" "$work/all" | if [ "${AGAIN-}" ]; then
		awk -F '\t' -v again="$AGAIN" 'BEGIN { while ((getline name <again) > 0) if (sub(/^survived: /, "", name)) is[name] = 1 } $1 in is'
	else
		cat
	fi >"$work/both"
	cut -f 1 "$work/both" >"$work/names"
	cut -f 2- "$work/both" >"$work/mutants"
}

# judge - FATE, NAME of each mutant
judge()
{
	awk 'FILENAME == ARGV[1] { n = $1 + 0; sub(/^[0-9]* /, ""); fate[n] = $0; next } { print fate[FNR] "\t" $0 }' "$work/fates" "$work/names"
}

make -s "-j$jobs" BUILD="$build" "$build/tests/unit"
top=$(mktemp -d) work=$top/none
trap 'rm -rf "$top"' EXIT
trap 'exit 130' INT TERM HUP
# tests/mutate/alike: a reason, and below it, indented, the mutants that it is about
sed -n 's/^\t//p' tests/mutate/alike >"$top/alike"
failed=0 passed=0
# shellcheck disable=SC2046 # several words
[ $# -gt 0 ] || set -- $(sed 's/[: ].*//' tests/mutate/suites)
for file in "$@"; do
	work=$top/$(echo "$file" | tr / _)
	mkdir "$work"
	grep -q "^${file}[: ]" tests/mutate/suites || die "$file: tests/mutate/suites does not say what tests it"
	suites=${SUITES:-$(sed -n "s|^${file}[^:]*: ||p" tests/mutate/suites)}
	sources=$(sed -n "s|^$file (\(.*\)): .*|\1|p" tests/mutate/suites)
	sources=${sources:-$file}
	link_unit
	fate=$(try "$work/original")
	[ "$fate" = survived ] || die "$file: the suites, $suites, do not pass with the original: $fate"
	list
	each make_mutants | sort -n >"$work/sums"
	awk -v original="$sum" '$2 == "invalid" || $2 == original { next } !seen[$2]++ { print $1 }' "$work/sums" >"$work/distinct"
	{
		awk -v original="$sum" '$2 == "invalid" { print; next } $2 == original || seen[$2]++ { print $1, "same" }' "$work/sums"
		each try_mutants
	} >"$work/fates"
	judge >"$work/judged"
	! grep -vE '^(noticed|survived|invalid|same)	' "$work/judged" >&2 || die "$file: what became of these is not known"
	awk -F '\t' '$1 == "survived" { print $2 }' "$work/judged" | grep -vxFf "$top/alike" | sed 's/^/survived: /' || true
	awk -F '\t' -v file="$file" -v least="${LEAST:-95}" -v table="$top/table" '
		FILENAME == ARGV[1] { if (index($0, file ": ") == 1) alike[$0] = 1; next }
		FILENAME == ARGV[2] { known[$0] = 1; next }
		{ n[$1]++; is[$2] = is[$2] $1; n_alike += $1 == "survived" && $2 in alike }
		END {
			all = n["noticed"] + n["survived"]
			percent = all > n_alike ? 100 * n["noticed"] / (all - n_alike) : 0
			for (a in alike)
				if (!(a in known) || is[a] ~ /noticed/ && is[a] !~ /survived/) {
					print "tests/mutate/alike: " (!(a in known) ? "is no mutant" : "is noticed") ": " a
					wrong = 1
				}
			printf "| `%s` | %d | %d | %d | %.1f %% |\n", file, all, n["noticed"], n_alike, percent >table
			verdict = percent >= least && !wrong ? "ok" : "FAIL"
			printf "%-4s %s: %d of %d noticed, %d alike, %.1f %%; %d others do not compile or change nothing\n", verdict, file, n["noticed"], all, n_alike, percent, n["invalid"] + n["same"]
		}' "$top/alike" "$work/all.names" "$work/judged" | tee "$work/verdict"
	cat "$top/table" >>"$top/tables"
	if grep -q '^ok ' "$work/verdict"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
	rm -rf "$work"
done
printf '\n| file | mutants | noticed | alike | score |\n|---|---:|---:|---:|---:|\n'
cat "$top/tables"
echo "mutate: $passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]

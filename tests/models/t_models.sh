#!/bin/sh
# t_models.sh - the protocols as models: each state of each *.pml is visited, and in none is what must hold broken; with a rule left out,
# as the model's first comment names them, one must be found. Then the real functions, under every order of memory that C allows.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

explore() { # MODEL [MUTANT]: prints what was found; 0 if nothing is wrong, 1 if something is
	rm -rf "$work/run" && mkdir "$work/run" && cp "tests/models/$1.pml" "$work/run" || return 2
	(
		cd "$work/run"
		{ spin -a ${2:+-D"$2"} "$1.pml" && "${CC:-gcc}" -O1 -w -DSAFETY -o pan pan.c; } >said 2>&1 || { cat said && exit 2; }
		timeout 300 ./pan -m100000 -w22 >said 2>&1 || { cat said && exit 2; }
		states=$(sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' said)
		if grep -q 'errors: 0$' said && ! grep -q 'max search depth too small\|out of memory' said; then
			echo "$states states"
		elif grep -q '^pan:1: \(assertion violated\|invalid end state\)' said; then
			echo "$(sed -n 's/^pan:1: \(.*\) (at depth.*/\1/p' said), after $states states"
			exit 1
		else
			cat said
			exit 2
		fi
	)
}

check_model() { # MODEL
	found=$(explore "$1") && status=0 || status=$?
	count_check "$status" "$1: $found, and nothing is wrong in any"
	mutants=$(sed -n 's/^ \* Mutants: \([A-Z_, ]*\)\..*/\1/p' "tests/models/$1.pml" | tr -d ,)
	[ "$mutants" ] || count_check 1 "$1: names no mutants"
	for mutant in $mutants; do
		grep -q "$mutant\$" "tests/models/$1.pml" || count_check 1 "$1: there is no $mutant"
		found=$(explore "$1" "$mutant") && status=0 || status=$?
		[ "$status" = 1 ] && status=0 || status=1
		count_check "$status" "$1 with $mutant is wrong: $found"
	done
}

if command -v spin >/dev/null; then
	for model in tests/models/*.pml; do check_model "$(basename "$model" .pml)"; done
else
	skipped=$((skipped + 1))
	echo "skip the models: no spin here (run/deps.sh test installs it)"
fi
make -s "-j$(nproc)" BUILD=build/weak CPPFLAGS='-include tests/models/atomics.h' CFLAGS='-O1 -g -Wno-conversion' build/weak/weak
build/weak/weak >"$work/weak" || true
sed '$d' "$work/weak"
passed=$((passed + $(grep -c '^ok ' "$work/weak" || true)))
failed=$((failed + $(grep -c '^FAIL ' "$work/weak" || true)))
tail -n 1 "$work/weak" | grep -q '^weak: [1-9]' || count_check 1 "the real functions, under every order of memory: it ended early"
verdict models

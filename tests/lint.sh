#!/bin/sh
# lint.sh [--self-test | --only FUNCTION] - what can be checked without running anything. One line per rule, what is wrong below it, then
# "lint: N passed, N failed, N skipped". --self-test: one violation of each rule is planted into a copy of the tree, and each must be found.
# The rules are in tests/lint/: tools.sh (other programs' opinions), code.sh, text.sh; folders, long and known are their tables.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=tests/lint/tools.sh
. tests/lint/tools.sh
# shellcheck source=tests/lint/code.sh
. tests/lint/code.sh
# shellcheck source=tests/lint/text.sh
. tests/lint/text.sh

present() { find . \( -path ./build -o -path ./.git \) -prune -o -type f "$@" -print | sed 's|^\./||' | sort; }
sources=$(present -name '*.[ch]')
# shellcheck disable=SC2016  # the inner script sees its own $1
scripts=$(present -exec sh -c 'head -c 64 "$1" | head -n 1 | grep -qaE "^#!.*[/ ](ba)?sh"' sh '{}' \;)
n_passed=0 n_failed=0 n_skipped=0
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# check RULE FUNCTION - passes if the function prints nothing and returns 0; 77: skipped.
check()
{
	status=0
	"$2" >"$out/said" 2>&1 || status=$?
	if [ "$status" -eq 77 ]; then
		n_skipped=$((n_skipped + 1))
		echo "skip  $1: $(cat "$out/said")"
	elif [ "$status" -eq 0 ] && [ ! -s "$out/said" ]; then
		n_passed=$((n_passed + 1))
		echo "ok    $1"
	else
		n_failed=$((n_failed + 1))
		echo "FAIL  $1"
		sed 's/^/      /' "$out/said"
	fi
}

if [ "${1-}" = --self-test ]; then
	# shellcheck source=tests/lint/self-test.sh
	. tests/lint/self-test.sh
	self_test
elif [ "${1-}" = --only ]; then # FUNCTION, to try one
	check "$2" "$2"
else
	check "sources look as tests/format.sh would write them" check_format
	check "shellcheck finds nothing" check_shellcheck
	check "cppcheck finds nothing" check_cppcheck
	check "each folder includes only what it may" check_includes
	check "no C file is included, and no main renamed" check_whole_files
	check "pure objects call nothing" check_purity
	check "every ORDER edge has two ends" check_order
	check "every atomic access spells its order" check_atomics
	check "every relaxed access has its reason" check_relaxed
	check "what comments and pages name is there" check_names
	check "no line of a source is wider than 120 columns" check_width
	check "no file is longer than 400 lines" check_length
	check "nothing is left to do" check_todo
	check "the prebuilt BPF object is that of its sources" check_prebuilt
	check "only build/ is built" check_build_only
fi
echo "lint: $n_passed passed, $n_failed failed, $n_skipped skipped"
[ "$n_failed" -eq 0 ]

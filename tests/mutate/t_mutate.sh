#!/bin/sh
# t_mutate.sh - tests/mutate.sh tells mutants that tests notice from others: with the tests of a small file, with tests of another, with none.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# ends STATUS COMMAND.. - what it says is kept, for says and says_not.
ends()
{
	status=0 expected=$1
	shift
	"$@" >"$work/said" 2>&1 || status=$?
	cat "$work/said"
	[ $status -eq "$expected" ]
}

says()
{
	grep -q -- "$1" "$work/said"
}

says_not()
{
	! says "$1"
}

check "the tests of a file notice its mutants" ends 0 tests/mutate.sh run/check/cost.c
check "and no mutant survives but those that are listed" says_not '^survived'
check "the tests of another file notice none" ends 1 env SUITES=number tests/mutate.sh run/check/cost.c
check "and each of them survives" says '^FAIL run/check/cost.c: 0 of [1-9]'
check "a suite that is not there is no answer" ends 2 env SUITES=nothing tests/mutate.sh run/check/cost.c
check "nor is a file that no suite is about" ends 2 tests/mutate.sh common/clock.h
echo "mutate: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]

# shellcheck shell=sh disable=SC2034
# must_fail.sh - what the tests of the tests share: with a rule broken, the test that should notice must fail. Sourced, from the top.
passed=0
failed=0

must_fail() { # PATTERN NAME COMMAND...: it runs to its end, which the pattern shows, and fails
	pattern=$1
	name=$2
	shift 2
	if out=$(timeout 120 "$@" 2>&1); then
		failed=$((failed + 1))
		printf 'FAIL %s: not noticed\n%s\n' "$name" "$out"
	elif printf '%s\n' "$out" | grep -q "$pattern"; then
		passed=$((passed + 1))
		printf 'ok   %s is noticed\n' "$name"
	else
		failed=$((failed + 1))
		printf 'FAIL %s: it did not run to its end\n%s\n' "$name" "$out"
	fi
}

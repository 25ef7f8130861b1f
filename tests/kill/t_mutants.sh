#!/bin/sh
# t_mutants.sh - the test of the tests: with a rule of the crash protocol broken, the tests that should notice must fail.
set -eu
cd "$(dirname "$0")/../.."
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

make -s -j2 MUTANT=1 all build/mutant/tests/crash build/mutant/tests/replies build/mutant/tests/sim build/mutant/tests/unit
for rule in no-recovery zero-sentinel no-lock; do
	must_fail '^storm: 0 passed, 1 failed' "storm: $rule" \
		build/tests/storm --kills 1500 --seed 3 --stages build/mutant --mutant "$rule"
done
# A storm meets the one store between a commit and its clearing too rarely; these tests stop a stage just there.
must_fail '^pipeline: [0-9]* passed, [1-9][0-9]* failed' "pipeline: no-base" \
	env ONTIME_MUTANT=no-base build/tests/pipeline build/mutant _again
for rule in no-recovery zero-sentinel no-base; do
	must_fail 'dead before store' "crash: $rule" env ONTIME_MUTANT="$rule" build/mutant/tests/crash
done
for rule in no-recovery zero-sentinel no-base stage-again; do
	must_fail 'dead before store' "crash, trains: $rule" env ONTIME_MUTANT="$rule" build/mutant/tests/crash --gro=on
done
for rule in no-recovery zero-sentinel no-base; do
	must_fail 'dead before store' "replies: $rule" env ONTIME_MUTANT="$rule" build/mutant/tests/replies
done
must_fail '^churn: 0 passed, 1 failed' "churn: no-recovery" env ONTIME_MUTANT=no-recovery build/tests/churn --stages build/mutant
must_fail 'dead before store' "replies: free-early" env ONTIME_MUTANT=free-early build/mutant/tests/replies
must_fail 'hurry .*, .*: .* another client, dead before store' "replies: hint-after-commit" \
	env ONTIME_MUTANT=hint-after-commit build/mutant/tests/replies
for rule in free-early via-any; do
	must_fail '^FAIL *a reply goes to the client' "sim: $rule" env ONTIME_MUTANT="$rule" build/mutant/tests/sim --replies 150
done
must_fail '^FAIL *sessions: what lay in the socket is not the next senders' "unit: no-drain" \
	env ONTIME_MUTANT=no-drain build/mutant/tests/unit sessions
must_fail '^FAIL *every packet is sent once' "sim: no-space-ring" env ONTIME_MUTANT=no-space-ring build/mutant/tests/sim --worlds 20
for rule in no-recovery zero-sentinel no-base no-updates no-note; do
	must_fail '^FAIL *a stage dies before each store' "sim: $rule" \
		env ONTIME_MUTANT="$rule" build/mutant/tests/sim --sweep 12
done
printf 'mutants: %d passed, %d failed, 0 skipped\n' "$passed" "$failed"
[ "$failed" = 0 ]

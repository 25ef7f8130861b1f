#!/bin/sh
# t_mutants.sh - the test of the tests: with a rule of the crash protocol broken, the tests that should notice must fail; the simulation has its own (t_mutants_sim.sh).
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/must_fail.sh
. tests/harness/must_fail.sh

make -s -j2 MUTANT=1 all build/mutant/tests/crash build/mutant/tests/replies build/mutant/tests/unit
for rule in no-recovery zero-sentinel; do
	must_fail '^storm: 0 passed, 1 failed' "storm: $rule" \
		build/tests/storm --kills 1500 --seed 3 --stages build/mutant --mutant "$rule"
done
# Two at once do harm only if both are at the same store: every second storm of that size meets it.
# shellcheck disable=SC2016 # the inner shell's own
must_fail '^storm: 0 passed, 1 failed' "storm: no-lock" \
	sh -c 'for seed in 3 4 5 6 7 8; do build/tests/storm --kills 1500 --seed "$seed" --stages build/mutant --mutant no-lock || exit 1; done'
# A storm meets the one store between a commit and its clearing too rarely; these tests stop a stage just there.
must_fail '^pipeline: [0-9]* passed, [1-9][0-9]* failed' "pipeline: no-base" \
	env ONTIME_MUTANT=no-base build/tests/pipeline build/mutant _again
for rule in no-recovery zero-sentinel no-base; do
	must_fail 'dead before store' "crash: $rule" env ONTIME_MUTANT="$rule" build/mutant/tests/crash
done
for rule in no-recovery zero-sentinel no-base stage-again no-aim; do
	must_fail 'dead before store' "crash, trains: $rule" env ONTIME_MUTANT="$rule" build/mutant/tests/crash --gro=on
done
for rule in no-recovery no-base copy-again copy-apart; do
	must_fail 'dead before store' "crash, copies: $rule" env ONTIME_MUTANT="$rule" build/mutant/tests/crash --copies
done
for rule in no-recovery zero-sentinel no-base; do
	must_fail 'dead before store' "replies: $rule" env ONTIME_MUTANT="$rule" build/mutant/tests/replies
done
must_fail '^churn: 0 passed, 1 failed' "churn: no-recovery" env ONTIME_MUTANT=no-recovery build/tests/churn --stages build/mutant
must_fail 'dead before store' "replies: free-early" env ONTIME_MUTANT=free-early build/mutant/tests/replies
must_fail 'hurry .*, .*: .*another .*, dead before store' "replies: hint-after-commit" \
	env ONTIME_MUTANT=hint-after-commit build/mutant/tests/replies
must_fail '^FAIL *sessions: what lay in the socket is not the next senders' "unit: no-drain" \
	env ONTIME_MUTANT=no-drain build/mutant/tests/unit sessions
printf 'mutants: %d passed, %d failed, 0 skipped\n' "$passed" "$failed"
[ "$failed" = 0 ]

#!/bin/sh
# t_mutants_sim.sh - the test of the tests: with a rule of the crash protocol broken, the simulation must fail.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/must_fail.sh
. tests/harness/must_fail.sh

make -s -j2 MUTANT=1 build/mutant/tests/sim
for rule in copy-again copy-apart; do
	must_fail '^FAIL *each destination has its copy' "sim: $rule" env ONTIME_MUTANT="$rule" build/mutant/tests/sim --copies 40
done
must_fail '^FAIL *each destination has its copy' "sim: no-note" env ONTIME_MUTANT=no-note build/mutant/tests/sim --copies 150
for rule in free-early via-any; do
	must_fail '^FAIL *a reply goes to the client' "sim: $rule" env ONTIME_MUTANT="$rule" build/mutant/tests/sim --replies 150
done
must_fail '^FAIL *likewise where destinations go down' "sim: down-is-up" env ONTIME_MUTANT=down-is-up build/mutant/tests/sim --flaps 60
must_fail '^FAIL *every packet is sent once' "sim: no-space-ring" env ONTIME_MUTANT=no-space-ring build/mutant/tests/sim --worlds 20
for rule in "no-recovery 3" "no-base 3" "no-updates 3" "no-note 3" "zero-sentinel 12"; do # a cleared word that passes for a full one needs luck
	must_fail '^FAIL *a stage dies before each store' "sim: ${rule% *}" \
		env ONTIME_MUTANT="${rule% *}" build/mutant/tests/sim --sweep "${rule#* }"
done
must_fail '^FAIL *a stage dies before each store' "sim: limit-after-commit" \
	env ONTIME_MUTANT=limit-after-commit build/mutant/tests/sim --seed 8 --sweep 1
printf 'mutants_sim: %d passed, %d failed, 0 skipped\n' "$passed" "$failed"
[ "$failed" = 0 ]

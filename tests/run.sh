#!/bin/sh
# run.sh [--no-install] [quick] - install what is missing, build, run every test. quick: lint and the unit tests only.
# Every part ends with "NAME: N passed, N failed, N skipped"; the last line is the sum. Exit status 1 if anything failed.
set -eu
cd "$(dirname "$0")/.."

limit_s=2700				    # for all parts together
san="address,undefined"
fixed_addresses=$(setarch -R true 2>/dev/null && echo "setarch -R") || true # the thread sanitizer knows but few layouts
began_s=$(date +%s)
passed=0 failed=0 skipped=0 part=
log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'kill "$part" 2>/dev/null; exit 130' INT TERM HUP

# run SECONDS COMMAND.. - its output goes to $log, its status to $status; the group it starts ends with it.
run()
{
	left_s=$((limit_s - ($(date +%s) - began_s)))
	seconds=$(($1 < left_s ? $1 : left_s))
	shift
	if [ "$seconds" -le 0 ]; then
		echo "no time left: all parts have $limit_s s together" >"$log"
		status=124
		return
	fi
	status=0
	# In the background, so that the trap acts at once; that ignores SIGINT, and nohup SIGHUP, which the tests want to see.
	env --default-signal=INT,QUIT,HUP timeout -k 10 "$seconds" "$@" >"$log" 2>&1 </dev/null &
	part=$!
	wait "$part" || status=$?
}

# test_part NAME SECONDS COMMAND.. - run, show, add up.
test_part()
{
	name=$1
	echo "== $name"
	shift
	run "$@"
	cat "$log"
	# shellcheck disable=SC2046  # three numbers, or nothing
	set -- $(sed -n 's/^.*: \([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p' "$log" | tail -n 1)
	if [ $# -eq 3 ]; then
		passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
	elif [ "$status" -eq 77 ]; then
		skipped=$((skipped + 1))
		return
	fi
	if [ $# -ne 3 ] || { [ "$status" -ne 0 ] && [ "$status" -ne 77 ] && [ "$2" -eq 0 ]; } || [ "$status" -ge 124 ]; then
		failed=$((failed + 1))
		echo "FAIL  $name: ended with status $status$([ "$status" -ne 124 ] || echo " (took too long)")"
	fi
}

# need NAME SECONDS COMMAND.. - what the tests cannot do without. It says little, unless it fails; then that counts, and we are done.
need()
{
	name=$1
	echo "== $name"
	shift
	run "$@"
	if [ "$status" -eq 0 ]; then
		grep -E 'warning:|^ontime: ' "$log" || true
		return 0
	fi
	cat "$log"
	echo "FAIL  $name: ended with status $status"
	failed=$((failed + 1))
	finish
}

finish()
{
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" -eq 0 ] || exit 1
	exit 0
}

jobs=-j$(nproc)
if [ "${1-}" = --no-install ]; then
	shift
else
	need "install what is missing" 600 run/deps.sh test
fi
need build 300 make "$jobs" tests
test_part lint 400 tests/lint.sh
test_part "lint, self-test" 200 tests/lint.sh --self-test
test_part unit 120 build/tests/unit
[ "${1-}" != quick ] || finish

need "build with sanitizers" 300 make "$jobs" SAN="$san" tests
need "build with the thread sanitizer" 300 make "$jobs" SAN=thread tests
need "build the mutant" 300 make "$jobs" MUTANT=1 all
test_part "unit, $san" 240 build/san-address-undefined/tests/unit
test_part "sim, $san" 180 build/san-address-undefined/tests/sim --worlds 50
test_part "pipeline, $san" 420 build/san-address-undefined/tests/pipeline build/san-address-undefined
# shellcheck disable=SC2086  # no word, or two
test_part "unit, thread sanitizer" 240 $fixed_addresses build/san-thread/tests/unit
# shellcheck disable=SC2086
test_part "threads, thread sanitizer" 120 $fixed_addresses build/san-thread/tests/threads
for script in tests/*/t_*.sh; do
	[ ! -x "$script" ] || test_part "$(basename "$script" .sh)" 420 "$script"
done
test_part sim 120 build/tests/sim
test_part crash 120 build/tests/crash
test_part "crash, trains" 120 build/tests/crash --gro=on
test_part "crash, trains longer than lanes" 120 build/tests/crash --gro=on --high.ingress_to_edf=3 --low.ingress_to_edf=2
test_part "crash, shaped, without UDP_SEGMENT" 120 build/tests/crash --gso=off --rate=1Gbit
test_part replies 180 build/tests/replies
test_part "replies, without UDP_SEGMENT" 180 build/tests/replies --gso=off
test_part pipeline 420 build/tests/pipeline
test_part plugin 120 build/tests/plugin
test_part "storm, UDP_SEGMENT on" 300 build/tests/storm --kills 1000 --seed 1 --gso on
test_part "storm, UDP_SEGMENT off" 300 build/tests/storm --kills 500 --seed 2 --gso off
test_part churn 120 build/tests/churn
finish

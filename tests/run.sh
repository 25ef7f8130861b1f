#!/bin/sh
# run.sh [--no-install] [quick] - install what is missing, build, run every test. quick: lint and the unit tests only.
# Every part ends with "NAME: N passed, N failed, N skipped"; the last line is the sum. Exit status 1 if anything failed.
#
# Most parts wait more than they work. So there are two rows of parts: one as it comes, and beside it, at idle priority, what
# needs CPU time alone, and knows no hurry. The second prints when it has ended. Where it cannot be kept apart it runs after the first.
set -eu
cd "$(dirname "$0")/.."

limit_s=4800				    # for all parts together
san="address,undefined"
fixed_addresses=$(setarch -R true 2>/dev/null && echo "setarch -R") || true # the thread sanitizer knows but few layouts
began_s=$(date +%s)
out=$(mktemp -d)
part=''				    # that runs: a pid
row=''				    # the one beside: a pid
log=$out/log
: >"$out/sums"
trap 'rm -rf "$out"' EXIT
trap 'kill $part $row 2>/dev/null; exit 130' INT TERM HUP

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
	part_began_s=$(date +%s)
	shift
	run "$@"
	echo "== $name ($(($(date +%s) - part_began_s)) s)"
	cat "$log"
	# shellcheck disable=SC2046  # three numbers, or nothing
	set -- $(sed -n 's/^.*: \([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p' "$log" | tail -n 1)
	if [ $# -eq 3 ]; then
		echo "$*" >>"$out/sums"
	elif [ "$status" -eq 77 ]; then
		echo 0 0 1 >>"$out/sums"
		return
	fi
	if [ $# -ne 3 ] || { [ "$status" -ne 0 ] && [ "$status" -ne 77 ] && [ "$2" -eq 0 ]; } || [ "$status" -ge 124 ]; then
		echo 0 1 0 >>"$out/sums"
		echo "FAIL  $name: ended with status $status$([ "$status" -ne 124 ] || echo " (took too long)")"
	fi
}

# need NAME SECONDS COMMAND.. - what the tests cannot do without. It says little, unless it fails; then that counts, and the row is done.
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
	echo 0 1 0 >>"$out/sums"
	echo "FAIL  $name: ended with status $status"
	return 1
}

# finish - the sum of both rows, and the exit status.
finish()
{
	awk '{ p += $1; f += $2; s += $3 } END { printf "%d passed, %d failed, %d skipped\n", p, f, s; exit f > 0 }' "$out/sums" && exit 0
	exit 1
}

# aside NAME SECONDS COMMAND.. - a test_part of the row beside: what else runs comes first, and meets none of its ports and segments.
aside()
{
	name=$1 seconds=$2
	shift 2
	# shellcheck disable=SC2016,SC2086  # the inner shell's own; no word, or several
	test_part "$name" "$seconds" chrt -i 0 $apart sh -c '[ "$0" = here ] || { mount -t tmpfs none /dev/shm && ip link set lo up; }; exec "$@"' "${apart:-here}" "$@"
}

# with_network NAME SECONDS COMMAND.. - the same for what fetches packages.
with_network()
{
	apart=${apart%--net}
	aside "$@"
	apart=$whole_apart
}

row_beside()
{
	aside lint 600 tests/lint.sh
	aside "lint, self-test" 400 tests/lint.sh --self-test
	need "build with sanitizers" 900 chrt -i 0 make "$jobs" SAN="$san" tests || return
	need "build with the thread sanitizer" 900 chrt -i 0 make "$jobs" SAN=thread build/san-thread/tests/unit build/san-thread/tests/threads || return
	need "build the mutant" 900 chrt -i 0 make "$jobs" MUTANT=1 all || return
	aside "unit, $san" 480 build/san-address-undefined/tests/unit
	aside "sim, $san" 480 build/san-address-undefined/tests/sim --worlds 50
	# shellcheck disable=SC2086  # no word, or two
	aside "unit, thread sanitizer" 600 $fixed_addresses build/san-thread/tests/unit account bell lane load # those with threads
	# shellcheck disable=SC2086
	aside "threads, thread sanitizer" 240 $fixed_addresses build/san-thread/tests/threads
	for script in $unhurried; do
		if [ "$script" = t_kernels ]; then
			with_network "$script" 1200 tests/*/"$script.sh"
		else
			aside "$script" 900 tests/*/"$script.sh"
		fi
	done
	aside sim 360 build/tests/sim
	aside crash 360 build/tests/crash
	aside "crash, trains" 360 build/tests/crash --gro=on
	aside "crash, trains longer than lanes" 360 build/tests/crash --gro=on --high.ingress_to_edf=3 --low.ingress_to_edf=2
	aside "crash, copies" 360 build/tests/crash --copies --low.destination_rate=1Gbit --medium.rate=1Gbit
	aside "crash, shaped, without UDP_SEGMENT" 360 build/tests/crash --gso=off --rate=1Gbit
	aside replies 360 build/tests/replies
	aside "replies, without UDP_SEGMENT" 360 build/tests/replies --gso=off
}

# begin_row - the row beside, if namespaces may be made.
begin_row()
{
	whole_apart="unshare --mount --propagation private --net"
	apart=$whole_apart
	# shellcheck disable=SC2086  # several words
	if $apart mount -t tmpfs none /dev/shm 2>/dev/null; then
		(
			log=$out/log.beside
			trap - EXIT
			trap 'kill $part 2>/dev/null; exit 130' INT TERM HUP
			row_beside
		) >"$out/beside" 2>&1 &
		row=$!
	else
		whole_apart='' apart=''
	fi
}

# end_row - waits for it, or runs it now.
end_row()
{
	if [ -n "$row" ]; then
		wait "$row" || true
		cat "$out/beside"
	else
		row_beside || true
	fi
}

jobs=-j$(nproc)
if [ "${1-}" = --no-install ]; then
	shift
else
	need "install what is missing" 600 run/deps.sh test || finish
fi
need build 300 make "$jobs" tests || finish
if [ "${1-}" = quick ]; then
	test_part lint 400 tests/lint.sh
	test_part "lint, self-test" 200 tests/lint.sh --self-test
	test_part unit 120 build/tests/unit
	finish
fi

unhurried="t_coverage t_fuzz t_models t_scramble t_mutants t_mutants_sim t_kernels"
alone="t_aarch64 t_busy" # they look at CPU time
had=
begin_row
test_part unit 120 build/tests/unit
for script in tests/operate/t_*.sh tests/tools/t_*.sh tests/*/t_*.sh; do # those first that mind the other row least
	name=$(basename "$script" .sh)
	case " $unhurried $alone $had " in *" $name "*) continue ;; esac
	had="$had $name"
	[ ! -x "$script" ] || test_part "$name" 600 "$script"
done
test_part pipeline 420 build/tests/pipeline
test_part plugin 120 build/tests/plugin
test_part "storm, UDP_SEGMENT on" 300 build/tests/storm --kills 1000 --seed 1 --gso on
test_part "storm, UDP_SEGMENT off" 300 build/tests/storm --kills 500 --seed 2 --gso off
test_part "storm, trains" 300 build/tests/storm --kills 500 --seed 3 --gro on
test_part "t_sessions_storm, UDP_SEGMENT on" 600 env GSO=on tests/kill/t_sessions_storm.sh
test_part churn 120 build/tests/churn
test_part soak 180 tests/soak.sh 30
end_row
test_part "pipeline, $san" 420 build/san-address-undefined/tests/pipeline build/san-address-undefined
for script in $alone; do
	test_part "$script" 600 tests/*/"$script.sh"
done
finish

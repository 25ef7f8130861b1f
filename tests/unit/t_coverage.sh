#!/bin/sh
# t_coverage.sh - the unit tests take every branch of the pure code, except those named here with the reason.
set -eu
cd "$(dirname "$0")/../.."

# SOURCE LINE OF CODE
excused=$(
	cat <<'END'
common/drr.c assert(n_flows <= DRR_FLOWS);
common/drr.c assert(quantum_bytes[i] > 0);
END
) # a broken precondition ends the process, and with it the counting

# Which branches there are, is for the compiler to say: those of Debian 12 and 13 are known.
known_gcc="12 14"
for tool in gcc gcov; do
	version=$($tool --version 2>/dev/null | sed -n '1s/.* \([0-9]*\)\.[0-9.]*$/\1/p') || true
	case " $known_gcc " in *" ${version:-none} "*) continue ;; esac
	printf 'skip the branches of the pure code: %s is %s, and known are %s\n' $tool "${version:-not there}" "$known_gcc"
	echo "coverage: 0 passed, 0 failed, 1 skipped"
	exit 77
done

# The counts go by the names of the finished objects, whatever make calls them on the way.
# shellcheck disable=SC2016  # they are for make
make -s -j2 CC=gcc BUILD=build/coverage CFLAGS='-O0 -g --coverage -dumpdir $(@D)/ -dumpbase $(*F).c -dumpbase-ext .c' LDFLAGS=--coverage build/coverage/tests/unit \
	build/coverage/plugins/upper.so build/coverage/plugins/slow.so
find build/coverage -name '*.gcda' -exec rm {} +
build/coverage/tests/unit >build/coverage/unit.log 2>&1 || { cat build/coverage/unit.log; exit 1; }

# One line per branch: "taken" or "never", then the line it is on.
list_branches()
{
	gcov -t -b -c -o "build/coverage/obj/$1.gcda" "build/coverage/obj/$1.gcno" 2>/dev/null | awk '
		/^branch/ { print ($0 ~ /taken 0( |$)/ || $0 ~ /never/ ? "never " : "taken ") line; next }
		/^ *(-|[0-9]+\*?|#####): *[0-9]+:/ { line = $0; sub(/^[^:]*: *[0-9]*:[ \t]*/, "", line) }'
}

passed=0 failed=0
for source in common/drr ingress/pick edf/policy edf/plan edf/slack run/check/cost run/check/feasible egress/shaper common/shm/journal common/cage/filter common/spread; do
	branches=$(list_branches "$source")
	n=$(printf '%s\n' "$branches" | grep -c '^[tn]') || true
	missed=$(printf '%s\n' "$branches" | sed -n "s|^never |$source.c |p" | grep -vxF "$excused") || true
	if [ "$n" -gt 0 ] && [ -z "$missed" ]; then
		passed=$((passed + 1))
		echo "ok   $source.c: all but $(printf '%s\n' "$branches" | grep -c '^never') of $n branches are taken"
	else
		failed=$((failed + 1))
		printf 'FAIL %s.c: of %s branches never taken:\n%s\n' "$source" "$n" "$missed"
	fi
done
printf 'not taken, since a broken precondition ends the process:\n%s\n' "$excused"
echo "coverage: $passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]

#!/bin/sh
# coverage.sh - the pure code's branch coverage by the unit tests, and each branch that is never taken.
set -eu
cd "$(dirname "$0")/.."
make -s BUILD=build/coverage CFLAGS='-O0 -g --coverage' LDFLAGS=--coverage build/coverage/tests/unit build/coverage/plugins/upper.so build/coverage/plugins/slow.so
find build/coverage -name '*.gcda' -exec rm {} +
build/coverage/tests/unit >/dev/null 2>&1
for source in common/drr ingress/ingress edf/edf edf/plan edf/feasible egress/egress common/journal; do
	gcov -t -b -c -o "build/coverage/obj/$source.gcda" "build/coverage/obj/$source.gcno" 2>/dev/null |
		awk -v source="$source.c" '
		/^branch/ {n++; if ($0 ~ /taken 0( |$)/ || $0 ~ /never/) missed[++m] = line; next}
		/^ *(-|[0-9]+\*?|#####): *[0-9]+:/ {line = $0; sub(/^[^:]*: */, "", line)}
		END {printf "%-20s %3d of %3d branches taken\n", source, n - m, n; for (i = 1; i <= m; i++) print "    never: " missed[i]}'
done

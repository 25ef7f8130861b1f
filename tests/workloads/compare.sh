#!/bin/sh
# compare.sh [NAME...] - the policies on the workloads of tests/workloads, against the clairvoyant optimum.
#
# Columns: packets on time, in percent of the optimum: High alone, High and Medium, all (High first). Simulated: build/simulate.
# Then the means, and beside them the program ontime descends from, and the reference of tests/workloads/README.md.
set -eu
cd "$(dirname "$0")/../.."
build=${ONTIME_BUILD:-build}
[ -x "$build/simulate" ] || make -s all

run() { # TRACE POLICY-OPTIONS...: high medium low on time
	trace=$1
	shift
	gzip -dc "tests/workloads/$trace.csv.gz" | "$build/simulate" "$@" - |
		awk 'NR > 1 {on[$1] = $3} END {print on["high"] + 0, on["medium"] + 0, on["low"] + 0}'
}

# shellcheck disable=SC2046  # a name each
[ $# -gt 0 ] || set -- $(tail -n +2 tests/workloads/optimum.csv | cut -d, -f1)
printf '%-24s %21s %21s %21s %21s %21s\n' "" "edf, 16 deep" edf-drop guarded "guarded, largest" "guarded, 50us slices"
printf '%-24s' "workload"
for _ in 1 2 3 4 5; do printf ' %6s %6s %7s' H H+M all; done
echo
for trace in "$@"; do
	best=$(grep "^$trace," tests/workloads/optimum.csv) || { echo "compare.sh: no workload $trace; see tests/workloads" >&2; exit 2; }
	printf '%-24s' "$trace"
	limits="--full=drop --high.ingress_to_edf=16 --medium.ingress_to_edf=16 --low.ingress_to_edf=16"
	for policy in "--policy=edf $limits" "--policy=edf-drop" "--policy=guarded" "--policy=guarded --evict=largest" \
		"--policy=guarded --slice=50us"; do
		# shellcheck disable=SC2086
		echo "$(run "$trace" $policy) $best" | awk '{split($4, b, ",")
			printf " %6.2f %6.2f %7.2f", 100 * $1 / b[2], 100 * ($1 + $2) / b[3], 100 * ($1 + $2 + $3) / b[4]}'
	done
	echo
done | awk '{print; n++; m = NF; for (i = 2; i <= m; i++) {sum[i] += $i; if (n == 1 || $i < least[i]) least[i] = $i}}
	END {printf "%-24s", "mean"; for (i = 2; i <= m; i++) printf (i % 3 == 1 ? " %7.2f" : " %6.2f"), sum[i] / n
	printf "\n%-24s", "least"; for (i = 2; i <= m; i++) printf (i % 3 == 1 ? " %7.2f" : " %6.2f"), least[i]; print ""}'
# What was recorded for others, as means over all workloads, in the same columns
awk -F, 'NR > 1 {for (k = 0; k < 3; k++) {h[k] += $(7 + 2 * k) * $5 / $2; a[k] += $(8 + 2 * k) * $6 / $4} n++}
	END {printf "recorded means, H and all: ancestor %.2f %.2f, reference %.2f %.2f, reference by size %.2f %.2f\n",
		h[0] / n, a[0] / n, h[1] / n, a[1] / n, h[2] / n, a[2] / n}' tests/workloads/optimum.csv

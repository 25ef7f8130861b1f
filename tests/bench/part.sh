# shellcheck shell=sh disable=SC2034
# part.sh - what the parts of tests/bench.sh share that run an instance of their own. Sourced, from the top.

own_part() { # INSTANCE: a directory $work, and where its instance runs; without histograms
	work=$(mktemp -d)
	instance=$1
	ONTIME_RUN_DIR=$work/run
	ONTIME_HISTOGRAMS=off
	export ONTIME_RUN_DIR ONTIME_HISTOGRAMS
}

median() { # of the numbers on standard input
	sort -n | awk '{v[NR] = $1} END {print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'
}

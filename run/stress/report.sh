#!/bin/sh
# report.sh - the figures of run/stress.sh as Markdown.
#
# usage: run/stress/report.sh FILE.json CHART.svg >FILE.md
set -eu

case ${1:-} in
-h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' "$0" && exit 0 ;;
esac
[ $# = 2 ] || { echo "report.sh: which FILE.json and CHART.svg? see --help" >&2 && exit 2; }

jq -r --arg chart "$2" '
def two: . * 100 | round / 100;
def us: . / 100 | round / 10;
def percent($of): if $of > 0 then 100 * . / $of | two else 0 end;
def row: "| " + (map(tostring) | join(" | ")) + " |";
def head: row, (map("---") | row);
def sum(f): map(f) | add // 0;

"# Stress test",
"",
"\(.config | split("/") | last), \(.seconds) s per policy; offered: \(.rates) packets/s, \(.arrivals) arrivals, \(.size) bytes, seed \(.seed).",
"\(.machine), \(.when).",
"",
"![packets on time](\($chart))",
"",
"`on time`: within the budget of the scheduled send time, at the receiver, in percent of all that was sent;",
"`pipeline`: the same by the pipeline'"'"'s own account, from its socket on.",
(.budgets as $budgets | .runs[] | .load as $load | .stat as $stat |
	"",
	"## \(.name)",
	"",
	(["class", "budget", "offered", "on time %", "pipeline %", "received", "p50 us", "p95 us", "p99 us", "p99.9 us", "max us"] | head),
	($load.flows[] | . as $flow | ($stat.classes[] | select(.class == $flow.class)) as $account |
		[.class, $budgets[.class], .sent, (.on_time | percent($flow.sent_timed)),
			($account.sent - $account.sent_late | percent($flow.sent)), .received,
			(.latency_ns | (.p50, .p95, .p99, .p999, .max) | us)] | row),
	(["all", "", ($load.flows | sum(.sent)), (($load.flows | sum(.on_time)) | percent($load.flows | sum(.sent_timed))),
		(($stat.classes | sum(.sent - .sent_late)) | percent($load.flows | sum(.sent))), ($load.flows | sum(.received)),
		"", "", "", "", ""] | row),
	"",
	"Dropped, by reason:",
	"",
	($stat.classes[0].dropped | keys_unsorted as $reasons |
		(["class"] + $reasons + ["all"] | head),
		($stat.classes[] | .dropped as $dropped | [.class, ($reasons[] | $dropped[.]), ($dropped | add)] | row)),
	"",
	"Throughput \(($stat.classes | sum(.sent)) / $load.source.seconds | round) packets/s, \(($stat.classes | sum(.sent_bytes)) * 8 / $load.source.seconds / 1e6 | two) Mbit/s.",
	"CPU: \([.cpu[] | "\(.stage) \(.cpu_ns / $load.source.seconds / 1e7 | two) %"] | join(", ")) of one.",
	"The source was behind its schedule by \($load.source.lag_ns.p50 | us) us (p50), \($load.source.lag_ns.p99 | us) us (p99)."
)' "$1"

#!/bin/sh
# chart.sh - the figures of run/stress.sh as a chart: packets on time per class, a bar per policy.
#
# usage: run/stress/chart.sh FILE.json >FILE.svg
#
# The text has the colour of the page it stands on, light or dark; a bar's colours are readable on both.
set -eu

case ${1:-} in
-h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' "$0" && exit 0 ;;
esac
[ $# = 1 ] || { echo "chart.sh: which FILE.json? see --help" >&2 && exit 2; }

jq -r '
def colours: ["#d1752d", "#8a7fd4", "#2a9d70", "#3a8fd0", "#c2557f"];
def y($percent): 250 - 2 * $percent;
def tenth: . * 10 | round / 10;
.runs as $runs | ($runs | length) as $n | ([$runs[0].load.flows[].class]) as $classes |
([120, 34 * $n + 30] | max) as $group | (60 + $group * ($classes | length) + 10) as $width |
"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \($width) \(300 + 20 * $n)\" font-family=\"sans-serif\" font-size=\"12\" role=\"img\">",
"<title>Packets on time, in percent of those offered, per class and policy</title>",
"<style>text { fill: #1f2328 } .grid { stroke: #8c959f; stroke-opacity: 0.4 } @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } }</style>",
"<text x=\"10\" y=\"24\" font-size=\"14\">on time, % of offered</text>",
((0, 25, 50, 75, 100) |
	"<line class=\"grid\" x1=\"50\" x2=\"\($width - 10)\" y1=\"\(y(.))\" y2=\"\(y(.))\"/>",
	"<text x=\"44\" y=\"\(y(.) + 4)\" text-anchor=\"end\">\(.)</text>"),
(range($classes | length) as $c |
	"<text x=\"\(60 + $group * ($c + 0.5))\" y=\"268\" text-anchor=\"middle\">\($classes[$c])</text>",
	(range($n) as $r | $runs[$r].load.flows[$c] |
		(if .sent_timed > 0 then 100 * .on_time / .sent_timed | tenth else 0 end) as $percent |
		(60 + $group * ($c + 0.5) + 34 * ($r - $n / 2)) as $x |
		"<rect x=\"\($x + 2)\" y=\"\(y($percent))\" width=\"30\" height=\"\(2 * $percent)\" fill=\"\(colours[$r % 5])\"/>",
		"<text x=\"\($x + 17)\" y=\"\(y($percent) - 4)\" text-anchor=\"middle\" font-size=\"10\">\($percent)</text>")),
(range($n) as $r |
	"<rect x=\"60\" y=\"\(284 + 20 * $r)\" width=\"12\" height=\"12\" fill=\"\(colours[$r % 5])\"/>",
	"<text x=\"78\" y=\"\(295 + 20 * $r)\">\($runs[$r].name)</text>"),
"</svg>"' "$1"

#!/bin/sh
# t_exposure.sh - how exposed each unit is, as systemd-analyze counts it off its file, and that no change makes it more: tenths, 0 is best.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if ! systemd-analyze security --help >/dev/null 2>&1; then
	echo "skip how exposed the units are: systemd-analyze is missing"
	exit 77
fi

is_at_most() { # UNIT TENTHS
	sed 's|@[A-Z]*DIR@|/usr/local|g' "run/systemd/$1.service" >"$work/$1.service"
	systemd-analyze security --offline=true --no-pager --threshold="$2" "$work/$1.service" >"$work/said" 2>&1 && status=0 || status=$?
	figure=$(sed -n 's/.*exposure level for .*: \([0-9.]*\) .*/\1/p' "$work/said")
	echo "     $1: $figure, and at most $(awk "BEGIN {print $2 / 10}")"
	[ "$status" != 0 ] || [ -z "$figure" ] || return 0
	cat "$work/said" && return 1
}

for row in ontime@:20 ontime-dash@:15 ontime-latency@:16; do
	unit=${row%:*}
	is_at_most "$unit" "${row#*:}" && status=0 || status=$?
	count_check "$status" "$unit is exposed no more than it was"
done
verdict exposure

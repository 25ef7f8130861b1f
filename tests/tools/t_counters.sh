#!/bin/sh
# t_counters.sh - drop reasons are listed once, in common/fate.h: no other file of the product keeps a list of them.
# What is made of that list is compared with it in tests/unit/counter.c.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh
most=5 # reasons that one file deals with: ingress' own are five; a list has them all

reasons() { # their names, one a line
	sed -n 's/^\tREASON([A-Z_]*, \([a-z_]*\),.*/\1/p' common/fate.h
}

is_the_list_read() { # else the check below would find nothing
	[ "$(reasons | wc -l)" -ge 9 ] && reasons | grep -qx ingress_full && reasons | grep -qx send_error
}

lists() { # FILE...: those that name more than $most reasons, as name or as constant
	names=$(reasons | paste -sd '|')
	constants=$(reasons | tr '[:lower:]' '[:upper:]' | sed 's/^/DROP_/' | paste -sd '|')
	for file; do
		[ "$file" != common/fate.h ] || continue
		n=$(grep -owE "$names|$constants" "$file" | tr '[:upper:]' '[:lower:]' | sed 's/^drop_//' | sort -u | wc -l)
		[ "$n" -le "$most" ] || echo "$file names $n of the $(reasons | wc -l) drop reasons: take them from common/fate.h"
	done
}

is_listed_once() {
	find common ingress edf egress run \( -name '*.[ch]' -o -name '*.js' -o -name '*.sh' -o -name '*.json' \) ! -path '*/vendor/*' >"$work/files"
	# shellcheck disable=SC2046  # no name has a blank
	lists $(cat "$work/files") >"$work/lists"
	cat "$work/lists"
	[ "$(wc -l <"$work/files")" -gt 100 ] && [ ! -s "$work/lists" ]
}

a_second_list_is_found() {
	reasons | sed "s/.*/\t&: 1,/" >"$work/second.js"
	lists "$work/second.js" | grep -q "names $(reasons | wc -l) of"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
check "the list of drop reasons can be read" is_the_list_read
check "a second list would be found" a_second_list_is_found
check "drop reasons are listed once" is_listed_once
verdict counters

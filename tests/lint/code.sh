# shellcheck shell=sh disable=SC2086,SC2154
# code.sh - rules about C: who includes whom, what pure code calls, how atomics are used. Sourced by lint.sh, with $sources and $out.

# Sources whose objects need nothing but each other and what a compiler may call on its own.
pure="common/cage/filter.c common/drr.c common/proxy.c common/config/reply.c common/spread.c common/stage/room.c ingress/pick.c edf/policy.c edf/plan.c edf/slack.c egress/shaper.c run/check/cost.c run/check/feasible.c"
pure_headers="common/histogram.h edf/predict.h"
harmless="memcpy memset memmove strcmp __assert_fail __stack_chk_fail __udivti3"

# Each #include "file" as two paths from the top: who includes, what.
list_includes()
{
	grep -HoE '^[[:blank:]]*#[[:blank:]]*include "[^"]+"' $sources | sed 's/:.*"\(.*\)"/ \1/' | while read -r from what; do
		case $what in options/*.h) what=${what%.h}.options ;; esac # made of that table
		for root in "${from%/*}" common . run tests missing; do # the compiler's order
			to=$root/$what
			[ ! -e "$to" ] || break
		done
		echo "$from ${to#./}"
	done
}

# By the table in tests/lint/folders. A file beside the one that includes it is always fine.
check_includes()
{
	list_includes | awk 'FNR == NR {
			if (sub(/:/, " ") && $1 !~ /^#/)
				may[$1] = substr($0, length($1) + 1) " "
			next
		}
		{
			from = $1
			to = $2
			sub(/\/[^\/]*$/, "", from)
			sub(/\/[^\/]*$/, "", to)
			top = from
			sub(/\/.*/, "", top)
			row = from in may ? from : top "/*"
			list = row in may ? may[row] : ""
			tops = to
			sub(/\/.*/, "", tops)
		}
		to == "missing" || to ~ /^missing\// { print $1 " includes " $2 ", which is not there"; next }
		from == to || index(list, " " to " ") || index(list, " " $2 " ") || (to ~ "/" && index(list, " " tops "/* ")) { next }
		!(row in may) { print from " is not in tests/lint/folders"; next }
		{ print $1 " must not include " $2 " (tests/lint/folders)" }' tests/lint/folders - | sort -u
}

# A test that takes in a whole C file, or gives main another name, tests something that is not built.
check_whole_files()
{
	[ -e edf/loop.c ] || { echo "the stages' loops are in main.c still, which tests have to take in"; return 77; }
	! grep -nE '^[[:blank:]]*#[[:blank:]]*(include ".*\.c"|define main\>)' $sources
}

check_purity()
{
	objects=$(printf 'build/pure/obj/%s\n' $pure | sed 's/c$/o/')
	rm -rf build/pure
	env -u CPPFLAGS CFLAGS=-O2 make -s BUILD=build/pure $objects || return 1 # other flags bring other calls
	for header in $pure_headers; do
		object=$out/$(basename "$header" .h).o
		"${CC:-gcc}" -std=gnu17 -O2 -Icommon '-Dinline=__attribute__((used))' -x c -c "$header" -o "$object"
		objects="$objects $object"
	done
	for name in $harmless $(nm -j --defined-only --extern-only $objects | grep -v -e : -e '^$'); do echo "$name"; done >"$out/known"
	for object in $objects; do
		nm -u -j "$object" | grep -vxF -f "$out/known" | sed "s|^|${object##*/} calls |" || true
	done
}

# ORDER edge: release|acquire|full fence; pairs with the ... in NAME().
check_order()
{
	grep -HnoE 'ORDER [a-z_]+: .*' $sources >"$out/order" || true
	awk '{ sub(/:$/, "", $2); edge[$2]; text = $0; sub(/;.*/, "", text); sub(/^[^ ]* [^ ]* /, "", text) }
	text ~ /release|acq_rel/ { released[$2] } text ~ /acquire|acq_rel/ { acquired[$2] } text ~ /full fence/ { fences[$2]++ }
	text !~ /release|acquire|acq_rel|full fence/ { print $1 " says neither release, acquire nor full fence" }
	$0 !~ /pairs with/ { print $1 " does not say what it pairs with" }
	END { for (e in edge) if (!(e in released && e in acquired) && fences[e] < 2) print "edge \"" e "\" has one end" }' "$out/order"
}

check_atomics() { ! grep -nE 'atomic_(load|store|exchange|fetch_[a-z]+|compare_exchange_[a-z]+)\(' $sources; }

# In a stage, in common/ and run/: a comment in the function above the access, right above the function, or where the variable is declared.
check_relaxed()
{
	awk 'function last_name(s) { # of &seg->shared->stages[id].state, and of a declaration
		gsub(/\[[^]]*\]/, "", s)
		sub(/[^A-Za-z0-9_]+$/, "", s)
		sub(/.*[^A-Za-z0-9_]/, "", s)
		return s
	}
	FNR == 1 { above = inside = before = 0 }
	{ comment = /\/\*|^[ \t]+\* / }
	(comment || before) && match($0, /_Atomic[^;=(){]*/) {
		for (i = split(substr($0, RSTART, RLENGTH), names, ","); i > 0; i--)
			said[last_name(names[i])]
	}
	inside && match($0, /_Atomic[^;=(){]*=/) { # a pointer to one of them
		name = last_name(substr($0, RSTART, RLENGTH - 1))
		for (i = split(substr($0, RSTART + RLENGTH), names, /[^A-Za-z0-9_]+/); i > 0; i--)
			if (names[i] in said)
				said[name]
	}
	{ before = comment || /\*\/$/ }
	/^\/\*/ { above = 1 }
	/^$/ && !inside { above = 0 }
	/^[{]/ { inside = 1; reason = above }
	comment && inside { reason = 1 }
	{ statement = statement " " $0 }
	/memory_order_relaxed/ && FILENAME !~ /^tests/ && !reason && !comment {
		where[++n] = FILENAME ":" FNR
		text[n] = statement
	}
	/[;{}]$/ { statement = "" }
	/^[}]/ { inside = above = 0 }
	END {
		for (i = 1; i <= n; i++)
			while (match(text[i], /_explicit\([^,]*/)) {
				name = last_name(substr(text[i], RSTART + 10, RLENGTH - 10))
				if (!(name in said))
					print where[i] ": a relaxed access to " name ": why?"
				text[i] = substr(text[i], RSTART + RLENGTH)
			}
	}' $sources
}

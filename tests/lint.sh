#!/bin/sh
# lint.sh - what can be checked without running anything.
# One line per check, what is wrong below it, then "lint: N passed, N failed, N skipped".
# What a linter says depends on its version, and so only known ones are asked: those of Debian 12. Any other is skipped.
# shellcheck disable=SC2016,SC2086  # lists of names are split on purpose; inner scripts see their own $1
set -eu
cd "$(dirname "$0")/.."

# Sources whose objects need nothing but each other and what a compiler may call on its own.
pure="common/drr.c common/stage/room.c ingress/pick.c edf/policy.c edf/plan.c egress/shaper.c run/check/feasible.c"
pure_headers="common/histogram.h"
harmless="memcpy memset memmove __assert_fail __stack_chk_fail __udivti3"
observers_may="edf/policy.h edf/plan.h" # pure, for check and simulate
known_clang_format=14
known_shellcheck=0.9
known_cppcheck=2.10

present() { find . \( -path ./build -o -path ./.git \) -prune -o -type f "$@" -print | sort; }
sources=$(present -name '*.[ch]')
scripts=$(present -exec sh -c 'head -c 64 "$1" | head -n 1 | grep -qaE "^#!.*[/ ](ba)?sh"' sh '{}' \;)
n_passed=0 n_failed=0 n_skipped=0
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# check NAME FUNCTION - passes if the function prints nothing and returns 0; 77: skipped.
check()
{
	status=0
	"$2" >"$out/said" 2>&1 || status=$?
	if [ "$status" -eq 77 ]; then
		n_skipped=$((n_skipped + 1))
		echo "skip  $1: $(cat "$out/said")"
	elif [ "$status" -eq 0 ] && [ ! -s "$out/said" ]; then
		n_passed=$((n_passed + 1))
		echo "ok    $1"
	else
		n_failed=$((n_failed + 1))
		echo "FAIL  $1"
		sed 's/^/      /' "$out/said"
	fi
}

# have_known TOOL VERSION - 0 if that is the version there, or one of its point releases; else 77, with the reason.
have_known()
{
	have=$("$1" --version 2>/dev/null | grep -oE '[0-9]+(\.[0-9]+)+' | head -n 1) || true
	case $have. in "$2".*) return 0 ;; esac
	echo "$1 is ${have:-not there}, and $2 is the one whose opinion is known"
	return 77
}

check_format()
{
	have_known clang-format "$known_clang_format" || return
	clang-format --dry-run -Werror $sources
}

check_shellcheck()
{
	have_known shellcheck "$known_shellcheck" || return
	printf '%s\n' "$scripts" | xargs shellcheck -x
}

check_cppcheck()
{
	have_known cppcheck "$known_cppcheck" || return
	# not *.bpf.c: it has another C library, and the kernel's verifier to check it
	printf '%s\n' "$sources" | grep '\.c$' | grep -v '\.bpf\.c$' | xargs cppcheck -q -j "$(nproc)" --enable=warning,portability,performance \
		--inline-suppr --error-exitcode=1 --std=c11 --library=posix --suppress=readdirCalled -D_GNU_SOURCE -Icommon -I. -Irun -Itests
}

# Each #include "file" as two paths from the top: who includes, what.
list_includes()
{
	grep -HoE '^[[:blank:]]*#[[:blank:]]*include "[^"]+"' $sources | sed 's/:.*"\(.*\)"/ \1/' | while read -r from what; do
		for root in "$(dirname "$from")" common . run tests missing; do # the compiler's order
			to=$root/$what
			[ ! -e "$to" ] || break
		done
		echo "${from#./} $(realpath -m --relative-to=. "$to")"
	done
}

check_includes()
{
	list_includes | while read -r from to; do
		case "${from%%/*}:${to%%/*}" in
		common:common | ingress:ingress | edf:edf | egress:egress | run:run | [ier]*:common) ;;
		tests:missing) echo "$from includes $to, which is not there" ;;
		tests:*) ;;
		run:*) case " $observers_may " in *" $to "*) ;; *) echo "$from must not include $to" ;; esac ;;
		*) echo "$from must not include $to" ;;
		esac
	done
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

# ORDER edge: release|acquire|full fence; pairs with the ... in function().
check_order()
{
	grep -HnoE 'ORDER [a-z_]+: .*' $sources >"$out/order" || true
	awk '{ sub(/:$/, "", $2); edge[$2]; text = $0; sub(/;.*/, "", text); sub(/^[^ ]* [^ ]* /, "", text) }
	text ~ /release|acq_rel/ { released[$2] } text ~ /acquire|acq_rel/ { acquired[$2] } text ~ /full fence/ { fences[$2]++ }
	text !~ /release|acquire|acq_rel|full fence/ { print $1 " says neither release, acquire nor full fence" }
	$0 !~ /pairs with/ { print $1 " does not say what it pairs with" }
	END { for (e in edge) if (!(e in released && e in acquired) && fences[e] < 2) print "edge \"" e "\" has one end" }' "$out/order"
	sed 's/.*pairs with//; s/\. .*//' "$out/order" | grep -oE '[a-z_0-9]+\(\)' | sort -u | tr -d '()' | while read -r function; do
		grep -qE "^[a-z].*\<$function\(" $sources || echo "an edge names $function(), which is not there"
	done
}

check_atomics() { ! grep -nE 'atomic_(load|store|exchange|fetch_[a-z]+|compare_exchange_[a-z]+)\(' $sources; }

check_todo() { ! grep -rnwIE 'TO''DO|FIX''ME|XX''X' $sources $scripts Makefile; }

check_build_only()
{
	present \( -name '*.[oda]' -o -name '*.so' -o -name '*.gcda' -o -name '*.gcno' -o -name '*.orig' -o -name '*.rej' \)
	present -size +4 -exec sh -c 'head -c 4 "$1" | grep -qa "^.ELF"' sh '{}' \;
	[ ! -d .git ] || git ls-files build
}

check "sources look as clang-format would write them" check_format
check "shellcheck finds nothing" check_shellcheck
check "cppcheck finds nothing" check_cppcheck
check "stages meet only in common" check_includes
check "pure objects call nothing" check_purity
check "every ORDER edge has two ends" check_order
check "every atomic access spells its order" check_atomics
check "nothing is left to do" check_todo
check "only build/ is built" check_build_only
echo "lint: $n_passed passed, $n_failed failed, $n_skipped skipped"
[ "$n_failed" -eq 0 ]

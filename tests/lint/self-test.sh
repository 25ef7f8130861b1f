# shellcheck shell=sh disable=SC2154
# self-test.sh - each rule finds what it is there for. Sourced by lint.sh.

# plant FILE TEXT - a line more in a file of the copy, which is made if there is none.
plant() {
	mkdir -p "$copy/$(dirname "$1")"
	printf '%b\n' "$2" >>"$copy/$1"
}

# expect RULE PATTERN - that the copy's lint said FAIL to this rule, with a line that matches.
expect() {
	if awk -v rule="FAIL  $1" '/^[a-zA-Z]/ {inside = $0 == rule} inside' "$out/copy" | grep -q -e "$2"; then
		n_passed=$((n_passed + 1))
		echo "ok    found: $1 ($2)"
	elif grep -qxF -e "skip  $1" "$out/copy" || grep -q "^skip  $1:" "$out/copy"; then
		n_skipped=$((n_skipped + 1))
		echo "skip  $1: its tool is not there"
	else
		n_failed=$((n_failed + 1))
		echo "FAIL  not found: $1 ($2)"
	fi
}

# A small tree is enough: what it lacks is named by others, and of no interest here.
self_test() {
	copy=$out/tree
	mkdir "$copy"
	cp -r --parents Makefile .clang-format common ingress edf egress run/check run/latency/latency.bpf.x86.sha256 tests/lint.sh tests/lint tests/format.sh "$copy"
	plant edf/bad_format.c 'int  bad_format;'
	plant edf/bad_format.c '#define LONG_NAME_OF_A_MACRO_THAT_GOES_ON_AND_ON_AND_ON_AND_ON "and so does its value, because it is a string of many words"'
	plant run/bad.sh '#!/bin/sh\necho $1'
	plant edf/bad_check.c 'int bad_check(int *p);\nint bad_check(int *p)\n{\n\tint a[2];\n\n\ta[2] = *p;\n\treturn a[0];\n}'
	plant edf/bad_include.c '#include "ingress/pick.h"\n#include "not/there.h"'
	plant common/shm/bad_include.c '#include "stage/stage.h"'
	plant run/stat/bad_include.c '#include "load/options.h"'
	plant run/load/options.h ''
	plant run/unknown/one.c '#include "log.h"'
	plant edf/loop.c ''
	plant tests/bad/taking.c '#include "edf/policy.c"\n#define main other_main'
	plant edf/policy.c 'int puts(const char *);\nint bad_pure(void);\nint bad_pure(void)\n{\n\treturn puts("");\n}'
	plant edf/bad_order.c '/* ORDER one_end: release; pairs with the acquire in edf_pick(). */\n/* ORDER other: sloppy */'
	plant edf/bad_atomic.c '_Atomic int bare;\n\nint bad_atomic(void)\n{\n\treturn atomic_load(&bare);\n}'
	plant edf/bad_relaxed.c '_Atomic int unsaid;\n\nint bad_relaxed(void)\n{\n\treturn atomic_load_explicit(&unsaid, memory_order_relaxed);\n}'
	plant edf/bad_names.c '/* ghost_function() is in edf/ghost.c, and ghost.h says so. */\nconst char help[] = "run/ghost.sh";'
	plant run/README.md 'See `build/ghost`.'
	plant run/ontime.conf '; as edf/phantom.h says'
	plant run/check/long.c "$(awk 'BEGIN {for (i = 0; i < 401; i++) print "int i;"}')"
	plant tests/lint/long 'run/check/gone.c 500 there is no such file'
	plant edf/bad_todo.c '/* TO''DO: something */'
	plant run/latency/report.bpf.h '/* not compiled */'
	plant edf/left.orig 'what a merge leaves'
	(cd "$copy" && tests/lint.sh) >"$out/copy" 2>&1 || true
	expect "sources look as tests/format.sh would write them" 'bad_format'
	expect "shellcheck finds nothing" 'run/bad.sh'
	expect "cppcheck finds nothing" 'bad_check.c'
	expect "each folder includes only what it may" 'edf/bad_include.c must not include ingress/pick.h'
	expect "each folder includes only what it may" 'edf/bad_include.c includes .*not/there.h, which is not there'
	expect "each folder includes only what it may" 'common/shm/bad_include.c must not include common/stage/stage.h'
	expect "each folder includes only what it may" 'run/stat/bad_include.c must not include run/load/options.h'
	expect "each folder includes only what it may" 'run/unknown is not in tests/lint/folders'
	expect "no C file is included, and no main renamed" 'taking.c:1:'
	expect "no C file is included, and no main renamed" 'taking.c:2:'
	expect "pure objects call nothing" 'policy.o calls puts'
	expect "every ORDER edge has two ends" 'edge "one_end" has one end'
	expect "every ORDER edge has two ends" 'says neither release'
	expect "every atomic access spells its order" 'bad_atomic.c'
	expect "every relaxed access has its reason" 'bad_relaxed.c:5'
	expect "what comments and pages name is there" 'names ghost_function()'
	expect "what comments and pages name is there" 'bad_names.c:1 names edf/ghost.c'
	expect "what comments and pages name is there" 'names ghost.h'
	expect "what comments and pages name is there" 'bad_names.c:2 names run/ghost.sh'
	expect "what comments and pages name is there" 'run/README.md:[0-9]* names build/ghost'
	expect "what comments and pages name is there" 'ontime.conf:[0-9]* names edf/phantom.h'
	expect "no line of a source is wider than 120 columns" 'bad_format.c:2'
	expect "no file is longer than 400 lines" 'run/check/long.c has 401 lines'
	expect "no file is longer than 400 lines" 'run/check/gone.c is not there'
	expect "nothing is left to do" 'bad_todo.c'
	expect "the prebuilt BPF object is that of its sources" 'run/latency/report.bpf.h: FAILED'
	expect "only build/ is built" 'left.orig'
	[ "$n_failed" -eq 0 ] || cat "$out/copy"
}

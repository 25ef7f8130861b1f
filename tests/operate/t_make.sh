#!/bin/sh
# t_make.sh - the Makefile builds again what other flags change and no more, never leaves half a file, and runs no compiler for help and clean.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/tree" "$work/bin"
cp -r Makefile LICENSE common ingress edf egress run "$work/tree"
object=build/obj/common/drr.o
program=build/simulate

make_here() { # in the copy, without the options of a make that runs this
	env -u MAKEFLAGS -u MAKELEVEL -u CFLAGS -u CPPFLAGS -u LDFLAGS make -C "$work/tree" --no-print-directory "$@"
}

builds() { # LINES MAKE-ARGUMENT...: exactly that many, of compilers and linkers
	want=$1
	shift
	make_here "$@" >"$work/built" || return 1
	cat "$work/built"
	[ "$(grep -cE '^  (CC|LD|BPF) ' "$work/built" || true)" = "$want" ]
}

no_compiler_for_help_and_clean() { # any that runs leaves a file
	for compiler in gcc cc clang; do
		printf '#!/bin/sh\ntouch "%s/ran"\nexit 1\n' "$work" >"$work/bin/$compiler"
		chmod +x "$work/bin/$compiler"
	done
	for target in help clean uninstall; do
		PATH=$work/bin:$PATH make_here $target DESTDIR="$work/nowhere" >"$work/said" 2>&1 || [ $target = uninstall ] || return 1
	done
	[ ! -e "$work/ran" ] && PATH=$work/bin:$PATH make_here -n all >/dev/null 2>&1
	[ -e "$work/ran" ] # so it would have shown
}

other_flags_compile_again() {
	builds 1 $object && builds 0 $object && builds 1 $object CFLAGS=-O0 && builds 0 $object CFLAGS=-O0 &&
		builds 1 $object CPPFLAGS=-DNDEBUG && builds 1 $object
}

other_linker_flags_link_again() {
	make_here -j2 $program >/dev/null && builds 0 $program && builds 1 $program LDFLAGS=-Wl,-O1 && builds 0 $program LDFLAGS=-Wl,-O1
}

looking_changes_nothing() { # -n with other flags
	builds 1 $program && make_here -n $program CFLAGS=-O0 LDFLAGS=-s >/dev/null && builds 0 $program
}

a_part_less_links_again() {
	printf 'int left_over;\n' >"$work/tree/run/simulate/more.c"
	builds 2 $program && rm "$work/tree/run/simulate/more.c" && builds 1 $program && ! nm "$work/tree/$program" | grep left_over
}

two_at_once() {
	rm -rf "$work/tree/build"
	make_here -j2 $program >"$work/first" 2>&1 &
	make_here -j2 $program >"$work/second" 2>&1 || { cat "$work/second" && return 1; }
	wait $! || { cat "$work/first" && return 1; }
	"$work/tree/$program" --version && find "$work/tree/build" -name '*.new*' >"$work/left" && [ ! -s "$work/left" ] && builds 0 $program
}

# A compiler that writes half an object, and then takes make with it.
killed_half_way() {
	cat >"$work/bin/half" <<-END
		#!/bin/sh
		for word in "\$@"; do
			[ "\${was-}" != -o ] || printf half >"\$word"
			was=\$word
		done
		case "\$*" in *" -c "*) kill -9 "\$(cat "$work/pid")" ;; esac
		exit 0
	END
	chmod +x "$work/bin/half"
	rm -f "$work/tree/$object"
	sh -c 'echo $$ >"$1" && shift && exec make "$@"' sh "$work/pid" -s -C "$work/tree" $object CC="$work/bin/half" 2>/dev/null && return 1
	[ ! -e "$work/tree/$object" ] && find "$work/tree/build" -name 'drr.o*.new' | grep . && builds 1 $object && nm "$work/tree/$object" | grep drr_pick
}

kernel_side_has_its_own_dependencies() {
	make_here build/latency.bpf.o >/dev/null && touch "$work/tree/run/stat/columns.h" "$work/tree/run/load/options.h" && builds 0 build/latency.bpf.o &&
		echo '/* new */' >>"$work/tree/run/latency/latency.h" && builds 1 build/latency.bpf.o && builds 0 build/latency.bpf.o
}

without_clang() { # MAKE-ARGUMENT...: as on a machine that has none
	mkdir -p "$work/few"
	ln -sf /usr/bin/* "$work/few" && rm -f "$work/few/clang"
	PATH=$work/few make_here "$@"
}

no_clang_is_needed() {
	without_clang -j2 build/latency build/latency.bpf.o && gzip -dc run/latency/latency.bpf.x86.gz | cmp - "$work/tree/build/latency.bpf.o"
}

clang_is_asked_for() { # in one line, once the sources are others
	echo '/* newer */' >>"$work/tree/run/latency/maps.bpf.h"
	without_clang -n all >"$work/said" 2>&1 && [ "$(grep -c 'make: without latency: to have it, apt-get install clang' "$work/said")" = 1 ]
}

another_layout_is_told() { # by the file that holds the hash, and by it alone
	make_here -j2 build/ingress >/dev/null && hash=$(cat "$work/tree/build/obj/layout-hash.h") || return 1
	sed -i 's|^#endif|/* nothing new */\n&|' "$work/tree/common/shm/layout.h"
	make_here build/obj/layout-hash.h && [ "$hash" = "$(cat "$work/tree/build/obj/layout-hash.h")" ] || return 1
	sed -i 's/^\t_Atomic uint32_t ingress_to_edf_pkts.*/&\n\t_Atomic uint64_t added;/' "$work/tree/common/shm/layout.h"
	make_here build/obj/layout-hash.h && [ "$hash" != "$(cat "$work/tree/build/obj/layout-hash.h")" ]
}

stage_has_no_part_of_check() {
	make_here -j2 build/edf >/dev/null && ! nm "$work/tree/build/edf" | grep feasible_
}

check "help, clean and uninstall run no compiler" no_compiler_for_help_and_clean
check "other flags of the compiler build again, the same do not" other_flags_compile_again
check "other flags of the linker link again, and compile nothing" other_linker_flags_link_again
check "make -n with other flags changes nothing" looking_changes_nothing
check "a program whose source is gone is linked without it" a_part_less_links_again
check "two makes at once do no harm" two_at_once
check "a make that is killed leaves no half object" killed_half_way
if [ "$(uname -m)" = x86_64 ] && [ -e /usr/include/bpf/libbpf.h ]; then
	check "where clang is missing, the prebuilt BPF object is taken" no_clang_is_needed
	check "and clang asked for, where that is of other sources" clang_is_asked_for
else
	skipped=1
	echo "skip where clang is missing, the prebuilt BPF object is taken: it is for x86_64, with libbpf-dev"
fi
said=$(run/latency/prebuilt.sh --check 2>&1) && status=0 || status=$?
if [ "$status" = 77 ]; then
	skipped=$((skipped + 1))
	echo "skip the prebuilt BPF object is what the compiler gives: $said"
else
	check "the prebuilt BPF object is what the compiler gives" [ "$status" = 0 ]
fi
if command -v clang >/dev/null && [ -e /usr/include/bpf/libbpf.h ]; then
	check "the BPF object is built again for its own headers only" kernel_side_has_its_own_dependencies
else
	skipped=$((skipped + 1))
	echo "skip the BPF object is built again for its own headers only: clang or libbpf-dev is not installed"
fi
check "a comment leaves the hash of the layout, a field changes it" another_layout_is_told
check "the edf stage has nothing of check" stage_has_no_part_of_check
verdict make

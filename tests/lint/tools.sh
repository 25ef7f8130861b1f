# shellcheck shell=sh disable=SC2086,SC2154
# tools.sh - rules that other programs check. What a linter says depends on its version, and so only known ones are asked: those of
# Debian 12. Any other is skipped. Sourced by lint.sh, with $sources and $scripts.
known_clang_format=14
known_shellcheck=0.9
known_cppcheck=2.10

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
	tests/format.sh --check $sources
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

#!/bin/sh
# format.sh [--check] [FILE.[ch]...] - rewrite sources (default: all) as lint wants them; --check: only say which would change, and how.
# clang-format does it, but for two things: it takes the name `class` for C++ (`class ++`, `(uint8_t) class`), which is undone, and comments
# that are wider than 120 columns, which it would fill anew together with the tables in them: tests/lint/wrap.awk breaks only those.
set -eu
cd "$(dirname "$0")/.."
check=
[ "${1-}" != --check ] || { check=1 && shift; }
[ $# -gt 0 ] || {
	# shellcheck disable=SC2046
	set -- $(find . \( -path ./build -o -path ./.git \) -prune -o -name '*.[ch]' -print | sort)
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp .clang-format "$work"

for file in "$@"; do
	mkdir -p "$work/${file%/*}"
	awk -f tests/lint/wrap.awk "$file" >"$work/$file"
done
type='\(u\?int[0-9]*_t\|size_t\|int\|unsigned\|enum [a-z_]*\)'
(cd "$work" && clang-format -i "$@" && sed -i "s/\<class \(++\|--\)/class\1/g; s/($type) class\>/(\1)class/g" "$@")

status=0
for file in "$@"; do
	cmp -s "$file" "$work/$file" && continue
	if [ "$check" ]; then
		diff -u "$file" "$work/$file" | head -n 20
		status=1
	else
		cat "$work/$file" >"$file"
	fi
done
exit "$status"

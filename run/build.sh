#!/bin/sh
# build.sh - build what is missing, as the owner of the tree, and say how far it is. Silent if nothing is missing.
#
# Started by launch.sh and stress.sh. Root builds as the owner of the tree too, so that no file of root's is left in it.
# Exit status: 0 built, 1 not: one line says why.
set -eu
here=$(dirname "$(realpath "$0")")
tree=$(dirname "$here")
# shellcheck source=run/progress.sh
. "$here/progress.sh"
said=$(mktemp)
trap 'rm -f "$said"' EXIT
trap 'exit 130' INT TERM HUP

fail() { # MESSAGE
	printf 'ontime: %s\n' "$1" >&2
	exit 1
}

owner=$(stat -c %u "$tree")
me=$(id -u)
if [ "$me" = 0 ] && [ "$owner" != 0 ]; then
	become="setpriv --reuid=$owner --regid=$(stat -c %g "$tree")"
	if getent passwd "$owner" >/dev/null; then become="$become --init-groups"; else become="$become --clear-groups"; fi
	# shellcheck disable=SC2086 # its words
	if $become test -w "$tree" 2>/dev/null; then
		me=$owner
	else # it cannot even get here, or this root may not become it
		become=
	fi
else
	become=
fi

who=$(id -un "$me" 2>/dev/null || echo "user $me")

as_owner() { # COMMAND...: in the tree, without a TMPDIR of root's
	# shellcheck disable=SC2086
	(cd "$tree" && ${become:+env -u TMPDIR} $become "$@")
}

steps() { # how many files there are to make; each is a line that make prints
	as_owner make -n all 2>/dev/null | grep -c "^printf '  %-7s %s\\\\n'" || true
}

how_far() {
	printf '%s of %s  %s' "$(grep -cE '^  [A-Z]+ ' "$said")" "$n_steps" "$(tail -n 1 "$said" | cut -c 11-)"
}

build_all() {
	as_owner flock . make -j"$(nproc)" --no-print-directory all
}

why() { # the build failed
	foreign=$(as_owner find build ! -writable -print -quit 2>/dev/null) || true
	if grep -q 'No space left on device' "$said"; then
		echo "the disk is full: make room (df -h $tree /tmp), then try again"
	elif ! as_owner test -w .; then
		echo "$who cannot write to $tree, which is $(stat -c %U "$tree")'s: sudo $0, or a copy of the tree (cp -r)"
	elif [ -n "$foreign" ]; then
		echo "$tree/$foreign was made by $(stat -c %U "$tree/$foreign"), and $who cannot write there: sudo chown -R $who $tree/build"
	elif ! command -v "${CC:-gcc}" >/dev/null; then
		echo "there is no compiler (${CC:-gcc}): run/deps.sh build installs one"
	elif grep -qE 'Killed|virtual memory exhausted|out of memory' "$said"; then
		echo "the compiler ran out of memory: free some, then try again"
	else
		grep -vE '^  [A-Z]+ |^make: (without|Target)' "$said" | tail -n 20 >&2
		echo "the build failed: see above"
	fi
}

command -v make >/dev/null || fail "there is no make: run/deps.sh build installs it"
n_steps=$(steps)
[ "$n_steps" != 0 ] || as_owner make -s all >"$said" 2>&1 || fail "$(why)" # make says what it lacks
[ "$n_steps" = 0 ] || step "building $n_steps files" "" how_far build_all || fail "$(why)"

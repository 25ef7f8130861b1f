#!/bin/sh
# recipe.sh - the configs and pages of run/recipes/, by name.
# Its options, and what else --help says: run/options/recipe.options.
# shellcheck disable=SC2154 # the options
set -eu
here=$(dirname "$(realpath "$0")") # it may be called through a symbolic link
# shellcheck source=run/supervise/lib.sh
. "$here/supervise/lib.sh"

parse_options recipe "$@"
eval "set -- $operands"
[ $# -le 1 ] || die 2 "$2: one recipe at a time; see $(typed recipe) --help"
names=$(cd "$recipes" && for file in *.conf; do echo "${file%.conf}"; done)
if [ $# = 0 ]; then
	for name in $names; do
		if [ "$option_names" ]; then
			echo "$name"
		else
			printf '%-10s %s\n' "$name" "$(sed -n "s/^| \[$name\]([^)]*) | \([^|]*\) |.*/\1/p" "$recipes/README.md")"
		fi
	done
	exit 0
fi
case " $(echo "$names" | paste -s -d ' ') " in
*" $1 "*) ;;
*)
	# shellcheck disable=SC2086 # names without blanks
	meant=$(nearest "$1" $names)
	die 2 "$1: no such recipe;${meant:+ did you mean $meant?} there are $(echo "$names" | paste -s -d ' ')"
	;;
esac
if [ "$option_page" ]; then
	exec cat "$recipes/$1.md"
fi
exec cat "$recipes/$1.conf"

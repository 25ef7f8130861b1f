#!/bin/sh
# list.sh - the instances that run here, one a line.
# Its options, and what else --help says: run/options/list.options.
# shellcheck disable=SC2154 # the options
set -eu
here=$(dirname "$(realpath "$0")") # it may be called through a symbolic link
# shellcheck source=run/supervise/lib.sh
. "$here/supervise/lib.sh"

parse_options list "$@"
[ -x "$build/hold" ] || die 1 "nothing is built, so nothing runs: $(typed launch)"
running=$("$build/hold" --instances) || {
	[ "$option_names" ] || say "no instance runs here: $(typed launch) starts one"
	exit 1
}
for instance in $running; do
	if [ "$option_names" ]; then
		echo "$instance"
		continue
	fi
	stages=$("$build/hold" --stages -i "$instance" 2>/dev/null) || stages=
	ready=$(printf '%s\n' "$stages" | grep -c ' ready .* 1$') || true
	supervisor=$("$build/hold" --supervisor -i "$instance" 2>/dev/null) && supervisor="supervisor $supervisor" || supervisor="NO supervisor"
	say "instance '$instance', $ready of $(printf '%s\n' "$stages" | grep -c .) stages ready, $supervisor: $(typed status) -i $instance"
done

#!/bin/sh
# restart.sh - restart one stage, or all one after the other, supervisor and holder too; nothing is lost.
# Its options, and what else --help says: run/options/restart.options.
# shellcheck disable=SC2154 # the options
set -eu
here=$(dirname "$(realpath "$0")") # it may be called through a symbolic link
# shellcheck source=run/supervise/lib.sh
. "$here/supervise/lib.sh"

parse_options restart "$@"
eval "set -- $operands"
case $#${1:-} in
1ingress | 1edf | 1egress | 1ingress.[0-9]* | 1edf.[0-9]* | 1egress.[0-9]* | 1supervisor | 1all) stage=$1 ;;
*) die 2 "restart which stage? $(typed restart) ingress|edf|egress|supervisor|all [-i INSTANCE]" ;;
esac
only_instance
instance=$(instance_of)
other_layout() {
	die 3 "instance '$instance' runs with another layout of the shared memory than the build that is installed ($(show_version)), which cannot go on with it: nothing was changed; $(typed stop) and $(typed launch) put that build in force"
}

found=$("$build/hold" --stages -i "$instance" 2>&1) || case $found in
*"another layout"*) other_layout ;;
*) die 1 "${found#hold: }" ;;
esac
case $stage in supervisor | all) # one of a build that does not know this question says nothing
	layout=$("$build/supervise" --layout 2>/dev/null) || layout=
	[ -z "$layout" ] || [ "$layout" = "$("$build/hold" --layout)" ] || other_layout
	;;
esac
# A rebuilt binary is probed from its first packet on, if the one that runs is.
[ ! -e "$pins/$instance" ] || latency warning -i "$instance" || true
ask "restart $stage"
case $stage in
supervisor | all)
	tries=100 # of 50 ms: they go over after the answer
	until others=$(others_of "$instance") && ! printf '%s\n' "$others" | grep -qE '^(supervisor|holder)$' &&
		"$build/hold" --holder -i "$instance" >/dev/null 2>&1 && "$build/hold" --supervisor -i "$instance" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || die 1 "instance '$instance': supervisor or holder did not go over to the file that is there now: see the log"
		sleep 0.05
	done
	;;
esac

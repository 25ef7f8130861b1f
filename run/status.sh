#!/bin/sh
# status.sh - what runs, since when, how often it was started.
#
# usage: run/status.sh [--pid STAGE] [-i INSTANCE | -c FILE]
#
#   --pid STAGE    only the pid of ingress, edf or egress, for scripts: kill -9 $(run/status.sh --pid egress)
#
# Exit status: 0 all three stages and the supervisor run (with --pid: that stage runs), 1 not, 2 usage.
set -eu
here=$(dirname "$(realpath "$0")") # it may be called through a symbolic link
# shellcheck source=run/supervise/lib.sh
. "$here/supervise/lib.sh"

case ${1:-} in
-h | --help) show_help && exit 0 ;;
esac
pid_of=
if [ "${1:-}" = --pid ]; then
	case ${2:-} in ingress | edf | egress) pid_of=$2 ;; *) die 2 "--pid ${2:-}: which stage? ingress, edf or egress" ;; esac
	shift 2
fi
[ -x "$build/hold" ] || die 1 "nothing is built, so nothing runs: $(typed launch)"
instance=$(instance_of "$@")
status=0

found=$("$build/hold" --stages -i "$instance" 2>&1) || die 1 "${found#hold: }"
if [ -n "$pid_of" ]; then
	printf '%s\n' "$found" | sed -n "s/^$pid_of \([1-9][0-9]*\) .* 1\$/\1/p" | grep . || die 1 "$pid_of of instance '$instance' does not run"
	exit 0
fi
if supervisor=$("$build/hold" --supervisor -i "$instance"); then
	[ "$supervisor" != - ] || supervisor="in another pid namespace"
	say "instance '$instance', supervisor $supervisor"
elif ! printf '%s\n' "$found" | grep -q ' 1$'; then
	say "instance '$instance', all of it was killed: $(typed stop) removes what is left, then $(typed launch) starts it"
	status=1
else
	say "instance '$instance', NO supervisor: $(typed launch) starts one, which adopts the stages"
	status=1
fi
printf '  %-8s %8s %-9s %12s %9s\n' stage pid state "up (s)" restarts
printf '%s\n' "$found" | while read -r name pid state starts age _; do
	printf '  %-8s %8s %-9s %12s %9s\n' "$name" "$pid" "$state" "$age" $((starts > 0 ? starts - 1 : 0))
done
[ "$(printf '%s\n' "$found" | grep -c ' 1$')" = 3 ] || status=1
if [ -s "$run_root/$instance/stages" ]; then # what the supervisor has to say
	sed 's/^/  /' "$run_root/$instance/stages"
	status=1
fi
exit "$status"

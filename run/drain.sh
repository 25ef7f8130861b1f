#!/bin/sh
# drain.sh - have load balancers send nothing more to an instance, and wait until nothing comes.
#
# usage: run/drain.sh [--wait SECONDS] [-i INSTANCE | -c FILE]
#        run/drain.sh --end [-i INSTANCE | -c FILE]
#
#   --wait SECONDS   wait at most that long for two seconds in which nothing comes (default 30; 0: only tell)
#   --end            take traffic again
#
# From then on /ready of its dashboard says 503. All that still comes is sent on, so a stop after it loses nothing. It lasts until --end,
# a stop or a launch; restarts, reloads and kills change nothing about it.
# Exit status: 0 nothing comes any more (--end: /ready is as before), 1 something does, or it is not running, 2 usage.
set -eu
here=$(dirname "$(realpath "$0")") # it may be called through a symbolic link
# shellcheck source=run/supervise/lib.sh
. "$here/supervise/lib.sh"
seconds=30
ends=
quiet_s=2 # longer than a front's second look, and than most senders' pauses

while [ $# -gt 0 ]; do
	case $1 in
	-h | --help) show_help && exit 0 ;;
	--end) ends=1 ;;
	--wait)
		seconds=${2:-}
		case $seconds in '' | *[!0-9]* | 0?* | ??????*) die 2 "--wait ${2:-}: how many whole seconds? See --help" ;; esac
		shift
		;;
	*) break ;;
	esac
	shift
done
[ -x "$build/hold" ] || die 1 "nothing is built, so nothing runs: $(typed launch)"
instance=$(instance_of "$@")
found=$("$build/hold" --stages --own -i "$instance" 2>&1) || die 1 "${found#hold: }"
dir=$run_root/$instance

received() { # packets of all classes, since the launch
	{ "$build/stat" --json -i "$instance" 2>/dev/null || true; } | grep -o '"received":[0-9]*' | awk -F: '{n += $2} END {print n + 0}'
}

if [ "$ends" ]; then
	rm -f "$dir/drain" || die 1 "$dir/drain cannot be removed: see above"
	say "instance '$instance' takes traffic again"
	exit 0
fi
"$build/hold" --run-dir "$dir" >/dev/null || exit 1
mark_drained || die 1 "$dir/drain cannot be written (df $dir): /ready is as it was"
left=$seconds
quiet=0
was=$(received)
while [ "$left" -gt 0 ] && [ "$quiet" -lt "$quiet_s" ]; do
	sleep 1
	left=$((left - 1))
	now=$(received)
	quiet=$((now == was ? quiet + 1 : 0))
	was=$now
done
[ "$seconds" = 0 ] || [ "$quiet" -ge "$quiet_s" ] ||
	die 1 "instance '$instance' is draining, and after $seconds s something still comes: does each sender, or what is in front of it, watch /ready?"
say "instance '$instance' is draining$([ "$seconds" = 0 ] || echo ", and nothing comes any more: $(typed stop) stops it, $(typed drain) --end undoes this")"

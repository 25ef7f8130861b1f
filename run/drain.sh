#!/bin/sh
# drain.sh - have load balancers send nothing more to an instance, and wait until nothing comes.
# Its options, and what else --help says: run/options/drain.options.
# shellcheck disable=SC2154 # the options
set -eu
here=$(dirname "$(realpath "$0")") # it may be called through a symbolic link
# shellcheck source=run/supervise/lib.sh
. "$here/supervise/lib.sh"
quiet_s=2 # longer than a front's second look, and than most senders' pauses

parse_options drain "$@"
ends=$option_end
seconds=${option_wait:-30}
[ -x "$build/hold" ] || die 1 "nothing is built, so nothing runs: $(typed launch)"
only_instance
instance=$(instance_of)
found=$(as_owner "$build/hold" --stages --own -i "$instance" 2>&1) || {
	found=${found#hold: }
	die 1 "${found#ontime: }"
}
find_directory

received() { # packets of all classes, since the launch
	{ "$build/stat" --json -i "$instance" 2>/dev/null || true; } | grep -o '"received":[0-9]*' | awk -F: '{n += $2} END {print n + 0}'
}

if [ "$ends" ]; then
	as_owner rm -f "$dir/drain" || die 1 "$dir/drain cannot be removed: see above"
	say "instance '$instance' takes traffic again"
	exit 0
fi
as_owner "$build/hold" --run-dir "$dir" >/dev/null || exit 1
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

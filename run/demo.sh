#!/bin/sh
# demo.sh - an instance of its own under load, and a kill -9 in the middle; then four lines on what was seen.
# Its options, and what else --help says: run/options/demo.options.
# shellcheck disable=SC2154 # the options
set -eu
here=$(dirname "$(realpath "$0")") # it may be called through a symbolic link
# shellcheck source=run/supervise/lib.sh
. "$here/supervise/lib.sh"

parse_options demo "$@"
rate=${option_rate:-10000} seconds=${option_seconds:-4}
instance=demo$$
clean_up() {
	end_trial
	rm -f "$run_root/$instance.log"
	rmdir "$run_root" 2>/dev/null || true
}
begin_trial clean_up

sum() { # KEY: over all classes of what load found
	grep -o "\"$1\":-\{0,1\}[0-9]*" "$work/load" | awk -F: '{n += $2} END {print n + 0}'
}

latest() { # KEY: the longest, in ms
	grep -o "\"$1\":[0-9]*" "$work/load" | awk -F: '$2 > n {n = $2} END {printf "%.1f", n / 1e6}'
}

say "an instance '$instance', $rate datagrams/s for $seconds s, and kill -9 of egress in the middle"
launched=1
ONTIME_HISTOGRAMS=off "$here/launch.sh" -c "$ontime/run/demo.conf" -i "$instance" >/dev/null
"$build/load" -c "$ontime/run/demo.conf" -i "$instance" --rate "$rate" --seconds "$seconds" --json >"$work/load" 2>"$work/said" &
load=$!
sleep "$(awk -v s="$seconds" 'BEGIN {print s / 2}')"
old=$("$here/status.sh" --pid egress -i "$instance")
kill -9 "$old"
new=$old
until [ "$new" != "$old" ]; do
	new=$("$here/status.sh" --pid egress -i "$instance" 2>/dev/null) || new=$old
done
wait "$load" && status=0 || status=$?
load=
[ "$status" = 0 ] || [ "$status" = 3 ] || die 1 "$(head -n 1 "$work/said")"
say "egress, pid $old, was killed at full load; the supervisor put pid $new in its place at once."
say "sent $(sum sent), arrived $(sum received): lost $(sum lost), twice $(sum duplicated), out of order $(sum reordered), changed $(sum corrupt)."
say "What egress had not sent waited in shared memory: the longest gap at a receiver was $(latest max_gap_ns) ms."
say "The journal told the successor what had been sent, so nothing went twice; $(typed load) shows it with your classes."
[ "$status" = 0 ] || exit 3

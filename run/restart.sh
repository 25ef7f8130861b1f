#!/bin/sh
# restart.sh - restart one stage, or all three one after the other; nothing is lost.
#
# usage: run/restart.sh ingress|edf|egress|all [-i INSTANCE | -c FILE]
#
# Exit status: 0 the successor is ready, 1 it is not (see the log), 2 usage.
set -eu
here=$(dirname "$(realpath "$0")") # it may be called through a symbolic link
# shellcheck source=run/supervise/lib.sh
. "$here/supervise/lib.sh"

case ${1:-} in
-h | --help) show_help && exit 0 ;;
ingress | edf | egress) stages=$1 ;;
all) stages="ingress edf egress" ;;
*) die 2 "restart which stage? usage: $(typed restart) ingress|edf|egress|all [-i INSTANCE]" ;;
esac
shift
instance=$(instance_of "$@")

line_of() { # of $stage: its pid, state, starts and alive
	"$build/hold" --stages -i "$instance" | while read -r name pid state n_starts _ _ _ alive; do
		[ "$name" != "$stage" ] || echo "$pid $state $n_starts $alive"
	done
}

"$build/hold" --stages -i "$instance" >/dev/null || exit 1
# A rebuilt binary is probed from its first packet on, if the one that runs is.
[ ! -e "$pins/$instance" ] || latency warning -i "$instance" || true
for stage in $stages; do
	read -r old _ starts _ <<END
$(line_of)
END
	"$build/hold" --restart "$stage" -i "$instance" || exit 1
	tries=100 # of 50 ms, without those in which it was starting: a slow start is none that failed
	left=1400
	while :; do
		read -r new state now_starts alive <<END
$(line_of)
END
		[ "$state $alive" != "ready 1" ] || [ "$now_starts" -le "$starts" ] || break
		left=$((left - 1))
		[ "$state $alive" = "starting 1" ] && [ "$left" -gt 0 ] || tries=$((tries - 1))
		[ "$tries" -gt 0 ] || die 1 "$stage did not come back within 5 s: see $run_root/$instance/log"
		sleep 0.05
	done
	say "$stage restarted: pid $old -> $new, start $now_starts"
done

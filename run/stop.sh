#!/bin/sh
# stop.sh - drain an instance, stop it, and remove everything it made but its log.
# Its options, and what else --help says: run/options/stop.options.
# Order: ingress reads its sockets empty (at most a second of continuing traffic), the lanes drain, then edf and egress stop.
# Also cleans up after everything was killed.
# shellcheck disable=SC2154 # the options
set -eu
here=$(dirname "$(realpath "$0")") # it may be called through a symbolic link
# shellcheck source=run/supervise/lib.sh
. "$here/supervise/lib.sh"

parse_options stop "$@"
[ -x "$build/hold" ] || die 0 "nothing is built, so nothing runs"
instance=$(instance_of)

unpin() { # the latency histograms
	[ ! -x "$build/latency" ] || ONTIME_LOG=warning "$build/latency" --detach -i "$instance" || true
}

end() { # WHO SIGNAL: by the kernel's word who that is; in the worst case it is killed
	"$build/hold" --signal "$1" "$2" -i "$instance" 2>/dev/null || true
}

held() {
	"$build/hold" --held -i "$instance" 2>/dev/null || echo 0
}

if unit=$(unit_of "$instance"); then
	systemctl stop "$unit" || exit 1
	! unit_of "$instance" >/dev/null || as_owner "$build/hold" --signal supervisor TERM -i "$instance" || exit 1 # it had failed before
	say "$unit is stopped"
	exit 0
fi
if [ "$(id -u)" = 0 ] && uid=$(user_of "$instance"); then
	# shellcheck disable=SC2086 # several
	as_user "$uid" "$(handed $of_stages $of_histograms)" "$here/stop.sh" -i "$instance" && status=0 || status=$?
	rmdir "$pins/$instance" "$pins" 2>/dev/null || true # what root has made, if nothing is in it
	remove_places "$uid"
	exit "$status"
fi
lock_instances
dir=$run_root/$instance
lost=0
finish() { # MESSAGE
	unpin
	"$build/hold" --remove --force -i "$instance" || exit 1 # ends all that has the segment open, whatever its layout
	keep_log
	remove_files
	[ "$(ls -A "$run_root")" != .lock ] || rm -f "$run_root/.lock" # who waits for it looks again
	rmdir "$run_root" 2>/dev/null || true
	say "$1"
	exit "$lost"
}

found=$("$build/hold" --stages --own -i "$instance" 2>&1) || case $found in
*"nothing of it is touched"*) die 1 "${found#hold: }" ;;
*"not running"*) [ -d "$dir" ] || finish "${found#hold: }" ;;
esac
await_supervisor || true # what a stand-by would start after this, in the place of one that was killed, stops in order
mark_drained || true
said=$("$build/hold" --ask stop --where "$dir" -i "$instance" 2>&1) && status=0 || status=$?
case $status:$said in
0:*)
	[ -z "$said" ] || say "${said#ontime: }"
	case $said in *"and gone: "*) lost=3 ;; esac
	finish "instance '$instance' is stopped"
	;;
*"another user"* | *"another pid namespace"*) die 1 "${said#ontime: }" ;;
esac
# Nobody supervises it, or nobody who answers.
for _ in 1 2; do
	end supervisor STOP # frozen, it replaces nobody
	for who in standbys holder supervisor; do
		end $who KILL
	done
done
refused=$("$build/hold" --signal ingress USR1 -i "$instance" 2>&1) || case $refused in
*"another user"* | *"another pid namespace"*) die 1 "${refused#hold: }" ;;
esac
tries=50
while [ "$(held)" != 0 ] && [ "$tries" -gt 0 ]; do
	sleep 0.1
	tries=$((tries - 1))
done
left=$(held)
[ "$left" = 0 ] || lost=3
[ "$left" = 0 ] || say "not sent within 5 s, and gone: $left, all classes together"
end edf TERM
end egress TERM
finish "instance '$instance' is stopped"

# shellcheck shell=sh disable=SC2154,SC2034,SC2016,SC2120
# lib.sh - what the tests with another user share: namespaces, root's instance, his build, and who is alive. Sourced, with $name set.
# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh

if [ "${1:-}" != inside ]; then # names, pids and ports of its own: nothing that goes wrong here reaches anybody
	if [ "$(id -u)" != 0 ] || ! unshare --mount --net --pid --fork --kill-child true 2>/dev/null; then
		echo "skip $name: it needs root, and namespaces, to play another user"
		exit 77
	fi
	exec unshare --mount --propagation private --net --pid --fork --kill-child --mount-proc sh -c '
		mount -t tmpfs -o mode=1777 tmpfs /dev/shm &&
			mount -t tmpfs -o mode=755 tmpfs /run && ip link set lo up && "$0" inside' "$0" # the first process takes in what is orphaned
fi

him=12345 # another user
work=$(mktemp -d)
chmod 755 "$work"
here=$PWD
ONTIME_RUN_DIR=$work/run
ONTIME_BUILD=$here/${ONTIME_BUILD:-build}
ONTIME_HISTOGRAMS=off
export ONTIME_RUN_DIR ONTIME_BUILD ONTIME_HISTOGRAMS
instance=hostile
other=$instance-b
dir=$ONTIME_RUN_DIR/$instance
segment=/dev/shm/ontime.$instance.v$(sed -n 's/^#define LAYOUT_VERSION \([0-9]*\).*/\1/p' common/shm/layout.h)
other_segment=/dev/shm/ontime.$other.${segment##*.}
conf=$work/ours.conf
trap 'cd "$here" && run/stop.sh -i $instance >/dev/null 2>&1 || true; rm -rf "$work"' EXIT # what else runs ends with the namespace
trap 'exit 1' INT TERM

configure() { # INSTANCE PORT FILE: inputs from PORT on, outputs 10 higher
	sed "s/^instance = .*/instance = $1/; s/127\.0\.0\.1:808\([0-9]\)/127.0.0.1:$2\1/; s/127\.0\.0\.1:908\([0-9]\)/127.0.0.1:$(($2 + 1))\1/; s/^policy = .*/policy = edf/" run/ontime.conf >"$3"
	chmod 644 "$3"
}

on_failure() {
	tail -n 5 "$dir/log" 2>/dev/null || true
}

as_him() { # COMMAND...: with his own build, and his own run directory
	setpriv --reuid $him --regid $him --clear-groups env -i PATH="$PATH" HOME=/nonexistent ONTIME_RUN_DIR="$work/his/dir" \
		ONTIME_BUILD="$work/his/build" "$@"
}

settle_him_in() {
	mkdir "$work/his" "$work/his/build" "$work/victim"
	cp -r run "$work/his/"
	for program in ingress edf egress hold supervise; do cp "$ONTIME_BUILD/$program" "$work/his/build/"; done
	configure $instance 1801 "$work/his.conf"
	chown -R $him:$him "$work/his"
	echo precious >"$work/victim/log"
	echo precious >"$work/victim/active.conf"
}

victim_is_well() {
	[ "$(stat -c '%u %a' "$work/victim")" = "0 755" ] && [ "$(ls -A "$work/victim")" = "active.conf
log" ] && [ "$(cat "$work/victim/log" "$work/victim/active.conf")" = "precious
precious" ]
}

stages() {
	"$ONTIME_BUILD/hold" --stages -i "${1:-$instance}" 2>/dev/null
}

pid_of() { # WHO: if it is alive
	if [ "$1" = supervisor ]; then
		"$ONTIME_BUILD/hold" --supervisor -i $instance
	else
		stages | sed -n "s/^$1 \([0-9]*\) .* 1$/\1/p"
	fi
}

ready() {
	[ "$(stages "${1:-}" | grep -c ' ready .* 1$')" = 3 ]
}

relaunch() { # [OPTION]...: from nothing
	run/stop.sh -i $instance >/dev/null 2>&1 || true
	run/launch.sh -c "$conf" "$@"
}

traffic() {
	"$ONTIME_BUILD/load" -c "$conf" --rate 2000 --seconds 0.2 --drain 0.5 >"$work/traffic" && ! grep 'not delivered' "$work/traffic"
}

kill_each_stage() { # and each comes back
	for stage in ingress edf egress; do
		old=$(pid_of $stage)
		kill -9 "$old" && eventually has_successor $stage "$old" || return 1
	done
}

has_successor() { # STAGE PID
	now=$(pid_of "$1")
	[ -n "$now" ] && [ "$now" != "$2" ] && ready ""
}

within() { # SECONDS COMMAND...
	limit=$1
	shift
	timeout "$limit" "$@"
}

nothing_is_left() {
	[ ! -e "$dir" ] && [ ! -e "$segment" ] && eventually nobody_runs
}

nobody_runs() { # nor waits to be buried
	! pgrep -x '(ingress|edf|egress)\*?|supervise|hold'
}

has_no_supervisor() {
	! "$ONTIME_BUILD/hold" --supervisor -i $instance >"$work/supervisor" 2>&1
}

has_budget() { # NS, of the second class
	"$ONTIME_BUILD/stat" -i $instance --json | jq -e ".classes[1].budget_ns == $1" >"$work/jq"
}

configure $instance 1701 "$conf"
configure $other 1901 "$work/other.conf"

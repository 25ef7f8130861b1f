#!/bin/sh
# launch.sh - install what is missing, build, start an instance, say what to try.
#
# usage: run/launch.sh [--foreground] [-c FILE] [--KEY=VALUE]...
#
#   -c FILE        the config (default: run/ontime.conf)
#   --foreground   stay; Ctrl-C drains and stops
#   --KEY=VALUE    any option of the config: --policy=edf-drop, --high.budget=2ms
#   ONTIME_HISTOGRAMS=off in the environment: no latency histograms; build/latency attaches them later
#
# When stages of the instance run without a supervisor (it was killed), this starts a new one, which adopts them.
# Exit status: 0 running, 1 temporary failure, 2 usage or configuration.
set -eu
here=$(dirname "$(realpath "$0")") # it may be called through a symbolic link
# shellcheck source=run/common.sh
. "$here/common.sh"
foreground=
takes_file=

for word in "$@"; do
	shift
	case $takes_file$word in
	-h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' "$0" && exit 0 ;;
	--foreground) foreground=1 ;;
	-c) takes_file="-c " ;;
	"-c "*)
		config=$(realpath "$word") || exit 2
		takes_file=
		;;
	--?*=*) set -- "$@" "$word" ;;
	*) die 2 "$word: unknown option; see --help" ;;
	esac
done
[ -z "$takes_file" ] || die 2 "-c: which file? See --help"

if [ -e "$ontime/Makefile" ] && [ -z "${ONTIME_BUILD:-}" ]; then # not where it was installed, built
	"$here/deps.sh" build
	flock "$ontime" make -s -C "$ontime" all || die 1 "the build failed: see above"
fi
"$build/hold" --check -c "$config" "$@" || exit 2
instance=$("$build/hold" --name -c "$config" "$@")
ONTIME_INSTANCE=$instance
ONTIME_CONFIG=$config
ONTIME_DIR=$run_root/$instance
ONTIME_RUN_DIR=$run_root
ONTIME_BUILD=$build
export ONTIME_RUN_DIR ONTIME_INSTANCE ONTIME_CONFIG ONTIME_DIR ONTIME_BUILD
log=$ONTIME_DIR/log

lock_instances
mode=
found=$("$build/hold" --stages -i "$instance" 2>&1) && status=0 || status=$?
[ "$status" != 2 ] || die 2 "$found" # damaged, or of another version: not ours to end
if [ "$status" = 0 ]; then
	supervisor=$(pid_in "$ONTIME_DIR/supervisor.pid")
	! is_supervisor "$supervisor" || die 1 "instance '$instance' is running already (supervisor $supervisor): run/stop.sh stops it, run/status.sh shows it"
	printf '%s\n' "$found" | grep -q ' 1$' || die 1 "instance '$instance' was not stopped cleanly: run/stop.sh removes what is left"
	mode=--adopt
fi
mkdir -p "$ONTIME_DIR"
if [ -n "$mode" ] && [ -s "$ONTIME_DIR/launched" ]; then # as it was launched, whatever is said now
	given="$config $*"
	{
		read -r config
		set --
		while read -r option; do
			set -- "$@" "$option"
		done
	} <"$ONTIME_DIR/launched"
	[ "$given" = "$config $*" ] || say "adopting '$instance' as it was launched: -c $config $*"
	ONTIME_CONFIG=$config
fi
printf '%s\n' "$config" "$@" >"$ONTIME_DIR/launched"
rm -f "$ONTIME_DIR/stopping" "$ONTIME_DIR/supervisor.pid"
[ -n "$mode" ] || rm -f "$log"
{ [ -n "$mode" ] && [ -s "$ONTIME_DIR/active.conf" ]; } || cp "$config" "$ONTIME_DIR/active.conf"
set -- -c "$ONTIME_DIR/active.conf" "$@"
[ -z "$foreground" ] || trap 'exec 9<&-; "$here/stop.sh" -i "$instance"; kill $tail 2>/dev/null || true; exit 0' INT TERM
tail=
# From there, so that a relative plugin is found wherever this was called, and no other file system is kept busy.
# shellcheck disable=SC2086
cd "$ontime" && exec setsid "$build/hold" $mode "$@" -- "$here/supervisor.sh" "$@" >>"$log" 2>&1 </dev/null 9<&- &
holder=$!

tries=0
until [ "$("$build/hold" --stages -i "$instance" 2>/dev/null | grep -c ' ready .* 1$')" = 3 ] && [ -s "$ONTIME_DIR/supervisor.pid" ]; do
	tries=$((tries + 1))
	refused=
	[ -n "$mode" ] || ! grep -q 'refused its configuration' "$log" || refused=2
	if [ -n "$refused" ] || [ "$tries" -gt 100 ] || ! kill -0 "$holder" 2>/dev/null; then
		status=${refused:-1}
		kill -0 "$holder" 2>/dev/null || wait "$holder" || status=$?
		[ "$status" = 2 ] || status=1
		tail -n 5 "$log" >&2
		exec 9<&- # stop.sh takes the lock
		[ -n "$mode" ] || "$here/stop.sh" -i "$instance" >/dev/null
		die "$status" "instance '$instance' did not start"
	fi
	sleep 0.05
done
exec 9<&-

attach_histograms() { # says so, or in one line why not
	if [ "${ONTIME_HISTOGRAMS:-on}" = off ]; then
		say "without latency histograms, as ONTIME_HISTOGRAMS says: build/latency attaches them"
	elif [ -x "$build/latency" ]; then
		[ "$(id -u)" != 0 ] || grep -q ' /sys/fs/bpf bpf ' /proc/mounts || ! mount -t bpf -o mode=700 bpf /sys/fs/bpf 2>/dev/null ||
			say "mounted the bpffs at /sys/fs/bpf, for the latency histograms"
		"$build/latency" -i "$instance" 2>&1 || true
	else
		say "without latency histograms: as root, apt-get install clang libbpf-dev bpftool, then make and build/latency"
	fi
}

histograms=$(attach_histograms)
say "instance '$instance' is running${mode:+ (adopted)}"
classes=$("$build/hold" --classes "$@")
printf '%s\n' "$classes" "$histograms"
printf '%s\n' "$classes" | awk 'function at(a, port) {
		port = a
		sub(/.*:/, "", port)
		sub(/:[0-9]*$/, "", a)
		gsub(/[][]/, "", a)
		return a " " port
	}
	NR == 1 {for (i = 2; $i != "->"; i++); print "try:  nc -u -l " at($(i + 1)) " &  echo hello | nc -u -w1 " at($2)}'
in=
[ "$instance" = default ] || in=" -i $instance"
cat <<END
      build/stat$in                 live: what came, went, was late or dropped, and why (--once: a table)
      build/dash$in                 http://127.0.0.1:9999/: the same in a browser, over time
      run/status.sh$in              what runs, since when, how often restarted
      run/restart.sh egress$in      restart one stage; nothing is lost
      run/stop.sh$in                drain and stop        log: $log
END
[ -n "$foreground" ] || exit 0
tail -n 0 -f --pid="$holder" "$log" &
tail=$!
wait "$tail" || true
while [ -e "$ONTIME_DIR/stopping" ]; do # stop.sh, from elsewhere, is at work
	sleep 0.1
done
[ ! -e "$ONTIME_DIR" ] || die 1 "the supervisor was killed; the stages run on: run/launch.sh starts another"

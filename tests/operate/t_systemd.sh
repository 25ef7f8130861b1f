#!/bin/sh
# t_systemd.sh - the systemd units: accepted by systemd-analyze, true to the config, and run by a systemd of their own, as
# PID 1 of namespaces that end with this test, under load and kill -9.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh
home=$PWD
build=${ONTIME_BUILD:-build}
case $build in /*) ;; *) build=$home/$build ;; esac
work=$(mktemp -d)
units=$work/units
plugin=$work/run/plugin.so
outer=
started=
instance=
trap 'stop_systemd; stop_activated; rm -rf "$work"' EXIT INT TERM
mkdir "$units"

on_failure() {
	[ -z "$outer" ] || tail -n 20 "$work/systemd.log"
}

check() { # NAME COMMAND...
	check_here "$@"
}

skip() { # REASON NAME
	skipped=$((skipped + 1))
	printf 'skip %s: %s\n' "$2" "$1"
}

# The units, with where the programs and the config are filled in as make install does it.
copy_units() { # BUILD CONFIG-DIRECTORY
	for unit in run/systemd/ontime*.socket run/systemd/ontime*.service run/systemd/ontime*.target; do
		sed "s|@LIBEXECDIR@/ontime|$1|g; s|@SYSCONFDIR@/ontime|$2|g" "$unit" >"$units/${unit##*/}"
	done
}

units_are_accepted() {
	copy_units "$build" "$home/run"
	systemd-analyze verify "$units"/ontime* && [ ! -s "$work/said" ]
}

# name.in.0 address, for each class: as the config says, and as the socket units say
units_match_config() {
	awk '/^\[class /{class = substr($2, 1, length($2) - 1)} /^listen = /{print class ".in.0", $3}' run/ontime.conf | sort >"$work/config"
	for unit in run/systemd/*.socket; do
		awk -F= '$1 == "ListenDatagram" {at = $2} $1 == "FileDescriptorName" {name = $2} END {if (at) print name, at}' "$unit"
	done | sort >"$work/sockets"
	diff "$work/config" "$work/sockets" || return 1 # check() switches set -e off
	sed -n 's/^Sockets=//p' run/systemd/ontime-ingress.service | tr ' ' '\n' | sort >"$work/passed"
	find run/systemd -name '*.socket' -printf '%f\n' | sort | diff "$work/passed" -
}

watchdog_is_hung() {
	hung=$(sed -n 's/^hung = //p' build/full.conf)
	for stage in ingress edf egress; do
		grep -qx "WatchdogSec=$hung" "run/systemd/ontime-$stage.service" || return 1
	done
}

# As systemd starts ingress, but without systemd as PID 1: its ExecStart line, on the sockets of systemd-socket-activate.
# READY=1 is read off a socket of the same kind.
started_by_activation() {
	instance=systemd$$
	conf=$work/own.conf
	listen=$((30000 + $$ % 100 * 10)) # the ports are this run's own
	send=$((listen + 1000))
	sed "s/^instance = .*/instance = $instance/; s/127\.0\.0\.1:808/127.0.0.1:${listen%0}/; s/127\.0\.0\.1:908/127.0.0.1:${send%0}/
		s/^policy = .*/policy = edf/" run/ontime.conf >"$conf"
	names=$(awk '/^\[class /{printf "%s%s.in.0", sep, substr($2, 1, length($2) - 1); sep = ":"}' "$conf")
	addresses=$(sed -n 's/^listen = /-l /p' "$conf")
	line=$(sed -n 's/^ExecStart=//p' run/systemd/ontime-ingress.service)
	line=$(printf '%s\n' "$line" | sed "s|@LIBEXECDIR@/ontime|$build|; s|@SYSCONFDIR@/ontime/ontime.conf|$conf|")
	"$build/hold" --segment -c "$conf" || return 1
	systemd-socket-activate -d -l "$work/notify" sh -c "exec dd bs=4096 count=1 status=none <&3 >'$work/ready'" &
	started="$started $!"
	"$build/edf" -c "$conf" &
	started="$started $!"
	"$build/egress" -c "$conf" &
	started="$started $!"
	# shellcheck disable=SC2086 # words, all of them
	systemd-socket-activate -d $addresses --fdname="$names" -E NOTIFY_SOCKET="$work/notify" $line &
	started="$started $!"
	sleep 0.5
	"$build/load" -c "$conf" --rate 1000 --seconds 1 --size 64-64 || return 1
	cat "$work/ready"
	grep -qx 'READY=1' "$work/ready"
}

stop_activated() {
	for pid in $started; do
		kill "$pid" 2>/dev/null || true
	done
	for pid in $started; do
		wait "$pid" 2>/dev/null || true
	done
	started=
	[ -z "$instance" ] || "$build/hold" --remove -i "$instance"
	instance=
}

stops_activated_clean() {
	segment=/dev/shm/ontime.$instance.v2
	[ -e "$segment" ] || return 1
	stop_activated
	[ ! -e "$segment" ]
}

# A manager that knows these units only; what every unit depends on by default is there, and empty. Nothing of the machine's
# own is started, its /run and /dev/shm are hidden, and the network is its own loopback. The programs appear below /run: where
# this tree lies, the units' protection may hide them.
start_systemd() {
	copy_units /run/tree/build /run/tree/run
	mkdir -p "$work/run"
	sed 's/^policy = .*/policy = edf/' build/full.conf >"$work/run/ontime.conf" # nothing is shed, however late it is
	for target in sysinit basic shutdown sockets network; do
		printf '[Unit]\nDescription=%s\nDefaultDependencies=no\n' "$target" >"$units/$target.target"
	done
	cat >"$work/boot" <<-END
		set -e
		mount -t tmpfs tmpfs /run
		mount -t tmpfs tmpfs /dev/shm
		mkdir -p /run/cgroup /run/tree/build /run/tree/run
		mount --bind "$build" /run/tree/build
		mount --bind "$work/run" /run/tree/run
		mount -t cgroup2 cgroup2 /run/cgroup
		mount --move /run/cgroup /sys/fs/cgroup
		ip link set lo up
		exec env -i container=test PATH="$PATH" SYSTEMD_UNIT_PATH="$units" SYSTEMD_PROC_CMDLINE= \\
			/lib/systemd/systemd --system --log-target=console --unit=ontime.target
	END
	unshare --mount --pid --fork --kill-child --mount-proc --net --ipc --uts sh "$work/boot" >"$work/systemd.log" 2>&1 </dev/null &
	outer=$!
	tries=100
	until init=$(pgrep -P "$outer") && inside "$build/hold" --stages -i default 2>/dev/null | grep -c ' ready .* 1$' | grep -qx 3; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 0.1
	done
}

inside() { # COMMAND...
	nsenter -t "$init" -r -m -p -n -i -u timeout 60 "$@"
}

stop_systemd() {
	[ -n "$outer" ] || return 0
	kill -KILL "$outer" 2>/dev/null || true
	wait "$outer" 2>/dev/null || true
	while [ -n "${init:-}" ] && kill -0 "$init" 2>/dev/null; do
		sleep 0.05
	done
	outer=
}

under_load() { # COMMAND...: three rounds of it for each stage while 20,000 packets/s go through
	inside "$build/load" -c "$home/run/ontime.conf" --rate 20000 --seconds 3 --size 0-1472 >"$work/load" 2>&1 &
	load=$!
	sleep 0.5
	for stage in ingress edf egress; do
		inside "$@" "ontime-$stage.service" || return 1
		sleep 0.5
	done
	wait "$load" && ! grep -q 'not delivered' "$work/load" && return 0
	cat "$work/load"
	return 1
}

is_balanced() {
	inside "$build/stat" | grep -x balanced
}

reloads() {
	inside systemctl reload ontime-ingress ontime-edf ontime-egress || return 1
	sleep 0.5
	inside "$build/hold" --stages -i default | grep -c ' ready .* 1$' | grep -qx 3
}

pid_of() { # STAGE: of the one that is ready
	inside "$build/hold" --stages -i default | sed -n "s/^$1 \([0-9]*\) ready .* 1\$/\1/p"
}

watchdog_ends_hung() {
	before=$(pid_of edf)
	inside kill -STOP "$before" || return 1
	tries=80
	until after=$(pid_of edf) && [ -n "$after" ] && [ "$after" != "$before" ]; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 0.1
	done
}

socket_alone_is_refused() { # it could not come back: the segment it would start runs already
	! inside systemctl restart ontime-high.socket && inside systemctl is-active ontime-high.socket
}

all_ready() {
	inside "$build/hold" --stages -i default 2>/dev/null | grep -c ' ready .* 1$' | grep -qx 3
}

restarts_whole() {
	inside systemctl restart ontime.target && eventually all_ready && inside systemctl is-active ontime-high.socket
}

# From here on edf has a plugin that can go away. Nothing sends, so nothing is lost meanwhile.
starts_with_plugin() {
	inside systemctl stop ontime.target && eventually has_stopped || return 1
	cp "$build/tests/plugins/crash.so" "$plugin"
	sed -i 's|^work = .*|work = plugin:/run/tree/run/plugin.so|' "$work/run/ontime.conf"
	inside systemctl start ontime.target && eventually all_ready
}

kill_without_plugin() { # edf, which then ends with status 1 before it is ready, again and again
	mv "$plugin" "$plugin.away"
	restarts=$(inside systemctl show -p NRestarts --value ontime-edf.service)
	inside systemctl kill -s KILL ontime-edf.service
}

has_restarted() { # TIMES
	[ $(($(inside systemctl show -p NRestarts --value ontime-edf.service) - restarts)) -ge "$1" ]
}

row_seconds() { # how long edf has been trying
	inside "$build/hold" --stages -i default | awk '$1 == "edf" {print int($5)}'
}

waits_mostly() { # before it exits
	there=0
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		! inside "$build/hold" --stages -i default | grep -q '^edf .* starting .* 1$' || there=$((there + 1))
		sleep 0.1
	done
	echo "there at $there of 10 looks"
	[ "$there" -ge 5 ]
}

waits_ever_longer() { # without pauses there are more than 100 starts in 4 s
	kill_without_plugin && sleep 4 && ! has_restarted 17 && eventually has_restarted 4 && [ "$(row_seconds)" -ge 3 ] && waits_mostly
}

comes_back() { # and that ends the row
	began_s=$(date +%s)
	mv "$plugin.away" "$plugin"
	eventually all_ready && [ "$(row_seconds)" -le $(($(date +%s) - began_s + 1)) ] || return 1
	began_s=$(date +%s)
	kill_without_plugin && eventually has_restarted 3 && [ "$(row_seconds)" -le $(($(date +%s) - began_s)) ]
}

stops_cleanly() {
	inside systemctl stop ontime-edf.service && [ "$(inside systemctl is-failed ontime-edf.service)" = inactive ]
}

has_stopped() {
	! inside sh -c 'ls /dev/shm/ontime* /run/ontime-space' 2>/dev/null | grep .
}

stops_clean() { # systemctl waits for the target only, not for what is part of it
	inside systemctl stop ontime.target && eventually has_stopped
}

run_by_systemd() {
	check "systemd starts all stages" start_systemd
	check "kill -9 of each under load loses nothing" under_load systemctl kill -s KILL
	check "systemctl restart of each under load loses nothing" under_load systemctl restart
	check "the account is balanced" is_balanced
	check "systemctl reload reaches all" reloads
	check "the watchdog ends and replaces a stage that hangs" watchdog_ends_hung
	check "a socket unit alone is not restarted" socket_alone_is_refused
	check "systemctl restart of the target starts all again" restarts_whole
	check "systemctl stop leaves nothing" stops_clean
	check "a plugin is found where the unit finds it" starts_with_plugin
	check "a stage that cannot start is started ever more seldom" waits_ever_longer
	check "it comes back when it can, and the next row begins with short pauses" comes_back
	check "it stops cleanly while it cannot start" stops_cleanly
	check "systemctl stop leaves nothing then, too" stops_clean
}

check "each class has its socket unit" units_match_config
check "the watchdog is hung of the config" watchdog_is_hung
if command -v systemd-socket-activate >/dev/null; then
	check "ingress starts from its unit's line and says READY=1" started_by_activation
	check "and leaves nothing" stops_activated_clean
else
	skip "systemd is not installed" "ingress starts from its unit's line and says READY=1"
fi
if command -v systemd-analyze >/dev/null; then
	check "systemd accepts the units" units_are_accepted
else
	skip "systemd is not installed" "systemd accepts the units"
fi
if ! [ -x /lib/systemd/systemd ]; then
	skip "systemd is not installed" "systemd runs the stages"
elif unshare --mount --pid --fork --net sh -c 'mount -t tmpfs tmpfs /run && mkdir /run/c && mount -t cgroup2 cgroup2 /run/c' 2>/dev/null; then
	run_by_systemd
else
	skip "namespaces with a cgroup2 mount need root" "systemd runs the stages"
fi
verdict systemd

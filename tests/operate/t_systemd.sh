#!/bin/sh
# t_systemd.sh - the units, installed, run by a systemd of their own as PID 1 of namespaces that end with this test: as a user of their
# own, under load, kill -9, reload, restart and stop.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/operate/systemd.sh
. tests/operate/systemd.sh

## What the units say

units_are_accepted() {
	inside systemd-analyze verify ontime@default.service ontime@other.service ontime-dash@default.service ontime-latency@default.service &&
		! grep . "$work/checked"
}

exposure_is_small() { # as systemd-analyze security counts, in tenths: 0 is best, 100 worst
	for unit in ontime@default:18 ontime-dash@default:15 ontime-latency@default:17; do
		inside systemd-analyze security --no-pager --threshold="${unit#*:}" "${unit%:*}.service" | tail -n 1 || return 1
	done
}

## A life

runs_as_its_user() {
	for pid in $(inside pgrep -u ontime); do
		inside cat "/proc/$pid/comm"
		[ "$(inside sed -n 's/^CapEff:[[:blank:]]*//p' "/proc/$pid/status")" = 0000000000000400 ] || return 1 # CAP_NET_BIND_SERVICE
	done
	[ "$(inside pgrep -u ontime | wc -l)" = 8 ] && ! inside pgrep -u root -x 'ingress|edf|egress|supervise|hold'
}

start_waits_until_it_forwards() { # the first packets after it go through
	inside systemctl start ontime@default && all_ready && inside "$build/load" -c "$conf" --rate 1000 --seconds 0.2 --size 64-64
}

is_under_its_unit() {
	inside run/status.sh -i default | grep -q ', under ontime@default.service$'
}

launch_is_refused() {
	fails_with 1 'running already, under systemd: systemctl stop ontime@default.service stops it' inside run/launch.sh -c "$conf" && all_ready
}

scripts_act_as_its_user() {
	inside run/restart.sh egress -i default && all_ready && inside run/reload.sh -i default
}

drain_finds_its_directory() { # wherever that is
	inside run/drain.sh --wait 0 -i default && inside run/status.sh -i default | grep '^ontime: draining' && inside run/drain.sh --end -i default &&
		! inside run/status.sh -i default | grep '^ontime: draining'
}

## Deaths: under load, and nothing is lost

ends_what_a_failed_unit_left() { # stopped in the moment before it starts again, systemd leaves what is there
	drop_in other Restart=no && inside systemctl start ontime@other && inside kill -9 "$(inside systemctl show -p MainPID --value ontime@other)" || return 1
	eventually is_kept_by_holder && inside run/stop.sh -i other && ! inside run/status.sh -i other
}

is_kept_by_holder() {
	has_failed other && inside "$build/hold" --supervisor -i other
}

begins_anew_after_all_is_gone() { # it was not restarted, so systemd has let the sockets go; likewise with what another build left
	inside systemctl start ontime@other || return 1
	inside systemctl kill -s KILL --kill-whom=all ontime@other || true
	eventually has_failed other || return 1
	inside sh -c 'ls /dev/shm/ontime.other.*' && inside systemctl start ontime@other || return 1
	inside journalctl -u ontime@other -o cat --no-pager | grep 'was not stopped cleanly, and its sockets are gone: it begins anew' || return 1
	inside run/stop.sh -i other && inside setpriv --reuid ontime --regid ontime --clear-groups touch /dev/shm/ontime.other.v1 || return 1
	inside systemctl start ontime@other && ! inside ls /dev/shm/ontime.other.v1 && inside run/stop.sh -i other
}

has_failed() { # INSTANCE
	[ "$(inside systemctl is-failed "ontime@$1")" = failed ]
}

kill_stages() {
	for stage in ingress edf egress; do
		inside kill -9 "$(pid_of $stage)" || return 1
		eventually all_ready || return 1
	done
}

kill_supervisor() {
	before=$(main_pid)
	inside kill -9 "$before" && eventually has_another_supervisor
}

kill_holder() {
	eventually holder_is_killed && eventually is_held
}

holder_is_killed() {
	is_held && inside kill -9 "$holder"
}

is_held() { # by a process that has just been started, maybe
	holder=$(inside "$build/hold" --holder -i default)
}

kill_supervisor_and_holder() { # frozen, the one cannot replace the other
	before=$(main_pid)
	inside kill -STOP "$before" && eventually holder_is_killed && inside kill -9 "$before" && eventually has_another_supervisor
}

kill_all() { # systemctl fails when a process it has killed was followed by another, which it kills too
	before=$(main_pid)
	inside systemctl kill -s KILL --kill-whom=all ontime@default || true
	eventually has_another_supervisor
}

kill_each() {
	kill_stages && kill_supervisor && kill_holder && kill_supervisor_and_holder
}

restart() {
	inside systemctl restart ontime@default && all_ready
}

stages_stay() { # while the supervisor is replaced
	stage=$(pid_of ingress)
	kill_supervisor && [ "$(pid_of ingress)" = "$stage" ] && inside pgrep -u ontime -x supervise | wc -l | grep -qx 1
}

renews_in_place() { # systemd sees no death, and is told of life by the one that is there now
	before=$(main_pid) restarts=$(show NRestarts)
	inside run/restart.sh supervisor -i default && [ "$(main_pid)" = "$before" ] && [ "$(show NRestarts)" = "$restarts" ] && is_held || return 1
	told=$(show WatchdogTimestampMonotonic)
	eventually told_of_life && all_ready && inside systemctl reload ontime@default && [ "$(show NRestarts)" = "$restarts" ]
}

told_of_life() {
	[ "$(show WatchdogTimestampMonotonic)" -gt "$told" ]
}

show() { # PROPERTY
	inside systemctl show -p "$1" --value ontime@default
}

## Reload

change() { # KEY VALUE
	inside sed -i "s|^$1 = .*|$1 = $2|" "$conf"
}

reloads() {
	change policy edf-drop
	inside systemctl reload ontime@default && eventually is_in_force 'policy = edf-drop' && inside systemctl is-active ontime@default
}

is_in_force() { # LINE
	inside grep -qx "$1" /run/ontime-units/default/active.conf
}

bad_reload_is_refused() {
	change policy fastest
	! inside systemctl reload ontime@default || return 1
	inside systemctl status --no-pager ontime@default | grep 'policy = "fastest": unknown choice' || return 1
	change policy edf
	is_in_force 'policy = edf-drop' && all_ready
}

reload_of_a_relaunch_is_refused() {
	inside sed -i 's/127.0.0.1:8083/127.0.0.1:8183/' "$conf"
	! inside systemctl reload ontime@default || return 1
	inside systemctl status --no-pager ontime@default | grep 'some changes need a relaunch: nothing was changed'
}

a_class_needs_no_unit_file() {
	printf '\n[class extra]\nlisten = 127.0.0.1:514\nsend = 127.0.0.1:9084\n' | inside tee -a "$conf" >"$work/said"
	restart && inside ss -lun | grep -q '127.0.0.1:514' && inside ss -lun | grep -q '127.0.0.1:8183' && ! inside ss -lun | grep '127.0.0.1:8083' &&
		inside "$build/load" -c "$conf" --rate 1000 --seconds 0.2 --size 64-64
}

## Two

another_runs_beside_it() {
	inside sh -c "sed 's/^instance = .*/instance = other/; s/:514/:515/; s/:808/:858/; s/:818/:868/; s/:908/:958/' $conf >/etc/ontime/other.conf"
	inside systemctl start ontime@other && inside "$build/load" -c /etc/ontime/other.conf --rate 1000 --seconds 0.2 --size 64-64 && all_ready
}

starts_with_status() { # STATUS PATTERN INSTANCE: it does not start, with that in the journal, and is not tried again
	! inside systemctl start "ontime@$3" || return 1
	inside systemctl show -p ExecMainStatus --value "ontime@$3" | grep -qx "$1" && [ "$(inside systemctl is-failed "ontime@$3")" = failed ] &&
		inside systemctl status --no-pager "ontime@$3" | grep "$2"
}

name_must_be_its_own() {
	inside cp "$conf" /etc/ontime/third.conf
	starts_with_status 2 'instance = default, and this unit is of instance .third.: write instance = third' third
}

broken_config_is_refused() {
	inside sed -i 's/^instance = .*/instance = third/; s/^policy = .*/policy = fastest/' /etc/ontime/third.conf
	starts_with_status 2 'policy = "fastest": unknown choice' third && starts_with_status 2 'fourth.conf: cannot be opened' fourth
}

unit_is_refused_beside_launch() {
	inside sh -c "sed 's/^instance = .*/instance = third/; s/:514/:516/; s/:808/:888/; s/:818/:898/; s/:908/:958/; s/^user = .*/user = root/' $conf >/etc/ontime/third.conf"
	inside run/launch.sh -c /etc/ontime/third.conf && inside run/status.sh -i third | grep -q ', under run/launch.sh$' || return 1
	files_of_third >"$work/files" && grep -q '/control ' "$work/files" || return 1
	under_load_of third /etc/ontime/third.conf refused_beside_launch && files_of_third | diff "$work/files" - || return 1
	inside run/reload.sh -i third && inside run/status.sh -i third && inside run/stop.sh -i third && inside rm /run/ontime/third.log &&
		inside systemctl start ontime@third && inside run/stop.sh -i third
}

refused_beside_launch() {
	starts_with_status 2 'belongs to another user (uid 0' third
}

files_of_third() { # name, inode, owner and mode of each file, and of the directory; the log grows
	inside find /run/ontime/third -printf '%p %i %u %m\n' | sort
}

## What goes wrong

watchdog_replaces_frozen_supervisor() {
	drop_in default WatchdogSec=3s && restart || return 1
	before=$(main_pid) stage=$(pid_of edf)
	inside kill -STOP "$before" && eventually has_another_supervisor && [ "$(pid_of edf)" = "$stage" ] && drop_in default WatchdogSec=10s
}

has_another_supervisor() {
	now=$(main_pid)
	[ "$now" != 0 ] && [ "$now" != "$before" ] && inside systemctl is-active ontime@default && all_ready
}

plugin_of_the_config() { # it is where the unit sees it
	inside cp "$build/tests/plugins/crash.so" /usr/local/libexec/ontime/plugins/crash.so && change work plugin:plugins/crash.so && restart
}

status_tells_what_is_wrong() { # a stage that cannot start is no reason to end the others
	inside mv /usr/local/libexec/ontime/plugins/crash.so /usr/local/libexec/ontime/plugins/away.so
	kill_unready && eventually says_status 'edf keeps ending' && inside systemctl is-active ontime@default || return 1
	inside mv /usr/local/libexec/ontime/plugins/away.so /usr/local/libexec/ontime/plugins/crash.so
	eventually all_ready && eventually says_status 'all stages run'
}

kill_unready() { # and the stand-by, which has the plugin open
	inside pkill -9 -u ontime -x 'edf\*?'
}

says_status() { # PATTERN
	inside systemctl show -p StatusText --value ontime@default | grep -q "$1"
}

journal_has_levels() { # 6: information, 4: a warning
	inside journalctl -u ontime@default -p info..info -o cat --no-pager | grep -q '^ingress: ready' &&
		inside journalctl -u ontime@default -p warning..warning -o cat --no-pager | grep -q '^hold: the supervisor (pid [0-9]*) ended' &&
		! inside journalctl -u ontime@default -o cat --no-pager | grep '^<' && inside journalctl -t ontime -n 1
}

## The dashboard and the histograms

dash_answers() {
	inside systemctl start ontime-dash@default && eventually inside curl -sf http://127.0.0.1:9999/ready || return 1
	inside timeout 2 curl -sN http://127.0.0.1:9999/events | head -c 20000 >"$work/events" || true
	grep -q '"policy" *: *"edf"' "$work/events"
}

histograms_follow() {
	inside systemctl start ontime-latency@default && inside "$build/load" -c "$conf" --rate 1000 --seconds 0.2 --size 64-64 || return 1
	inside grep -q '^high' /sys/fs/bpf/ontime/default/report && restart && eventually inside grep -q '^class' /sys/fs/bpf/ontime/default/report
}

## The end

a_long_stop_leaves_nothing() { # what waits takes longer to send than the unit allows
	drop_in other TimeoutStopSec=1s && inside sed -i 's/^rate = .*/rate = 64kbit/' /etc/ontime/other.conf &&
		inside systemctl start ontime@other || return 1
	inside timeout -s KILL 1 "$build/load" -c /etc/ontime/other.conf --rate 1000 --seconds 0.3 --size 1000-1000 || true
	inside systemctl stop ontime@other && inside systemctl show -p Result --value ontime@other | grep -qx timeout &&
		! inside sh -c 'ls -d /dev/shm/ontime.other.* /run/ontime-units/other' 2>/dev/null | grep . && inside systemctl reset-failed ontime@other
}

buffers_are_as_asked() { # beyond net.core.rmem_max
	! inside journalctl -u ontime@default -o cat --no-pager | grep 'receive buffer'
}

stop_drains() { # while packets come: what was accepted is sent
	inside "$build/load" -c "$conf" --rate 20000 --seconds 2 --size 64-64 >"$work/load" 2>&1 &
	load=$!
	sleep 0.7
	inside run/stop.sh -i default || return 1
	wait "$load" || true
	inside journalctl -u ontime@default -o cat --no-pager -n 5 | grep 'stopped: all that was accepted has been sent'
}

nothing_is_left() {
	inside systemctl stop ontime@other && ! inside sh -c 'ls /dev/shm /run/ontime /run/ontime-units /sys/fs/bpf/ontime 2>/dev/null' | grep -v ':$' | grep . && ! inside pgrep -u ontime -x 'hold|supervise|ingress|edf|egress'
}

run_by_systemd() {
	check "systemd and the units start" start_systemd
	[ -n "${init:-}" ] || return 0
	check "systemd accepts the units" units_are_accepted
	check "their exposure is small" exposure_is_small
	check "start returns when it forwards" start_waits_until_it_forwards
	check "all runs as user ontime, with one capability" runs_as_its_user
	check "status names the unit" is_under_its_unit
	check "a launch of the same instance is refused in one line" launch_is_refused
	check "root restarts a stage, and reloads, by the scripts" scripts_act_as_its_user
	check "drain, and its end, are where its unit has its run directory" drain_finds_its_directory
	check "kill -9 of each stage, supervisor, holder, both: nothing is lost" under_load kill_each
	check "kill -9 of all at once: nothing is lost" under_load kill_all
	check "systemctl restart: nothing is lost" under_load restart
	check "the supervisor goes over to its file in place: nothing is lost" under_load renews_in_place
	check "stages stay while the supervisor is replaced, and only one is left" stages_stay
	check "the account is balanced" is_balanced
	check "systemctl reload puts a file in force" reloads
	check "a bad file is refused, with its reason" bad_reload_is_refused
	check "what needs a relaunch is refused, and said" reload_of_a_relaunch_is_refused
	check "restart applies it, and a class needs no unit file" a_class_needs_no_unit_file
	check "another instance runs beside it" another_runs_beside_it
	check "stop.sh ends what a unit left that was not restarted" ends_what_a_failed_unit_left
	check "after a death of all that was not restarted it begins anew" begins_anew_after_all_is_gone
	check "a config of another instance is refused" name_must_be_its_own
	check "a broken or missing config is refused once" broken_config_is_refused
	check "a unit beside a launched instance is refused" unit_is_refused_beside_launch
	check "the watchdog replaces a frozen supervisor, and the stages go on" watchdog_replaces_frozen_supervisor
	check "a plugin is found where the unit finds it" plugin_of_the_config
	check "systemctl status tells which stage keeps ending" status_tells_what_is_wrong
	check "journal lines have their levels" journal_has_levels
	if [ -x "$build/dash" ]; then
		check "the dashboard's unit serves" dash_answers
	else
		skip "it was not built" "the dashboard's unit serves"
	fi
	if [ -n "$has_bpffs" ] && ! inside systemctl start ontime-latency@default 2>/dev/null && inside journalctl -o cat --no-pager | grep -q 'forbids bpf(2)'; then
		skip "bpf(2) is forbidden here" "histograms follow the instance"
	elif [ -e "$build/latency.bpf.o" ] && [ -n "$has_bpffs" ]; then
		check "histograms follow the instance" histograms_follow
	else
		skip "no eBPF here" "histograms follow the instance"
	fi
	check "socket buffers are as large as asked for" buffers_are_as_asked
	check "a stop that takes too long leaves nothing" a_long_stop_leaves_nothing
	check "stop sends what was accepted" stop_drains
	check "nothing is left" nothing_is_left
}

if ! [ -x /lib/systemd/systemd ]; then
	skip "systemd is not installed" "systemd runs an instance"
elif unshare --mount --pid --fork --net sh -c 'mount -t tmpfs tmpfs /run && mkdir /run/c && mount -t cgroup2 cgroup2 /run/c' 2>/dev/null; then
	run_by_systemd
else
	skip "namespaces with a cgroup2 mount need root" "systemd runs an instance"
fi
verdict systemd

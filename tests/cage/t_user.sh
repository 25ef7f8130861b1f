#!/bin/sh
# t_user.sh - root launches, and nothing of the instance is root's: each process as the kernel sees it, kill -9 of each under load, renewal,
# adoption, relaunch; who may look, who may act, and who may not; and what stays root's, with a line that says why.
# shellcheck disable=SC2154
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
own_namespaces t_user.sh "--mount --net --propagation private" "$0" "$@"

own_instance user
unset ONTIME_RUN_DIR # the places are those of an operator, in a /run of the test's own
chmod 755 "$work"
mount -t tmpfs -o mode=755 tmpfs /run && mount -t tmpfs -o mode=1777 tmpfs /dev/shm
ip link set lo up

relay_uid=64001 stranger_uid=64002 watcher_uid=64003 watchers_gid=64010
dir=/run/ontime-$relay_uid/$instance
log=$dir/log
nice='0' # a digit of a mask: CAP_SYS_NICE, CAP_IPC_LOCK where root may not raise the limits instead
lock='0'
# shellcheck disable=SC3045 # the shell may have it
(ulimit -r 12) 2>/dev/null || nice='[08]'
prlimit --memlock=unlimited:unlimited true 2>/dev/null || lock='[04]'

add_users() { # ACCOUNT...: to an /etc/passwd of the test's own
	cp /etc/passwd "$work/passwd" && cp /etc/group "$work/group" && chmod 644 "$work/passwd" "$work/group"
	sed -i '/^ontime:/d' "$work/passwd"
	for account; do
		printf '%s:x:%s:%s::/nonexistent:/bin/sh\n' "${account%:*}" "${account#*:}" "${account#*:}" >>"$work/passwd"
		printf '%s:x:%s:\n' "${account%:*}" "${account#*:}" >>"$work/group"
	done
	printf 'watchers:x:%s:watcher\n' $watchers_gid >>"$work/group"
	mount --bind "$work/passwd" /etc/passwd && mount --bind "$work/group" /etc/group
}
add_users relay:$relay_uid stranger:$stranger_uid watcher:$watcher_uid

as() { # UID COMMAND...: without a right
	uid=$1
	shift
	name=$(getent passwd "$uid" | cut -d: -f1)
	setpriv --reuid "$uid" --regid "$uid" --groups "$(id -G "$name" | tr ' ' ,)" --inh-caps=-all --bounding-set=-all "$@" </dev/null
}

as $stranger_uid test -x "$ONTIME_BUILD/hold" || {
	echo "skip t_user: other users cannot read $(pwd)"
	exit 77
}

configure() { # LINE...: two classes, one at a port that only root may bind
	{
		printf '[pipeline]\ninstance = %s\n' "$instance"
		[ $# = 0 ] || printf '%s\n' "$@"
		printf '[class high]\nlisten = 127.0.0.1:514\nsend = 127.0.0.1:%s\nbudget = 1s\n' "$send"
		printf '[class low]\nlisten = 127.0.0.1:%s\nsend = 127.0.0.1:%s\n' "$listen" $((send + 1))
	} >"$conf"
	chmod 644 "$conf"
}

launch() { # LINE...: a fresh instance
	run/stop.sh -i "$instance" >/dev/null 2>&1 || true
	configure "$@"
	run/launch.sh -c "$conf" >"$work/launched" 2>&1 || { cat "$work/launched" && return 1; }
}

field() { # PID NAME: of its status
	sed -n "s/^$2:[[:blank:]]*//p" "/proc/$1/status"
}

pids() { # of all processes that run a program of the build; the stages, their stand-bys, supervisor, holder, dashboard
	for process in /proc/[0-9]*; do
		case $(readlink "$process/exe" 2>/dev/null) in
		*/ingress | */edf | */egress | */supervise | */hold | */dash)
			! tr '\0' '\n' <"$process/environ" 2>/dev/null | grep -qxF "ONTIME_DIR=$dir" || echo "${process#/proc/}" ;;
		esac
	done
}

table() { # process, user, capabilities, filter
	for pid in $(pids); do
		echo "$(cat "/proc/$pid/comm") $(field "$pid" Uid | cut -f1) $(field "$pid" CapEff) $(field "$pid" CapAmb) $(field "$pid" Seccomp) $(field "$pid" NoNewPrivs)"
	done | sort
}

has_all_but_dash() { # with the stand-bys, which would start others
	[ "$(pids | wc -l)" = 8 ]
}

is_complete() { # 3 stages, as many stand-bys, supervisor, holder, dashboard
	[ "$(pids | wc -l)" = 9 ]
}

each_is_the_users() {
	eventually is_complete || return 1
	table >"$work/table"
	cat "$work/table"
	low="0000000000${nice}0${lock}400"
	while read -r name uid effective _ filter no_new; do
		[ "$uid $filter $no_new" = "$relay_uid 2 1" ] || return 1
		case $name in
		dash) want=$low ;; # else it could not look into the stages
		edf) want="0000000000${nice}00000" ;;
		ingress | egress) want="0000000000${nice}00400" ;; # one port is below 1024
		*) want=$low ;;                                     # what starts them
		esac
		echo "$effective" | grep -qx "$want" || { echo "$name: $effective, wanted $want" && return 1; }
	done <"$work/table"
	ports_are_bound
}

ports_are_bound() {
	"$ONTIME_BUILD/load" -c "$conf" --rate 2000 --seconds 0.3 --size 64-64 >"$work/load" 2>&1 && ! grep 'not delivered' "$work/load"
}

files_are_the_users() {
	[ "$(stat -c '%u %a' /dev/shm/ontime."$instance".v*)" = "$relay_uid 600" ] && [ "$(stat -c '%u %a' "$dir")" = "$relay_uid 700" ] &&
		[ "$(stat -c '%u %a' "$log")" = "$relay_uid 600" ] && [ "$(find "$dir" ! -uid $relay_uid)" = "" ]
}

it_says_so() {
	grep -qx "ontime: all of it runs as user relay" "$work/launched" && run/status.sh -i "$instance" >"$work/status" && grep -qx "ontime: all of it runs as user relay" "$work/status"
}

roots_tools_work() {
	was=$(live_pid_of egress)
	run/status.sh -i "$instance" && run/restart.sh egress -i "$instance" && [ "$(live_pid_of egress)" != "$was" ] || return 1
	sed -i 's/^budget = .*/budget = 2s/' "$conf" && run/reload.sh -i "$instance" && [ "$(account '.classes[0].budget_ns')" = 2000000000 ] &&
		run/drain.sh --wait 0 -i "$instance" && [ -e "$dir/drain" ] && run/drain.sh --end -i "$instance" && run/list.sh | grep "'$instance', 3 of 3"
}

the_users_tools_work() {
	as $relay_uid run/status.sh -i "$instance" && as $relay_uid run/restart.sh edf -i "$instance" && as $relay_uid "$ONTIME_BUILD/stat" --once -i "$instance"
}

strangers_are_refused() {
	fails_with 1 'belongs to another user' as $stranger_uid run/status.sh -i "$instance" && fails_with 1 'belongs to another user' as $stranger_uid run/stop.sh -i "$instance" &&
		fails_with 1 'belongs to another user' as $stranger_uid run/restart.sh edf -i "$instance" || return 1
	! as $stranger_uid cat /dev/shm/ontime."$instance".v* && ! as $stranger_uid cat "$log" && ! as $stranger_uid ls "$dir" &&
		! as $stranger_uid kill -0 "$(live_pid_of edf)" && ! as $stranger_uid "$ONTIME_BUILD/stat" --once -i "$instance" || return 1
	ready
}

## Deaths: under load, and nothing is lost

under_load() { # COMMAND...
	"$ONTIME_BUILD/load" -c "$conf" --rate 5000 --seconds 60 --size 0-1472 >"$work/load" 2>&1 &
	load=$!
	done=0
	sleep 0.3 # of load
	"$@" && sleep 0.3 || done=$?
	kill -INT "$load"
	wait "$load" || done=$?
	! grep 'not delivered' "$work/load" || done=1
	tail -n 3 "$work/load"
	return "$done"
}

is_whole_again() { # PID: it is gone, and another is there
	! [ -e "/proc/$1" ] && ready && is_complete
}

kill_each() {
	for name in ingress edf egress 'ingress*' 'edf*' 'egress*' supervise hold dash; do
		for pid in $(pids); do
			[ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$name" ] || continue
			kill -9 "$pid"
			eventually is_whole_again "$pid" || { echo "after the death of $name" && table && return 1; }
			break
		done
	done
}

killed_in_turn() {
	under_load kill_each && each_is_the_users
}

goes_over_to_new_files() { # the same processes, by files that are others
	supervisor=$("$ONTIME_BUILD/hold" --supervisor -i "$instance")
	for program in ingress edf egress hold supervise; do
		cp "$ONTIME_BUILD/$program" "$ONTIME_BUILD/$program.new" && mv "$ONTIME_BUILD/$program.new" "$ONTIME_BUILD/$program" || return 1
	done
	under_load run/restart.sh all -i "$instance" && [ "$("$ONTIME_BUILD/hold" --supervisor -i "$instance")" = "$supervisor" ] && ! run/status.sh -i "$instance" | grep 'of another build' &&
		each_is_the_users
}

leave_stages() { # nobody starts them again
	supervisor=$("$ONTIME_BUILD/hold" --supervisor -i "$instance")
	kill -STOP "$supervisor"
	for pid in $(pids); do
		case $(cat "/proc/$pid/comm") in *\* | hold) kill -9 "$pid" ;; esac
	done
	kill -9 "$supervisor"
}

is_adopted() {
	leave_stages
	run/launch.sh -c "$conf" >"$work/launched" 2>&1 && grep -q "running (adopted)" "$work/launched" && each_is_the_users
}

none_is_left() {
	for pid in $(pids); do
		kill -9 "$pid" 2>/dev/null || true
	done
	[ -z "$(pids)" ]
}

kill_all() { # first stopped, so that none starts another
	for pid in $(pids); do
		kill -STOP "$pid" 2>/dev/null || true
	done
	eventually none_is_left
}

begins_anew_after_all_was_killed() {
	kill_all && run/launch.sh -c "$conf" >"$work/launched" 2>&1 && grep -q 'was not stopped cleanly' "$work/launched" && each_is_the_users
}

nothing_is_left() {
	run/stop.sh -i "$instance" && ! ls /dev/shm/ontime.* 2>/dev/null && [ "$(cd "/run/ontime-$relay_uid" && echo .[!.]* *)" = ".lock $instance.log" ] && [ ! -e /run/ontime ] && [ -z "$(pids)" ]
}

foreground_ends_in_order() {
	configure 'user = relay'
	run/launch.sh --foreground -c "$conf" >"$work/launched" 2>&1 &
	launcher=$!
	eventually ready && eventually grep -q 'is running' "$work/launched" && kill -TERM $launcher || return 1
	wait $launcher && [ -z "$(pids)" ] && ! ls /dev/shm/ontime.* 2>/dev/null
}

service_is_the_users() { # as a service manager has it, without a notification
	configure 'user = relay'
	run/launch.sh --service -c "$conf" >"$work/launched" 2>&1 &
	launcher=$!
	eventually ready && [ "$(field $launcher Uid | cut -f1) $(field $launcher Seccomp) $(cat /proc/$launcher/comm)" = "$relay_uid 2 supervise" ] && kill $launcher || return 1
	wait $launcher && [ -z "$(pids)" ]
}

## Who may look

watchers_look() {
	launch 'user = relay' 'observers = watchers' && [ "$(stat -c '%u %g %a' /dev/shm/ontime."$instance".v*)" = "$relay_uid $watchers_gid 640" ] || return 1
	as $watcher_uid "$ONTIME_BUILD/stat" --once -i "$instance" && as $watcher_uid "$ONTIME_BUILD/hold" --instances | grep -qx "$instance" || return 1
	! as $stranger_uid "$ONTIME_BUILD/stat" --once -i "$instance" && ! as $watcher_uid sh -c ": >>'$(segment_of "$instance")'" &&
		! as $watcher_uid run/stop.sh -i "$instance" && ! as $watcher_uid "$ONTIME_BUILD/hold" --signal edf KILL -i "$instance" && ready
}

no_such_group() {
	run/stop.sh -i "$instance" >/dev/null
	configure 'user = relay' 'observers = nobodys'
	run/launch.sh -c "$conf" >"$work/launched" 2>&1 && return 1
	grep 'observers = nobodys: there is no such group' "$work/launched" && ! ls /dev/shm/ontime.* 2>/dev/null
}

## What is not that user's

unknown_user_is_refused() {
	configure 'user = nobodys'
	fails_with 2 'user = nobodys: there is no such user' run/launch.sh -c "$conf"
}

unreadable_config_is_refused() {
	configure 'user = relay' && chmod 600 "$conf"
	fails_with 2 'user = relay: .*Permission denied' run/launch.sh -c "$conf"
}

stays_roots() { # PATTERN
	run/launch.sh -c "$conf" >"$work/launched" 2>&1 || { cat "$work/launched" && return 1; }
	dir=/run/ontime/$instance
	grep "all of it runs as root: $1" "$work/launched" && grep "all of this instance runs as root: $1" "$dir/log" && run/status.sh -i "$instance" | grep 'all of it runs as root' &&
		[ "$(field "$(live_pid_of edf)" Uid | cut -f1)" = 0 ] && [ "$(field "$("$ONTIME_BUILD/hold" --holder -i "$instance")" Seccomp)" = 2 ]
}

auto_without_that_user() {
	configure && stays_roots 'there is no user ontime' && run/stop.sh -i "$instance"
}

auto_with_that_user() {
	umount /etc/passwd /etc/group && add_users relay:$relay_uid stranger:$stranger_uid watcher:$watcher_uid ontime:64004 && configure || return 1
	run/launch.sh -c "$conf" && dir=/run/ontime-64004/$instance && [ "$(field "$(live_pid_of edf)" Uid | cut -f1)" = 64004 ] && run/stop.sh -i "$instance"
}

auto_where_that_user_cannot() {
	configure && chmod 600 "$conf" && stays_roots 'user ontime cannot run it: .*Permission denied' && run/stop.sh -i "$instance"
}

roots_goes_on_until_it_is_stopped() { # an instance from before, renewed, is root's; the next start is not
	launch 'user = root' && dir=/run/ontime/$instance || return 1
	sed -i 's/^user = .*/user = relay/' "$conf"
	run/restart.sh all -i "$instance" && [ "$(field "$(live_pid_of edf)" Uid | cut -f1)" = 0 ] && eventually has_all_but_dash && leave_stages && run/launch.sh -c "$conf" >"$work/launched" 2>&1 &&
		[ "$(field "$("$ONTIME_BUILD/hold" --holder -i "$instance")" Uid | cut -f1)" = 0 ] || return 1
	kill_all || return 1
	dir=/run/ontime-$relay_uid/$instance
	run/launch.sh -c "$conf" >"$work/launched" 2>&1 && [ "$(field "$(live_pid_of edf)" Uid | cut -f1)" = $relay_uid ] && [ "$(owner_of_segment)" = $relay_uid ] &&
		[ ! -e "/run/ontime/$instance" ] && run/stop.sh -i "$instance"
}

owner_of_segment() {
	stat -c %u /dev/shm/ontime."$instance".v*
}

strangers_name_is_not_touched() { # whoever came first with it
	configure 'user = relay'
	segment=$(segment_of "$instance")
	as $stranger_uid touch "$segment"
	! run/launch.sh -c "$conf" >"$work/launched" 2>&1 && grep 'belongs to another user' "$work/launched" && ! run/stop.sh -i "$instance" && ! run/restart.sh edf -i "$instance" &&
		[ "$(owner_of_segment)" = $stranger_uid ] && rm "$segment"
}

strangers_place_is_none() { # who launched as whom shows where only root can write
	! as $stranger_uid mkdir "/run/ontime-$stranger_uid" && mkdir "$work/open" && chmod 1777 "$work/open" && as $stranger_uid mkdir -p "$work/open/x/$instance" || return 1
	ONTIME_RUN_DIR=$work/open/x run/stop.sh -i "$instance" && return 1
	[ -d "$work/open/x/$instance" ]
}

mkdir "$work/build" && cp -r "$ONTIME_BUILD"/hold "$ONTIME_BUILD"/supervise "$ONTIME_BUILD"/ingress "$ONTIME_BUILD"/edf "$ONTIME_BUILD"/egress "$ONTIME_BUILD"/dash \
	"$ONTIME_BUILD"/stat "$ONTIME_BUILD"/load "$ONTIME_BUILD"/check "$work/build"
ONTIME_BUILD=$work/build # its files are replaced

with_dash() {
	launch 'user = relay' '[dash]' "listen = 127.0.0.1:$((listen + 9))"
}

check "root launches, and it runs" with_dash
check "each process is the user's, shut in, with the rights that it needs" each_is_the_users
printf '     %s\n' "process, user, CapEff, CapAmb, Seccomp, NoNewPrivs:" && sed 's/^/     /' "$work/table"
check "so are its files" files_are_the_users
check "launch and status say whose it is" it_says_so
check "root's tools work" roots_tools_work
check "so do the user's own" the_users_tools_work
check "others can neither read nor act" strangers_are_refused
check "each process is killed under load, and nothing is lost" killed_in_turn
check "all go over to new files under load, and nothing is lost" goes_over_to_new_files
check "stages alone are adopted, as that user" is_adopted
check "killed altogether, it begins anew as that user" begins_anew_after_all_was_killed
check "a stop leaves nothing but the log" nothing_is_left
check "in the foreground it ends in order" foreground_ends_in_order
check "as a service too" service_is_the_users
check "members of the group look, and change nothing" watchers_look
check "a group that is none is refused" no_such_group
check "so is a user that is none" unknown_user_is_refused
check "and one who cannot read the configuration" unreadable_config_is_refused
check "without a user ontime all stays root's, and says so" auto_without_that_user
check "with one it is that user's" auto_with_that_user
check "unless that user cannot run it, which it says" auto_where_that_user_cannot
check "an instance that ran as root goes on so until it is stopped" roots_goes_on_until_it_is_stopped
check "a stranger's segment of its name is not touched" strangers_name_is_not_touched
check "nor does a stranger's directory make root act as him" strangers_place_is_none
verdict t_user

#!/bin/sh
# launch.sh - install what is missing, build, start an instance, say what to try.
# Its options, and what else --help says: run/options/launch.options.
# When stages of the instance run without a supervisor and a holder (both were killed, and no stand-by has started others), this starts new ones,
# which adopt them. When all was killed, what is left is removed, and it begins anew.
# shellcheck disable=SC2154 # the options
set -eu
here=$(dirname "$(realpath "$0")") # it may be called through a symbolic link
# shellcheck source=run/supervise/lib.sh
. "$here/supervise/lib.sh"
parse_options launch "$@"
foreground=$option_foreground
service=$option_service
case $option_config in # as it is named, for links on the way may lead elsewhere at the next reload
'') ;;
/*) config=$option_config ;;
*) config=$(pwd)/$option_config ;;
esac
[ -z "$option_instance" ] || quote "--instance=$option_instance"
eval "set -- $settings ${option_instance:+$quoted}"

if [ -e "$ontime/Makefile" ] && [ -z "${ONTIME_BUILD:-}" ]; then # not where it was installed, built
	"$here/deps.sh" build && "$here/build.sh" || exit
fi
check_config() { # from where the stages will run
	(cd "$ontime" && ONTIME_LOG=warning exec "$build/hold" --check -c "$config" "$@") || exit $(($? == 1 ? 1 : 2))
}

# One that runs already has resolved its host names, and opened its plugin: to adopt it, neither has to be there now.
instance=$("$build/hold" --name -c "$config" "$@" 2>/dev/null) || check_config "$@"
if [ -z "$service" ] && unit=$(unit_of "$instance"); then
	die 1 "instance '$instance' is running already, under systemd: systemctl stop $unit stops it, $(typed status) shows it"
fi
"$build/hold" --stages -i "$instance" >/dev/null 2>&1 || check_config "$@"
[ -n "$instance" ] || instance=$("$build/hold" --name -c "$config" "$@")
[ "$(id -u)" != 0 ] || launch_as_user "$@"
in=
[ "$instance" = default ] || in=" -i $instance"

stages() { # how many of them are in the state that matches $1
	"$build/hold" --stages -i "$instance" 2>/dev/null | grep -c "$1" || true
}

dir=$run_root/$instance
if [ -n "$service" ]; then
	dir=$("$build/hold" --run-dir "$dir") || exit 1 # no link of somebody else's
	run_root=${dir%/*}
	if [ "$(stat -c %u "$run_root")" = "$(id -u)" ]; then # as a process of its own: descriptor 9 may be one that the manager has kept
		(
			lock_instances
			! "$build/hold" --stages -i "$instance" >/dev/null 2>&1 || exit 0
			keep_log && remove_files # of an instance that is no more
			"$build/hold" --run-dir "$dir" >/dev/null
		) || exit 1
	fi
	export ONTIME_RUN_DIR="$run_root" ONTIME_DIR="$dir" ONTIME_BUILD="$build"
	umask 077
	cd "$ontime" && exec "$build/hold" --unit -i "$instance" -c "$config" "$@" -- "$build/supervise" "$@" </dev/null
fi
lock_instances
trap leave_no_directory EXIT
log=$dir/log
mode=
found=$("$build/hold" --stages --own -i "$instance" 2>&1) && status=0 || status=$?
[ "$status" != 2 ] || die 2 "${found#hold: }" # damaged, of another version or another user: not ours to end
if [ "$status" = 0 ]; then
	await_supervisor || true # a holder or a stand-by may be at work on one
	tries=20 # of 50 ms: on a busy machine one that was killed takes its time to go
	while supervisor=$("$build/hold" --supervisor -i "$instance"); do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] ||
			die 1 "instance '$instance' is running already (supervisor $supervisor): $(typed stop)$in stops it, $(typed status)$in shows it"
		sleep 0.05
	done
	mode=--adopt
	ends=
	if ! printf '%s\n' "$found" | grep -q ' 1$'; then
		ends=1
		say "instance '$instance' was not stopped cleanly, and its sockets are gone: it begins anew; $("$build/hold" --held -i "$instance") packets that its queues held are gone" >&2
	elif "$build/hold" --stopping -i "$instance"; then # a stop that was killed half-way is gone on with
		ends=1
	fi
	if [ "$ends" ]; then
		exec 9<&- # stop.sh takes the lock
		"$here/stop.sh" -i "$instance" >&2 || [ $? = 3 ] || exit 1 # 3: what its queues held is gone, as was said
		lock_instances
		mode=
	fi
fi
"$build/hold" --run-dir "$dir" >/dev/null || exit 1 # no link of somebody else's

if [ -n "$mode" ]; then # as it was launched, whatever is said now
	given="$config $*"
	was=$(launched_as)
	if [ -n "$was" ]; then
		{
			read -r config
			set --
			while read -r option; do
				set -- "$@" "$option"
			done
		} <<END
$was
END
		[ "$given" = "$config $*" ] || say "adopting '$instance' as it was launched: -c $config $*"
	fi
else
	keep_log
	remove_files # of an instance that is no more
	"$build/hold" --run-dir "$dir" >/dev/null || exit 1
fi

ONTIME_INSTANCE=$instance
ONTIME_CONFIG=$config
ONTIME_DIR=$dir
ONTIME_RUN_DIR=$run_root
ONTIME_BUILD=$build
ONTIME_LAUNCHED=$(printf '%s\n' "$config" "$@")
export ONTIME_RUN_DIR ONTIME_INSTANCE ONTIME_CONFIG ONTIME_DIR ONTIME_BUILD ONTIME_LAUNCHED
tail=
[ -z "$foreground" ] || trap 'exec 9<&-; "$here/stop.sh" -i "$instance" && ended=0 || ended=$?; kill $tail 2>/dev/null || true; exit "$ended"' INT TERM
umask 077
# From there, so that a relative plugin is found wherever this was called, and no other file system is kept busy.
# shellcheck disable=SC2086
cd "$ontime" && ONTIME_LOG_FILE=$log exec setsid "$build/hold" --keep $mode ${mode:+-i "$instance"} -c "$config" "$@" -- "$here/supervisor.sh" "$@" >>"$log" 2>&1 </dev/null 9<&- &
holder=$!

tries=0 # of 50 ms, without those in which a stage was starting: a slow start is none that failed
left=1400
until all_run ready && "$build/hold" --supervisor -i "$instance" >/dev/null 2>&1; do
	left=$((left - 1))
	[ "$(stages ' starting .* 1$')" != 0 ] && [ "$left" -gt 0 ] || tries=$((tries + 1))
	refused=
	[ -n "$mode" ] || ! grep -q 'refused its configuration' "$log" || refused=2
	if [ -n "$refused" ] || [ "$tries" -gt 100 ] || ! kill -0 "$holder" 2>/dev/null; then
		status=${refused:-1}
		kill -0 "$holder" 2>/dev/null || wait "$holder" || status=$?
		[ "$status" = 2 ] || status=1
		[ -n "$mode" ] || ! grep -qs 'is there already: it runs' "$log" ||
			die 1 "instance '$instance' was begun by somebody else in the same moment, who has it: $(typed status) shows it"
		tail -n 5 "$log" >&2 || true
		exec 9<&- # stop.sh takes the lock
		[ -n "$mode" ] || "$here/stop.sh" -i "$instance" >/dev/null || true
		die "$status" "instance '$instance' did not start"
	fi
	sleep 0.05
done
exec 9<&-

attach_histograms() { # says so, or in one line why not
	if [ "${ONTIME_HISTOGRAMS:-on}" = root ]; then
		return 0 # root, who has started this as another user, attaches them
	elif [ "${ONTIME_HISTOGRAMS:-on}" = off ]; then
		say "without latency histograms, as ONTIME_HISTOGRAMS says: $(typed latency) attaches them"
	elif [ -x "$build/latency" ]; then
		[ "$(id -u)" != 0 ] || mount_bpffs
		latency info -i "$instance" 2>&1 || true
	else
		say "without latency histograms: as root, apt-get install libbpf-dev, then make and $(typed latency)"
	fi
}

names_may_vanish() { # a user's IPC objects are removed at logout, unless that is told off
	case $(id -u):$dir in
	0:*) return 0 ;;
	*:/run/user/*) ;;
	*) ! grep -qs '^[[:blank:]]*RemoveIPC=no' /etc/systemd/logind.conf /etc/systemd/logind.conf.d/*.conf || return 0 ;;
	esac
	[ -d /run/systemd/system ] && [ ! -e "/var/lib/systemd/linger/$(id -un)" ] || return 0
	say "at your last logout the system removes the names of this instance; it runs on, and is found again, but" \
		"loginctl enable-linger $(id -un) keeps them"
}

histograms=$(attach_histograms)
scheduling=$([ -n "$mode" ] || sed -n 's/^[^ ]* [a-z0-9. ]*: \(no real time: .*\)/ontime: \1/p' "$log" | head -n 1)
say "instance '$instance' is running${mode:+ (adopted)}"
[ "$(id -u)" != 0 ] || say "all of it runs as root${ONTIME_AS_ROOT:+: $ONTIME_AS_ROOT}: the next start changes that, where \`user\` in [pipeline] names a user who can run it"
[ -z "${ONTIME_AS_USER:-}" ] || say "all of it runs as user $(id -un)"
names_may_vanish
in_force=$dir/active.conf # where host names stand for what they became
[ -s "$in_force" ] || in_force=$config
classes=$("$build/hold" --classes -c "$in_force" "$@" || true)
one_way="one way: answers do not come back, and the receiver sees ontime as the sender"
case $classes in
*"<->"*) one_way="<-> both ways: a reply goes back to the sender that caused it" ;;
esac
with_overrides=$("$build/check" --print -i "$instance" 2>/dev/null || true) # what it runs with: the file, and what this command was told
! printf '%s\n' "$with_overrides" | grep -q '^source = proxy' || one_way="$one_way; with source = proxy a header names the true one"
! printf '%s\n' "$with_overrides" | grep -Eq '^source = (address|transparent)' || one_way="$one_way; with source = address or transparent it sees the true one"
served=$(printf '%s\n' "$with_overrides" | awk '/^\[/ {section = $1} section == "[dash]" && $1 == "listen" {print $3}') # the supervisor has started it
dash="$(typed dash)$in                 http://127.0.0.1:9999/: the same in a browser, over time"
[ -z "$served" ] || dash="http://$served/                    the same in a browser, over time; the supervisor has it served"
{
	printf '%s\n' "$classes" "  $one_way" ${histograms:+"$histograms"} ${scheduling:+"$scheduling"}
	# an address or a route that may come, and what a host name became
	[ -n "$mode" ] || sed -n 's/^[^ ]* [a-z0-9. ]*dash: \(serve on .*\)/ontime: dash: \1/p; s/^[^ ]* [a-z0-9. ]*hold: \(.* yet: .*\)/ontime: \1/p; s/^[^ ]* [a-z0-9. ]*hold: \([^ ]*\]: .* -> .*\)/ontime: \1/p' "$log"
	printf '%s\n' "$classes" | awk 'function at(a, port) {
			port = a
			sub(/.*:/, "", port)
			sub(/:[0-9]*$/, "", a)
			gsub(/[][]/, "", a)
			return a " " port
		}
		/->/ && !n++ {for (i = 2; $i !~ /->$/; i++); print "try:  nc -d -u -l " at($(i + 1)) " &  echo hello | nc -u -w1 " at($2)}'
	[ -n "$installed" ] || [ "$(pwd -P)" = "$(realpath "$ontime")" ] || printf '  in %s:\n' "$ontime"
	cat <<END
      $(typed stat)$in                 live: what came, went, was late or dropped, and why (--once: a table)
      $dash
      $(typed status)$in              what runs, since when, how often restarted
      $(typed restart) egress$in      restart one stage; nothing is lost
      $(typed stop)$in                drain and stop        log: $log
END
} 2>/dev/null || true # it runs, whether or not anybody reads this
[ -n "$foreground" ] || exit 0
while [ -n "$holder" ]; do # another may have taken its place
	tail -n 0 -f --pid="$holder" "$log" &
	tail=$!
	wait "$tail" || true
	tries=60 # of 50 ms: a stand-by may start another
	while holder=$("$build/hold" --holder -i "$instance" 2>/dev/null || true) && [ -z "$holder" ] && [ "$tries" -gt 0 ] &&
		{ [ "$(stages ' 1$')" != 0 ] || "$build/hold" --standbys -i "$instance" >/dev/null 2>&1; }; do
		tries=$((tries - 1))
		sleep 0.05
	done
done
lock_instances # stop.sh, from elsewhere, may be at work
[ "$("$build/hold" --stages -i "$instance" 2>/dev/null | grep -c ' 1$')" = 0 ] ||
	die 1 "supervisor and holder were killed; the stages run on: $(typed launch) starts another"

#!/bin/sh
# each.sh - restart or stop each instance that runs from these programs, whoever launched it; what a package does when it is upgraded or removed.
#
# usage: run/each.sh restart|stop [dash]
#
#   dash    the dashboards instead, but those that were started by hand, which a line names
#
# Root acts as the user whose instance it is, and stops one that a unit has by systemctl. Instances of another build, or in a container with
# files of its own, are left alone.
# Exit status: 0 done, or nothing runs; 1 one could not be restarted or stopped, which its own line says; 2 usage; 3 one runs with
# another layout of the shared memory, and takes a stop and a start.
set -eu
here=$(dirname "$(realpath "$0")") # it may be called through a symbolic link
# shellcheck source=run/supervise/lib.sh
. "$here/supervise/lib.sh"

case ${1:-} in
-h | --help)
	sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' "$0"
	exit 0
	;;
restart | stop) verb=$1 ;;
*) die 2 "do what with each instance? usage: $(typed each) restart|stop" ;;
esac

# PID PROGRAM: it runs that of this build, maybe an older file of it; not one in a container, which has another in its place. The path
# of one that was started in a chroot begins with the path of that.
runs() {
	case $(readlink "/proc/$1/exe" 2>/dev/null) in *"$build/$2" | *"$build/$2 (deleted)") ;; *) return 1 ;; esac
	[ "$(stat -L -c %d:%i "/proc/$1/root$build/hold" 2>/dev/null)" = "$(stat -L -c %d:%i "$build/hold")" ]
}

pids_of() { # PROGRAM
	for process in /proc/[0-9]*; do
		! runs "${process#/proc/}" "$1" || echo "${process#/proc/}"
	done
}

variable_of() { # PID NAME: of its environment
	tr '\0' '\n' 2>/dev/null <"/proc/$1/environ" | sed -n "s/^$2=//p" | head -n 1
}

status_of() { # PID FIELD: its first number, or the second, if it has more: the effective ID
	sed -n "s/^$2:[[:blank:]]*\([0-9]*[[:blank:]]\)\{0,1\}\([0-9]*\).*/\2/p" "/proc/$1/status" 2>/dev/null
}

unit_of_process() { # PID: the service of the system that it belongs to; systemd would start again what somebody else stops
	sed -n 's|^0::/system\.slice/\(.*/\)\{0,1\}\(ontime[^/]*\.service\).*|\2|p' "/proc/$1/cgroup" 2>/dev/null
}

by_user() { # USER GROUP COMMAND...
	owner=$1 group=$2
	shift 2
	if [ "$owner" = "$(id -u)" ]; then
		"$@" </dev/null
	elif [ "$(id -u)" = 0 ]; then
		# no terminal of root's, and no wait without end: what runs as the user is the user's to stop
		setsid -w timeout -k 5 300 setpriv --reuid "$owner" --regid "$group" --clear-groups "$@" </dev/null
	fi
}

act() { # USER GROUP UNIT RUN-DIRECTORY
	export ONTIME_RUN_DIR="${4%/*}"
	name=${4##*/}
	case $verb:$3 in
	restart:-) by_user "$1" "$2" "$here/restart.sh" all -i "$name" ;;
	stop:-)
		if [ "$(id -u)" != 0 ] || ! is_place_of "$1"; then
			by_user "$1" "$2" "$here/stop.sh" -i "$name"
			return
		fi
		# root has launched it, and removes what it made for that, by names of its own
		# shellcheck disable=SC2086 # several
		as_user "$1" "$(handed $of_stages $of_histograms)" timeout -k 5 300 "$here/stop.sh" -i "$name" || return
		unset ONTIME_RUN_DIR
		remove_places "$1"
		rmdir "$pins/$name" "$pins" 2>/dev/null || true
		;;
	restart:*) "$here/restart.sh" all -i "$name" ;;
	stop:*)
		systemctl stop "$3" || return 1
		[ ! -e "$pins/$name" ] || by_user "$(stat -c %u "$pins/$name")" "$(stat -c %g "$pins/$name")" "$build/latency" --detach -i "$name"
		;;
	esac
}

instances() { # the arguments of act() for each, a line each
	for pid in $(pids_of hold) $(pids_of supervise); do
		directory=$(variable_of "$pid" ONTIME_DIR)
		unit=$(unit_of_process "$pid")
		[ -z "$directory" ] || echo "$(status_of "$pid" Uid) $(status_of "$pid" Gid) ${unit:--} $directory"
	done | sort -u
}

act_on_dash() { # PID
	unit=$(unit_of_process "$1")
	if [ "$unit" ] && [ "$unit" != "$(unit_of_process "$(status_of "$1" PPid)")" ]; then
		systemctl "$verb" "$unit"
	elif runs "$(status_of "$1" PPid)" supervise; then
		kill "$1" # the supervisor starts another, of the file that is there then
	else
		say "the dashboard $1 (user $(stat -c %U "/proc/$1")) was started by hand, and runs on as it is: kill $1 ends it"
	fi
}

status=0
if [ "${2:-}" = dash ]; then
	for pid in $(pids_of dash); do
		act_on_dash "$pid" || status=1
	done
	exit "$status"
fi
found=$(instances)
while read -r user group unit directory; do
	[ -z "$directory" ] || act "$user" "$group" "$unit" "$directory" || case $? in
	3) [ "$verb" = stop ] || [ "$status" != 0 ] || status=3 ;; # of a stop: what it says is lost
	*) status=1 ;;
	esac
done <<END
$found
END
exit "$status"

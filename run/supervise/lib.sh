# shellcheck shell=sh disable=SC2034,SC2154
# lib.sh - what the scripts share: where things are, and how to speak. Sourced, with $here set.

# A stream that is closed must not be given to something else, and not end a script. A dash does not mind `<&0` of a closed one.
if [ -e /proc/self/fd ]; then
	[ -e /proc/self/fd/0 ] || exec </dev/null
	[ -e /proc/self/fd/1 ] || exec >/dev/null
	[ -e /proc/self/fd/2 ] || exec 2>/dev/null
fi

# shellcheck source=run/options/parse.sh
. "$here/options/parse.sh"

ontime=$(cd "$here/.." && pwd)
build=$ontime/build
config=/etc/ontime/ontime.conf # unless -c names another: as common/config/lookup.c has it
[ -e "$config" ] || config=$ontime/run/ontime.conf
recipes=$ontime/run/recipes
installed=
if [ -r "$here/supervise/paths.sh" ]; then
	# shellcheck source=/dev/null
	. "$here/supervise/paths.sh" # written by make install: build, config and installed as they are there
fi
build=${ONTIME_BUILD:-$build}
case $build in /*) ;; *) build=$ontime/$build ;; esac

# shellcheck source=run/supervise/user.sh
. "$here/supervise/user.sh"
if [ "$(id -u)" = 0 ]; then
	run_root=${ONTIME_RUN_DIR:-/run/ontime}
elif is_place_of "$(id -u)"; then # root launches as this user
	run_root=${ONTIME_RUN_DIR:-$launched_root$(id -u)}
else
	run_root=${ONTIME_RUN_DIR:-${XDG_RUNTIME_DIR:-/tmp}/ontime-$(id -u)}
fi
case $run_root in /*) ;; *) run_root=$(pwd)/$run_root ;; esac

units_root=/run/ontime-units # what units have, as ontime@.service and run/dash/ready.c have it; only root can put something there
pins=/sys/fs/bpf/ontime # of the latency histograms, one directory per instance

say() { # a stream that is full, or closed, must not end who speaks
	printf 'ontime: %s\n' "$*" 2>/dev/null || true
}

die() { # STATUS MESSAGE
	status=$1
	shift
	printf 'ontime: %s\n' "$*" >&2 2>/dev/null || true
	exit "$status"
}

typed() { # NAME: what one types for it: run/NAME.sh or build/NAME in the tree, ontime COMMAND once installed
	if [ "$installed" ]; then
		sed -n "s/^command \([^ ]*\) $1 .*/ontime \1/p" "$here/options/ontime.options"
	elif [ -e "$here/$1.sh" ]; then
		echo "run/$1.sh"
	elif [ "$1" = ontime ]; then
		echo run/ontime
	else
		echo "build/$1"
	fi
}

show_help() { # of $program
	"$here/options/generate.sh" help "$table"
}

show_version() {
	sed -n 's/^#define ONTIME_VERSION "\(.*\)"/ontime \1/p' "$here/../common/version.h" 2>/dev/null | grep . || "$build/hold" --version
}

unit_of() { # INSTANCE: the unit of systemd that its supervisor is in, or 1; no user can put a process in there
	if ! keeper=$("$build/hold" --supervisor -i "$1" 2>/dev/null); then # one that tries to start has none, nor has one of another build
		keeper=
		[ "$(id -u)" = 0 ] && [ -d /run/systemd/system ] || return 1
		case $(systemctl show -p ActiveState --value "ontime@$1.service" 2>/dev/null) in
		active | activating | reloading | deactivating) echo "ontime@$1.service" ;;
		*) return 1 ;;
		esac
		return
	fi
	sed -n 's/^\(0:\|[0-9]*:name=systemd\)://p' "/proc/$keeper/cgroup" 2>/dev/null | grep -v '^/user\.slice/' |
		sed -n 's|.*/\(ontime@[^/]*\.service\)$|\1|p' | head -n 1 | grep .
}

find_directory() { # of $instance, into $dir: where its supervisor has it, if that can be seen; else a unit's, or this user's
	dir=
	if keeper=$("$build/hold" --supervisor -i "$instance" 2>/dev/null) && [ -r "/proc/$keeper/environ" ]; then
		dir=$(tr '\0' '\n' 2>/dev/null <"/proc/$keeper/environ" | sed -n 's/^ONTIME_DIR=//p' | head -n 1)
	fi
	[ -z "$dir" ] || return 0
	dir=$run_root/$instance
	[ "$(id -u)" != 0 ] || ! launched=$(user_of "$instance") || dir=${ONTIME_RUN_DIR:-$launched_root$launched}/$instance
	[ -e "$dir" ] || [ ! -d "$units_root/$instance" ] || dir=$units_root/$instance
}

as_launched() { # COMMAND...: as the user as whom root has launched the instance, if it is root who asks
	if [ "$(id -u)" = 0 ] && launched=$(user_of "$instance"); then
		# shellcheck disable=SC2086 # several
		as_user "$launched" "$(handed $of_stages)" "$@"
	else
		"$@"
	fi
}

# COMMAND...: root acts as the user of the unit, on an instance that a unit runs, and waits for a supervisor that is being replaced; and as the
# user as whom it has launched an instance.
as_owner() {
	owner='' tries=60 # of 50 ms
	while [ -z "$owner" ] && [ "$(id -u)" = 0 ] && unit_of "$instance" >/dev/null; do
		[ -z "$keeper" ] || owner=$(stat -c '%u %g' "/proc/$keeper" 2>/dev/null) || owner=
		tries=$((tries - 1))
		[ -n "$owner" ] || [ "$tries" -gt 0 ] ||
			die 1 "instance '$instance' is a unit's, and has no supervisor now whose user root could act as: nothing was done; systemctl status $(unit_of "$instance")"
		[ -n "$owner" ] || sleep 0.05
	done
	if [ -n "$owner" ]; then
		bind=-all,+net_bind_service # the stages have it, and without it nobody may look into them
		set -- setsid -w setpriv --reuid "${owner% *}" --regid "${owner#* }" --clear-groups --inh-caps=$bind --ambient-caps=$bind "$@"
		"$@" </dev/null
	else
		as_launched "$@"
	fi
}

version_of() { # PID: of what it runs. It is read and not asked: the file may be another user's
	LC_ALL=C grep -aom1 'ONTIME_VERSION=[0-9A-Za-z.+~-]*' "/proc/$1/exe" 2>/dev/null | sed -n '1s/^[^=]*=//p' | grep . || echo "?"
}

is_as_installed() { # PROGRAM PID: or it cannot be seen from here
	[ ! -r "/proc/$2/exe" ] || cmp -s "/proc/$2/exe" "$build/$1"
}

all_run() { # [STATE]: all three stages of $instance, of each shard that it has; in that state
	running=$("$build/hold" --stages -i "$instance" 2>/dev/null) && ! printf '%s\n' "$running" | grep -qv "${1:+ $1 .*} 1\$"
}

processes_of() { # INSTANCE: a line each: what it is called, its program, its pid
	"$build/hold" --stages -i "$1" 2>/dev/null | sed -n 's/^\([a-z]*\)\([.0-9]*\) \([1-9][0-9]*\) .* 1$/\1\2 \1 \3/p'
	! pid=$("$build/hold" --supervisor -i "$1" 2>/dev/null) || [ "$pid" = - ] || echo "supervisor supervise $pid"
	! pid=$("$build/hold" --holder -i "$1" 2>/dev/null) || [ "$pid" = - ] || echo "holder hold $pid"
}

others_of() { # INSTANCE: those of another build than the installed one
	processes_of "$1" | while read -r name program pid; do
		is_as_installed "$program" "$pid" || echo "$name"
	done
}

pid_in() { # FILE: the pid in it, or nothing; to show, never to act on
	[ ! -s "$1" ] || cat "$1"
}

lock_instances() { # one launch or stop at a time; descriptor 9 holds the lock. Close it for what stays: 9<&-
	[ -e /proc/self/fd ] || die 1 "/proc is not mounted, and nothing can be found without it: mount -t proc proc /proc"
	while :; do
		run_root=$("$build/hold" --lock-file "$run_root") || exit 1 # nobody else can lock, or link, what is in there
		command exec 9<"$run_root/.lock" || continue                # removed between the two
		flock -w 60 9 || die 1 "another launch or stop has been at work for a minute: try again"
		[ "$(stat -L -c %d:%i /proc/self/fd/9)" != "$(stat -c %d:%i "$run_root/.lock" 2>&1)" ] || return 0
	done
}

ask() { # REQUEST: of the supervisor of $instance; prints the answer
	answered=0
	find_directory
	await_supervisor || true # who asks meanwhile is answered by the next one
	as_owner "$build/hold" --ask "$1" --where "$dir" -i "$instance" || answered=$?
	[ "$answered" != 4 ] || answered=1
	return "$answered"
}

await_supervisor() { # 1: there is none, nor a holder or a stand-by that starts one just now; a holder that is frozen goes on
	tries=60 # of 50 ms: the longest pause before a start is a second, and so long the last stand-by waits
	until "$build/hold" --supervisor -i "$instance" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		as_launched "$build/hold" --signal holder CONT -i "$instance" >/dev/null 2>&1 || as_launched "$build/hold" --standbys -i "$instance" >/dev/null 2>&1 || return 1
		sleep 0.05
	done
}

keep_log() { # of a run that is over: INSTANCE.log has it behind those before it, 4 MB at most, and what was rotated lies beside it
	kept=$run_root/$instance.log
	[ ! -L "$dir" ] || return 0
	for file in "$dir"/log.*; do
		[ ! -f "$file" ] || mv -fT "$file" "$kept${file#"$dir/log"}" 2>/dev/null || true
	done
	[ -f "$dir/log" ] && [ ! -L "$dir/log" ] || return 0
	if [ ! -f "$kept" ] || [ -L "$kept" ]; then
		mv -fT "$dir/log" "$kept" 2>/dev/null || true
	elif cat "$dir/log" 2>/dev/null >>"$kept"; then
		(umask 077 && [ "$(stat -c %s "$kept")" -gt 4000000 ] && tail -c 4000000 "$kept" >"$kept.new" && mv -fT "$kept.new" "$kept") 2>/dev/null || rm -f "$kept.new"
	elif mv -fT "$dir/log" "$kept.unkept" 2>/dev/null; then # what was there before is worth more than the room
		say "$kept: no room for the log of this run behind those before it: it is in $kept.unkept"
	fi
}

leave_no_directory() { # of a launch that was refused, while it holds the lock
	[ -e /proc/self/fd/9 ] && [ "$(ls -A "$run_root")" = .lock ] && rm -f "$run_root/.lock" && rmdir "$run_root" 2>/dev/null || true
}

mount_bpffs() { # where root can, and nobody has
	grep -q ' /sys/fs/bpf bpf ' /proc/mounts || ! mount -t bpf -o mode=700 bpf /sys/fs/bpf 2>/dev/null ||
		say "mounted the bpffs at /sys/fs/bpf, for the latency histograms"
}

latency() { # LEVEL ARGS: by sudo, as packages are installed, where it asks for no password; it becomes this user, with two capabilities
	level=$1
	shift
	if [ "$(id -u)" != 0 ] && sudo -n true 2>/dev/null; then
		sudo -n env ONTIME_LOG="$level" "$build/latency" "$@"
	else
		ONTIME_LOG=$level "$build/latency" "$@"
	fi
}

begin_trial() { # CLEAN-UP: a directory $work; and however the script ends, CLEAN-UP is called, which calls end_trial
	work=$(mktemp -d)
	launched='' load=
	# shellcheck disable=SC2064 # the name as it is now
	trap "$1" EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}

end_trial() { # the process $load, if there is one, the instance $instance if $launched, and $work
	if [ -n "$load" ]; then
		kill "$load" 2>/dev/null || true
		wait "$load" || true
	fi
	[ -z "$launched" ] || "$here/stop.sh" -i "$instance" >/dev/null 2>&1 || true
	rm -rf "$work"
}

remove_files() { # of the instance, but no directory that is not our own, and nothing in it that we do not put there
	[ "$(stat -c '%u %F' "$dir" 2>/dev/null)" = "$(id -u) directory" ] || return 0
	rm -f "$dir/log"
	for file in supervisor.pid active.conf launched control drain; do
		rm -f "$dir/$file" "$dir/$file.new"
	done
	rmdir "$dir" 2>/dev/null || true
}

only_instance() { # where neither -i nor -c was given: the one that runs, if one does
	[ -z "$option_instance$option_config" ] || return 0
	option_instance=$("$build/hold" --instances) || option_instance=
	case $option_instance in *"
"*) die 2 "several instances run, say which with -i: $(echo "$option_instance" | paste -s -d ' ')" ;; esac
}

launched_as() { # what the instance was launched with, a word a line: from the run directory, or from a stage
	if [ -s "$dir/launched" ]; then
		cat "$dir/launched"
		return
	fi
	pid=$(printf '%s\n' "$found" | sed -n 's/^[a-z.0-9]* \([1-9][0-9]*\) .* 1$/\1/p' | head -n 1)
	[ -n "$pid" ] || return 0
	tr '\0' '\n' <"/proc/$pid/environ" | sed -n 's/^ONTIME_CONFIG_NAME=//p'
	tr '\0' '\n' <"/proc/$pid/cmdline" | sed '1,3d' # the binary, -c, the descriptor
}

mark_drained() { # load balancers are told at once to go elsewhere (run/dash/ready.h)
	# shellcheck disable=SC2016 # of the shell that the owner has
	as_owner sh -c 'exec 2>/dev/null; umask 077 && [ "$(stat -c "%u %F" "$1" 2>/dev/null)" = "$(id -u) directory" ] && : >"$1/drain"' sh "$dir"
}

instance_of() { # the instance that the options -i and -c mean; reads the file leniently: it may be broken by now
	instance=$option_instance
	file=${option_config:-$config}
	if [ -z "$instance" ]; then
		{ [ -r "$file" ] && [ ! -d "$file" ]; } || die 2 "$file: cannot be read; name the instance with -i"
		instance=$(sed -n 's/^[[:blank:]]*instance[[:blank:]]*[=:][[:blank:]]*\([a-z0-9_-]*\).*/\1/p' "$file" | tail -n 1)
	fi
	"$build/hold" --name -i "${instance:-default}" # says what is wrong with a name: it becomes part of paths
}

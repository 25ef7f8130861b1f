# shellcheck shell=sh disable=SC2034,SC2154
# lib.sh - what the scripts share: where things are, and how to speak. Sourced, with $here set.

# A stream that is closed must not be given to something else, and not end a script.
# shellcheck disable=SC2217
{ : <&0; } 2>/dev/null || exec </dev/null
{ : >&1; } 2>/dev/null || exec >/dev/null
{ : >&2; } 2>/dev/null || exec 2>/dev/null

ontime=$(cd "$here/.." && pwd)
build=$ontime/build
config=$ontime/run/ontime.conf
installed=
if [ -r "$here/supervise/paths.sh" ]; then
	# shellcheck source=/dev/null
	. "$here/supervise/paths.sh" # written by make install: build, config and installed as they are there
fi
build=${ONTIME_BUILD:-$build}
case $build in /*) ;; *) build=$ontime/$build ;; esac

if [ "$(id -u)" = 0 ]; then
	run_root=${ONTIME_RUN_DIR:-/run/ontime}
else
	run_root=${ONTIME_RUN_DIR:-${XDG_RUNTIME_DIR:-/tmp}/ontime-$(id -u)}
fi
case $run_root in /*) ;; *) run_root=$(pwd)/$run_root ;; esac

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

typed() { # NAME: what one types for it: run/NAME.sh or build/NAME in the tree, ontime-NAME once installed
	if [ "$installed" ]; then
		echo "ontime-$1"
	elif [ -e "$here/$1.sh" ]; then
		echo "run/$1.sh"
	else
		echo "build/$1"
	fi
}

show_help() { # of the script that sources this: its first comment, with the names that one types here
	sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' "$0" | if [ "$installed" ]; then
		sed "s|run/\([a-z]*\)\.sh|ontime-\1|g; s|build/\([a-z]\)|ontime-\1|g; s|run/ontime\.conf|$config|g"
	else
		cat
	fi
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

await_supervisor() { # 1: there is none, nor a holder that starts one just now; one that is frozen goes on
	tries=30 # of 50 ms: the longest pause before a start is a second
	until "$build/hold" --supervisor -i "$instance" >/dev/null 2>&1; do
		tries=$((tries - 1))
		{ [ "$tries" -gt 0 ] && "$build/hold" --signal holder CONT -i "$instance" >/dev/null 2>&1; } || return 1
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
	if [ -f "$kept" ] && cat "$kept" "$dir/log" 2>/dev/null | tail -c 4000000 2>/dev/null >"$kept.new"; then
		mv -fT "$kept.new" "$kept" 2>/dev/null || true
	else # nothing to put it behind, or no room
		rm -f "$kept.new"
		mv -fT "$dir/log" "$kept" 2>/dev/null || true
	fi
}

leave_no_directory() { # of a launch that was refused, while it holds the lock
	[ -e /proc/self/fd/9 ] && [ "$(ls -A "$run_root")" = .lock ] && rm -f "$run_root/.lock" && rmdir "$run_root" 2>/dev/null || true
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

remove_files() { # of the instance, but no directory that is not our own, and nothing in it that we do not put there
	[ "$(stat -c '%u %F' "$dir" 2>/dev/null)" = "$(id -u) directory" ] || return 0
	rm -f "$dir/log"
	for file in supervisor.pid active.conf launched stages; do
		rm -f "$dir/$file" "$dir/$file.new"
	done
	rmdir "$dir" 2>/dev/null || true
}

instance_of() { # ARGS: the instance that -i, -c or --instance name; reads the file leniently: it may be broken by now
	instance=
	file=$config
	while [ $# -gt 0 ]; do
		case $1 in
		-[ic])
			[ -n "${2:-}" ] || die 2 "$1: what? See --help"
			[ "$1" = -c ] || instance=$2
			[ "$1" = -i ] || file=$2
			shift
			;;
		--instance=*) instance=${1#*=} ;;
		*) die 2 "$1: unknown option; see --help" ;;
		esac
		shift
	done
	if [ -z "$instance" ]; then
		{ [ -r "$file" ] && [ ! -d "$file" ]; } || die 2 "$file: cannot be read; name the instance with -i"
		instance=$(sed -n 's/^[[:blank:]]*instance[[:blank:]]*[=:][[:blank:]]*\([a-z0-9_-]*\).*/\1/p' "$file" | tail -n 1)
	fi
	"$build/hold" --name -i "${instance:-default}" # says what is wrong with a name: it becomes part of paths
}

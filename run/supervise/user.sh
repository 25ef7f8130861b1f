# shellcheck shell=sh disable=SC2034,SC2154
# user.sh - root launches an instance as another user, and acts as that user from then on. Sourced by lib.sh.
#
# Such an instance is the user's, run directory and all, so what that user writes into it can do no more to root than the user could.
# Strangers' instances are not touched: as whom root has launched shows in /run, where only root can put a directory ontime-UID that is UID's.

launched_root=/run/ontime- # and the number of the user

owners_of() { # INSTANCE: the numbers of those who have a segment of its name, whatever its layout
	for segment in "/dev/shm/ontime.$1.v"[0-9]*; do
		stat -c '%u %F' "$segment" 2>/dev/null | sed -n 's/ regular file$//p'
	done
}

is_place_of() { # UID: has root launched as that user?
	[ "$(stat -c '%u %F' "$launched_root$1" 2>/dev/null)" = "$1 directory" ]
}

user_of() { # INSTANCE: the number of the user as whom root has launched it; 1: it is root's own, or nobody's
	owners=$(owners_of "$1")
	! printf '%s\n' "$owners" | grep -qx 0 || return 1
	for place in "$launched_root"[0-9]*; do
		uid=${place#"$launched_root"}
		is_place_of "$uid" || continue
		if printf '%s\n' "$owners" | grep -qx "$uid" || [ "$(stat -c '%u %F' "${ONTIME_RUN_DIR:-$place}/$1" 2>/dev/null)" = "$uid directory" ]; then
			echo "$uid"
			return 0
		fi
	done
	return 1
}

group_of() { # UID
	{ getent passwd "$1" | cut -d: -f4 | grep .; } || stat -c %g "$launched_root$1"
}

has_capability() { # NUMBER: of capabilities(7)
	[ $((0x$(sed -n 's/^CapPrm:[[:blank:]]*//p' /proc/self/status) >> $1 & 1)) = 1 ]
}

handed() { # NUMBER...: those that this process has, as setpriv(1) wants them
	list=-all
	for number; do
		! has_capability "$number" || list=$list,+cap_$number
	done
	echo "$list"
}

# CAP_NET_BIND_SERVICE, CAP_IPC_LOCK, CAP_SYS_NICE: a stage may have one of them, and who has not may not look into it
of_stages="10 14 23"
of_histograms="38 39 21" # CAP_PERFMON, CAP_BPF, and before Linux 6.6 CAP_SYS_ADMIN

become() { # UID CAPABILITIES [-t] COMMAND...: instead of this shell; -t: with the terminal that it has
	uid=$1 capabilities=$2
	shift 2
	group=$(group_of "$uid")
	if account=$(getent passwd "$uid"); then
		groups=--groups=$(id -G "${account%%:*}" | tr ' ' ,)${observers_group:+,$observers_group}
	else
		groups=--clear-groups
	fi
	bounding=
	! has_capability 8 || bounding=--bounding-set=$capabilities # CAP_SETPCAP
	own_session='setsid -w' # else the user could type into root's terminal
	[ "$1" != -t ] || { own_session='' && shift; }
	unset XDG_RUNTIME_DIR
	export ONTIME_RUN_DIR="${ONTIME_RUN_DIR:-$launched_root$uid}" ONTIME_BUILD="$build" ONTIME_AS_USER=1
	# shellcheck disable=SC2086 # words
	exec $own_session setpriv --reuid "$uid" --regid "$group" "$groups" --inh-caps="$capabilities" --ambient-caps="$capabilities" $bounding "$@"
}

as_user() { # UID CAPABILITIES COMMAND...
	(become "$@" </dev/null)
}

## A launch

make_places() { # UID: where that user can write, in the directories of root
	for place in "$launched_root$1" "${ONTIME_RUN_DIR:-$launched_root$1}"; do
		! mkdir -m 755 "$place" 2>/dev/null || chown -h "$1:$(group_of "$1")" "$place" || return 1
	done
}

remove_places() { # UID: unless something is left there, or runs
	[ -z "$(find /dev/shm -maxdepth 1 -name 'ontime.*' -uid "$1" 2>/dev/null)" ] || return 0
	for place in "${ONTIME_RUN_DIR:-$launched_root$1}" "$launched_root$1"; do
		[ "$(stat -c '%u %F' "$place" 2>/dev/null)" != "$1 directory" ] || rmdir "$place" 2>/dev/null || true
	done
}

raise_limits() { # for real time and locked memory; prints the capabilities that are needed where a limit cannot be raised
	prlimit --pid $$ --rtprio=12:12 2>/dev/null && prlimit --pid $$ --nice=25:25 2>/dev/null || echo 23
	prlimit --pid $$ --memlock=unlimited:unlimited 2>/dev/null || echo 14
	[ "$(ulimit -Hn)" = unlimited ] || [ "$(ulimit -Hn)" -ge 65536 ] || prlimit --pid $$ --nofile=:65536 2>/dev/null || true # a session takes one
}

can_run() { # UID SETTINGS...: says why not
	uid=$1
	shift
	make_places "$uid" || return 1
	# shellcheck disable=SC2016 # of the user's shell
	as_user "$uid" "$(handed 10 12 13)" sh -c 'cd "$1" && [ -x "$2" ] && [ -r "$3/launch.sh" ] || { echo "it cannot read the programs in $1" && exit 1; }
		[ -w "$5" ] || { echo "it cannot write to the run directory $5" && exit 1; }
		hold=$2 file=$4 && shift 5 && ONTIME_LOG=warning exec "$hold" --check -c "$file" "$@"' sh \
		"$ontime" "$build/hold" "$here" "$config" "${ONTIME_RUN_DIR:-$launched_root$uid}" "$@" 2>&1
}

choose_user() { # NAME SETTINGS...: into $uid; "": root, and in $because why
	name=$1 because=
	shift
	case $name in
	auto) uid=$(id -u ontime 2>/dev/null) || because="there is no user ontime: useradd --system --user-group --no-create-home ontime makes one" ;;
	*) uid=$(id -u "$name" 2>/dev/null) || die 2 "user = $name: there is no such user: useradd --system --user-group --no-create-home $name makes one" ;;
	esac
	if [ "$uid" = 0 ]; then
		uid='' because="as \`user = $name\` in [pipeline] says"
	elif [ -n "$uid" ] && ! said=$(can_run "$uid" "$@"); then
		remove_places "$uid"
		said=$(printf '%s\n' "$said" | sed 's/^hold: //; q')
		[ "$name" = auto ] || die 2 "user = $name: $said"
		uid='' because="user ontime cannot run it: $said"
	fi
}

attach_as_root() { # the histograms, which the user may not; a directory in the bpffs becomes the user's
	[ "$histograms" != off ] && [ -x "$build/latency" ] || return 0
	mount_bpffs
	chmod o+x /sys/fs/bpf 2>/dev/null || true
	mkdir -m 755 "$pins" 2>/dev/null || true
	[ "$(stat -c '%u %F' "$pins" 2>/dev/null)" != "0 directory" ] ||
		! mkdir -m 700 "$pins/$instance" 2>/dev/null || chown -h "$uid:$(group_of "$uid")" "$pins/$instance" || true
	latency info -i "$instance" 2>&1 || true
}

launch_as_user() { # SETTINGS...: root's launch, as the user that the configuration names; returns where all is to stay root's
	answer=$("$build/hold" --user -c "$config" "$@" 2>/dev/null) || answer="auto none low"
	observers=${answer#* } ports=${answer##* }
	observers=${observers% *}
	was=$(user_of "$instance") || was=
	if "$build/hold" --stages -i "$instance" 2>/dev/null | grep -q ' 1$'; then
		uid=$was ports=low # what runs is gone on with as it was launched
	else
		choose_user "${answer%% *}" "$@"
		left=$was # what another's launch has left, that one removes
		! owners_of "$instance" | grep -qx 0 || left=0
		[ -z "$left" ] || [ "$left" = "${uid:-0}" ] || "$here/stop.sh" -i "$instance" >&2 || [ $? = 3 ] || exit 1
		[ -z "$uid" ] || make_places "$uid"
	fi
	if [ -z "$uid" ]; then
		[ -z "${because:-}" ] || export ONTIME_AS_ROOT="$because"
		return 0
	fi
	observers_group=$(getent group "$observers" | cut -d: -f3)
	capabilities="12 13 $(raise_limits | paste -s -d ' ')"
	[ "$ports" = - ] || capabilities="10 $capabilities"
	# shellcheck disable=SC2086 # several
	capabilities=$(handed $capabilities)
	set -- -c "$config" "$@"
	[ -z "$service" ] || become "$uid" "$capabilities" -t "$here/launch.sh" --service "$@"
	[ -z "$foreground" ] || set -- --foreground "$@"
	histograms=${ONTIME_HISTOGRAMS:-on}
	[ "$histograms" = off ] || export ONTIME_HISTOGRAMS=root
	become "$uid" "$capabilities" "$here/launch.sh" "$@" </dev/null &
	launcher=$!
	trap 'kill -TERM $launcher 2>/dev/null || true' INT TERM
	while [ -n "$foreground" ] && kill -0 "$launcher" 2>/dev/null && ! all_run ready; do
		sleep 0.1
	done
	[ -z "$foreground" ] || attach_as_root
	while :; do
		wait "$launcher" && status=0 || status=$?
		kill -0 "$launcher" 2>/dev/null || break # else a signal has ended the wait
	done
	[ "$status" != 0 ] || [ -n "$foreground" ] || attach_as_root
	[ "$status" = 0 ] && [ -z "$foreground" ] || remove_places "$uid"
	exit "$status"
}

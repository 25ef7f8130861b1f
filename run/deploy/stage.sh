#!/bin/sh
# stage.sh - one stage in a container of its own (pod.yaml): its first process, and what a kubelet asks.
#
# usage: run/deploy/stage.sh segment | ingress | edf | egress | alive STAGE
#
#   segment       before the stages: removes what an earlier pod has left, creates the segment
#   STAGE         keeps that stage running, and its sockets open; TERM ends it once nothing waits for it, HUP reloads
#   alive STAGE   status 0 unless the stage is away, or has work and has not moved for 5 s
#
# The containers share /dev/shm and the network. They need not see each other's processes.
# Exit status: 0 asked to end, 1 temporary failure, 2 usage or configuration.
set -eu
here=$(dirname "$(realpath "$0")")
here=$(dirname "$here") # that of the other scripts
# shellcheck source=run/supervise/lib.sh
. "$here/supervise/lib.sh"
config=${ONTIME_CONFIG:-$config}

line_of() { # STAGE: NAME PID STATE STARTS AGE_S BEAT_AGE_MS HAS_WORK ALIVE
	"$build/hold" --stages -i "$instance" 2>/dev/null | grep "^$1 "
}

is_gone() { # STAGE
	! line_of "$1" | grep -q ' 1$'
}

is_alive() { # STAGE
	read -r _ _ _ _ _ beat has_work alive <<END
$(line_of "$1")
END
	[ "${alive:-0}" = 1 ] || die 1 "$1 is away"
	[ "$has_work" = 0 ] || [ "$beat" -lt 5000 ] || die 1 "$1 has work and has not moved for $beat ms"
}

end() { # once the one before it has ended: at most 8 s, or as long as a drain takes
	is_ending=1
	tries=160 # of 50 ms
	case $stage in ingress) before= ;; edf) before=ingress ;; egress) before=edf ;; esac
	while [ -n "$before" ] && [ "$tries" -gt 0 ] && ! is_gone "$before"; do
		sleep 0.05
		[ -e "$run_root/$instance/drain" ] || tries=$((tries - 1))
	done
	kill -USR1 "$pid" 2>/dev/null || true
}

keep() { # the stage, whatever ends it; a signal interrupts a wait
	is_ending=
	pid=
	trap end TERM INT
	trap 'kill -HUP "$pid" 2>/dev/null || true' HUP
	while [ -z "$is_ending" ]; do
		began=$(date +%s)
		"$build/$stage" -c "$config" &
		pid=$!
		while status=0 && { wait "$pid" || status=$?; } && kill -0 "$pid" 2>/dev/null; do :; done
		[ "$status" != 2 ] || die 2 "$stage refused its configuration"
		[ -n "$is_ending" ] || [ "$(date +%s)" -gt "$began" ] || sleep 1
	done
}

case ${1:-} in
-h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' "$0" && exit 0 ;;
segment | ingress | edf | egress | --keep) ;;
alive) case ${2:-} in ingress | edf | egress) ;; *) die 2 "alive ${2:-}: which stage? ingress, edf or egress" ;; esac ;;
*) die 2 "${1:-}: segment, a stage, or alive STAGE; see --help" ;;
esac
instance=$("$build/hold" --name -c "$config")
case $1 in
segment)
	"$build/hold" --check -c "$config"
	"$build/hold" --remove -c "$config"
	"$build/hold" --run-dir "$run_root/$instance" >/dev/null
	rm -f "$run_root/$instance/drain"
	exec "$build/hold" --segment -c "$config"
	;;
alive) is_alive "$2" ;;
ingress) exec "$build/hold" --bind -c "$config" -- "$0" --keep ingress ;; # the sockets live on when the stage is killed
--keep | *)
	[ "$1" = --keep ] && stage=$2 || stage=$1
	keep
	;;
esac

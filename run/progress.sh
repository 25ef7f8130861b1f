# shellcheck shell=sh
# progress.sh - a step that takes its time, as a person sees it. Sourced by deps.sh and build.sh.
#
# On a terminal it is one line, rewritten while the step is at work; without one it is one line when the step begins.

step() { # WHAT WHICH DETAIL COMMAND...: the command speaks into the file $said; DETAIL is a function that reads there how far it is
	what=$1
	which=$2
	detail=$3
	shift 3
	if ! [ -t 2 ] || [ "${TERM:-dumb}" = dumb ]; then
		printf 'ontime: %s%s\n' "$what" "$which" >&2
		"$@" >>"$said" 2>&1 && return 0 || return $?
	fi
	width=$(stty size <&2 2>/dev/null | cut -d' ' -f2)
	[ "${width:-0}" -gt 20 ] || width=80
	began=$(date +%s)
	paint $$ &
	painter=$!
	"$@" >>"$said" 2>&1 && result=0 || result=$?
	kill "$painter" 2>/dev/null || true
	wait "$painter" 2>/dev/null || true
	if [ "$result" = 0 ]; then
		printf '\r\033[Kontime: %s: done in %s s\n' "$what" $(($(date +%s) - began)) >&2
	else
		printf '\r\033[K' >&2
	fi
	return "$result"
}

paint() { # PID: until that process is gone
	while kill -0 "$1" 2>/dev/null; do
		line="ontime: $what ... $(($(date +%s) - began)) s  $($detail)"
		printf "\r%.$((width - 1))s\033[K" "$line" >&2
		sleep 0.3
	done
}

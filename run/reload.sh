#!/bin/sh
# reload.sh - apply the config that an instance was started with, as it is now: all of it, or nothing.
# Its options, and what else --help says: run/options/reload.options.
# shellcheck disable=SC2154 # the options
set -eu
here=$(dirname "$(realpath "$0")") # it may be called through a symbolic link
# shellcheck source=run/supervise/lib.sh
. "$here/supervise/lib.sh"

parse_options reload "$@"
[ -x "$build/hold" ] || die 1 "nothing is built, so nothing runs: $(typed launch)"
only_instance
instance=$(instance_of)
dir=$run_root/$instance
log=$dir/log
found=$("$build/hold" --stages -i "$instance" 2>&1) || die 1 "${found#hold: }"
"$build/hold" --supervisor -i "$instance" >/dev/null || die 1 "instance '$instance' has no supervisor: $(typed launch) starts one"

was=$(launched_as)
{ [ -s "$dir/active.conf" ] && [ -n "$was" ]; } || die 1 "$dir: it is not known what instance '$instance' runs with"
{
	read -r config
	set --
	while read -r word; do
		set -- "$@" "$word"
	done
} <<END
$was
END

differences() { # between what is in force and the config; from where the stages run, as launch checks it
	(cd "$ontime" && ONTIME_LOG=warning exec "$build/hold" --check --against "$dir/active.conf" -c "$config" "$@") 2>&1
}

changes=$(differences "$@") && status=0 || status=$?
if [ "$status" != 0 ]; then
	printf '%s\n' "$changes" | sed 's/^hold: //; s/^/  /' >&2
	case $status$changes in
	2*"need a relaunch"*) die 3 "instance '$instance': nothing was changed; $(typed stop) -i $instance, then $(typed launch) -c $config applies it" ;;
	2*) die 2 "instance '$instance': $config is refused, and nothing was changed" ;;
	*) die 1 "instance '$instance': nothing was changed; try again" ;;
	esac
fi
lines=$(wc -l <"$log")
"$build/hold" --signal supervisor HUP -i "$instance" || exit 1
tries=100 # of 50 ms
while :; do
	said=$(tail -n +$((lines + 1)) "$log" | grep -E ' (ingress|edf|egress): reloaded |: nothing was changed') || true
	case $said in *"nothing was changed"*) die 2 "$(printf '%s\n' "$said" | sed -n '/nothing was changed/{s/^[^ ]* [a-z ]*: //p;q;}')" ;; esac
	[ "$(printf '%s\n' "$said" | grep -c reloaded)" -lt 3 ] || break
	tries=$((tries - 1))
	if [ "$tries" = 0 ]; then # a log at level warning does not have what is awaited
		[ -z "$(differences "$@")" ] || die 1 "instance '$instance': no answer within 5 s: see $log"
		break
	fi
	sleep 0.05
done
say "instance '$instance': $config is in force$([ "$changes" ] || echo ", and nothing in it has changed")"
[ -z "$changes" ] || printf '%s\n' "$changes" | sed 's/^/  /'

#!/bin/sh
# status.sh - what runs, since when, how often it was started.
# Its options, and what else --help says: run/options/status.options.
# shellcheck disable=SC2154 # the options
set -eu
here=$(dirname "$(realpath "$0")") # it may be called through a symbolic link
# shellcheck source=run/supervise/lib.sh
. "$here/supervise/lib.sh"

parse_options status "$@"
pid_of=$option_pid
case $pid_of in '' | ingress | edf | egress | ingress.[0-9]* | edf.[0-9]* | egress.[0-9]*) ;; *) die 2 "--pid $pid_of: not one of ingress, edf, egress, nor one of a shard, as edf.1" ;; esac
[ -x "$build/hold" ] || die 1 "nothing is built, so nothing runs: $(typed launch)"
if [ -z "$option_instance$option_config$pid_of" ] && [ "$("$build/hold" --instances | wc -l)" -gt 1 ]; then
	exec "$here/list.sh"
fi
only_instance
instance=$(instance_of)
status=0

found=$("$build/hold" --stages -i "$instance" 2>&1) || die 1 "${found#hold: }"
if [ -n "$pid_of" ]; then
	printf '%s\n' "$found" | sed -n "s/^$pid_of\(\.[0-9]*\)\{0,1\} \([1-9][0-9]*\) .* 1\$/\2/p" | grep . || die 1 "$pid_of of instance '$instance' does not run"
	exit 0
fi
if await_supervisor && supervisor=$("$build/hold" --supervisor -i "$instance"); then
	found=$("$build/hold" --stages -i "$instance" 2>/dev/null) || true # it may have started others meanwhile
	[ "$supervisor" != - ] || supervisor="in another pid namespace"
	say "instance '$instance', supervisor $supervisor, under $(unit_of "$instance" || typed launch)"
elif ! printf '%s\n' "$found" | grep -q ' 1$'; then
	say "instance '$instance', all of it was killed: $(typed launch) removes what is left, and starts it anew"
	supervisor=
	status=1
else
	say "instance '$instance', NO supervisor: $(typed launch) starts one, which adopts the stages"
	supervisor=
	status=1
fi
printf '  %-10s %8s %-9s %12s %9s  %s\n' stage pid state "up (s)" restarts version
printf '%s\n' "$found" | while read -r name pid state starts age _ _ alive; do
	[ "$alive" = 1 ] && version=$(version_of "$pid") || version=-
	printf '  %-10s %8s %-9s %12s %9s  %s\n' "$name" "$pid" "$state" "$age" $((starts > 0 ? starts - 1 : 0)) "$version"
done
processes_of "$instance" | while read -r name _ pid; do
	case $name in supervisor | holder) printf '  %-10s %8s %-9s %12s %9s  %s\n' "$name" "$pid" "" "" "" "$(version_of "$pid")" ;; esac
done
scout=$("$build/hold" --scout -i "$instance" 2>/dev/null) && printf '  %-10s %8s\n' scout "$scout"
owner=
[ -z "$supervisor" ] || owner=$(stat -c %U "/proc/$supervisor" 2>/dev/null) || owner=
case $owner in
root) say "all of it runs as root: the next start changes that, where \`user\` in [pipeline] names a user who can run it" ;;
'' | "$(id -un)") ;;
*) say "all of it runs as user $owner" ;;
esac
others=$(others_of "$instance" | paste -s -d ' ')
[ -z "$others" ] || say "of another build than the installed one ($(show_version)): $others: $(typed restart) all -i $instance renews them, and nothing is lost"
! printf '%s\n' "$found" | grep -qv ' 1$' || status=1
find_directory
[ ! -f "$dir/drain" ] || say "draining: /ready of the dashboard says 503; $(typed drain) --end ends that"
[ -z "$supervisor" ] || ask status || status=1 # what is wrong, as it knows
exit "$status"

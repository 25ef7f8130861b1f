#!/bin/sh
# config.sh - the configuration an instance runs with, or that a config would give it: all keys, as a config.
# Its options, and what else --help says: run/options/config.options.
# shellcheck disable=SC2154 # the options
set -eu
here=$(dirname "$(realpath "$0")") # it may be called through a symbolic link
# shellcheck source=run/supervise/lib.sh
. "$here/supervise/lib.sh"

parse_options config "$@"
eval "set -- $settings"
[ -x "$build/check" ] || die 1 "nothing is built: $(typed launch)"
[ $# = 0 ] || [ -n "$option_config" ] || die 2 "$1: a key goes with -c; what an instance runs with is printed as it is"
if [ -n "$option_config" ]; then
	exec "$build/check" --print -c "$option_config" ${option_instance:+-i "$option_instance"} "$@"
fi
only_instance
exec "$build/check" --print -i "$(instance_of)"

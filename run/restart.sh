#!/bin/sh
# restart.sh - restart one stage, or all three one after the other; nothing is lost.
# Its options, and what else --help says: run/options/restart.options.
# shellcheck disable=SC2154 # the options
set -eu
here=$(dirname "$(realpath "$0")") # it may be called through a symbolic link
# shellcheck source=run/supervise/lib.sh
. "$here/supervise/lib.sh"

parse_options restart "$@"
eval "set -- $operands"
case $#${1:-} in
1ingress | 1edf | 1egress | 1all) stage=$1 ;;
*) die 2 "restart which stage? $(typed restart) ingress|edf|egress|all [-i INSTANCE]" ;;
esac
only_instance
instance=$(instance_of)
"$build/hold" --stages -i "$instance" >/dev/null || exit 1
# A rebuilt binary is probed from its first packet on, if the one that runs is.
[ ! -e "$pins/$instance" ] || latency warning -i "$instance" || true
ask "restart $stage"

#!/bin/sh
# restart.sh - restart one stage, or all three one after the other; nothing is lost.
#
# usage: run/restart.sh ingress|edf|egress|all [-i INSTANCE | -c FILE]
#
# Exit status: 0 the successor is ready, 1 it is not (see the log), 2 usage.
set -eu
here=$(dirname "$(realpath "$0")") # it may be called through a symbolic link
# shellcheck source=run/supervise/lib.sh
. "$here/supervise/lib.sh"

case ${1:-} in
-h | --help) show_help && exit 0 ;;
ingress | edf | egress | all) stage=$1 ;;
*) die 2 "restart which stage? usage: $(typed restart) ingress|edf|egress|all [-i INSTANCE]" ;;
esac
shift
instance=$(instance_of "$@")
# A rebuilt binary is probed from its first packet on, if the one that runs is.
[ ! -e "$pins/$instance" ] || ONTIME_LOG=warning "$build/latency" -i "$instance" || true
ask "restart $stage"

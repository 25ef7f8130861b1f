#!/bin/sh
# supervisor.sh - keep the three stages alive. Started by launch.sh through hold, with the sockets open.
#
# usage: supervisor.sh [--KEY=VALUE]...
#
# All the work is build/supervise (run/supervise/supervise.c), one process: no shell stands between the death of a stage and its successor.
# It never gives up on a stage; only one that refuses its configuration stays down, until a reload or run/restart.sh.
# Signals: HUP reloads the config in all stages, TERM stops the instance in order.
set -eu
here=$(dirname "$(realpath "$0")") # it may be called through a symbolic link
# shellcheck source=run/supervise/lib.sh
. "$here/supervise/lib.sh"
exec "$build/supervise" "$@"

#!/bin/sh
# reload.sh - a running instance goes over to its edited config: all of it, or nothing; says what changes, and whether it is in force.
#
# usage: run/reload.sh [-i INSTANCE] [-c CONFIG]
#
#   -c CONFIG    read that file this time (without -i it also names the instance); default: the one that the instance was launched with
#
# Exit status: 0 in force in all three stages, 1 not, or not known yet, 2 refused, 3 needs a relaunch; with 2 and 3 nothing was changed.
set -eu
here=$(dirname "$(realpath "$0")") # it may be called through a symbolic link
# shellcheck source=run/supervise/lib.sh
. "$here/supervise/lib.sh"

case ${1:-} in
-h | --help) show_help && exit 0 ;;
esac
instance=$(instance_of "$@")
read=
while [ $# -gt 1 ]; do
	[ "$1" != -c ] || read=$2
	shift
done
case $read in '' | /*) ;; *) read=$(pwd)/$read ;; esac
ask "reload${read:+ $read}"

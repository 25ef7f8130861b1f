#!/bin/sh
# reload.sh - a running instance goes over to its edited config: all of it, or nothing; says what changes, and whether it is in force.
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
file=$option_config
case $file in '' | /*) ;; *) file=$(pwd)/$file ;; esac
ask "reload${file:+ $file}"

#!/bin/sh
# record.sh - write what an instance does into a file, a JSON line an interval; the page of dash opens such a file.
# Its options, and what else --help says: run/options/record.options.
# shellcheck disable=SC2154 # the options
set -eu
here=$(dirname "$(realpath "$0")") # it may be called through a symbolic link
# shellcheck source=run/supervise/lib.sh
. "$here/supervise/lib.sh"

parse_options record "$@"
eval "set -- $operands"
[ $# -le 1 ] || die 2 "$2: one file is enough; see $(typed record) --help"
[ -x "$build/stat" ] || die 1 "nothing is built, so nothing runs: $(typed launch)"
config=
instance=$option_instance
[ -n "$instance$option_config" ] || instance=default
instance=$(option_instance=$instance && instance_of)
file=${1:-ontime-$instance-$(date +%Y-%m-%dT%H%M%S).jsonl}
say "to $file until Ctrl-C"
exec "$build/stat" -i "$instance" --interval "${option_interval:-1}" --record "$file"

#!/bin/sh
# t_dash_http.sh - build/dash against bad, huge, slow and many clients.
set -eu
cd "$(dirname "$0")/.."
name=dash_http
# shellcheck source=tests/dash_common.sh
. tests/dash_common.sh
make_conf run/ontime.conf
if reason=$(without_dash); then
	skip "bad, huge, slow and many clients" "$reason"
	verdict
	exit 77
fi

survived() { # still the same process, and it ends in peace
	kill -TERM "$dash" && wait "$dash"
}

run/launch.sh -c "$conf" >"$work/launch" 2>&1 || cat "$work/launch"
start_dash --interval 0.1 --allow-host allowed.example || failed=$((failed + 1))
run_part node tests/dash_http.js "$port" "$dash"
survived && status=0 || status=$?
check "it survived, and ends with status 0" test "$status" = 0
verdict "$name"

#!/bin/sh
# t_browser.sh - the dashboard in a real Chromium while traffic flows. Its pictures are left in build/dash-*.png;
# the README's is one of them: DASH_INSTANCE=stress tests/dash/t_browser.sh && cp build/dash-light.png run/dash/dash.png
set -eu
cd "$(dirname "$0")/../.."
name=dash_browser
# shellcheck source=tests/dash/lib.sh
. tests/dash/lib.sh
own_config run/stress.conf
make_other_conf
reason=$(without_dash) || reason=
if [ -z "$reason" ] && ! command -v chromium >/dev/null; then
	reason="chromium cannot be installed here"
fi
if [ -n "$reason" ]; then
	skip "the page in a browser" "$reason"
	verdict
	exit 77
fi

start_dash --interval 0.5 || failed=$((failed + 1))
run_part node tests/dash/page.js "$url" "$ONTIME_BUILD" "$conf" "$instance" "$work" "$other_conf" "$other_instance"
verdict "$name"

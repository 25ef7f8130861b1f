#!/bin/sh
# t_prometheus.sh - a real Prometheus scrapes build/dash and answers questions.
set -eu
cd "$(dirname "$0")/../.."
name=dash_prometheus
# shellcheck source=tests/dash/lib.sh
. tests/dash/lib.sh
own_config run/ontime.conf
sed -i 's/^policy = .*/policy = edf/' "$conf" # on a busy machine too all is sent, whenever
prometheus_port=$((port + 1))
reason=$(without_dash) || reason=
if [ -z "$reason" ] && ! command -v prometheus >/dev/null; then
	reason="prometheus cannot be installed here"
fi
if [ -n "$reason" ]; then
	skip "Prometheus" "$reason"
	verdict
	exit 77
fi

cat >"$work/prometheus.yml" <<END
global:
  scrape_interval: 1s
  evaluation_interval: 1s
rule_files: ["$PWD/run/dash/alerts.yml"]
scrape_configs:
  - job_name: ontime
    static_configs:
      - targets: ["127.0.0.1:$port"]
END

start_prometheus() {
	promtool check config "$work/prometheus.yml" || return 1
	prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/data" --log.level=warn \
		--web.listen-address="127.0.0.1:$prometheus_port" >"$work/prometheus.log" 2>&1 &
	children="$children $!"
}

run/launch.sh -c "$conf" >"$work/launch" 2>&1 || cat "$work/launch"
start_dash --interval 0.5 || failed=$((failed + 1))
start_prometheus >"$work/config" || { cat "$work/config"; failed=$((failed + 1)); }
attached=$("$ONTIME_BUILD/latency" --status -i "$instance" 2>/dev/null) && attached=yes || attached=no
run_part node tests/dash/prometheus.js "$prometheus_port" "$ONTIME_BUILD" "$conf" "$instance" "$attached"
verdict "$name"

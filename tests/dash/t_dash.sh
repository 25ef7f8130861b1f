#!/bin/sh
# t_dash.sh - build/dash as an operator and a scraper meet it: options, health, metrics, an instance that comes and goes, its cost.
set -eu
cd "$(dirname "$0")/../.."
name=dash
# shellcheck source=tests/dash/lib.sh
. tests/dash/lib.sh
own_config run/stress.conf
printf '[pipeline]\nx = 1\n' >"$work/broken.conf"
if reason=$(without_dash); then
	skip "the dashboard" "$reason"
	verdict
	exit 77
fi

fails_with() { # STATUS PATTERN ARGS...: that exit status, and ONE line that matches
	want=$1
	pattern=$2
	shift 2
	text=$(timeout 5 "$ONTIME_BUILD/dash" "$@" 2>&1) && got=0 || got=$?
	printf '%s (status %s)\n' "$text" "$got"
	[ "$got" = "$want" ] && printf '%s\n' "$text" | grep -q "$pattern" && [ "$(printf '%s\n' "$text" | wc -l)" = 1 ]
}

bad_options() {
	fails_with 2 'unknown option' --nonsense && fails_with 2 'not an address' --listen here && fails_with 2 'its value is missing' --listen &&
		fails_with 2 'not a number from 0.1 to 60' --interval 0 && fails_with 2 'not a number from 0.1 to 60' --interval 1x && fails_with 2 'not a number from 0.1 to 60' --interval 0x1 &&
		fails_with 2 '^dash: -i' -i 'no/name' && fails_with 0 '^ontime [0-9]' --version
}

with_dash() { # PORT: a config whose instance has a dashboard there
	sed "s/^\[class high\]/[dash]\nlisten = 127.0.0.1:$1\nallow_host = relay.example\n&/" "$conf" >"$work/with_dash.conf"
}

serves_at() { # PORT
	answers "http://127.0.0.1:$1/live" 'Host: relay.example' '^live'
}

own_dash() { # the supervisor's
	keeper=$("$ONTIME_BUILD/hold" --supervisor -i "$instance") && pgrep -x dash -P "$keeper"
}

has_another_dash() { # PID
	now=$(own_dash) && [ "$now" != "$1" ]
}

comes_with_the_instance() { # outlives its own death and its supervisor's, follows a reload, goes with a stop
	with_dash $((port + 1))
	run/stop.sh -c "$conf" && run/launch.sh -c "$work/with_dash.conf" >"$work/launched" && eventually serves_at $((port + 1)) || return 1
	grep "^ *http://127.0.0.1:$((port + 1))/  *the same in a browser, over time; the supervisor has it served" "$work/launched" && ! grep 'build/dash' "$work/launched" || return 1
	was=$(own_dash) && kill -9 "$was" && eventually has_another_dash "$was" && eventually serves_at $((port + 1)) || return 1
	was=$(own_dash) && kill -9 "$("$ONTIME_BUILD/hold" --supervisor -i "$instance")" && eventually has_another_dash "$was" && eventually serves_at $((port + 1)) || return 1
	with_dash $((port + 3))
	kill -HUP "$("$ONTIME_BUILD/hold" --supervisor -i "$instance")" && eventually serves_at $((port + 3)) && ! serves_at $((port + 1)) || return 1
	was=$(own_dash)
	run/stop.sh -c "$work/with_dash.conf" && [ ! -e "/proc/$was" ] && run/launch.sh -c "$conf" >/dev/null
}

serves_where_the_config_says() { # started by hand; --listen goes before
	with_dash $((port + 1))
	status=0
	for words in "-c $work/with_dash.conf" "-c $work/with_dash.conf --listen 127.0.0.1:$((port + 2))"; do
		# shellcheck disable=SC2086  # words
		"$ONTIME_BUILD/dash" $words 2>"$work/there.log" &
		there=$!
		at=$((port + 1))
		[ "${words#*--listen}" = "$words" ] || at=$((port + 2))
		eventually serves_at $at || { cat "$work/there.log" && status=1; }
		kill "$there" && wait "$there"
	done
	fails_with 2 'unknown key' -c "$work/broken.conf" || status=1
	return "$status"
}

answers() { # URL HEADER PATTERN
	node tests/dash/get.js "$1" "$2" 2>&1 | grep -q "$3"
}

is_live_and_ready() { # a probe for each: dash answers; packets get through
	says /live '^HTTP 200' && says /live '^live$' && says /ready '^HTTP 200' && says /ready '^ready$'
}

shows_other_instances() { # one that runs, by its name, and none that does not; opened to a network, only its own
	"$ONTIME_BUILD/dash" -i "$other_instance" --listen "127.0.0.1:$((port + 1))" 2>/dev/null &
	others=$!
	"$ONTIME_BUILD/dash" -i "$other_instance" --listen "0.0.0.0:$((port + 2))" 2>/dev/null &
	opened=$!
	here=http://127.0.0.1:$((port + 1))
	eventually answers "$here/ready?instance=$instance" '' '^ready$' && answers "$here/metrics?instance=$instance" '' "^ontime_up{name=\"$instance\"} 1" &&
		answers "$here/ready" '' "^HTTP 503" && answers "$here/ready?instance=no" '' '^HTTP 404' && answers "$here/ready?instance=" '' '^HTTP 404' &&
		eventually answers "http://127.0.0.1:$((port + 2))/ready?instance=$other_instance" '' '^HTTP 503' &&
		answers "http://127.0.0.1:$((port + 2))/ready?instance=$instance" '' '^HTTP 404' && status=0 || status=1
	kill "$others" "$opened"
	wait "$others" "$opened" && return "$status"
}

histograms_are_counted() { # once traffic has stopped: as many packets as were sent, per class
	eventually counts_agree
}

counts_agree() {
	get /metrics '' '' >"$work/metrics"
	sed -n 's/^ontime_sent_packets_total\({.*\)/\1/p' "$work/metrics" | sort >"$work/sent"
	sed -n 's/^ontime_ebpf_packets\({.*\)/\1/p' "$work/metrics" | sort | diff - "$work/sent" && [ -s "$work/sent" ]
}

help_is_short() {
	"$ONTIME_BUILD/dash" --help >"$work/help" && [ "$(wc -l <"$work/help")" -le 25 ]
}

is_json_and_metrics_alike() { # every count in `stat --json` is the one in /metrics, every name one that the page knows
	get /metrics '' '' >"$work/metrics" && "$ONTIME_BUILD/stat" -i "$instance" --json >"$work/stat.json" &&
		get /counters.js '' '' >"$work/counters" && node tests/dash/agree.js "$work/metrics" "$work/stat.json" "$work/counters"
}

load() { # RATE SECONDS: what is lost is not the point here
	"$ONTIME_BUILD/load" -c "$conf" --rate "$1" --seconds "$2" >/dev/null 2>&1 || true
}

metrics_agree() {
	load 5000 2
	eventually is_json_and_metrics_alike >/dev/null || true
	node tests/dash/agree.js "$work/metrics" "$work/stat.json" "$work/counters" | tee "$work/agreed"
	grep -q 'figures agree' "$work/agreed"
}

plain_is_accepted() { # by what asks for nothing, and for anything, as curl does
	for accept in '' 'Accept: */*'; do
		get /metrics "$accept" '' >"$work/plain" && grep -q '^content-type: text/plain; version=0.0.4' "$work/plain" &&
			sed '1,/^$/d' "$work/plain" | promtool check metrics || return 1
	done
	! command -v curl >/dev/null || curl -s "$url/metrics" | promtool check metrics
}

alert_rules_hold() {
	promtool check rules run/dash/alerts.yml && promtool test rules tests/dash/alerts.test.yml
}

all_alerts_are_tested() { # each both ways
	tests=tests/dash/alerts.test.yml
	sed -n 's/.*- alert: //p' run/dash/alerts.yml | while read -r alert; do
		grep -q "alertname: $alert, exp_alerts: \[\]" "$tests" || grep -A1 "alertname: $alert\$" "$tests" | grep -q 'exp_alerts: \[\]' || echo "$alert never rests"
		grep -A1 "alertname: $alert\$" "$tests" | grep -q 'exp_alerts:$' || echo "$alert never fires"
	done >"$work/untested"
	! grep . "$work/untested"
}

open_is_well_formed() {
	get /metrics 'Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5' '' >"$work/open"
	grep -q '^content-type: application/openmetrics-text; version=1.0.0; charset=utf-8$' "$work/open" &&
		[ "$(tail -n 1 "$work/open")" = "# EOF" ] && node tests/dash/agree.js "$work/open" "$work/stat.json" "$work/counters"
}

names_exist() { # FILE: every metric it names is there; of the histograms only where they are attached
	grep -o 'ontime_[a-z_]*\|process_[a-z_]*' "$1" | sort -u >"$work/names"
	[ -z "$without_histograms" ] || sed -i '/^ontime_ebpf_packets$/d' "$work/names"
	[ "$(wc -l <"$work/names")" -gt 10 ] || return 1
	sed -n 's/^# TYPE \([a-z_]*\) counter/\1_total/p; s/^# TYPE \([a-z_]*\) gauge/\1/p; s/^# TYPE \([a-z_]*\) histogram/\1_bucket/p' \
		"$work/open" | sort -u >"$work/known"
	! comm -23 "$work/names" "$work/known" | grep .
}

dead_stage_shows() { # while the supervisor is stopped, nobody replaces it
	"$ONTIME_BUILD/hold" --signal supervisor STOP -i "$instance"
	kill -9 "$("$ONTIME_BUILD/hold" --stages -i "$instance" | sed -n 's/^edf \([0-9]*\) .*/\1/p')"
	eventually says /healthz '^stage edf is dead' && status=0 || status=1
	says /healthz '^HTTP 503' && says /metrics '^ontime_stage_up{stage="edf"} 0' || status=1
	eventually says /ready '^stage edf is dead' && says /ready '^HTTP 503' && says /live '^HTTP 200' || status=1
	"$ONTIME_BUILD/hold" --signal supervisor CONT -i "$instance"
	eventually says /healthz '^HTTP 200' && says /metrics '^ontime_stage_starts_total{stage="edf"} 2' && return "$status"
}

drain_tells() { # at once, and packets get through; nothing comes, so it returns; over restarts; until it is ended
	load 1500 1 >"$work/drain.load" 2>&1 &
	children="$children $!"
	run/drain.sh --wait 0 -i "$instance" && says /ready '^HTTP 503' && says /ready '^draining' && says /healthz '^HTTP 200' || return 1
	fails_to_drain && run/drain.sh --wait 20 -i "$instance" && run/status.sh -i "$instance" | grep -q 'draining' || return 1
	run/restart.sh all -i "$instance" && says /ready '^draining' || return 1
	run/drain.sh --end -i "$instance" && says /ready '^ready$' && ! run/status.sh -i "$instance" | grep draining
}

fails_to_drain() { # one line and status 1, while something comes
	text=$(run/drain.sh --wait 1 -i "$instance" 2>&1) && got=0 || got=$?
	echo "$text (status $got)"
	[ "$got" = 1 ] && echo "$text" | grep -q 'after 1 s something still comes'
}

launch_ends_a_drain() { # and so does a stop
	run/drain.sh --wait 0 -i "$instance" && run/stop.sh -c "$conf" && [ ! -e "$ONTIME_RUN_DIR/$instance" ] && run/launch.sh -c "$conf" >/dev/null &&
		eventually says /ready '^ready$'
}

instance_may_go_and_come() {
	run/stop.sh -c "$conf" && eventually says /healthz 'not running' && says /healthz '^HTTP 503' &&
		says /metrics '^ontime_up{.*} 0$' && says / '^HTTP 200' && run/launch.sh -c "$conf" &&
		eventually says /healthz '^HTTP 200' && says /metrics '^ontime_up{.*} 1$'
}

costs_little() { # three readers along, under load, for 4 s
	load 1500 5 &
	children="$children $!"
	node tests/dash/streams.js "$url/events" 3 5000 &
	children="$children $!"
	eventually says /metrics '^ontime_dash_streams 3' || return 1
	before=$(cut -d' ' -f1 "/proc/$dash/schedstat")
	sleep 4
	after=$(cut -d' ' -f1 "/proc/$dash/schedstat")
	awk -v t=$((after - before)) 'BEGIN {share = t / 4e9 * 100; printf "dash with 3 readers: %.2f %% of a CPU\n", share; exit share >= 2}' | tee "$work/cost"
}

without_instance() {
	says /live '^HTTP 200' && says /ready '^HTTP 503' && says /ready 'not running' && says /healthz '^HTTP 503' && says /healthz 'not running' && says /metrics '^ontime_up{.*} 0' && says / '<title>ontime'
}

check "--help is one screen" help_is_short
check "a bad option is one line and status 2" bad_options
start_dash --interval 0.25 || failed=$((failed + 1))
check "a port in use is one line and status 1" fails_with 1 "serve on 127.0.0.1:$port: Address already in use" --listen "127.0.0.1:$port"
check "without an instance it serves, and says so" without_instance
run/launch.sh -c "$conf" >"$work/launch" 2>&1 || cat "$work/launch"
check "it notices that the instance was launched" eventually says /healthz '^HTTP 200'
check "once traffic has stopped, /metrics and stat --json agree on every count" metrics_agree
[ ! -s "$work/agreed" ] || sed 's/^/     /' "$work/agreed"
check "OpenMetrics is well formed, its edges exact" open_is_well_formed
if command -v promtool >/dev/null; then
	check "promtool accepts the metrics" plain_is_accepted
else
	skip "promtool accepts the metrics" "prometheus cannot be installed here"
fi
without_histograms=$("$ONTIME_BUILD/latency" --status -i "$instance" 2>&1 >/dev/null) || without_histograms=${without_histograms:-not built}
check "every metric of the Grafana dashboard is there" names_exist run/dash/grafana.json
check "every metric of the alert rules is there" names_exist run/dash/alerts.yml
if [ -z "$without_histograms" ]; then
	check "the eBPF histograms' own count is that of the packets sent" histograms_are_counted
else
	skip "the eBPF histograms' own count is that of the packets sent" "$without_histograms"
fi
if command -v promtool >/dev/null; then
	check "promtool accepts the alert rules, and each fires when it is to, and only then" alert_rules_hold
else
	skip "promtool accepts the alert rules, and each fires when it is to, and only then" "prometheus cannot be installed here"
fi
check "every alert is tested firing and not firing" all_alerts_are_tested
check "/live and /ready answer a probe" is_live_and_ready
check "it shows other instances that run, on loopback alone" shows_other_instances
check "a stage that is dead makes it unhealthy until it is back" dead_stage_shows
check "a drain tells it at once, and waits until nothing comes" drain_tells
check "a launch ends a drain" launch_ends_a_drain
check "the instance may go and come" instance_may_go_and_come
check "it comes with the instance where the config says so" comes_with_the_instance
check "started by hand it serves where the config says" serves_where_the_config_says
began=$(date +%s%N)
kill -TERM "$dash"
wait "$dash" && status=0 || status=$?
check "it ends at once when asked to, with status 0" test "$status $((($(date +%s%N) - began) / 1000000000))" = "0 0"
start_dash --interval 1 || failed=$((failed + 1))
check "it costs less than 2 % of a CPU" costs_little
[ ! -s "$work/cost" ] || sed 's/^/     /' "$work/cost"
verdict "$name"

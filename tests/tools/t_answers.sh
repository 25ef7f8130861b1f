#!/bin/sh
# t_answers.sh - build/load on a class with replies: its sinks answer, and each answer is looked for at the source that had asked.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
own_instance answers
build=$ONTIME_BUILD
port=$listen

cat >"$conf" <<END
[pipeline]
instance = $instance
[class ask]
listen = 127.0.0.1:$port
send = 127.0.0.1:$((port + 1))
replies = reply
sessions = 64
budget = 50ms
[class plain]
listen = 127.0.0.1:$((port + 2))
send = 127.0.0.1:$((port + 3))
[class reply]
budget = 50ms
ingress_to_edf = 4
edf_to_egress = 4
END

load() { # STATUS ARGS...: as JSON to $work/json
	want=$1
	shift
	"$build/load" -c "$conf" --json "$@" >"$work/json" 2>"$work/said" && got=0 || got=$?
	cat "$work/json" "$work/said"
	[ "$got" = "$want" ] || { echo "status $got, not $want" && return 1; }
}

found() { # CONDITION
	jq -e "$1" "$work/json" >/dev/null || { echo "not so: $1" && return 1; }
}

relaunch() { # KEYS
	! "$build/hold" --stages -i "$instance" >/dev/null 2>&1 || run/stop.sh -i "$instance" >/dev/null
	run/launch.sh -c "$conf" "$@" >/dev/null
}

whole='all(.flows[]; .lost == 0 and .duplicated == 0 and .reordered == 0 and .corrupt == 0 and .stray == 0)'
# shellcheck disable=SC2016 # $f is of jq
answered='(.flows | map({(.class): .}) | add) as $f | $f.reply.sent == $f.ask.received and $f.reply.misled == 0 and
	$f.reply.replies_of == "ask" and $f.plain.received == $f.plain.sent and ($f | length) == 3'

each_is_answered() {
	relaunch --reply.ingress_to_edf=256 --reply.edf_to_egress=256 &&
		load 0 --rate 4000 --seconds 2 --sources 40 &&
		found "$whole and ($answered) and .flows[2].received > 3900 and .flows[2].received == .flows[0].sent and .source.sent_pps < 4400" &&
		found '.flows[2].latency_ns.p50 > .flows[0].latency_ns.p50' # there and back
}

answers_outlive_stages() {
	"$build/load" -c "$conf" --json --rate 4000 --seconds 3 --sources 40 >"$work/json" &
	loader=$!
	for stage in ingress edf egress; do
		sleep 0.5
		kill -9 "$(run/status.sh --pid "$stage" -i "$instance")"
	done
	wait "$loader" && status=0 || status=$?
	cat "$work/json"
	[ "$status" = 0 ] && found "$whole and ($answered)"
}

lost_answers_have_names() { # the answers are late, and dropped for that
	relaunch --policy=edf --late=drop --reply.budget=20us &&
		load 0 --rate 4000 --seconds 1 --sources 40 &&
		found "$whole and .flows[2].not_delivered > 100 and
			([.flows[2].named[]] | add) == .flows[2].not_delivered and .flows[0].not_delivered == 0"
}

no_session_has_its_name() { # 64 sessions, 70 sources
	relaunch && load 0 --rate 2000 --seconds 1 --sources 70 &&
		found '.flows[0].named.no_session > 0 and .flows[0].named.no_session == .flows[0].not_delivered and .flows[0].lost == 0'
}

a_table_says_what_its_times_are() {
	relaunch && "$build/load" -c "$conf" --rate 500 --seconds 0.5 >"$work/table" || return 1
	cat "$work/table"
	grep -q '^reply  *[1-9]' "$work/table" && grep -q '^note: class reply: the answers to class ask; their times are of the round trip' "$work/table"
}

# A line for each sender that has a session, with the port that the kernel says its socket has.
sessions_are_listed() {
	relaunch && "$build/stat" -i "$instance" --sessions | grep -qx 'ask, replies as reply: 0 open, 0 closing, 64 free, of 64' || return 1
	load 0 --rate ask=1000 --seconds 1 --sources 9 || return 1
	"$build/stat" -i "$instance" --sessions >"$work/table" && "$build/stat" -i "$instance" --sessions --json >"$work/json" || return 1
	cat "$work/table" "$work/json"
	found '.classes | length == 1' && found '.classes[0] | .class == "ask" and .replies == "reply" and .open == 9 and .closing == 0 and
		.free == 55 and .of == 64 and (.sessions | length == 9 and all(.[]; .state == "answered" and .about_forth >= 100 and .about_back >= 100 and
		.idle_ns < 60000000000)) and all(.sessions[]; .wrote_to == "127.0.0.1:'"$port"'" and .destination == "127.0.0.1:'"$((port + 1))"'")' || return 1
	[ "$(grep -c "^ask .* 127.0.0.1:$port .* 127.0.0.1:$((port + 1)) .* answered\$" "$work/table")" = 9 ] || return 1
	jq -r '.classes[0].sessions[].port' "$work/json" | sort >"$work/ports"
	ss -Hun state established "dport = :$((port + 1))" | awk '{sub(/.*:/, "", $3); print $3}' | sort >"$work/kernel"
	[ "$(comm -12 "$work/ports" "$work/kernel" | wc -l)" = 9 ] &&
		"$build/stat" -i "$instance" --once | grep -q '^  ask *sessions: 9 open, of 64$' &&
		"$build/stat" -i "$instance" --json | jq -e '.classes[0] | .sessions_open == 9 and .sessions == 64' >/dev/null &&
		fails_with 2 '--sessions with --once' "$build/stat" -i "$instance" --sessions --once
}

# Others make and end sessions meanwhile: each look is whole.
looks_are_whole_while_senders_change() {
	relaunch --ask.idle=100ms --ask.idle_unanswered=100ms || return 1
	for _ in 1 2 3 4 5 6 7 8; do
		"$build/load" -c "$conf" --rate ask=2000 --seconds 0.2 --sources 20 --json >/dev/null 2>&1 || true
	done &
	changing=$!
	n=0
	while kill -0 "$changing" 2>/dev/null; do
		"$build/stat" -i "$instance" --sessions --json >"$work/json" || return 1
		found '.classes[0] | .open + .closing + .free == .of and (.sessions | length) == .open + .closing and
			all(.sessions[]; .sender | test("^127.0.0.1:[1-9]"))' || return 1
		n=$((n + 1))
	done
	wait "$changing"
	echo "$n looks"
	[ "$n" -gt 20 ]
}

halves_answer_too() {
	"$build/load" -c "$conf" --json --sink-only --seconds 3 >"$work/sink" &
	loader=$!
	eventually bound && load 0 --send-only --rate 1000 --seconds 1
	wait "$loader" || return 1
	cat "$work/sink"
	"$build/stat" -i "$instance" --json >"$work/json"
	jq '.classes[] | {class, received, sent}' "$work/json"
	jq -e '.flows[0].received > 300' "$work/sink" >/dev/null
}

bound() {
	ss -Hlun "sport = :$((port + 1))" | grep -q .
}

other_than_replies_is_refused() {
	fails_with 2 'class "reply" carries replies: what is sent to class "ask" is answered' "$build/load" -c "$conf" --rate reply=10 &&
		fails_with 2 'for class ask: it has replies, so it must be at least 24' "$build/load" -c "$conf" --size 0-100 || return 1
	printf '0,ask,100,0\n1000000,reply,100,0\n' >"$work/trace"
	fails_with 2 'class reply carries replies of class ask, which are made here by answering' "$build/load" -c "$conf" --trace "$work/trace" ||
		return 1
	"$build/simulate" "$work/trace" -c "$conf" >"$work/out" 2>&1 && grep -q '^reply .* 1 ' "$work/out" && ! grep -q 'no packet of class' "$work/out" ||
		return 1
	sed -i 2d "$work/trace"
	"$build/simulate" "$work/trace" -c "$conf" 2>&1 | tee "$work/out"
	grep -q 'the trace has no packet of class reply, the replies of class ask' "$work/out"
}

check "each datagram is answered, and each answer comes to the source that asked, once and in order" each_is_answered
check "also while each stage is killed" answers_outlive_stages
check "an answer that the relay dropped has its name" lost_answers_have_names
check "so has a datagram that found no session" no_session_has_its_name
check "the table says that its times are of round trips" a_table_says_what_its_times_are
check "each session is listed, with its sender and its port" sessions_are_listed
check "a list is whole while senders come and go" looks_are_whole_while_senders_change
check "a sink alone answers too" halves_answer_too
check "nothing but an answer is sent as a reply; a trace may have some for simulate" other_than_replies_is_refused
verdict t_answers

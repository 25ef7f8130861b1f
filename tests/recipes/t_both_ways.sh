#!/bin/sh
# t_both_ways.sh - the recipes that carry answers, with clients and servers that know nothing of ontime: dig and dnsmasq, sipp, sockperf. Each
# stage is killed in the middle of the conversation, and every question has its answer.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
own_instance bothways
build=$ONTIME_BUILD
base=$((20000 + $$ % 300 * 40)) # the ports are this run's own
server=

on_failure() {
	tail -n 5 "$work"/*.said "$ONTIME_RUN_DIR/$instance/log" 2>/dev/null || true
	"$build/stat" --once -i "$instance" 2>/dev/null || true
}

port() { # of the recipe, in their order
	echo $((base + $1))
}

end_server() {
	[ -z "$server" ] || end_process "$server"
	server=
}

serve() { # COMMAND...
	"$@" >"$work/server.said" 2>&1 </dev/null &
	server=$!
}

is_bound() { # PORT
	ss -Hlun "sport = :$1" | grep -q .
}

launch() { # RECIPE
	awk -v base="$base" -v instance="$instance" '
		/^instance = / { $0 = "instance = " instance }
		match($0, /127\.0\.0\.1:[0-9]+/) { $0 = substr($0, 1, RSTART - 1) "127.0.0.1:" base + ++n substr($0, RSTART + RLENGTH) }
		{ print }' "run/recipes/$1.conf" >"$conf"
	run/launch.sh -c "$conf" >/dev/null
}

accepted() { # RECIPE
	[ "$(wc -l <"run/recipes/$1.conf")" -le 15 ] && [ -s "run/recipes/$1.md" ] && "$build/hold" --check -c "run/recipes/$1.conf" && "$build/check" -c "run/recipes/$1.conf"
}

kill_each() { # while the conversation goes on
	for stage in ingress edf egress; do
		sleep 0.4
		kill -9 "$(run/status.sh --pid "$stage" -i "$instance")" || return 1
	done
}

is_well() { # nothing was dropped, in no class
	"$build/stat" --json -i "$instance" | jq -e '.balanced and ([.classes[].dropped[]] | add) == 0 and ([.classes[].sent] | min) >= '"$1"
}

dns_asks() { # 60 names, one after the other, each once
	for i in $(seq 1 60); do
		dig @127.0.0.1 -p "$(port 1)" +short +tries=1 +time=3 "host$i.example.test" || return 1
		sleep 0.02
	done
}

dns_is_answered() {
	serve dnsmasq --no-daemon --port="$(port 2)" --listen-address=127.0.0.1 --bind-interfaces --no-resolv --no-hosts --address=/example.test/192.0.2.7 \
		--conf-file=/dev/null --pid-file=
	launch dns && eventually is_bound "$(port 2)" || return 1
	dns_asks >"$work/answers" 2>&1 &
	client=$!
	kill_each && wait "$client" || return 1
	[ "$(grep -cx '192\.0\.2\.7' "$work/answers")" = 60 ] && [ "$(wc -l <"$work/answers")" = 60 ] && is_well 60
}

calls_are_made() { # 40 calls, none of which sends anything twice; and RTP with its answers
	serve sipp -sn uas -i 127.0.0.1 -p "$(port 4)" -nostdin -trace_err -error_file "$work/uas.err"
	launch calls && eventually is_bound "$(port 4)" || return 1
	sipp -sn uac -i 127.0.0.1 -p "$(port 9)" -m 40 -r 20 -d 200 -nostdin -timeout 30s -trace_stat -stf "$work/calls.csv" "127.0.0.1:$(port 3)" >"$work/sipp.said" 2>&1 &
	client=$!
	"$build/load" -c "$conf" --rate rtp=500 --size 172-172 --seconds 2.5 --sources 10 --json >"$work/rtp" &
	media=$!
	kill_each && wait "$client" && wait "$media" || return 1
	tail -n 1 "$work/calls.csv" | cut -d ';' -f 16-18
	jq -e '.flows[1] | .class == "rtp-back" and .received == .sent and .sent > 1000 and .duplicated == 0 and .reordered == 0' "$work/rtp" || return 1
	grep -A 3 'Successful call' "$work/sipp.said" | tail -n 4 | grep -q 'Failed call  *|  *0  *|  *0 ' && is_well 120
}

match_is_played() { # 200 inputs a second, each with its state; the client's timer may end it between the last two
	serve sockperf server -i 127.0.0.1 -p "$(port 2)"
	launch match && eventually is_bound "$(port 2)" || return 1
	sockperf ping-pong -i 127.0.0.1 -p "$(port 1)" -t 3 --mps 200 >"$work/sockperf" 2>&1 &
	client=$!
	kill_each && wait "$client" || return 1
	cat "$work/sockperf"
	grep -q '# dropped messages = 0; # duplicated messages = 0; # out-of-order messages = 0' "$work/sockperf" &&
		sed -n 's/.*\[Total Run\].* SentMessages=\([0-9]*\); ReceivedMessages=\([0-9]*\)/\1 \2/p' "$work/sockperf" |
			awk '{exit !($1 > 400 && ($1 == $2 || $1 == $2 + 1))}' && is_well 0 # files has no traffic
}

recipe() { # NAME WHAT COMMAND TOOL...
	name=$1 what=$2 command=$3
	shift 3
	check "$name: check accepts the file, which has at most 15 lines and a page" accepted "$name"
	for tool in ss jq "$@"; do
		command -v "$tool" >/dev/null || {
			skipped=$((skipped + 1))
			echo "skip $name: $tool is missing: run/deps.sh test installs it"
			return
		}
	done
	check_here "$name: $what, while each stage is killed" "$command"
	run/stop.sh -i "$instance" >/dev/null 2>&1
	end_server
}

recipe dns "each question has its answer" dns_is_answered dig dnsmasq
recipe calls "each call is made, and RTP goes both ways" calls_are_made sipp
recipe match "each input has its state" match_is_played sockperf
verdict both_ways

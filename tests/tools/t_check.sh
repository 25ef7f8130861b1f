#!/bin/sh
# t_check.sh - build/check as a user calls it; what it says of random configs, build/simulate confirms.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
own_instance check
build=$ONTIME_BUILD
conf=$work/plain.conf
printf '[pipeline]\ninstance = %s\npolicy = edf\n[class rtp]\nlisten = 127.0.0.1:%s\nsend = 127.0.0.1:%s\nbudget = 500ms\n' \
	"$instance" "$listen" "$send" >"$conf"

says() { # STATUS PATTERN ARGS...
	want=$1
	pattern=$2
	shift 2
	text=$("$build/check" "$@" 2>&1) && got=0 || got=$?
	printf '%s (status %s)\n' "$text" "$got"
	[ "$got" = "$want" ] && printf '%s\n' "$text" | grep -q "$pattern"
}

fits="--high.expected_pps=500 --high.expected_service=300us --low.expected_pps=1000 --low.expected_service=300us"

answers_are_right() {
	# shellcheck disable=SC2086
	says 0 '; it fits' $fits && says 3 'it fits with: high.budget of 1250.0 us and more' $fits --high.expected_burst=3 &&
		says 3 'more work than time' $fits --low.expected_pps=3000 && says 0 'no rates and service times' &&
		says 0 'worst response' $fits
}

bad_input_is_one_line() {
	says 2 'nonsense' --nonsense=1 && says 2 'not a number from 0.01 to 3600' --measure 0 && says 2 'not a number from 0.01 to 3600' --measure x && says 2 'not a number from 0.01 to 3600' --measure 0x1 &&
		says 1 'not running' --measure 1 --instance=none && says 2 'cannot be opened' -c /nonexistent
}

all_errors_are_told() { # in one run, each on its line
	printf '[pipeline]\npolcy = edf\nlate = x\n[class a]\nlisten = 127.0.0.1\nsend = 127.0.0.1:2\nbudget = 1\n' >"$work/conf"
	says 2 "^check: $work/conf:2: polcy" -c "$work/conf" && [ "$(printf '%s\n' "$text" | wc -l)" = 4 ] &&
		says 2 "^check: $work/conf:7: budget" -c "$work/conf" && says 2 '^check: and 2 more' --a=1 --b=1 --c=1 --d=1 --e=1 --f=1 --g=1 --h=1 --i=1 --j=1 --k=1 --l=1
}

values_are_exact() {
	says 0 '  950.0 ' --high.budget='1 ms' && says 0 '  450.0 ' --high.budget=0.5ms && says 2 'not whole ns' --high.budget=0.0000001ms &&
		says 2 'not below the budget' --high.margin=1ms
}

sessions_cost_files_and_ports() {
	printf '[class ask]\nlisten = 127.0.0.1:1001\nsend = 127.0.0.1:1002\nreplies = answer\nsessions = 300\nexpected_pps = 10\n[class answer]\n' >"$work/both.conf"
	says 0 '^class ask, replies as answer: 300 sessions, each with a socket and a local port; ports [0-9]*-[0-9]* (net.ipv4.ip_local_port_range)' \
		-c "$work/both.conf" && says 0 'class answer has no expected_pps: its replies are not in the load' -c "$work/both.conf" &&
		says 0 '^answer: 20/s in bursts of 1 fit' -c "$work/both.conf" --answer.expected_pps=20 &&
		says 0 '^open files: about 428 in each process' -c "$work/both.conf" &&
		says 2 '100 ports for 300 sessions' -c "$work/both.conf" --ask.via_ports=40000-40099 || return 1
	prlimit --nofile=400:400 "$build/check" -c "$work/both.conf" >"$work/said" && return 1 || [ $? = 3 ] &&
		grep -q '^too few open files: about 428 .*, and 400 are allowed here' "$work/said"
}

# 1564 bytes of a datagram by IPv4, 1584 by IPv6
# shellcheck disable=SC2016 # the key of the config
copies_take_bandwidth() {
	set -- --high.expected_pps=1000 --high.spread=copy '--high.send=127.0.0.1:1 127.0.0.2:1 [::1]:1'
	says 0 '^class high copies to 3 destinations: up to 37.7 Mbit/s leave, 12.7 to each, with datagrams of payload_bytes$' "$@" &&
		says 0 'load 0.90 %' "$@" && says 0 'load 0.30 %' --high.expected_pps=1000 &&
		says 0 '^  its rate, 20.0 Mbit/s, is less than that: the class waits$' "$@" --high.rate=20Mbit &&
		says 0 '^  its destination_rate, 1.0 Mbit/s, is less than that: what is beyond it is skipped' "$@" --high.destination_rate=1Mbit &&
		says 0 'note: `rate` is not reckoned with: of packets of payload_bytes it lets 1,598/s pass' "$@" --rate=20Mbit &&
		! says 0 'is less than that' "$@" --high.rate=40Mbit --high.destination_rate=13Mbit &&
		says 0 '^class low: up to 12.5 Mbit/s leave' --low.expected_pps=1000 --low.rate=20Mbit
}

plugin_is_there() { # a relative one counts from where the stages will run, wherever this is called
	top=$PWD
	fails_with 2 'the plugin cannot be opened: No such file or directory; build it' "$build/check" --work=plugin:/nonexistent.so &&
		fails_with 2 'the plugin is no regular file' "$build/check" --work=plugin:/dev/null && says 0 'the config is right' --work=plugin:Makefile &&
		cd / && "$top/$build/check" --work=plugin:Makefile >/dev/null && fails_with 2 'counts from the directory' "$top/$build/check" --work=plugin:bin/sh
}

names_are_resolved() {
	says 0 '^check: high.send\[0\]: localhost -> .*:7777 (IPv' --high.send=localhost:7777 &&
		says 2 'high -> high; send it elsewhere' --high.send=localhost:8080 --high.listen='0.0.0.0:8080 [::]:8080'
}

a_plain_relay_has_an_answer() { # without an instance: by the default
	says 0 '^high: 5,000/s in bursts of 100 fit: worst 0.4 ms of 20 ms$' --high.budget=20ms --high.expected_pps=5000 --high.expected_burst=100 &&
		says 0 '^a packet costs the relay 3.0 us, by default' --high.budget=20ms --high.expected_pps=5000 &&
		says 3 '^high: 5,000/s in bursts of 1,000 do not fit: worst 3.2 ms of 1 ms; it fits with: high.budget of 3.2 ms and more$' \
			--high.expected_pps=5000 --high.expected_burst=1000 &&
		says 0 'in bursts of 1,000 fit: worst' --high.expected_pps=5000 --high.expected_burst=1000 --high.budget=3200us &&
		says 3 '^low: 400,000/s in bursts of 1 do not fit: the relay cannot carry all' --low.expected_pps=400000 &&
		says 0 '^besteffort: 10/s in bursts of 1 fit: worst 0.1 ms, no deadline$' --besteffort.expected_pps=10 &&
		says 0 '^note: .rate. is not reckoned with: of packets of payload_bytes it lets 799/s pass$' --high.expected_pps=5000 --rate=10Mbit &&
		says 0 '^note: low: a burst of 10,000 packets .* socket_buffer' --low.expected_pps=10 --low.expected_burst=10000 --socket_buffer=64KiB &&
		says 3 '^arrival_ns,' --low.expected_pps=400000 --counterexample
}

load() { # ARGS...: on the instance; $work/json
	"$build/load" -c "$conf" --json "$@" >"$work/json" && status=0 || status=$?
	cat "$work/json"
	return "$status"
}

# A rate that check says fits: all of it comes, in time. On a busy machine once in three is enough: it is the relay that is judged.
what_fits_does_fit() {
	says 0 '^rtp: 3,000/s in bursts of 30 fit: worst 0.2 ms of 500 ms$' -c "$conf" --rtp.expected_pps=3000 --rtp.expected_burst=30 &&
		run/launch.sh -c "$conf" >/dev/null || return 1
	for try in 1 2 3; do
		echo "try $try"
		load --rate 3000 --arrivals bursty --burst 30 --seconds 2 --size 64-1400 &&
			jq -e 'all(.flows[]; .received == .sent and .sent > 3000 and .relay_ns.max <= 500000000)' "$work/json" >/dev/null && return 0
	done
	return 1
}

# Ten times what it says that the relay can carry does not fit; offered what this source can send, more than that, it drops.
what_does_not_fit_does_not() {
	most=$("$build/check" -c "$conf" --rtp.expected_pps=3000 | sed -n 's/.* at most \([0-9,]*\) packets.*/\1/p' | tr -d ,)
	says 3 '^rtp: .* do not fit: the relay cannot carry all' -c "$conf" --rtp.expected_pps=$((10 * most)) || return 1
	load --rate $((10 * most)) --gso --size 64-64 --seconds 2 --drain 3 || true
	jq -e --argjson asked $((10 * most)) 'all(.flows[]; .not_delivered > 0 or .relay_ns.p99 > 500000000) or .source.sent_pps < $asked / 10' "$work/json"
}

# The CPU time of a busy instance, not the default; of an idle one the default.
a_running_instance_is_asked() {
	says 0 '^a packet costs the relay 3.0 us, by default' -c "$conf" --rtp.expected_pps=3000 || return 1
	"$build/load" -c "$conf" --saturate --size 64 --gso --seconds 4 --drain 3 >/dev/null &
	load=$!
	sleep 1
	says 0 '^a packet costs the relay [0-9.]* us, measured on the running instance: load' -c "$conf" --rtp.expected_pps=3000 && status=0 || status=1
	"$build/check" -c "$conf" --measure 0.5 >"$work/measured" || true # the source sends about what the relay can carry: either may be
	cat "$work/measured"
	grep -q '^a packet costs the relay [0-9.]* us, measured' "$work/measured" && grep -q '^rtp: [0-9,]*/s in bursts of 1 ' "$work/measured" || status=1
	wait $load || true
	run/stop.sh -i "$instance" >/dev/null
	return "$status"
}

full_output_is_told() {
	for how in "" "$fits" "$fits --high.expected_burst=3 --counterexample" --help; do
		# shellcheck disable=SC2086
		"$build/check" $how >/dev/full 2>"$work/said" && got=0 || got=$?
		echo "check $how: status $got, $(cat "$work/said")"
		[ "$got" = 1 ] && grep -q 'No space left' "$work/said" && [ "$(wc -l <"$work/said")" = 1 ] || return 1
	done
}

# 300 random configs: rates, bursts, budgets and service times of three classes.
simulation_confirms() {
	awk 'BEGIN {srand(5); for (k = 0; k < 300; k++) {for (i = 0; i < 3; i++) {pps = 50 + int(rand() * 1500); load = rand() * 0.6
		printf "%d %d %d %d ", pps, 1 + int(rand() * 4), 1 + int(1000000 * load / pps), 500 + int(rand() * 20000)}; print ""}}' >"$work/configs"
	fit=0
	missing=0
	confirmed=0
	while read -r p1 b1 s1 d1 p2 b2 s2 d2 p3 b3 s3 d3; do
		set -- --high.expected_pps="$p1" --high.expected_burst="$b1" --high.expected_service="${s1}us" --high.budget="${d1}us" \
			--medium.expected_pps="$p2" --medium.expected_burst="$b2" --medium.expected_service="${s2}us" --medium.budget="${d2}us" \
			--low.expected_pps="$p3" --low.expected_burst="$b3" --low.expected_service="${s3}us" --low.budget="${d3}us" \
			--high.margin=0us --medium.margin=0us --low.margin=0us
		if "$build/check" "$@" --counterexample >"$work/trace.csv" 2>/dev/null; then
			fit=$((fit + 1))
		else
			missing=$((missing + 1))
			late=$("$build/simulate" --policy edf "$@" "$work/trace.csv" | awk 'NR > 1 {n += $5} END {print n}')
			[ "$late" = 0 ] || confirmed=$((confirmed + 1))
		fi
	done <"$work/configs"
	echo "$fit fit; $missing do not, and simulate confirms the counterexample of $confirmed" | tee "$work/share"
	[ "$fit" -gt 30 ] && [ "$missing" -gt 30 ] && [ "$((confirmed * 100))" -ge "$((missing * 95))" ]
}

shared_ports_are_told() { # in the order in which rules are asked; a rule that is never met; and nothing where nobody shares
	says 0 'the config is right' && ! printf '%s\n' "$text" | grep 'asked in this order\|ecn' || return 1
	says 0 '127.0.0.1:20000: 2 classes, asked in this order' -c run/recipes/one-port.conf || return 1
	printf '%s\n' "$text" | grep -x '  voice        dscp ef, from 10.1.0.0/16 and size <= 400' &&
		printf '%s\n' "$text" | grep -x '  rest         what no rule of the others names' && ! printf '%s\n' "$text" | grep 'gets nothing' &&
		printf '%s\n' "$text" | grep -x 'rest: ecn = mark: what came with ECT leaves with CE from 250 ms after its arrival on' || return 1
	one="--counterexample --voice.expected_pps=1000 --voice.expected_service=2ms"
	# shellcheck disable=SC2086
	says 3 '^arrival_ns,class,bytes,service_ns$' -c run/recipes/one-port.conf $one && ! printf '%s\n' "$text" | grep 'asked in this order'
}

a_rule_that_is_never_met_is_told() { # ABOVE BELOW, and what it says of the one below
	while IFS='|' read -r above below covered; do
		printf '[class a]\nlisten = 127.0.0.1:5000\nsend = 127.0.0.1:6000\nmatch = %s\n[class b]\nlisten = 127.0.0.1:5000\nsend = 127.0.0.1:6001\nmatch = %s\n[class c]\nlisten = 127.0.0.1:5000\nsend = 127.0.0.1:6002\n' \
			"$above" "$below" >"$work/rules.conf"
		says 0 "$([ "$covered" = no ] && echo 3 classes || echo 'b  *gets nothing here: the rule of a, which is asked before, names all of it')" -c "$work/rules.conf" &&
			[ "$(printf '%s\n' "$text" | grep -c 'gets nothing')" = "$([ "$covered" = no ] && echo 0 || echo 1)" ] || return 1
	done <<-END
		size <= 200|size <= 200|yes
		size <= 200|size <= 100 and dscp ef|yes
		size <= 200|size <= 201|no
		size >= 10 and size <= 200|size <= 100|no
		from 10.0.0.0/8|from 10.1.0.0/16, from 10.2.3.4|yes
		from 10.0.0.0/9|from 10.128.0.0/9|no
		from 10.0.0.0/9|from fd00::/8|no
		byte 0 = 0x80/0xc0|byte 0 = 0x85/0xff|yes
		byte 0 = 0x80/0xc0|byte 0 = 0x80/0x80|no
		byte 0 = 0x80/0xc0|byte 1 = 0x85/0xff|no
		dscp ef, dscp cs3|dscp cs3, dscp ef and size <= 9|yes
		dscp ef|dscp ef, dscp cs3|no
	END
}

one_of_several_shards_is_judged() { # it has half of the packets, and a burst whole
	cat >"$work/shards.conf" <<-END
		[pipeline]
		instance = check-shards
		shards = 2
		[class a]
		listen = 127.0.0.1:7001
		send = 127.0.0.1:8001
		budget = 10ms
		expected_pps = 400000
		expected_burst = 30
	END
	"$build/check" -c "$work/shards.conf" >"$work/said" || return 1
	cat "$work/said"
	grep -q '^note: this is one of 2 shards' "$work/said" && grep -Eq '^a: 20[0-9],[0-9]{3}/s in bursts of 30 fit' "$work/said" &&
		! "$build/check" -c "$work/shards.conf" --shards=1 >"$work/said" && ! grep -q 'shards' "$work/said"
}

check "with several shards one of them is judged" one_of_several_shards_is_judged
check "classes that share a port are told, and how" shared_ports_are_told
check "so is a rule that is never met" a_rule_that_is_never_met_is_told
check "the answers are right" answers_are_right
check "bad input is one line and its status" bad_input_is_one_line
check "all errors of a config are told" all_errors_are_told
check "values are exact" values_are_exact
check "what copies take is said, and which rate is less" copies_take_bandwidth
check "what sessions take is said: files, ports, the load of the way back" sessions_cost_files_and_ports
check "a plugin must be there" plugin_is_there
check "host names are resolved, and a loop through one is found" names_are_resolved
check "a full output is one line and status 1" full_output_is_told
check "a plain relay has an answer too" a_plain_relay_has_an_answer
check "what it says fits does fit a running instance" what_fits_does_fit
check "ten times what it can carry does not" what_does_not_fit_does_not
check "a busy instance is asked what a packet costs" a_running_instance_is_asked
check "simulate confirms what does not fit" simulation_confirms
[ ! -s "$work/share" ] || sed 's/^/     /' "$work/share"
verdict check

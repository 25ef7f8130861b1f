#!/bin/sh
# t_hosts.sh - host names in a config, where /etc/hosts and the name servers are this script's own: what they become at a launch, that all
# stages agree on it whatever happens to the names, and what a reload makes of them.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
own_namespaces "host names" "--net --mount" "$0" "$@"
own_instance hosts
at_end() {
	! read -r silent 2>/dev/null <"$work/silent.pid" || kill "$silent"
}
ip link set lo up

for file in hosts nsswitch.conf resolv.conf; do # rewritten in place, so that they stay where they are mounted
	: >"$work/$file"
	mount --bind "$work/$file" "$(realpath "/etc/$file")"
done

sink_is() { # ADDRESS, and nothing but /etc/hosts is asked
	printf '127.0.0.1 localhost in.example\n%s sink.example\n' "$1" >"$work/hosts"
	echo "hosts: files" >"$work/nsswitch.conf"
}

nobody_answers() { # sink.example is not in /etc/hosts, and there is no name server where one should be
	echo "127.0.0.1 localhost in.example" >"$work/hosts"
	echo "hosts: files dns" >"$work/nsswitch.conf"
	printf 'nameserver 127.0.0.1\noptions timeout:%s attempts:1\n' "${1:-1}" >"$work/resolv.conf"
}

write_conf() { # BUDGET
	cat >"$conf" <<END
[pipeline]
instance = $instance
[class one]
listen = in.example:21001
send = sink.example:22001 127.0.0.1:22002
budget = $1
END
}

logged() { # N TEXT: so often
	[ "$(grep -cF "$2" "$log")" = "$1" ]
}

hang_up() {
	kill -HUP "$(cat "$ONTIME_RUN_DIR/$instance/supervisor.pid")"
}

budget_is() { # NS
	[ "$(build/stat -i "$instance" --json | jq '.classes[0].budget_ns')" = "$1" ]
}

passes() { # as a config with addresses has it
	sed "s/in\.example/127.0.0.1/; s/sink\.example/127.0.0.1/" "$conf" >"$work/numeric.conf"
	build/load -c "$work/numeric.conf" --rate 1000 --seconds 1 >"$work/load" && ! grep 'not delivered' "$work/load"
}

launch_tells() {
	sink_is 127.0.0.1
	write_conf 500ms
	run/launch.sh -c "$conf" >"$work/out" 2>&1 || {
		cat "$work/out"
		return 1
	}
	cat "$work/out"
	grep -qxF "ontime: one.send[0]: sink.example -> 127.0.0.1:22001 (IPv4)" "$work/out" &&
		grep -qxF "ontime: one.listen[0]: in.example -> 127.0.0.1:21001 (IPv4)" "$work/out" &&
		grep -q "one  *127.0.0.1:21001 -> 127.0.0.1:22001 127.0.0.1:22002 " "$work/out" && ! grep -q '22002.*IPv4' "$work/out" && passes
}

stages_agree() { # whatever the name becomes: restarted, killed, and with another supervisor
	sink_is 127.0.0.9
	for stage in egress edf ingress; do
		kill -9 "$(live_pid_of $stage)"
		sleep 0.3
		eventually ready || return 1
	done
	nobody_answers
	run/restart.sh all -i "$instance" || return 1
	orphan "$instance"
	run/launch.sh -c "$conf" >"$work/out" 2>&1 || true
	cat "$work/out"
	grep -q '(adopted)' "$work/out" && grep -q '> 127.0.0.1:22001 127' "$work/out" || return 1
	kill -9 "$(live_pid_of egress)"
	sleep 0.3
	eventually ready && passes && ! grep -E 'refused|cannot be resolved' "$log"
}

reload_resolves_anew() {
	sink_is 127.0.0.1
	write_conf 0.6s
	hang_up
	eventually budget_is 600000000 && eventually logged 1 "egress: reloaded $conf" &&
		logged 1 "supervise: one.send[0]: sink.example -> 127.0.0.1:22001 (IPv4)" && passes
}

another_address_needs_a_relaunch() {
	sink_is 127.0.0.9
	write_conf 700ms
	hang_up
	eventually logged 1 "some changes need a relaunch" && grep -q 'one.send: 127.0.0.1:22001 127.0.0.1:22002 -> 127.0.0.9:22001 .*(needs a relaunch)' "$log" &&
		budget_is 600000000
}

no_answer_changes_nothing() {
	nobody_answers
	hang_up
	eventually logged 1 '"sink.example:22001": cannot be resolved now' && budget_is 600000000 &&
		grep -q 'supervise: .*cannot be resolved now .*: nothing was changed' "$log"
}

unknown_changes_nothing() {
	sink_is 127.0.0.1
	sed -i s/sink.example:22001/sunk.example:22001/ "$conf"
	hang_up
	eventually logged 1 '"sunk.example:22001": there is no such host' && budget_is 600000000
}

# A server that takes the question and says nothing: a stage that dies meanwhile comes back at once, and another reload is not held up.
slow_answer_holds_nothing_up() {
	nobody_answers 30
	nc -u -l -k 127.0.0.1 53 >"$work/asked" 2>&1 &
	echo $! >"$work/silent.pid"
	eventually grep -q ':0035 ' /proc/net/udp || return 1 # it listens
	write_conf 800ms
	hang_up
	eventually test -s "$work/asked" || return 1
	before=$(live_pid_of egress)
	kill -9 "$before"
	sleep 1
	ready && [ "$(live_pid_of egress)" != "$before" ] || return 1
	sink_is 127.0.0.1
	hang_up
	sleep 1
	budget_is 800000000 && passes
}

reload_answers() { # what names became, and with the status that a launch has; one that another overtakes is told
	sink_is 127.0.0.1
	write_conf 900ms
	[ "$(run/reload.sh -i "$instance" | sed -n '1p;$p')" = "ontime: one.listen[0]: in.example -> 127.0.0.1:21001 (IPv4)
ontime: $conf is in force in all three stages" ] || return 1
	nobody_answers
	fails_with 1 '"sink.example:22001": cannot be resolved now' run/reload.sh -i "$instance" || return 1
	echo "hosts: files" >"$work/nsswitch.conf"
	fails_with 2 '"sink.example:22001": there is no such host.*: nothing was changed' run/reload.sh -i "$instance" || return 1
	nobody_answers 30
	: >"$work/asked"
	run/reload.sh -i "$instance" >"$work/first" 2>&1 &
	eventually test -s "$work/asked" && sink_is 127.0.0.1 && write_conf 800ms && run/reload.sh -i "$instance" && ! wait $! || return 1
	cat "$work/first"
	[ "$(cat "$work/first")" = "ontime: another reload came before this one was judged: nothing was changed by this one" ] && budget_is 800000000
}

each_error_is_a_line() { # of a reload
	printf '[pipeline]\ninstance = %s\npolicy = x\n[class one]\nlisten = 127.0.0.1\nsend = sink.example:22001\nbudget = 1\n' "$instance" >"$conf"
	hang_up
	eventually grep -q "supervise: $conf:7: budget = .*: nothing was changed" "$log" &&
		grep -q "supervise: $conf:3: policy = .*: nothing was changed" "$log" && grep -q "supervise: $conf:5: listen = .*: nothing was changed" "$log" &&
		budget_is 800000000
}

statuses() { # of a launch and a check: 2 for what is wrong, 1 for what may pass
	run/stop.sh -i "$instance" >/dev/null || return 1
	write_conf 500ms
	sink_is 127.0.0.1
	"$ONTIME_BUILD/check" -c "$conf" 2>&1 | grep -qxF "check: one.send[0]: sink.example -> 127.0.0.1:22001 (IPv4)" || return 1
	nobody_answers
	fails_with 1 'cannot be resolved now' run/launch.sh -c "$conf" && fails_with 1 'cannot be resolved now' "$ONTIME_BUILD/check" -c "$conf" || return 1
	echo "hosts: files" >"$work/nsswitch.conf"
	fails_with 2 'there is no such host' run/launch.sh -c "$conf" && fails_with 2 'there is no such host' "$ONTIME_BUILD/check" -c "$conf" &&
		[ -z "$(find /dev/shm -name "ontime.$instance.*")" ]
}

names_are_no_matter() { # where only the instance counts
	[ "$(build/hold --name -c "$conf")" = "$instance" ] && "$ONTIME_BUILD/hold" --remove -c "$conf"
}

both_families() { # the first address counts, and that there are others is said
	sink_is 127.0.0.1
	echo "::1 sink.example" >>"$work/hosts"
	"$ONTIME_BUILD/check" -c "$conf" >"$work/out" 2>&1 || true
	cat "$work/out"
	grep -qE "one.send\[0\]: sink.example -> (127.0.0.1:22001 \(IPv4|\[::1\]:22001 \(IPv6), the first of 2 addresses\)" "$work/out"
}

check "a launch tells what names became" launch_tells
check "stages agree on it, whatever the names become" stages_agree
check "a reload resolves them anew" reload_resolves_anew
check "another address needs a relaunch" another_address_needs_a_relaunch
check "no answer: nothing is changed" no_answer_changes_nothing
check "an unknown name: nothing is changed" unknown_changes_nothing
check "a slow answer holds neither stages nor reloads up" slow_answer_holds_nothing_up
check "reload.sh waits for names, and has the answer" reload_answers
check "each error of a reload is a line" each_error_is_a_line
check "an unknown name is status 2, no answer 1" statuses
check "names are not asked for where the instance alone counts" names_are_no_matter
check "of two addresses the first counts" both_families
verdict hosts

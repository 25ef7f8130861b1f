#!/bin/sh
# t_systemd_both.sh - sessions of classes with replies stay over a restart of the unit, and a death of all its processes.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/operate/systemd.sh
. tests/operate/systemd.sh

both_ways() { # 600 sessions: they take three bundles
	inside sh -c 'cat >/etc/ontime/both.conf' <<-END
		[pipeline]
		instance = both
		policy = edf
		[class ask]
		listen = 127.0.0.1:8480
		send = 127.0.0.1:9480
		replies = answer
		sessions = 600
		sessions_per_source = 600
		[class answer]
	END
	inside systemctl start ontime@both && inside ontime status -i both
}

session_ports() { # towards the destination: of the sessions, and of the output that looks whether there is a way
	inside ss -Hun state established 'dport = :9480' | awk '{print $3}' | sort
}

kept_bundles() {
	inside systemctl show -p NFileDescriptorStore --value ontime@both
}

# COMMAND...: while 150 more senders ask and are answered. Each answer comes back, once, in order, also what was under way; no port changes.
sessions_stay() {
	before=$(session_ports | wc -l)
	inside "$build/load" -c /etc/ontime/both.conf --rate 4000 --seconds 50 --sources 150 --size 64-64 --json >"$work/answers" 2>"$work/said" &
	load=$!
	eventually has_more_ports $((before + 100)) || return 1 # a source may have the port that an earlier one had, and its session
	sleep 0.5
	session_ports >"$work/ports"
	status=0
	"$@" && sleep 0.5 || status=$?
	session_ports | diff "$work/ports" - || status=1
	kept_bundles
	inside pkill -INT -x load
	wait "$load" || status=$?
	cat "$work/answers" "$work/said"
	[ "$status" = 0 ] && jq -e '(.flows | length) == 2 and .flows[1].received == .flows[0].sent and .flows[1].sent > 500 and
		all(.flows[]; .lost == 0 and .not_delivered == 0 and .duplicated == 0 and .reordered == 0 and .corrupt == 0)' "$work/answers"
}

has_more_ports() { # THAN
	[ "$(session_ports | wc -l)" -gt "$1" ]
}

restart_both() {
	inside systemctl restart ontime@both
}

kill_all_of_both() {
	old=$(inside systemctl show -p MainPID --value ontime@both)
	inside systemctl kill -s KILL --kill-whom=all ontime@both || true
	eventually both_has_another
}

both_has_another() {
	now=$(inside systemctl show -p MainPID --value ontime@both)
	[ "$now" != 0 ] && [ "$now" != "$old" ] && inside "$build/hold" --stages -i both | grep -c ' ready .* 1$' | grep -qx 3
}

twice() { # COMMAND...
	"$@" && "$@"
}

the_store_does_not_grow() { # two inputs and outputs, one for what is denied, three others, the epoll instance, three bundles
	kept_bundles | tee "$work/said" && [ "$(cat "$work/said")" = 10 ]
}

the_store_is_counted() {
	inside journalctl --no-pager -o cat -u ontime@both >"$work/journal" &&
		grep -q 'is to keep 10 descriptors, 3 of them bundles of 600 session sockets' "$work/journal"
}

fits_the_unit() { # whatever a configuration asks for
	sed -n 's/^FileDescriptorStoreMax=//p' run/systemd/ontime@.service | grep -qx "$(sed -n 's/^#define STORE_MOST \([0-9]*\).*/\1/p' run/hold/kept.h)"
}

too_small_a_store_is_said() { # it takes one bundle of three
	inside sh -c 'mkdir -p /run/systemd/system/ontime@both.service.d &&
		printf "[Service]\nFileDescriptorStoreMax=8\nEnvironment=FDSTORE=8\n" >/run/systemd/system/ontime@both.service.d/small.conf' &&
		inside systemctl stop ontime@both && inside systemctl daemon-reload && inside systemctl start ontime@both &&
		inside systemctl restart ontime@both || return 1
	inside sh -c 'rm -r /run/systemd/system/ontime@both.service.d' && inside systemctl daemon-reload && inside systemctl restart ontime@both || return 1
	inside journalctl --no-pager -o cat -u ontime@both >"$work/journal"
	grep 'the service manager keeps 8 descriptors, and 10 are to be kept (3 bundles .*: raise FileDescriptorStoreMax= of the unit to [0-9]*$' "$work/journal" &&
		grep 'has kept 253 of the 600 sockets of sessions: raise FileDescriptorStoreMax=' "$work/journal" && the_store_does_not_grow
}

ask_through() { # a session for each of 150 sources; FILE: their ports
	inside "$build/load" -c /etc/ontime/both.conf --rate 1000 --seconds 2 --sources 150 --size 64-64 --json >"$work/answers" 2>"$work/said" || return 1
	session_ports | sed -n 's/.*:\(41...\)$/\1/p' >"$1"
	wc -l "$1" && [ "$(wc -l <"$1")" -gt 50 ]
}

# Of 1,000 ports, so that some of 150 would be met again.
ports_of_before_rest() {
	inside sed -i 's/^sessions = .*/sessions = 610\nvia_ports = 41000-41999/' /etc/ontime/both.conf && inside systemctl restart ontime@both || return 1
	ask_through "$work/ports" && inside sed -i 's/^sessions = .*/sessions = 611/' /etc/ontime/both.conf && inside systemctl restart ontime@both &&
		[ "$(session_ports | grep -c ':41...$')" = 0 ] && ask_through "$work/later" && comm -12 "$work/ports" "$work/later" >"$work/again" || return 1
	cat "$work/again" && ! [ -s "$work/again" ]
}

sessions_of_another_class_begin_anew() {
	inside sed -i 's/^sessions = .*/sessions = 700/' /etc/ontime/both.conf && inside systemctl restart ontime@both && ! has_more_ports 1
}

run_by_systemd() {
	check "systemd and the units start" start_systemd
	[ -n "${init:-}" ] || return 0
	check "an instance carries replies" both_ways
	check "systemctl restart: sessions stay" sessions_stay twice restart_both
	check "kill -9 of all at once: sessions stay" sessions_stay twice kill_all_of_both
	check "and a restart after that" sessions_stay restart_both
	check "systemd keeps no more than it must" the_store_does_not_grow
	check "it is told how many" the_store_is_counted
	check "and when it has no room for them" too_small_a_store_is_said
	check "a class that was changed begins with none" sessions_of_another_class_begin_anew
	check "by other ports than those of before a restart" ports_of_before_rest
}

check "the unit has room for what any configuration needs" fits_the_unit
if ! [ -x /lib/systemd/systemd ]; then
	skip "systemd is not installed" "systemd runs an instance"
elif unshare --mount --pid --fork --net sh -c 'mount -t tmpfs tmpfs /run && mkdir /run/c && mount -t cgroup2 cgroup2 /run/c' 2>/dev/null; then
	run_by_systemd
else
	skip "namespaces with a cgroup2 mount need root" "systemd runs an instance"
fi
verdict systemd_both

#!/bin/sh
# t_systemd_shards.sh - under systemd the sockets of several shards outlive a restart of the unit, and a death of all its processes; another
# number of shards takes new ones.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/operate/systemd.sh
. tests/operate/systemd.sh
shards=2

write_conf() {
	inside sh -c 'cat >/etc/ontime/wide.conf' <<-END
		[pipeline]
		instance = wide
		policy = edf
		shards = $shards
		[class four]
		listen = 127.0.0.1:8480
		send = 127.0.0.1:9480
		[class six]
		listen = [::1]:8480
		send = [::1]:9480
	END
}

wide_is_ready() {
	inside "$build/hold" --stages -i wide 2>/dev/null | grep -c ' ready .* 1$' | grep -qx $((3 * shards))
}

begins() {
	write_conf && inside systemctl restart ontime@wide && wide_is_ready && inside ontime status -i wide
}

listening() { # the sockets that receive, by their cookies
	inside ss -Hulne 'sport = :8480' | grep -o 'sk:[0-9a-f]*' | sort
}

# COMMAND...: while 12 senders bring 20,000 packets/s to each class. Each comes once, in its sender's order, also what waited meanwhile.
nothing_is_lost() {
	listening >"$work/sockets"
	inside "$build/load" -c /etc/ontime/wide.conf --rate 20000 --seconds 50 --sources 12 --size 64-1400 --json >"$work/load" 2>"$work/said" &
	load=$!
	sleep 0.5
	status=0
	"$@" && sleep 0.5 || status=$?
	listening | diff "$work/sockets" - || status=1
	inside pkill -INT -x load
	wait "$load" || status=$?
	cat "$work/load" "$work/said"
	[ "$status" = 0 ] && [ "$(wc -l <"$work/sockets")" = $((2 * shards)) ] &&
		jq -e 'all(.flows[]; .sent > 5000 and .lost == 0 and .not_delivered == 0 and .duplicated == 0 and .reordered == 0 and .corrupt == 0)' "$work/load"
}

restarts() {
	inside systemctl restart ontime@wide
}

dies() {
	old=$(inside systemctl show -p MainPID --value ontime@wide)
	inside systemctl kill -s KILL --kill-whom=all ontime@wide || true
	eventually has_another
}

has_another() {
	now=$(inside systemctl show -p MainPID --value ontime@wide)
	[ "$now" != 0 ] && [ "$now" != "$old" ] && wide_is_ready
}

has_others() { # N: shards
	listening >"$work/sockets"
	shards=$1
	begins || return 1
	listening >"$work/now"
	[ "$(wc -l <"$work/now")" = $((2 * shards)) ] && ! grep -qxFf "$work/sockets" "$work/now"
}

reloads() {
	inside sed -i 's/^policy = .*/policy = edf-drop/' /etc/ontime/wide.conf && inside systemctl reload ontime@wide &&
		inside ontime config -i wide | grep -x 'policy = edf-drop'
}

stops() {
	inside systemctl stop ontime@wide && ! inside "$build/hold" --stages -i wide && [ "$(inside ls /dev/shm | grep -c wide)" = 0 ]
}

check "systemd runs" start_systemd
check "a unit of two shards starts" begins
check "a restart of the unit keeps their sockets, and loses nothing" nothing_is_lost restarts
check "so does a death of all processes" nothing_is_lost dies
check "a reload reaches them" reloads
check "another number of shards takes other sockets" has_others 3
check "and loses nothing in a restart either" nothing_is_lost restarts
check "one shard alone takes others again" has_others 1
check "a stop is clean" stops
verdict systemd_shards

#!/bin/sh
# t_http.sh - build/dash against bad, huge, slow and many clients.
set -eu
cd "$(dirname "$0")/../.."
name=dash_http
# shellcheck source=tests/dash/lib.sh
. tests/dash/lib.sh
own_config run/ontime.conf
if reason=$(without_dash); then
	skip "bad, huge, slow and many clients" "$reason"
	verdict
	exit 77
fi

survived() { # still the same process, and it ends in peace
	kill -TERM "$dash" && wait "$dash"
}

few_descriptors() { # with 16 of them, 60 idle connections, and pages that read along: a good client is served
	prlimit --nofile=16 "$ONTIME_BUILD/dash" -i "$instance" --listen "127.0.0.1:$((port + 2))" 2>"$work/few.log" &
	few=$!
	node tests/dash/few.js $((port + 2)) && kill -TERM "$few" && wait "$few" && status=0 || status=1
	kill "$few" 2>/dev/null || true
	return "$status"
}

too_few_descriptors() { # and below what it needs it says so
	text=$(prlimit --nofile=8 "$ONTIME_BUILD/dash" --listen "127.0.0.1:$((port + 2))" 2>&1) && status=0 || status=$?
	echo "$text (status $status)"
	[ "$status" = 1 ] && [ "$text" = "dash: serve on 127.0.0.1:$((port + 2)): Too many open files: raise the limit of open files (ulimit -n, LimitNOFILE= of a unit)" ]
}

# In a network of its own: an address of this machine that is not loopback's, and a socket of IPv6 that takes IPv4 too.
serves_ipv4_through_ipv6() {
	# shellcheck disable=SC2086  # one word or none
	unshare $as_root -n sh -c "
		ip link set lo up && ip addr add 10.9.0.1/32 dev lo && ip addr add 2001:db8::1/128 dev lo nodad || exit 1
		$ONTIME_BUILD/dash -i nobody$$ --listen [::]:$port 2>/dev/null &
		for url in http://10.9.0.1:$port/ http://[2001:db8::1]:$port/ http://127.0.0.1:$port/ http://10.9.0.1:$port/metrics; do
			for try in 1 2 3 4 5 6 7 8 9 10; do
				node tests/dash/get.js \$url '' '' >$work/got 2>&1 && break
				sleep 0.2
			done
			echo \$url \$(head -n 1 $work/got)
		done
		echo foreign \$(node tests/dash/get.js http://10.9.0.1:$port/ 'Host: 10.9.0.2' | head -n 1)
		kill \$!
		wait" >"$work/six"
	cat "$work/six"
	[ "$(grep -c 'HTTP 200' "$work/six")" = 4 ] && grep -q '^foreign HTTP 403' "$work/six"
}

as_root=
[ "$(id -u)" = 0 ] || as_root=-r
run/launch.sh -c "$conf" >"$work/launch" 2>&1 || cat "$work/launch"
check "with 16 descriptors a good client is served beside 60 idle ones" few_descriptors
check "with too few it says so" too_few_descriptors
# shellcheck disable=SC2086  # one word or none
if unshare $as_root -n true 2>/dev/null; then
	check "IPv4 is served through a socket of IPv6" serves_ipv4_through_ipv6
else
	skip "IPv4 is served through a socket of IPv6" "no network namespace can be made here"
fi
start_dash --interval 0.1 --allow-host allowed.example || failed=$((failed + 1))
run_part node tests/dash/http.js "$port" "$dash"
survived && status=0 || status=$?
check "it survived, and ends with status 0" test "$status" = 0
verdict "$name"

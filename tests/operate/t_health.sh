#!/bin/sh
# t_health.sh - build/stat and build/dash know an instance that runs and is not well, and when it is well again. In a network
# namespace of its own, where an address can go away.
set -eu
cd "$(dirname "$0")/../.."
if [ "${1-}" != inside ]; then
	as_root=
	[ "$(id -u)" = 0 ] || as_root=-r
	# shellcheck disable=SC2086  # one word or none
	if unshare $as_root -n true 2>/dev/null; then
		exec unshare $as_root -n "$0" inside
	fi
	echo "skip a class, a stage and a supervisor that are not well: no network namespace can be made here"
	echo "health: 0 passed, 0 failed, 1 skipped"
	exit 77
fi
name=health
# shellcheck source=tests/dash/lib.sh
. tests/dash/lib.sh
gone=10.99.0.1 # what class medium is sent to, for as long as this machine has that address
ip link set lo up
ip addr add $gone/32 dev lo
own_config build/full.conf
sed -i "s/^policy = .*/policy = edf/; s/^hung = .*/hung = 60s/; s/127\.0\.0\.1:${send%0}1/$gone:${send%0}1/" "$conf"
reason=$(without_dash) || reason=
if [ -n "$reason" ]; then
	skip "the health of an instance" "$reason"
	verdict "$name"
	exit 77
fi

say_to() { # CLASS-NUMBER N: so many datagrams to that class
	for _ in $(seq "$2"); do
		say x $((listen + $1))
	done
}

is_well() { # all say so
	says /healthz '^HTTP 200' && says /healthz '^ok$' && says /metrics '^ontime_healthy 1$' &&
		[ "$(get /metrics '' '' | grep -c '^ontime_unhealthy{cause="[a-z_]*"} 0$')" = 9 ]
}

stat_is_well() { # and stat, with a look or two
	"$ONTIME_BUILD/stat" -i "$instance" --once >"$work/stat" && [ "$(tail -n 1 "$work/stat")" = balanced ] &&
		! grep '^NOT' "$work/stat" && "$ONTIME_BUILD/stat" -i "$instance" --json | jq -e '.healthy and .causes == [] and .supervised'
}

is_ill() { # CAUSE LINE: what /healthz, /metrics and the page's events say
	says /healthz '^HTTP 503' && says /healthz "$2" && says /metrics '^ontime_healthy 0$' &&
		says /metrics "^ontime_unhealthy{cause=\"$1\"} [1-9]"
}

stat_is_ill() { # CAUSE LINE: status 3; the cause is said before the last line, which is about the balance only
	"$ONTIME_BUILD/stat" -i "$instance" --once >"$work/stat" && status=0 || status=$?
	cat "$work/stat"
	[ "$status" = 3 ] && grep -q "^NOT well: $2" "$work/stat" && [ "$(tail -n 1 "$work/stat")" = balanced ] || return 1
	"$ONTIME_BUILD/stat" -i "$instance" --json >"$work/json" && status=0 || status=$?
	[ "$status" = 3 ] && jq -e --arg cause "$1" '(.healthy | not) and .balanced and any(.causes[]; .cause == $cause)' "$work/json"
}

idle_is_well() {
	eventually is_well && stat_is_well && "$ONTIME_BUILD/load" -c "$conf" --rate 500 --seconds 1 && is_well
}

# Class medium's destination has no route any more.
refusal_shows() {
	refused="class medium: every packet is refused: [A-Z]"
	ip addr del $gone/32 dev lo
	say_to 1 20
	eventually is_ill refused "^$refused" || return 1
	(while :; do say_to 1 1; sleep 0.05; done) &
	talker=$!
	stat_is_ill refused "$refused" && says /healthz '^class medium' && ! says /healthz '^class high' && status=0 || status=1
	kill $talker
	wait $talker || true
	return "$status"
}

is_sent_again() { say_to 1 3 && is_well; }

refusal_ends_when_one_is_sent() {
	ip addr add $gone/32 dev lo
	eventually is_sent_again && stat_is_well
}

refusal_is_forgotten() { # and without traffic, after a while
	ip addr del $gone/32 dev lo
	say_to 1 3
	eventually says /healthz '^class medium: every' || return 1
	ip addr add $gone/32 dev lo
	sleep 6
	eventually is_well
}

pid_of() { "$ONTIME_BUILD/hold" --stages -i "$instance" | sed -n "s/^$1 \([0-9]*\) .*/\1/p"; }

standstill_shows() { # edf is frozen, and nobody ends it within a minute
	kill -STOP "$(pid_of edf)"
	say_to 0 7
	eventually is_ill stuck '^class high has sent nothing for [0-9]* s with 7 packets held$' &&
		eventually is_ill stage_hung '^stage edf has not moved for [0-9]* s$' &&
		stat_is_ill stuck 'class high has sent nothing for [0-9]* s with 7 packets held'
}

standstill_ends() {
	kill -CONT "$(pid_of edf)"
	eventually is_well && stat_is_well
}

lost_supervisor_shows() {
	orphan "$instance"
	eventually is_ill unsupervised '^no supervisor: ' && says /metrics '^ontime_supervised 0$' &&
		"$ONTIME_BUILD/stat" -i "$instance" --json | jq -e '.supervised | not'
}

new_supervisor_ends_it() {
	run/launch.sh -c "$conf" && eventually is_well && says /metrics '^ontime_supervised 1$'
}

stream_says_it() { # --record and /events have the cause in each line
	timeout -s INT 5 "$ONTIME_BUILD/stat" -i "$instance" --record "$work/record" --interval 0.5 &
	recorder=$!
	kill -STOP "$(pid_of edf)"
	say_to 0 3
	wait $recorder || true
	kill -CONT "$(pid_of edf)"
	jq -es '(.[0].healthy) and any(.[]; any(.causes[]; .cause == "stuck" and (.text | startswith("class high has sent nothing"))))' "$work/record"
}

run/launch.sh -c "$conf" >"$work/launch" 2>&1 || cat "$work/launch"
start_dash --interval 0.25 || failed=$((failed + 1))
check "an instance that is idle or at work is well" idle_is_well
check "a class whose every packet is refused is said, by its errno" refusal_shows
check "until one is sent" refusal_ends_when_one_is_sent
check "or nothing was refused for a while" refusal_is_forgotten
check "a class that holds packets and sends none is said, and the stage that hangs" standstill_shows
check "until it moves" standstill_ends
check "a recording has it too" stream_says_it
check "a supervisor that is gone is said" lost_supervisor_shows
check "until there is a new one" new_supervisor_ends_it
verdict "$name"

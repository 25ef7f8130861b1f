#!/bin/sh
# t_flood.sh [SENDERS] - SENDERS (100,000) addresses send a datagram each to a class with replies: those whose sessions are open are answered
# as before, every other datagram is counted by name, and no process grows. In a network namespace of its own.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
own_namespaces "a flood of senders" --net "$0" "$@"
own_instance flood
senders=${1:-100000}
rate=20000
ip link set lo up

on_failure() {
	cat "$work/launched" "$work/server" "$work/asked" "$work/flood" 2>/dev/null | tail -n 20
	account '.classes[] | "\(.class) received \(.received) sent \(.sent) held \(.held) dropped \(.dropped)"' || true
}

dropped() { # REASON
	account ".classes[0].dropped.$1"
}

at_end() {
	end_server
}

end_server() {
	[ -z "${server:-}" ] || end_process "$server"
	server=
}

relay() { # LINE...: of the class with replies
	end_server
	run/stop.sh -i "$instance" >/dev/null 2>&1 || true
	printf '[pipeline]\ninstance = %s\npolicy = edf\n[class game]\nlisten = 127.0.0.1:7777\nsend = 127.0.0.1:8888\nbudget = 100ms\n' "$instance" >"$conf"
	printf '%s\n' "replies = game-back" "sessions_per_source = 20" "$@" "[class game-back]" "budget = 100ms" >>"$conf"
	run/launch.sh -c "$conf" >"$work/launched" 2>&1 || return 1
	"$ONTIME_BUILD/tests/echo" 127.0.0.1:8888 >"$work/server" 2>&1 </dev/null &
	server=$!
	eventually grep -q ready "$work/server"
}

resident() { # NAME KIB of each process of the instance: what is its own, not the slots, which are in the segment
	{
		"$ONTIME_BUILD/hold" --stages -i "$instance" | awk '{print $1, $2}'
		printf 'supervisor %s\nholder %s\n' "$("$ONTIME_BUILD/hold" --supervisor -i "$instance")" "$("$ONTIME_BUILD/hold" --holder -i "$instance")"
	} | while read -r name pid; do
		printf '%s %s\n' "$name" "$(sed -n 's/^RssAnon:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$pid/status")"
	done
}

no_process_grew() { # by more than 256 KiB
	resident >"$work/after"
	[ "$(wc -l <"$work/before")" = 5 ] && paste -d ' ' "$work/before" "$work/after" |
		awk '{printf "%s %d KiB before, %d KiB after\n", $1, $2, $4; bad += $4 > $2 + 256} END {exit bad > 0}'
}

# Twenty clients ask all the time while the flood comes.
flooded() {
	seconds=$((senders / rate + 3))
	"$ONTIME_BUILD/tests/ask" 127.0.0.1:7777 --clients 20 --rate 500 --seconds "$seconds" --from 127.1.0.0/20 --timeout 3000 >"$work/asked" 2>&1 &
	asker=$!
	eventually twenty_are_open || return 1
	resident >"$work/before"
	"$ONTIME_BUILD/tests/flood" 127.0.0.1:7777 --senders "$senders" --rate "$rate" >"$work/flood" 2>&1 && wait "$asker" || return 1
	tail -n 1 "$work/flood" "$work/asked"
	eventually nothing_is_held
}

twenty_are_open() {
	[ "$("$ONTIME_BUILD/stat" -i "$instance" --sessions --json | jq '.classes[0].open')" = 20 ]
}

nothing_is_held() {
	[ "$(account '[.classes[] | .held + .unbalanced] | add')" = 0 ]
}

asked() {
	sed -n 's/.*sent \([0-9]*\).*/\1/p' "$work/asked" | head -n 1
}

is_exact() { # what came is what was sent, and each datagram is sent on, or has a reason
	account '.classes[0] | "received \(.received), sent \(.sent), no_session \(.dropped.no_session), kernel \(.dropped.kernel), late \(.sent_late)"'
	[ "$(account '.classes[0].received')" = $((senders + $(asked))) ] &&
		[ "$(account '.classes[0] | .sent + .dropped.no_session + .dropped.kernel')" = $((senders + $(asked))) ] &&
		[ "$(account '.classes[1].sent')" -ge "$(asked)" ]
}

all_sessions_are_taken() {
	relay "sessions = 20" && flooded && is_exact && no_process_grew &&
		[ $(($(dropped no_session) + $(dropped kernel))) = "$senders" ] && [ "$(account '.classes[0].sent')" = "$(asked)" ]
}

sessions_come_and_go() { # each that ends is another sender's at once
	relay "sessions = 276" "idle_unanswered = 1s" "idle = 1s" && flooded && is_exact && no_process_grew &&
		[ "$(account '.classes[0].sent')" -gt $(($(asked) + 256)) ]
}

show_figures() {
	sed 's/^/     /' "$work/checked"
}

check_here "$senders senders find no session: each is counted by name, and the open ones are answered" all_sessions_are_taken
show_figures
check_here "$senders senders take what ends: likewise" sessions_come_and_go
show_figures
verdict flood

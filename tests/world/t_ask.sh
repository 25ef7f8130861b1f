#!/bin/sh
# t_ask.sh - the clients of ask and the server of echo alone: ask finds nothing where nothing is wrong, and each harm that echo does.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
own_namespaces "what ask finds" --net "$0" "$@"
work=$(mktemp -d)
build=${ONTIME_BUILD:-build}
server=
trap '[ -z "$server" ] || kill $server 2>/dev/null || true; rm -rf "$work"' EXIT INT TERM
ip link set lo up

serve() { # OPTION...: sets $server; another one before it ends
	[ -z "$server" ] || end_process "$server"
	: >"$work/echo"
	"$build/tests/echo" "${at:-127.0.0.1}:8888" "$@" >"$work/echo" &
	server=$!
	eventually grep -q ready "$work/echo"
}

ask() { # STATUS OPTION...: what it says, to $work/said
	want=$1
	shift
	"$build/tests/ask" 127.0.0.1:8888 "$@" >"$work/said" 2>&1 && got=0 || got=$?
	cat "$work/said"
	[ "$got" = "$want" ]
}

count() { # WHAT: the number behind it
	sed -n "s/.*$1 \([0-9]*\).*/\1/p" "$work/said"
}

ends() { # echo, and says how many it has spoiled: to $spoiled
	kill "$server"
	wait "$server" || true
	server=
	cat "$work/echo"
	spoiled=$(sed -n 's/.*spoiled \([0-9]*\).*/\1/p' "$work/echo")
	[ "$spoiled" -gt 0 ]
}

nothing_is_wrong() {
	serve && ask 0 --seconds 0.3 && ask 0 --clients 300 --rate 3000 --seconds 1 --from 127.1.0.0/100 --size 1400 &&
		ask 0 --clients 20 --rate 2000 --churn 5 --rest 20 --seconds 1 && [ "$(count ports)" -gt 60 ]
}

is_found() { # HARM WHAT: by rate, among 50 clients; as often as it was done
	serve "--$1" 100 && ask 1 --clients 50 --rate 5000 --seconds 1 && ends && [ "$(count "$2")" = "$spoiled" ]
}

a_loss_may_be_allowed() {
	serve --drop 10 && ask 0 --losses --clients 10 --timeout 50 --seconds 0.5 && ends && [ "$(count lost)" = "$spoiled" ]
}

another_address_is_found() { # the client wrote to 127.0.0.2, and 127.0.0.1 answers
	at=0.0.0.0 serve && "$build/tests/ask" 127.0.0.2:8888 --from 127.0.0.1 --seconds 0.3 >"$work/said" && return 1
	cat "$work/said"
	[ "$(count elsewhere)" -gt 0 ] && [ "$(count elsewhere)" = "$(count answered)" ]
}

a_pause_delays() { # and loses nothing
	serve --pause 700 && usr1_soon && ask 0 --clients 10 --rate 1000 --seconds 1 --timeout 2000 &&
		sed -n 's/.* max //p' "$work/said" | awk '{exit $1 < 500000}'
}

usr1_soon() {
	{ sleep 0.3 && kill -USR1 "$server"; } &
}

refused_is_lost() {
	serve --refuse 300 && usr1_soon && ask 1 --clients 10 --rate 1000 --seconds 1 && [ "$(count lost)" -gt 100 ] && [ "$(count lost)" -lt 900 ]
}

check_here "where nothing is wrong, nothing is found" nothing_is_wrong
check_here "answers to a wrong client are found" is_found wrong 'wrong client'
check_here "answers that come twice are found" is_found twice twice
check_here "answers out of order are found" is_found swap 'out of order'
check_here "answers that do not come are found" is_found drop lost
check_here "answers that were changed are found" is_found change changed
check_here "losses may be allowed" a_loss_may_be_allowed
check_here "answers from another address are found" another_address_is_found
check_here "answers that come late are waited for, and measured" a_pause_delays
check_here "what is refused is lost" refused_is_lost
verdict ask

#!/bin/sh
# t_guard.sh [KILLS] - protection per source while stages are killed: what is denied is counted exactly, what is limited too, a fair class gives each
# of its sources its part, and a reload changes who is denied. In a network namespace of its own.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
own_namespaces "protection per source" --net "$0" "$@"
own_instance guard
kills=${1:-12}
ip link set lo up
to=127.0.0.1:7777
sink=127.0.0.1:8888

on_failure() {
	cat "$work/launched" "$work/said" 2>/dev/null | tail -n 12
	account '.classes[] | "\(.class) received \(.received) sent \(.sent) held \(.held) dropped \(.dropped)"' || true
}

config() { # LINE...: of the class
	printf '[pipeline]\ninstance = %s\npolicy = edf\n[class game]\nlisten = %s\nsend = %s\nbudget = 100ms\n' "$instance" "${listening:-$to}" "$sink" >"$conf"
	printf '%s\n' "$@" >>"$conf"
}

relay() {
	run/stop.sh -i "$instance" >/dev/null 2>&1 || true
	config "$@"
	run/launch.sh -c "$conf" >"$work/launched" 2>&1
}

of() { # REASON
	account ".classes[0].dropped.$1"
}

sent_by() { # polite|flood
	awk -v who="$1" '$1 == who {print $3}' "$work/said"
}

came_of() {
	awk -v who="$1" '$1 == who {print $5}' "$work/said"
}

kill_stages() { # one after the other, while the traffic runs
	for n in $(seq "$kills"); do
		sleep 0.25
		stage=$(echo ingress edf egress ingress | cut -d' ' -f $((n % 4 + 1)))
		pid=$(live_pid_of "$stage")
		[ -z "$pid" ] || kill -9 "$pid" 2>/dev/null || true
	done
}

traffic() { # OPTION...: of `sources`; stages are killed meanwhile
	"$ONTIME_BUILD/tests/sources" "$to" "$sink" --seconds "$((kills / 4 + 2))" "$@" >"$work/said" 2>&1 &
	pid_of_sources=$!
	kill_stages
	wait "$pid_of_sources" || return 1
	cat "$work/said"
}

nothing_is_held() {
	[ "$(account '[.classes[] | .held + .unbalanced] | add')" = 0 ]
}

# The kernel's drops of a socket are looked at ten times a second.
all_is_counted() { # what was sent, by all
	eventually is_received $(($(sent_by polite) + $(sent_by flood)))
}

is_received() {
	[ "$(account '.classes[0].received')" = "$1" ] && nothing_is_held
}

denied_is_exact() {
	relay "deny = 127.9.0.0/16 10.0.0.0/8" && traffic --flood 60000 --flood-sources 65000 && all_is_counted &&
		echo "denied $(of denied), kernel $(of kernel)" && [ "$(of denied)" = "$(sent_by flood)" ] &&
		[ "$(came_of flood)" = 0 ] && [ "$(came_of polite)" = "$(sent_by polite)" ]
}

allowed_is_exact() { # and one who is allowed may be denied
	relay "allow = 127.1.0.0/16" "deny = 127.1.0.3" && traffic --flood 20000 && all_is_counted && echo "denied $(of denied)" &&
		[ "$(of denied)" = $(($(sent_by flood) + $(sent_by polite) / 20)) ] &&
		[ "$(came_of polite)" = $(($(sent_by polite) - $(sent_by polite) / 20)) ]
}

limited_is_exact() { # the flood has rate * t + burst, and everybody else all
	seconds=$((kills / 4 + 2))
	relay "source_rate = 500/s" "source_burst = 50" && traffic --flood 5000 && all_is_counted &&
		echo "limited $(of limited), kernel $(of kernel)" && [ "$(came_of polite)" = "$(sent_by polite)" ] &&
		[ "$(of kernel)" = 0 ] && [ "$(came_of flood)" = $(($(sent_by flood) - $(of limited))) ] &&
		[ "$(came_of flood)" -le $((500 * seconds + 50 + 5)) ] && [ "$(came_of flood)" -ge $((500 * seconds - 60)) ]
}

fair_is_fair() { # more than each one's half of what can leave is offered by both, ten times as much by one as by each of the others
	relay "fair = 64" "edf_to_egress = 32" "ingress_to_edf = 32" && sed -i 's/^policy = edf/&\nrate = 1Mbit\nburst = 2KiB\nsocket_buffer = 64KiB/' "$conf" &&
		run/stop.sh -i "$instance" >/dev/null && run/launch.sh -c "$conf" >"$work/launched" 2>&1 && choose_sources || return 1
	before=$(wc -l <"$work/probes")
	eventually is_received "$before" || return 1
	traffic --polite 1 --rate 2000 --from "$polite_from" --flood 20000 --flood-from "$flood_from" || return 1
	eventually is_received $((before + $(sent_by polite) + $(sent_by flood))) && [ "$(awk '/^jain/ {print ($2 >= 0.99)}' "$work/said")" = 1 ]
}

# Two addresses that share no bucket: of what one sends, the other's socket gets nothing.
choose_sources() {
	polite_from=127.1.0.1
	: >"$work/probes"
	for n in 1 2 3 4 5 6 7 8; do
		flood_from=127.9.0.$n
		[ "$(bucket_of "$flood_from")" = "$(bucket_of "$polite_from")" ] || return 0
	done
	return 1
}

bucket_of() { # ADDRESS: the socket whose count of datagrams grows, while ingress stands still
	pid=$(live_pid_of ingress)
	kill -STOP "$pid"
	"$ONTIME_BUILD/tests/flood" "$to" --senders 1 --rate 100 --from "$1" >/dev/null
	echo "$1" >>"$work/probes"
	ss -H -uan "sport = :7777" | awk '$2 > 0 {print NR}'
	kill -CONT "$pid"
	eventually nothing_is_held
}

reload_changes_who_is_denied() {
	relay && traffic --flood 5000 && all_is_counted && [ "$(of denied)" = 0 ] && [ "$(came_of flood)" = "$(sent_by flood)" ] || return 1
	config "deny = 127.9.0.0/16" && run/reload.sh -i "$instance" >"$work/reloaded" 2>&1 || return 1
	before=$(account '.classes[0].received')
	traffic --flood 5000 && eventually is_received $((before + $(sent_by polite) + $(sent_by flood))) &&
		[ "$(of denied)" = "$(sent_by flood)" ] && [ "$(came_of flood)" = 0 ] || return 1
	config "deny = 127.8.0.0/16" && run/reload.sh -i "$instance" >"$work/reloaded" 2>&1 || return 1
	traffic --flood 5000 && [ "$(came_of flood)" = "$(sent_by flood)" ] && [ "$(came_of polite)" = "$(sent_by polite)" ] || return 1
	config && run/reload.sh -i "$instance" >"$work/reloaded" 2>&1 || return 1
	traffic --flood 5000 && [ "$(came_of flood)" = "$(sent_by flood)" ]
}

renewal_keeps_the_count() { # of the holder and of the supervisor
	relay "deny = 127.9.0.0/16" "fair = 8" && traffic --flood 5000 && all_is_counted || return 1
	kill -9 "$("$ONTIME_BUILD/hold" --supervisor -i "$instance")" "$("$ONTIME_BUILD/hold" --holder -i "$instance")"
	sleep 1
	before=$(account '.classes[0].received')
	was=$(of denied)
	traffic --flood 5000 && eventually is_received $((before + $(sent_by polite) + $(sent_by flood))) &&
		[ "$(of denied)" = $((was + $(sent_by flood))) ] && [ "$(came_of polite)" = "$(sent_by polite)" ]
}

check_here "a denied flood is dropped by the kernel and counted exactly, through $kills kills" denied_is_exact
check_here "so is whoever is not allowed" allowed_is_exact
check_here "a source passes at its rate and burst, and what is limited is counted exactly, through $kills kills" limited_is_exact
check_here "a source that sends ten times as much as another gets no more than that, through $kills kills" fair_is_fair
check_here "a reload begins, changes and ends what is denied" reload_changes_who_is_denied
check_here "a new holder and supervisor go on with the count" renewal_keeps_the_count
verdict guard

#!/bin/sh
# soak.sh SECONDS [SEED] - an instance at 80 % of what its work leaves time for, with a fault each second: kill -9 of stages, stand-bys,
# supervisor and holder, STOP and CONT, full lanes, reloads, an address that goes and comes back, processes that take the CPUs, losses
# on the far side. Each second the account must balance, and hold what the histogram holds; in the end each datagram has arrived, or a
# name: what left here came there, but for what was lost behind us. Memory and descriptors stay as they are.
#
# Needs root, for two network namespaces; nft for losses. Half a minute in tests/run.sh; minutes and hours by hand.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
own_namespaces "a soak" --net "$0" "$@"
seconds=${1:?soak.sh SECONDS [SEED]}
seed=${2:-1}
ONTIME_BUILD=$PWD/${ONTIME_BUILD:-build}
own_instance soak
service_us=300 # of `work = simulate` on 700 bytes
pps=$((80 * 10000 / service_us))
unshare --net sleep $((seconds + 600)) & # the far side
peer=$!
load='' sink='' hogs=''
at_end() {
	# shellcheck disable=SC2086 # several, or none
	kill $load $sink $hogs "$peer" 2>/dev/null
}

there() { # COMMAND...
	nsenter --net="/proc/$peer/ns/net" "$@"
}

random() { # BELOW: in $drawn
	seed=$(((seed * 1103515245 + 12345) % 2147483648))
	drawn=$((seed / 65536 % $1))
}

## The two sides

is_there() { # has unshare() happened?
	[ "$(readlink "/proc/$peer/ns/net")" != "$(readlink /proc/self/ns/net)" ]
}

connect_sides() {
	eventually is_there && ip link set lo up && there ip link set lo up && ip link add va type veth peer name vb netns "$peer" &&
		ip link set va up && there ip link set vb up && ip addr add 10.9.0.1/24 dev va && there ip addr add 10.9.0.2/24 dev vb
}

has_losses() { # three of a hundred, counted, while the set `now` has an entry
	there nft -f - <<-END 2>"$work/nft"
		table inet soak {
			set now { type inet_service; }
			counter lost { }
			chain in { type filter hook prerouting priority 0; udp dport @now numgen random mod 100 < 3 counter name lost drop; }
		}
	END
}

lost_behind_us() {
	there nft -j list counter inet soak lost 2>/dev/null | jq '[.nftables[].counter.packets // empty] | add // 0'
}

configure() { # BUDGET of high
	cat >"$work/next.conf" <<-END
		[pipeline]
		instance = $instance
		work = simulate
		full = drop
		late = send
		policy = edf
		heartbeat = 50ms
		hung = 5s
		[class high]
		listen = 127.0.0.1:$listen
		send = 10.9.0.2:$send
		budget = $1
		ingress_to_edf = 64
		edf_to_egress = 32
		[class low]
		listen = 127.0.0.1:$((listen + 1))
		send = 10.9.0.2:$((send + 1))
		budget = 500ms
		ingress_to_edf = 256
		edf_to_egress = 64
	END
	mv "$work/next.conf" "$conf"
}

## Faults

kill_stages() { # one by chance, or two at once
	for _ in 1 $1; do
		random 3
		pid=$(live_pid_of "$(echo "ingress edf egress" | cut -d ' ' -f $((drawn + 1)))")
		[ -z "$pid" ] || kill -9 "$pid" 2>/dev/null || true
	done
}

kill_keeper() { # WHO OTHER: supervisor or holder, while the other is there; it comes back
	pid=$("$ONTIME_BUILD/hold" "--$1" -i "$instance" 2>/dev/null) || return 0
	! "$ONTIME_BUILD/hold" "--$2" -i "$instance" >/dev/null 2>&1 || kill -9 "$pid" 2>/dev/null || true
}

freeze() { # STAGE SECONDS
	pid=$(live_pid_of "$1")
	[ -n "$pid" ] || return 0
	kill -STOP "$pid" 2>/dev/null || return 0
	sleep "$2"
	kill -CONT "$pid" 2>/dev/null || true
}

reload() {
	random 40
	configure "$((10 + drawn))ms"
	run/reload.sh -i "$instance" >"$work/reloaded" 2>&1 || grep -q 'supervisor\|meanwhile\|has not said' "$work/reloaded" || cat "$work/reloaded" >>"$work/wrong"
}

lose_address() {
	ip addr del 10.9.0.1/24 dev va
	sleep 0.3
	ip addr add 10.9.0.1/24 dev va
}

lose_datagrams() {
	[ "$losses" = 1 ] || return 0
	there nft add element inet soak now "{ $send, $((send + 1)) }"
	sleep 0.7
	there nft flush set inet soak now
}

take_cpus() {
	hogs=
	for _ in 1 2 3 4; do
		timeout 0.8 sh -c 'while :; do :; done' &
		hogs="$hogs $!"
	done
	# shellcheck disable=SC2086 # several
	wait $hogs 2>/dev/null || true
	hogs=
}

fault() { # the one that is drawn
	what=$(echo "kill kill pair supervisor holder standbys freeze full reload address losses hogs" | cut -d ' ' -f $((drawn + 1)))
	case $what in
	kill) kill_stages "" ;;
	pair) kill_stages 2 ;;
	supervisor) kill_keeper supervisor holder ;;
	holder) kill_keeper holder supervisor ;;
	standbys) "$ONTIME_BUILD/hold" --signal standbys KILL -i "$instance" >/dev/null 2>&1 || true ;;
	freeze) freeze edf 0.3 ;;
	full) freeze egress 0.8 ;; # for longer than its lanes are
	reload) reload ;;
	address) lose_address ;;
	losses) lose_datagrams ;;
	hogs) take_cpus ;;
	esac
	echo "$what" >>"$work/faults"
}

## What must hold

compare_histograms() { # MOST: classes whose histogram holds more or less than were sent, by more than that
	jq -rc --argjson most "$1" '.classes[] | .held_in = ([.latency_buckets[][1]] | add // 0) | select(.held_in - .sent | fabs > $most) | "\(.class): sent \(.sent), and the histogram has \(.held_in)"'
}

histograms_agree() { # in the end to the datagram; a second before to one commit, whose updates follow it
	"$ONTIME_BUILD/stat" --json -i "$instance" | compare_histograms 0 >>"$work/differ"
	nothing_wrong differ
}

look() { # each second: the identity, exact, and as many in the histogram as were sent
	"$ONTIME_BUILD/stat" --json -i "$instance" >"$work/look" 2>"$work/why" || { # counts that never held still, as of a frozen stage, say so
		cat "$work/why" >>"$work/unseen"
		return 0
	}
	jq -rc 'select(.balanced | not) | "not balanced: \(.classes)"' "$work/look" >>"$work/wrong"
	compare_histograms 64 <"$work/look" >>"$work/differ"
	echo >>"$work/looks"
}

measure() { # memory (kB) and descriptors of each process that has run for a second: KIND KB FDS
	for pid in $(processes_of "$dir"); do
		read -r name 2>/dev/null <"/proc/$pid/comm" || continue
		kb=$(awk '/^VmRSS:/ {print $2}' "/proc/$pid/status" 2>/dev/null) || continue
		fds=$(find "/proc/$pid/fd" -mindepth 1 2>/dev/null | wc -l)
		[ -z "$kb" ] || [ "$fds" = 0 ] || echo "$second ${name%\*} $kb $fds" >>"$work/sizes"
	done
}

is_flat() { # the most of the last third is no more than that of the first, and a tenth, or a megabyte
	awk -v n="$seconds" '
	$1 <= n / 3 { if ($3 > kb[$2]) kb[$2] = $3; if ($4 > fds[$2]) fds[$2] = $4 }
	$1 > 2 * n / 3 { if ($3 > last_kb[$2]) last_kb[$2] = $3; if ($4 > last_fds[$2]) last_fds[$2] = $4 }
	END {
		for (who in last_kb) {
			printf "%s: %d to %d kB, %d to %d descriptors\n", who, kb[who], last_kb[who], fds[who], last_fds[who]
			if (kb[who] && (last_kb[who] > kb[who] * 1.1 + 1024 || last_fds[who] > fds[who] + 2))
				bad = 1
		}
		exit bad
	}' "$work/sizes"
}

nothing_wrong() { # FILE
	! grep . "$work/$1"
}

always_balanced() { # and there were looks: one in four seconds at least, however busy the machine is
	nothing_wrong wrong && [ "$(wc -l <"$work/looks")" -ge $((seconds / 4)) ] && return 0
	cat "$work/unseen"
	return 1
}

is_drained() {
	[ "$(account '[.classes[].held] | add')" = 0 ]
}

sum_of() { # KEY of the source's or sink's JSON
	jq "[.flows[].$1] | add" "$2"
}

all_accounted() { # sent by the source = sent on + dropped by name; sent on = came there + lost behind us
	account '.classes[] | {class, received, sent, held, dropped: (.dropped | with_entries(select(.value > 0)))}'
	source_sent=$(sum_of sent "$work/load")
	came=$(sum_of received "$work/sink")
	lost=$(lost_behind_us)
	received=$(account '[.classes[].received] | add')
	sent=$(account '[.classes[].sent] | add')
	echo "source $source_sent, received $received, sent on $sent, came there $came, lost behind us ${lost:-0}"
	[ "$source_sent" -gt 0 ] && [ "$received" = "$source_sent" ] && [ "$sent" = $((came + ${lost:-0})) ]
}

none_twice() { # nor changed, nor out of order
	[ "$(sum_of duplicated "$work/sink") $(sum_of reordered "$work/sink") $(sum_of corrupt "$work/sink")" = "0 0 0" ]
}

connect_sides
losses=1
has_losses || losses=0
: >"$work/wrong" && : >"$work/differ" && : >"$work/unseen" && : >"$work/looks" && : >"$work/faults" && : >"$work/sizes"
configure 20ms
run/launch.sh -c "$conf" >"$work/launched" 2>&1 || { cat "$work/launched"; exit 1; }
cp "$conf" "$work/ends.conf" # what source and sink go by
nsenter --net="/proc/$peer/ns/net" "$ONTIME_BUILD/load" -c "$work/ends.conf" --sink-only --json >"$work/sink" 2>"$work/sink.said" &
sink=$!
sleep 0.5
"$ONTIME_BUILD/load" -c "$work/ends.conf" --send-only --rate "$pps" --size 700-700 --seconds "$((seconds + 3600))" --json >"$work/load" 2>"$work/load.said" &
load=$!
sleep 1
second=0
began=$(date +%s)
while [ $(($(date +%s) - began)) -lt "$seconds" ]; do
	second=$(($(date +%s) - began))
	random 12
	fault &
	at_work=$!
	look
	measure
	wait $at_work || true
	now=$(($(date +%s%N) / 1000000))
	rest=$((1000 - now % 1000))
	sleep "0.$(printf '%03d' "$((rest % 1000))")"
done
eventually ready || true
kill -INT $load
wait $load || true
load=
eventually is_drained || true
sleep 0.5
kill -INT $sink
wait $sink || true
sink=
check "in each of $(wc -l <"$work/looks") looks the account balanced" always_balanced
check "and the histograms held what was sent" histograms_agree
check "each datagram arrived there, or has a name" all_accounted
check "none twice, none changed, none out of order" none_twice
check "memory and descriptors stayed as they were" is_flat
[ "$losses" = 1 ] || { skipped=$((skipped + 1)) && echo "skip losses on the far side: $(head -n 1 "$work/nft")"; }
printf '     %s faults at %s packets/s: ' "$(wc -l <"$work/faults")" "$pps"
sort "$work/faults" | uniq -c | awk '{printf "%s%s %s", sep, $1, $2; sep = ", "} END {print ""}'
all_accounted 2>&1 | tail -n 1 | sed 's/^/     /'
is_flat | sed 's/^/     /'
check "a stop is clean" run/stop.sh -i "$instance"
verdict soak

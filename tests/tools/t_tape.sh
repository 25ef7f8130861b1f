#!/bin/sh
# t_tape.sh - build/tape: each packet once, with the reason why it was late, and nobody waits for it; load and simulate take its files.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
own_namespaces "what tape captures" "-n -m" "$0" "$@"
ip link set lo up
command -v tshark >/dev/null || {
	echo "skip what tape captures: tshark is not here"
	exit 77
}
own_instance tape
build=$ONTIME_BUILD
file=$work/tape.pcapng
own_config run/ontime.conf
at_end() { end_all; }

tshark() { # without what it says to root
	command tshark "$@" 2>"$work/tshark" && return
	cat "$work/tshark"
	return 1
}

is_followed() { # FILE: by then the places in the lanes are noted
	[ -s "$1" ]
}

tape() { # OPTIONS...: in the background, into $file
	rm -f "$file"
	"$build/tape" -i "$instance" -w "$file" "$@" 2>"$work/said" &
	taper=$!
	eventually is_followed "$file"
}

ended() { # STATUS: it is asked to end, and has
	kill -TERM "$taper" 2>/dev/null || true
	wait "$taper" && got=0 || got=$?
	cat "$work/said"
	[ "$got" = "$1" ]
}

tally() { # WHAT [CLASS]: captured, missed, filtered or released, as the last line has it; of all classes together
	tail -n 1 "$work/said" | tr -d , | tr ';' '\n' | sed -n "s/^ ${2:-[a-z]*}: \(.*\) released\$/\1/p" |
		awk -v what="$1" '{at["captured"] = 1; at["missed"] = 4; at["filtered"] = 7; at["released"] = 10; n += $at[what]} END {print n + 0}'
}

adds_up() { # each class by itself, and all that has left the lanes since the launch
	tail -n 1 "$work/said" | tr -d , | tr ';' '\n' | sed -n 's/^ [a-z]*: //p' | awk '$1 + $4 + $7 != $10 {wrong = 1} END {exit wrong || NR == 0}' &&
		[ "$(tally released)" = "$(account '[.classes[] | .sent + .dropped.evicted + .dropped.late + .dropped.poison + .dropped.egress_full +
			.dropped.late_egress + .dropped.oversize + .dropped.send_error] | add')" ]
}

comments() { # FILE [TSHARK-OPTIONS]
	one=$1
	shift
	tshark -r "$one" "$@" -T fields -e frame.comment
}

count_of() { # PATTERN: of the comments of $file
	comments "$file" | grep -c -e "$1" || true
}

drive() { # ARGS...: load, which must be whole
	case $1 in -i) ;; *) set -- -c "$conf" "$@" ;; esac
	"$build/load" --drain 0.5 --json "$@" >"$work/json" || { cat "$work/json" && return 1; }
}

start() { # KEYS...
	run/launch.sh -c "$conf" "$@" >"$work/launch" 2>&1 || { cat "$work/launch" && return 1; }
}

stop() { run/stop.sh -i "$instance" >/dev/null; }

each_packet_is_there_once() {
	tape
	drive --rate 4000 --seconds 1 --size 0-1400 && ended 0 && adds_up || return 1
	n=$(jq '[.flows[].sent] | add' "$work/json")
	[ "$(tally captured)" = "$n" ] && [ "$(tally missed)" = 0 ] && [ "$(comments "$file" | wc -l)" = "$n" ] || return 1
	for class in high medium low besteffort; do
		comments "$file" -Y "frame.interface_name == \"$class\"" >"$work/comments"
		jq -e --arg class "$class" --arg n "$(wc -l <"$work/comments")" 'any(.flows[]; .class == $class and .sent == ($n | tonumber))' "$work/json" &&
			! grep -v "^class=$class fate=sent" "$work/comments" || return 1
		sed 's/.* packet=\([0-9]*\).*/\1/' "$work/comments" | sort -n | awk 'NR > 1 && $1 != was + 1 {exit 1} {was = $1}' || return 1
	done
}

sizes_and_sums_are_right() { # of the file of the check before
	[ "$(tshark -r "$file" -T fields -e udp.length | awk '{n += $1 - 8} END {print n}')" = "$(account '[.classes[].sent_bytes] | add')" ] &&
		[ "$(tshark -r "$file" -o udp.check_checksum:TRUE -Y 'udp.checksum.status == 1' | wc -l)" = "$(tshark -r "$file" | wc -l)" ] &&
		[ "$(tshark -r "$file" -o ip.check_checksum:TRUE -Y 'ip.checksum.status == 1' | wc -l)" = "$(tshark -r "$file" | wc -l)" ] &&
		[ "$(tshark -r "$file" -Y "udp.dstport == $listen" | wc -l)" = "$(tally captured high)" ] &&
		[ "$(stat -c %a "$file")" = 600 ]
}

headers_only_have_no_payload() {
	tape --headers
	drive --rate 1000 --seconds 0.5 --size 300-300 && ended 0 || return 1
	[ "$(tshark -r "$file" -T fields -e frame.cap_len -e frame.len | sort -u)" = "$(printf '42\t342')" ]
}

it_ends_as_asked() {
	drive --rate 2000 --seconds 3 &
	driver=$!
	tape --packets 100 && wait "$taper" && cat "$work/said" && [ "$(tshark -r "$file" | wc -l)" = 100 ] && [ "$(tally captured)" = 100 ] &&
		tape --seconds 0.3 && wait "$taper" && grep -q 'the time is over' "$work/said" &&
		tape --size 64KiB && wait "$taper" && cat "$work/said" && [ "$(stat -c %s "$file")" -le 65536 ] && [ "$(stat -c %s "$file")" -gt 60000 ] &&
		[ "$(tshark -r "$file" | wc -l)" = "$(tally captured)" ] && grep -q 'it is full' "$work/said" || return 1
	wait "$driver"
	tape --size 64KiB --files 3 && drive --rate 2000 --seconds 1 && ended 0 && [ -e "$file.2" ] && ! [ -e "$file.3" ] &&
		tshark -r "$file.1" >"$work/one" && [ -s "$work/one" ]
	got=$?
	rm -f "$file".?
	return $got
}

a_pipe_is_read_as_it_comes() {
	"$build/tape" -i "$instance" --packets 50 -w - 2>"$work/said" | tshark -r - -T fields -e frame.comment >"$work/comments" &
	piped=$!
	until grep -q captured "$work/said"; do drive --rate 1000 --seconds 0.2 || return 1; done
	wait "$piped" && [ "$(wc -l <"$work/comments")" = 50 ]
}

# The reader has the pipe open, and sleeps.
a_reader_that_does_not_read_slows_nothing() {
	mkfifo "$work/fifo"
	(exec 3<"$work/fifo" && sleep 4 && cat <&3 >"$work/read") &
	"$build/tape" -i "$instance" -w "$work/fifo" 2>"$work/said" &
	taper=$!
	sleep 0.3
	drive --rate 20000 --seconds 2 --size 600-600 || return 1
	jq -e 'all(.flows[]; .lost == 0 and .duplicated == 0 and .reordered == 0)' "$work/json" || return 1
	eventually test -s "$work/read" && ended 0 && adds_since 40000 || return 1
	[ "$(tally missed)" -gt 5000 ] && [ "$(tshark -r "$work/read" | wc -l)" = "$(tally captured)" ]
}

adds_since() { # RELEASED
	[ "$(($(tally captured) + $(tally missed) + $(tally filtered)))" = "$(tally released)" ] && [ "$(tally released)" = "$1" ]
}

a_pipe_that_is_never_read_lets_it_end() {
	rm -f "$work/fifo" && mkfifo "$work/fifo"
	(exec 3<"$work/fifo" && sleep 30) &
	reader=$!
	"$build/tape" -i "$instance" -w "$work/fifo" 2>"$work/said" &
	taper=$!
	sleep 0.3
	drive --rate 5000 --seconds 0.5 && ended 0 && [ "$(tally missed)" -gt 0 ] && adds_since 2500
	got=$?
	kill "$reader"
	return $got
}

a_full_disk_is_one_line() {
	mkdir "$work/small" && mount -t tmpfs -o size=200k small "$work/small" || return 1
	file=$work/small/tape.pcapng
	tape && drive --rate 2000 --seconds 1 --size 1000-1000
	wait "$taper" && got=0 || got=$?
	cat "$work/said"
	[ "$got" = 1 ] && [ "$(wc -l <"$work/said")" = 1 ] && grep -q 'No space left' "$work/said" &&
		tshark -r "$file" >"$work/frames" && ! grep -q cut "$work/tshark" && [ "$(wc -l <"$work/frames")" = "$(tally captured)" ] &&
		[ "$(($(tally captured) + $(tally missed)))" = "$(tally released)" ]
	got=$?
	umount "$work/small"
	file=$work/tape.pcapng
	return $got
}

stages_die_meanwhile() {
	tape
	was=$(account '[.classes[].sent] | add')
	drive --rate 8000 --seconds 4 &
	driver=$!
	for _ in 1 2 3 4; do
		for stage in ingress edf egress; do
			pid=$(live_pid_of $stage)
			[ -z "$pid" ] || kill -9 "$pid"
			sleep 0.2
		done
	done
	wait "$driver" && ended 0 || return 1
	adds_since "$(($(account '[.classes[].sent] | add') - was))" && [ "$(tshark -r "$file" | wc -l)" = "$(tally captured)" ] &&
		[ "$(comments "$file" | sed 's/class=\([a-z]*\).* packet=\([0-9]*\).*/\1 \2/' | sort | uniq -d | wc -l)" = 0 ]
}

it_follows_a_relaunch() {
	tape
	drive --rate 2000 --seconds 0.5 && first=$(jq '[.flows[].sent] | add' "$work/json") && stop && eventually grep -q waiting "$work/said" &&
		start --policy=edf && drive --rate 2000 --seconds 0.5 && ended 0 && grep -q 'is running again' "$work/said" &&
		adds_since "$((first + $(jq '[.flows[].sent] | add' "$work/json")))" && [ "$(tally missed)" = 0 ] &&
		[ "$(tshark -r "$file" | wc -l)" = "$(tally captured)" ]
}

nothing_to_follow_is_refused() {
	fails_with 1 'not running' "$build/tape" -i nobody -w "$work/x" && ! [ -e "$work/x" ] &&
		fails_with 2 'no class "hihg"' "$build/tape" -i "$instance" --class hihg -w "$work/x" && ! [ -e "$work/x" ] &&
		fails_with 2 'where to' "$build/tape" -i "$instance" && fails_with 2 'goes with --late' "$build/tape" -w x --before 2s &&
		fails_with 2 'goes with --size' "$build/tape" -w x --files 3 && fails_with 2 'a pipe is one file' "$build/tape" -w - --size 1MiB --files 3 &&
		fails_with 2 '--before' "$build/tape" -w x --late --before 2 && ln -s /nowhere "$work/link" &&
		fails_with 1 'a symbolic link' "$build/tape" -i "$instance" -w "$work/link"
}

# The same files, sent and simulated.
sent_again_it_comes_out_equal() {
	tape
	drive --rate 2000 --seconds 1 --size 0-1400 --arrivals poisson && ended 0 && mv "$file" "$work/first.pcapng" || return 1
	tape
	"$build/load" -c "$conf" --pcap "$work/first.pcapng" --class-by port --json >"$work/json" || { cat "$work/json" && return 1; }
	ended 0 && jq -e 'all(.flows[]; .received == .sent and .lost == 0 and .duplicated == 0 and .reordered == 0 and .corrupt == 0)' "$work/json" || return 1
	for one in "$work/first.pcapng" "$file"; do
		tshark -r "$one" -T fields -e frame.interface_name -e udp.payload | sort >"$one.payloads"
	done
	[ -s "$file.payloads" ] && cmp "$work/first.pcapng.payloads" "$file.payloads"
}

speed_is_as_asked() {
	"$build/load" -c "$conf" --pcap "$work/first.pcapng" --speed 5 --json >"$work/json" &&
		jq -e '.source.seconds > 0.15 and .source.seconds < 0.35' "$work/json"
}

harm_to_it_is_found() { # by a relay that does some
	stop
	"$build/tests/forward" "$conf" --lose 3 --double 2 --swap 2 --corrupt 1 >"$work/harm" &
	relay=$!
	eventually grep -q ready "$work/harm"
	"$build/load" -c "$conf" --pcap "$work/first.pcapng" --drain 0.3 --json >"$work/json" && got=0 || got=$?
	kill "$relay"
	wait "$relay" || true
	cat "$work/json"
	start --policy=edf && [ "$got" = 3 ] && jq -e 'all(.flows[]; .lost == 3 and .duplicated == 2 and .reordered == 2 and .corrupt == 1)' "$work/json"
}

simulated_it_is_the_trace_by_hand() {
	echo arrival_ns,class,bytes,service_ns >"$work/trace.csv"
	tshark -r "$work/first.pcapng" -T fields -e frame.time_epoch -e frame.interface_name -e udp.length | tr -d . | sort -s -n |
		awk 'NR == 1 {first = substr($1, 5)} {printf "%d,%s,%d,150000\n", substr($1, 5) - first, $2, $3 - 8}' >>"$work/trace.csv"
	"$build/simulate" -c "$conf" --policy guarded --per-packet "$work/trace.csv" >"$work/a" &&
		"$build/simulate" -c "$conf" --policy guarded --per-packet --pcap "$work/first.pcapng" --service 150us >"$work/b" &&
		[ "$(wc -l <"$work/a")" = "$(($(tshark -r "$work/first.pcapng" | wc -l) + 1))" ] && cmp "$work/a" "$work/b"
}

damaged_captures_are_refused() {
	head -c 5000 "$work/first.pcapng" >"$work/cut" && : >"$work/empty" && head -c 3000 /dev/urandom >"$work/random" &&
		printf '\324\303\262\241\2\0\4\0\0\0\0\0\0\0\0\0\377\377\0\0\351\3\0\0' >"$work/link" &&
		printf '\324\303\262\241\2\0\4\0\0\0\0\0\0\0\0\0\377\377\0\0\1\0\0\0\0\0\0\0\0\0\0\0\377\377\377\177\377\377\377\177' >"$work/long" || return 1
	for one in cut empty random link long; do
		fails_with 2 "capture .*$one: " "$build/simulate" -c "$conf" --pcap "$work/$one" &&
			fails_with 2 "capture .*$one: " "$build/load" -c "$conf" --pcap "$work/$one" || return 1
	done
	fails_with 2 'one trace' "$build/simulate" --pcap a b && fails_with 2 'goes with --pcap' "$build/load" --speed 2 &&
		fails_with 2 'do not go together' "$build/load" --pcap a --rate 5
}

senders_of_sessions_are_known() {
	sed "/^\[class high\]/a replies = back" "$conf" >"$work/replies.conf" && printf '[class back]\nbudget = 5ms\n' >>"$work/replies.conf"
	stop
	run/launch.sh -c "$work/replies.conf" >"$work/launch" 2>&1 || { cat "$work/launch" && return 1; }
	tape --class high,back
	"$build/load" -c "$work/replies.conf" --rate high=500 --seconds 0.5 --size 100-100 --json >"$work/json" || { cat "$work/json" && return 1; }
	ended 0 || return 1
	tshark -r "$file" -T fields -e frame.interface_name -e ip.src -e udp.srcport -e ip.dst -e udp.dstport | sort -u >"$work/ways"
	cat "$work/ways"
	[ "$(wc -l <"$work/ways")" = 2 ] && ! grep -q 0.0.0.0 "$work/ways" && [ "$(count_of unknown)" = 0 ] &&
		awk -v listen="$listen" -v send="$send" '$1 == "high" {port = $3; right += $5 == listen} $1 == "back" {right += $3 == send; back = $5}
			END {exit !(right == 2 && port == back && port > 0)}' "$work/ways"
}

all_shards_are_followed() {
	stop && start --shards=2 || return 1
	tape
	drive -i "$instance" --rate 4000 --seconds 0.5 --sources 16 && ended 0 && adds_up && [ "$(tally captured)" = "$(jq '[.flows[].sent] | add' "$work/json")" ] &&
		[ "$(count_of shard=0)" -gt 100 ] && [ "$(count_of shard=1)" -gt 100 ]
}

# run/stress.conf: more work than time.
# shellcheck disable=SC2016 # for jq
late_and_dropped_under() { # POLICY
	start --policy="$1" && tape --late --dropped || return 1
	"$build/load" -c "$conf" --rate high=1500,medium=1500,low=1500 --seconds 2 --json >"$work/json" || { cat "$work/json" && return 1; }
	ended 0 && adds_up && [ "$(tally missed)" = 0 ] && comments "$file" >"$work/comments" || return 1
	account '.classes[] | .class as $class | ({fate: "sent_late", n: .sent_late}, (.dropped | to_entries[] | select(.key != "ingress_full" and
		.key != "kernel") | {fate: .key, n: .value})) | select(.n > 0) | "\($class) \(.fate) \(.n)"' | sort >"$work/a"
	sed 's/class=\([a-z]*\) fate=\([a-z_]*\) .*/\1 \2/' "$work/comments" | sort | uniq -c | awk '{print $2, $3, $1}' | sort >"$work/b"
	[ -s "$work/a" ] && diff "$work/a" "$work/b"
}

late_and_dropped_are_what_the_account_has() {
	stop
	instance=${instance}s
	own_config run/stress.conf
	late_and_dropped_under edf-drop && grep -q ' late ' "$work/b" && stop && late_and_dropped_under edf && grep -q sent_late "$work/b"
}

# shellcheck disable=SC2016 # for jq
each_late_packet_has_its_reason() { # of the file of the check before
	grep -c fate=sent_late "$work/comments" || return 1
	account '.classes[] | .class as $class | .late_span | to_entries[] | select(.value > 0) | "\($class) \(.key) \(.value)"' | sort >"$work/a"
	sed -n 's/class=\([a-z]*\) fate=sent_late .* most=\([a-z_]*\) .*/\1 \2/p' "$work/comments" | sort | uniq -c | awk '{print $2, $3, $1}' | sort >"$work/b"
	[ -s "$work/a" ] && diff "$work/a" "$work/b" && cat "$work/b"
}

what_came_before_is_there_too() { # light traffic, and edf stands still for a moment in the middle of it
	stop && start --full=wait || return 1
	tape --late --dropped --before 100ms
	"$build/load" -c "$conf" --rate high=200,medium=100 --seconds 3 --json >"$work/json" &
	driver=$!
	sleep 1.5
	stopped=$(pid_of edf)
	kill -STOP "$stopped"
	sleep 0.06
	kill -CONT "$stopped"
	wait "$driver" && ended 0 || return 1
	[ "$(count_of 'class=high fate=sent_late')" -ge 5 ] && [ "$(count_of 'fate=sent ')" -ge 10 ] && [ "$(count_of most=edf_wait)" -ge 5 ] &&
		[ "$(tally filtered)" -gt 300 ] && [ "$(tshark -r "$file" | wc -l)" = "$(tally captured)" ]
}

start --policy=edf || { cat "$work/launch" && exit 1; }
check_here "each packet is in the file once, with its class, fate and number" each_packet_is_there_once
check "sizes, checksums, ports and the mode of the file are right" sizes_and_sums_are_right
check_here "with --headers there is no payload" headers_only_have_no_payload
check_here "it ends after a number, a time, a size; full files move along" it_ends_as_asked
check_here "a pipe is read as it comes" a_pipe_is_read_as_it_comes
check_here "a reader that does not read makes packets missed, and slows nothing" a_reader_that_does_not_read_slows_nothing
check_here "a pipe that is never read lets it end" a_pipe_that_is_never_read_lets_it_end
check_here "a full disk is one line, and the file is whole blocks" a_full_disk_is_one_line
check_here "stages that are killed meanwhile: captured + missed is what was released" stages_die_meanwhile
check_here "it follows an instance that is stopped and launched again" it_follows_a_relaunch
check "what cannot be followed or written is one line" nothing_to_follow_is_refused
check_here "a tape sent again by load comes out equal" sent_again_it_comes_out_equal
check "load --speed" speed_is_as_asked
check_here "load finds what a relay did to a tape" harm_to_it_is_found
check "simulate agrees with the same trace by hand" simulated_it_is_the_trace_by_hand
check "a damaged capture is one line" damaged_captures_are_refused
check_here "of a class with replies the sender is known, both ways" senders_of_sessions_are_known
check_here "all shards are followed" all_shards_are_followed
check_here "late and dropped are what the account has" late_and_dropped_are_what_the_account_has
check "the reason why each late packet was late is that of the account" each_late_packet_has_its_reason
check_here "with --before it is there what came before" what_came_before_is_there_too
verdict tape

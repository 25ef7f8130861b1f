#!/bin/sh
# t_recipes.sh - each recipe of run/recipes/ with clients of its field: check accepts it, and through an instance launched with it each
# datagram comes once, unchanged and in order, beside a flood in its lowest class, while a stage is killed.
#
# Only the name of the instance and the ports are changed. The clients are ffmpeg, oscsend, logger and socat. Debian has no program
# that sends MAVLink or market data: tests/recipes/craft.c makes those after their published formats. tests/recipes/tap.c stands before and behind
# the relay and writes down each datagram of the two upper classes; build/load is the flood, and answers for the third.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
own_instance recipe
conf=$work/recipe.conf
base=$((20000 + $$ % 300 * 40)) # the ports are this run's own, so that two runs on one machine do not meet
running=
at_end() {
	end_all
}

on_failure() {
	tail -n 5 "$work"/*.said "$ONTIME_RUN_DIR/$instance/log" 2>/dev/null || true
	"$ONTIME_BUILD/stat" --once -i "$instance" 2>/dev/null || true
}

# Ports, from $base: 1 to 6 are those of the recipe, in their order; 11 and 12 what clients send to; 21 and 22 what receivers have.
port() {
	echo $((base + $1))
}

start() { # NAME COMMAND...: in the background; what it says goes to NAME.said
	said_by=$1
	shift
	"$@" >"$work/$said_by.said" 2>&1 </dev/null &
	running="$running $!"
}

end_all() {
	for process in $running; do
		kill "$process" 2>/dev/null || true
	done
	for process in $running; do
		wait "$process" 2>/dev/null || true
	done
	running=
}

is_bound() { # PORT...
	for bound in "$@"; do
		ss -Hlun "sport = :$bound" | grep -q . || return 1
	done
}

lines_of() { # FILE
	wc -l 2>/dev/null <"$1" || echo 0
}

configure() { # RECIPE
	awk -v base="$base" -v instance="$instance" '
		/^instance = / { $0 = "instance = " instance }
		match($0, /127\.0\.0\.1:[0-9]+/) { $0 = substr($0, 1, RSTART - 1) "127.0.0.1:" base + ++n substr($0, RSTART + RLENGTH) }
		{ print }' "run/recipes/$1.conf" >"$conf"
	lowest=$(sed -n 's/^\[class \(.*\)\]/\1/p' "$conf" | tail -n 1)
	{
		printf '[pipeline]\ninstance = %s\n' "$instance"
		sed -n "/^\[class $lowest\]/,\$p" "$conf"
	} >"$work/flood.conf"
}

accepted() { # RECIPE
	file=run/recipes/$1.conf
	[ "$(lines_of "$file")" -le 15 ] && [ -s "${file%.conf}.md" ] && build/hold --check -c "$file" && build/check -c "$file"
}

passed_on() { # LANE N: at least so many
	[ "$(lines_of "$work/behind.$1")" -ge "$2" ]
}

kill_stage() { # STAGE
	kill -9 "$(run/status.sh --pid "$1" -i "$instance")"
}

all_came() { # LANE
	[ -s "$work/before.$1" ] && cmp -s "$work/before.$1" "$work/behind.$1"
}

# The clients of each field: RECIPE_receive starts the receivers, RECIPE_send sends for about 4 s, RECIPE_got compares.

socat_receives() { # LANE
	start "socat$1" socat -u -b65507 "UDP-RECV:$(port "2$1"),bind=127.0.0.1,rcvbuf=4194304" "CREATE:$work/got.$1"
	eventually is_bound "$(port "2$1")"
}

rtp_is_described() { # LANE MEDIA PAYLOAD-TYPE FORMAT [LINE]...: as ffmpeg sends it
	printf 'v=0\no=- 0 0 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=%s %s RTP/AVP %s\na=rtpmap:%s %s\n' \
		"$2" "$(port "2$1")" "$3" "$3" "$4"
	shift 4
	printf '%s\n' "$@"
}

ffmpeg_receives() { # LANE OPTION...
	lane=$1
	shift
	start "ffmpeg$lane" ffmpeg -nostdin -v warning "$@" -flush_packets 1 -f framemd5 -y "$work/got.$lane"
	receiver=$!
	eventually is_bound "$(port "2$lane")"
}

frames() { # FILE: the md5 of each, in order
	awk -F', *' '/^[0-9]/ { print $6 }' "$1" 2>/dev/null
}

same_frames() { # SENT GOT
	frames "$1" >"$work/frames.sent"
	frames "$2" >"$work/frames.got"
	[ "$(lines_of "$work/frames.sent")" -ge 100 ] && cmp -s "$work/frames.sent" "$work/frames.got"
}

opus_receives() { # LANE
	rtp_is_described "$1" audio 97 opus/48000/2 >"$work/opus.sdp"
	ffmpeg_receives "$1" -protocol_whitelist file,udp,rtp -analyzeduration 100000 -i "$work/opus.sdp" -c copy
}

opus_sends() { # LANE RTCP-LANE: a datagram each 20 ms
	ffmpeg -nostdin -v warning -re -f lavfi -i "sine=frequency=220:beep_factor=4:duration=4" -c:a libopus -b:a 32k -map 0:a -f tee \
		"[f=rtp]rtp\\://127.0.0.1\\:$(port "1$1")?rtcpport=$(port "1$2")|[f=framemd5]$work/sent.$1"
}

voice_receive() {
	opus_receives 1 # has the port for RTCP too, the next one
}

voice_send() {
	opus_sends 1 2
}

voice_got() {
	eventually same_frames "$work/sent.1" "$work/got.1"
}

games_receive() {
	start oscdump oscdump -L "$(port 21)"
	opus_receives 2
	eventually is_bound "$(port 21)"
}

games_send() {
	opus_sends 2 2 &
	voice=$!
	for i in $(seq 1 150); do
		oscsend 127.0.0.1 "$(port 11)" /avatar/parameters/Speed if "$i" "0.$i"
		sleep 0.02
	done
	wait "$voice"
}

games_got() {
	seq 1 150 >"$work/inputs.sent"
	sed -n 's|.* /avatar/parameters/Speed if \([0-9]*\) .*|\1|p' "$work/oscdump.said" >"$work/inputs.got"
	cmp "$work/inputs.sent" "$work/inputs.got" && eventually same_frames "$work/sent.2" "$work/got.2"
}

telemetry_receive() {
	socat_receives 1 && socat_receives 2
}

telemetry_send() {
	for i in $(seq 1 400); do # statsd: a counter and a timer in each datagram
		printf 'shop.orders:1|c\nshop.answer:%s|ms\n' "$i"
		sleep 0.01
	done | socat -u STDIN "UDP-SENDTO:127.0.0.1:$(port 12)" &
	statsd=$!
	for i in $(seq 1 200); do
		logger -n 127.0.0.1 -P "$(port 11)" -d -p local0.crit -t pump "pressure $i of 200"
		sleep 0.01
	done
	wait "$statsd"
}

telemetry_got() {
	seq 1 200 >"$work/alarms.sent"
	grep -ao 'pump - - [^p]*pressure [0-9]* of' "$work/got.1" | sed 's/.*pressure \([0-9]*\) of/\1/' >"$work/alarms.got"
	cmp "$work/alarms.sent" "$work/alarms.got" || return 1
	seq 1 400 | sed 's/.*/shop.orders:1|c\nshop.answer:&|ms/' | cmp - "$work/got.2"
}

video_receive() {
	rtp_is_described 1 video 96 H264/90000 "a=fmtp:96 packetization-mode=1" >"$work/video.sdp"
	ffmpeg_receives 1 -protocol_whitelist file,udp,rtp -i "$work/video.sdp"
	receivers=$receiver
	ffmpeg_receives 4 -analyzeduration 500000 -i "udp://127.0.0.1:$(port 24)?fifo_size=50000&timeout=3000000"
	receivers="$receivers $receiver"
}

video_send() {
	rtp="[f=rtp:rtpflags=send_bye]rtp\\://127.0.0.1\\:$(port 11)?rtcpport=$(port 11)&pkt_size=1316"
	ts="[f=mpegts]udp\\://127.0.0.1\\:$(port 12)?pkt_size=1316"
	ffmpeg -nostdin -v warning -re -f lavfi -i testsrc2=size=640x360:rate=25:duration=4.4 -c:v libx264 -preset ultrafast -tune zerolatency \
		-g 25 -b:v 3M -map 0:v -f tee "$rtp|$ts|[f=mpegts]$work/sent.ts"
}

video_got() { # decoded
	for receiver in $receivers; do # one ends by the BYE of RTCP, the other by silence
		wait "$receiver" || true
	done
	ffmpeg -nostdin -v error -i "$work/sent.ts" -f framemd5 -y "$work/sent.md5" || return 1
	same_frames "$work/sent.md5" "$work/got.1" && same_frames "$work/sent.md5" "$work/got.4"
}

crafted_send() { # FORMAT PER_S OF LANE 1, OF LANE 2
	build/tests/craft "$1" "$(port 11)" $((4 * $2)) "$2" &
	upper=$!
	build/tests/craft "$1" "$(port 12)" $((4 * $3)) "$3" && wait "$upper"
}

crafted_got() { # BYTES N OF LANE 1, OF LANE 2
	[ "$(wc -c <"$work/got.1")" = $(($1 * $2)) ] && [ "$(wc -c <"$work/got.2")" = $(($1 * $3)) ]
}

market_receive() {
	socat_receives 1 && socat_receives 2
}

market_send() {
	crafted_send moldudp 2000 500
}

market_got() {
	crafted_got 96 8000 2000
}

robotics_receive() {
	socat_receives 1 && socat_receives 2
}

robotics_send() {
	crafted_send mavlink 50 200
}

robotics_got() {
	crafted_got 21 200 800
}

# The clients of RECIPE through an instance, beside a flood; STAGE is killed when MIDDLE datagrams of lane 1 have come.
carry_once() { # RECIPE STAGE MIDDLE
	rm -f "$work"/before.* "$work"/behind.* "$work"/got.* "$work"/sent.*
	run/launch.sh -c "$conf" || return 1
	start before build/tests/tap "$(port 11):$(port 1):$work/before.1" "$(port 12):$(port 3):$work/before.2"
	start behind build/tests/tap "$(port 2):$(port 21):$work/behind.1" "$(port 4):$(port "$second"):$work/behind.2"
	"$1_receive" && eventually is_bound "$(port 11)" "$(port 12)" "$(port 2)" "$(port 4)" || return 1
	start flood build/load -c "$work/flood.conf" --rate 4000 --size 64-1400 --seconds 4
	load=${running##* }
	start client "$1_send"
	sender=${running##* }
	eventually passed_on 1 "$3" && kill_stage "$2" && wait "$sender" || return 1
	flooded=0
	wait "$load" || flooded=$?
	grep "$2 ended (signal 9)" "$ONTIME_RUN_DIR/$instance/log" || return 1
	eventually all_came 1 && eventually all_came 2 && [ "$flooded" = 0 ]
}

# Of what is missing, the relay names each datagram: it was held back for longer than the budget is, or, by its log, starved of a CPU
# until a socket buffer overflowed.
held_back() {
	reasons='.late + .evicted + .late_egress'
	! grep -q 'starved: ' "$ONTIME_RUN_DIR/$instance/log" || reasons="$reasons + .kernel"
	late=$(build/stat --json -i "$instance" | jq "[.classes[].dropped | $reasons] | add") || return 1
	[ "$late" -gt 0 ] || return 1
	for lane in 1 2; do
		! diff "$work/before.$lane" "$work/behind.$lane" | grep '^>' || return 1
	done
	missing=$(($(lines_of "$work/before.1") + $(lines_of "$work/before.2") - $(lines_of "$work/behind.1") - $(lines_of "$work/behind.2")))
	[ "$missing" -le "$late" ]
}

carry() { # RECIPE STAGE MIDDLE: a machine that stands still is given two more tries
	tries_left=2
	until carry_once "$@"; do
		[ "$tries_left" -gt 0 ] && held_back || return 1
		echo "     $1: the machine held it back, $late datagrams dropped by name: once more" >>"$work/again"
		tries_left=$((tries_left - 1))
		clear_away
	done
}

clear_away() {
	run/stop.sh -i "$instance" >/dev/null 2>&1
	end_all
}

is_balanced() {
	build/stat --once -i "$instance" | grep '^balanced$'
}

recipe() { # NAME STAGE MIDDLE TOOL...
	name=$1 stage=$2 middle=$3
	shift 3
	check "$name: check accepts the file, which has at most 15 lines and a page" accepted "$name"
	for tool in ss jq "$@"; do
		command -v "$tool" >/dev/null || {
			skipped=$((skipped + 1))
			echo "skip $name: $tool is missing: run/deps.sh test installs it"
			return
		}
	done
	configure "$name"
	second=22
	[ "$name" != video ] || second=24 # a receiver of RTP has the next port too
	check_here "$name: each datagram comes once, unchanged, in order, beside a flood, and $stage is killed in the middle" \
		carry "$name" "$stage" "$middle"
	check_here "$name: the receiver has what the client sent" "$name"_got
	check "$name: the account is balanced" is_balanced
	clear_away
}

[ -x build/tests/craft ] || {
	echo "skip the recipes: make tests builds what they need"
	exit 77
}
recipe voice edf 60 ffmpeg
recipe games egress 40 ffmpeg oscsend oscdump seq
recipe telemetry ingress 60 logger socat
recipe video edf 500 ffmpeg
recipe market egress 3000 socat
recipe robotics ingress 60 socat
[ ! -e "$work/again" ] || cat "$work/again"
verdict recipes

#!/bin/sh
# t_latency.sh - the latency histograms on running instances: exact against the account, through kills, restarts and builds;
# read with plain bpftool; gone after stop; one clear line where they cannot be. Needs root and BPF; else it is skipped.
set -eu
cd "$(dirname "$0")/../.."
# A bpffs for these tests alone, which others may pass through, if one can be had.
if [ "$(id -u)" = 0 ] && [ -z "${own_bpffs:-}" ] && unshare -m true 2>/dev/null; then
	own_bpffs=1 exec unshare -m sh -c 'mount -t bpf -o mode=711 bpf /sys/fs/bpf 2>/dev/null || true; exec tests/latency/t_latency.sh'
fi
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
home=$PWD
own_instance latency on
ONTIME_BUILD=$work/build # a copy: its binaries are rebuilt below
pins=/sys/fs/bpf/ontime
trap clean_up EXIT

clean_up() {
	for name in "$instance" "${instance}b" "${instance}c"; do
		run/stop.sh -i "$name" >/dev/null 2>&1 || true
	done
	rm -rf "$work"
}

config_of() { # INSTANCE-SUFFIX PORT-OFFSET: a config with ports of its own
	in=$((listen / 10 + $2)) out=$((send / 10 + $2))
	sed "s/^instance = .*/instance = $instance$1/; s/^policy = .*/policy = edf/
		s/127\.0\.0\.1:808/127.0.0.1:$in/; s/127\.0\.0\.1:908/127.0.0.1:$out/" run/ontime.conf >"$work/conf$1"
}

skip() { # REASON NAME
	skipped=$((skipped + 1))
	printf 'skip %s: %s\n' "$2" "$1"
}

latency() { # ARGS: the loader, for the first instance
	"$ONTIME_BUILD/latency" -i "$instance" "$@"
}

counts_are_exact() { # [SUFFIX]
	build/tests/counts "$instance${1:-}"
}

load() { # SECONDS RATE [SUFFIX]: what a busy machine loses on the way is no matter here
	build/load -c "$work/conf${3:-}" --rate "$2" --seconds "$1" --size 0-1472 >"$work/load${3:-}" 2>&1 || true
}

launches_attached() {
	run/launch.sh -c "$work/conf" >"$work/said" && grep -q 'histograms are attached' "$work/said" &&
		latency --status && ! pgrep -x latency
}

no_bpffs='while umount -l /sys/fs/bpf 2>/dev/null; do :; done' # there may be one on another

launch_mounts_bpffs() {
	unshare -m sh -c "$no_bpffs; run/launch.sh -c '$work/conf'; stat -c 'mode %a' /sys/fs/bpf; '$ONTIME_BUILD/latency' --status -i $instance
		run/stop.sh -i $instance" >"$work/said" 2>&1
	cat "$work/said"
	grep -q 'mounted the bpffs' "$work/said" && grep -q '^egress .* attached ' "$work/said" && grep -q '^mode 1700$' "$work/said"
}

load_and_compare() {
	load 2 20000 && counts_are_exact
}

total_of_high='.[] | (.formatted // .).value | select(.class == "high" and .span == "total")'

is_shown() { # COUNT: by the timer's doing, once a second
	[ "$(bpftool -j map dump pinned "$pins/$instance/latency" | jq -r "$total_of_high | .count")" = "$1" ]
}

bpftool_shows_it() { # what people type, and what it says of a class equals the account
	eventually is_shown "$(build/stat -i "$instance" --json | jq '.classes[0].sent')" || return 1
	bpftool map dump pinned "$pins/$instance/latency" >"$work/dump"
	grep -q '"span": "edf_wait"' "$work/dump" && jq -e "[$total_of_high |
		.p50_ns > 0 and .p50_ns <= .p99_ns and .p99_ns <= .max_ns and .le_1s <= .count] | all" "$work/dump"
}

report_and_bars_are_files() {
	grep -E '^high +total +[0-9]+ ' "$pins/$instance/report" && grep -E 'from .* \|@' "$pins/$instance/histogram"
}

kill_under_load() {
	load 3 20000 &
	source=$!
	sleep 0.5
	for stage in ingress edf egress egress edf ingress; do
		kill -9 "$(pid_of $stage)"
		sleep 0.1
	done
	run/restart.sh all -i "$instance" && eventually ready && wait "$source" && counts_are_exact
}

sent_pkts() {
	build/stat -i "$instance" --json | jq '[.classes[].sent] | add'
}

saturate() { # a million packets and more, in the largest batches
	for _ in 1 2 3 4 5 6; do
		build/load -c "$work/conf" --saturate --gso --size 64-64 --seconds 2 >"$work/load" 2>&1 || true
		[ "$(sent_pkts)" -le 1000000 ] || break
	done
	counts_are_exact && [ "$(sent_pkts)" -gt 1000000 ]
}

rebuild() { # STAGE: the same program, another file
	cp "$ONTIME_BUILD/$1" "$work/new" && mv "$work/new" "$ONTIME_BUILD/$1" && touch "$ONTIME_BUILD/$1"
}

rebuilt_and_restarted() {
	rebuild egress
	fails_with 1 'a binary was built since' sh -c "'$ONTIME_BUILD/latency' --status -i $instance >/dev/null" || return 1
	load 2 10000 &
	source=$!
	run/restart.sh egress -i "$instance" && wait "$source" && latency --status && counts_are_exact
}

is_attached() {
	latency --status >"$work/status"
}

standby_of_edf() {
	keeper=$("$ONTIME_BUILD/hold" --supervisor -i "$instance") && pgrep -x 'edf\*' -P "$keeper"
}

has_another_standby() { # PID
	now=$(standby_of_edf) && [ "$now" != "$1" ]
}

rebuilt_and_killed() { # nobody says so: the supervisor sees it, and has a stand-by of the new binary within a second
	was=$(standby_of_edf)
	rebuild edf
	eventually has_another_standby "$was" && sleep 0.3
	kill -9 "$(pid_of edf)"
	eventually ready && eventually is_attached && run/restart.sh edf -i "$instance"
}

reset_counts_anew() {
	before=$(sent_pkts)
	latency --reset && load 1 5000 || return 1
	[ "$(awk '$2 == "total" {n += $3} END {print n}' "$pins/$instance/report")" = $(($(sent_pkts) - before)) ]
}

wakeups_are_measured() {
	latency --wakeups && load 1 1000 && grep -E '^egress +wakeup +[0-9]{3,} ' "$pins/$instance/report" &&
		latency --no-wakeups && ! ls "$pins/$instance/parts/link-switched"
}

two_instances() { # on the same binaries
	config_of b 1
	run/launch.sh -c "$work/confb" && latency --reset || return 1
	load 2 10000 b &
	source=$!
	load 2 5000 && wait "$source" && counts_are_exact b || return 1
	run/stop.sh -i "${instance}b" && latency --status
}

drops_are_exact() { # of every stage: too long, too late or evicted
	config_of c 2
	run/launch.sh -c "$work/confc" --payload_bytes=512B --work=simulate --policy=guarded --late=drop --high.budget=3ms \
		--medium.budget=4ms || return 1
	load 2 8000 c
	build/tests/counts "${instance}c" || return 1
	build/stat -i "${instance}c" --json | jq -e '[.classes[].dropped | .oversize, .late + .evicted] | add > 100'
}

nothing_is_left() {
	run/stop.sh -i "$instance" && [ ! -e "$pins/$instance" ] && ! bpftool link show | grep -q "$instance"
}

make_up_stages() {
	mkdir -p "$work/made-up"
	cp build/latency build/latency.bpf.o "$work/made-up"
	for stage in ingress edf egress; do
		cp build/tests/drive "$work/made-up/$stage"
	done
}

try_to_load() { # what says whether this machine and user can have BPF
	made_up_segment "$work/made-up/latency" -i "$instance" && "$work/made-up/latency" --detach -i "$instance"
}

made_up_stages() { # [OPTION]: known times, through the same probes
	"$work/made-up/ingress" create "$instance" && "$work/made-up/latency" -i "$instance" "$@" || return 1
	for stage in ingress edf egress; do
		"$work/made-up/$stage" drive "$instance" || return 1
	done
	"$work/made-up/ingress" check "$instance" && status=0 || status=1
	"$work/made-up/latency" --detach -i "$instance"
	build/hold --remove --force -i "$instance"
	return "$status"
}

storm() { # 300 kills at random moments
	build/tests/storm --kills 300 --seed 11 --first "build/latency -i \$ONTIME_INSTANCE" --last \
		"build/tests/counts \$ONTIME_INSTANCE; s=\$?; build/latency --detach -i \$ONTIME_INSTANCE; exit \$s"
}

stripped() {
	for stage in ingress edf egress; do
		strip "$ONTIME_BUILD/$stage"
	done
	launches_attached && load 1 10000 && counts_are_exact && run/stop.sh -i "$instance" || return 1
	readelf -n "$ONTIME_BUILD/egress" | grep -q 'Name: batch' # for bpftrace
}

made_up_segment() { # COMMAND..: with a segment that no stage works in
	"$work/made-up/ingress" create "$instance"
	"$@" && status=0 || status=1
	build/hold --remove --force -i "$instance"
	return "$status"
}

without_probe_points() {
	make -s NO_PROBES=1 build/no-probes/edf >/dev/null && cp build/no-probes/edf "$work/made-up/edf" || return 1
	made_up_segment fails_with 1 'edf has no probe points: .* build it again' "$work/made-up/latency" -i "$instance" &&
		[ ! -e "$pins/$instance" ]
}

as_nobody() { # COMMAND.. with no capability
	setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all "$@"
}

forbidden() { # root of a user namespace has its capabilities there only, as in a container
	made_up_segment fails_with 1 'though this process has the capabilities: a container' \
		unshare -U -r build/latency -i "$instance"
}

locked_down() { # the same, where the kernel says that it is
	mkdir -p "$work/security"
	echo 'none integrity [confidentiality]' >"$work/security/lockdown"
	made_up_segment fails_with 1 'the kernel is locked down' unshare -m sh -c "
		mount --bind '$work/security' /sys/kernel/security && exec unshare -U -r build/latency -i $instance"
}

has_multi() { # uprobe_multi links, since Linux 6.6; what they take the place of is root's
	printf '%s\n' 6.6 "$(uname -r)" | sort -CV
}

as_user_with() { # CAPABILITIES COMMAND...: with the run directory of an unprivileged user
	caps=$1
	shift
	ONTIME_RUN_DIR=$work/nobody setpriv --reuid=65534 --regid=65534 --clear-groups "--inh-caps=-all,$caps" "--ambient-caps=$caps" "$@"
}

with_two_capabilities() { # an instance of an unprivileged user who may have BPF
	install -d -o 65534 "$pins"
	chmod 1777 "$work"
	chown -R 65534 "$ONTIME_BUILD"
	as_user_with +bpf,+perfmon run/launch.sh -c "$work/conf" >"$work/said" 2>&1 || return 1
	if has_multi; then
		grep -q 'histograms are attached' "$work/said"
	else
		grep -q 'latency: attach to ingress: .*before Linux 6.6 that takes CAP_SYS_ADMIN too' "$work/said" &&
			as_user_with +bpf,+perfmon,+sys_admin "$ONTIME_BUILD/latency" -i "$instance" >>"$work/said" 2>&1
	fi && load 1 10000 && counts_are_exact && status=0 || status=1
	cat "$work/said"
	as_user_with +bpf,+perfmon run/stop.sh -i "$instance" && [ ! -e "$pins/$instance" ] || status=1
	return "$status"
}

refused_by_verifier() { # the same programs without the bound on what is copied
	mkdir "$work/refused" && cp -r Makefile run common "$work/refused" || return 1
	sed -i 's/ || n > LATENCY_BATCH//; s/if (bytes > LATENCY_BATCH .*/if (bytes == 1)/' "$work/refused/run/latency/latency.bpf.c"
	make -s -C "$work/refused" build/latency.bpf.o && cp build/latency "$work/refused/build" || return 1
	made_up_segment fails_with 1 'refuses program ingress: R[0-9]* unbounded memory access' \
		"$work/refused/build/latency" -i "$instance" && [ ! -e "$pins/$instance" ]
}

is_untouched() { # and one line for each of launch and stop, which says whose it is
	cat "$work/said"
	[ "$(cd "$work/victim" && echo *)" = "latency parts report" ] && [ "$(ls "$work/victim/parts")" = settings ] &&
		[ "$(grep -c "nothing in it is touched; if nobody needs it, rm -r $1" "$work/said")" = 2 ] &&
		[ "$(grep -c '^latency:' "$work/said")" = 2 ]
}

hostile_pins() { # PATH COMMANDS: what a stranger, and root, had made in a bpffs that is everybody's
	rm -rf "$work/victim" && mkdir -p "$work/victim/parts" && touch "$work/victim/latency" "$work/victim/report" "$work/victim/parts/settings"
	unshare -m sh -c "mount -t bpf bpf /sys/fs/bpf && stranger='setpriv --reuid 12345 --regid 12345 --clear-groups'
		$2
		run/launch.sh -c '$work/conf' && run/stop.sh -i $instance" >"$work/said" 2>&1 && is_untouched "$1"
}

link_for_ontime() {
	hostile_pins "$pins" "\$stranger ln -s '$work/victim' $pins"
}

ontime_of_a_stranger() {
	hostile_pins "$pins" "\$stranger sh -c 'mkdir $pins && ln -s $work/victim $pins/$instance'"
}

link_for_the_instance() { # in a directory that once was open to all
	hostile_pins "$pins/$instance" "mkdir -m 1777 $pins && \$stranger ln -s '$work/victim' $pins/$instance && chmod 700 $pins"
}

link_for_parts() {
	hostile_pins "$pins/$instance/parts" "mkdir $pins && mkdir -m 1777 $pins/$instance &&
		\$stranger ln -s '$work/victim' $pins/$instance/parts && chmod 700 $pins/$instance"
}

open_to_all() {
	hostile_pins "$pins" "mkdir -m 1777 $pins && \$stranger ln -s '$work/victim' $pins/$instance"
}

[ -x build/latency ] || { echo "skip latency: build/latency was not built: it needs libbpf-dev"; exit 77; }
make -s all build/tests/counts build/tests/drive build/tests/storm
mkdir "$ONTIME_BUILD"
cp -r build/ingress build/edf build/egress build/hold build/supervise build/latency build/latency.bpf.o build/plugins "$ONTIME_BUILD"
config_of "" 0
make_up_stages
if ! why=$(try_to_load 2>&1); then
	case $why in
	*need* | *"not mounted"* | *forbids* | *"locked down"* | *"no BPF"*)
		echo "skip latency: $why"
		exit 77
		;;
	esac
fi
check "a name that would leave the instance's directory is refused" fails_with 2 '^latency: -i \.\./x: ' latency --detach -i ../x
check "no running instance is one line" fails_with 1 'not running; run/launch.sh' latency
check "known times, in the right buckets, the last one too; batches that come again count once" made_up_stages
check "the same by perf events and the probe with a nop of one byte, as older kernels need it" made_up_stages --old-kernel
check "launch attaches, and the loader is gone" launches_attached
check "counts equal the account's, for each class and span; total has the same buckets" load_and_compare
check "plain bpftool shows the same, by name" bpftool_shows_it
check "the report and the bars are files" report_and_bars_are_files
check "counts stay exact through kill -9 and restart of each stage" kill_under_load
check "counts stay exact over a million packets at saturation" saturate
check "a rebuilt binary is noticed, and probed from its first packet on" rebuilt_and_restarted
check "a rebuilt binary that a crash brings in is probed too" rebuilt_and_killed
check "a reset counts anew" reset_counts_anew
check "wake-ups are measured on demand" wakeups_are_measured
check "two instances of the same binaries count each its own" two_instances
check "nothing stays pinned after stop" nothing_is_left
check "packets that are dropped count in no span they never had" drops_are_exact
run/stop.sh -i "${instance}c" >/dev/null
check "counts stay exact through a storm of kills" storm
check "a stripped binary is probed" stripped
check "a binary without probe points is one line" without_probe_points
check "an unprivileged user is told the capabilities" fails_with 1 'need CAP_BPF and CAP_PERFMON' as_nobody "$home/build/latency"
check "what the verifier refuses is one line, with its reason" refused_by_verifier
if unshare -m true 2>/dev/null; then
	check "a stranger's link for the bpffs directory is not followed" link_for_ontime
	check "a stranger's directory is not used" ontime_of_a_stranger
	check "a stranger's link for the instance's directory is not followed" link_for_the_instance
	check "a stranger's link for its parts is not followed" link_for_parts
	check "a directory that is open to all is not used" open_to_all
	check "launch mounts the bpffs where it is missing" launch_mounts_bpffs
	check "no bpffs is one line" fails_with 1 'not mounted at /sys/fs/bpf: mount -t bpf' \
		unshare -m sh -c "$no_bpffs; exec build/latency"
	check "no BTF is one line" fails_with 1 'CONFIG_DEBUG_INFO_BTF' \
		unshare -m sh -c "mount -t tmpfs none /sys/kernel/btf && exec build/latency"
else
	skip "no mount namespace can be made here" "strangers in the bpffs; a machine without bpffs, or without BTF"
fi
if unshare -U -r -m true 2>/dev/null; then
	check "a container that forbids BPF is one line" forbidden
	check "a kernel that is locked down is one line" locked_down
else
	skip "no user namespace can be made here" "a container that forbids BPF, and a kernel that is locked down, are one line each"
fi
if as_nobody test -x "$home/run/launch.sh"; then
	check "CAP_BPF and CAP_PERFMON are enough from Linux 6.6 on, and before it is said what is" with_two_capabilities
else
	skip "others may not read this directory" "CAP_BPF and CAP_PERFMON are enough from Linux 6.6 on, and before it is said what is"
fi
verdict latency

# shellcheck shell=sh disable=SC2154,SC2034
# systemd.sh - a systemd of a test's own, with the units installed. Sourced, from the top; $work is the test's directory, which goes with it.
#
# It is PID 1 of namespaces of its own. It knows the units of ontime, the journal, and empty targets that every unit depends on by
# default. /run, /dev/shm, the bpffs and the network are its own; /etc and /usr/local are overlays that end with it: `make install` and
# systemd-sysusers work in there as an operator's do. inside COMMAND runs a command there.

# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh
home=$PWD
build=${ONTIME_BUILD:-build}
case $build in /*) ;; *) build=$home/$build ;; esac
work=$(mktemp -d)
trap 'stop_systemd; rm -rf "$work"' EXIT INT TERM

on_failure() {
	tail -n 5 "$work/systemd.log"
	[ -z "${init:-}" ] || inside journalctl --no-pager -o cat -n 20
}

check() { # NAME COMMAND...
	check_here "$@"
}

skip() { # REASON NAME
	skipped=$((skipped + 1))
	printf 'skip %s: %s\n' "$2" "$1"
}

boot_script() {
	cat <<-END
		set -e
		mount -t tmpfs tmpfs /run
		mount -t tmpfs tmpfs /dev/shm
		mount -t tmpfs tmpfs /var/tmp # where units have their own
		mkdir -p /run/cgroup
		for directory in etc usr/local; do
			mkdir -p /run/over/\$directory/upper /run/over/\$directory/work
			mount -t overlay overlay -o lowerdir=/\$directory,upperdir=/run/over/\$directory/upper,workdir=/run/over/\$directory/work /\$directory
		done
		make -s -C "$home" install
		systemd-sysusers /usr/local/lib/sysusers.d/ontime.conf
		sed 's/^policy = .*/policy = edf/' /usr/local/share/ontime/full.conf >/etc/ontime/ontime.conf
		mount -t bpf -o mode=700 bpf /sys/fs/bpf && touch "$work/bpffs" || true
		mount -t cgroup2 cgroup2 /run/cgroup
		mount --move /run/cgroup /sys/fs/cgroup
		ip link set lo up
		cd "$home"
		exec env -i container=test PATH="$PATH" SYSTEMD_UNIT_PATH="$work/units:/run/systemd/system:/usr/local/lib/systemd/system" SYSTEMD_PROC_CMDLINE= \\
			/lib/systemd/systemd --system --log-target=console --unit=basic.target
	END
}

write_units() {
	mkdir "$work/units"
	for target in sysinit basic shutdown sockets network nss-lookup multi-user; do
		printf '[Unit]\nDescription=%s\nDefaultDependencies=no\n' "$target" >"$work/units/$target.target"
	done
	cp /lib/systemd/system/systemd-journald.service /lib/systemd/system/systemd-journald.socket "$work/units"
}

start_systemd() {
	conf=/etc/ontime/ontime.conf
	write_units
	boot_script >"$work/boot"
	unshare --mount --pid --fork --kill-child --mount-proc --net --ipc --uts sh "$work/boot" >"$work/systemd.log" 2>&1 </dev/null &
	outer=$!
	eventually is_booted && inside systemctl start systemd-journald.service && has_bpffs=$([ ! -e "$work/bpffs" ] || echo 1)
}

is_booted() {
	init=$(pgrep -P "$outer") && inside systemctl is-active basic.target 2>/dev/null
}

inside() { # COMMAND...
	nsenter -t "$init" -r -m -p -n -i -u --wdns="$home" timeout 60 env PATH="/usr/local/sbin:/usr/local/bin:$PATH" ONTIME_HISTOGRAMS=off ONTIME_BUILD="$build" "$@"
}

stop_systemd() {
	[ -n "${outer:-}" ] || return 0
	kill -KILL "$outer" 2>/dev/null || true
	wait "$outer" 2>/dev/null || true
	while [ -n "${init:-}" ] && kill -0 "$init" 2>/dev/null; do
		sleep 0.05
	done
	outer=
}

under_load() { # COMMAND...: while 20,000 packets/s go through, and all come out
	under_load_of default "$conf" "$@"
}

under_load_of() { # INSTANCE CONFIG COMMAND...: likewise
	loaded=$1
	inside "$build/load" -c "$2" --rate 20000 --seconds 50 --size 0-1472 >"$work/load" 2>&1 &
	load=$!
	shift 2
	eventually passes_on
	done=0
	"$@" && passes_on || done=$?
	inside pkill -INT -x load # it says what has come
	wait "$load" || done=$?
	[ "$done" != 0 ] || ! grep 'not delivered' "$work/load" || done=1
	[ "$done" = 0 ] || cat "$work/load"
	return "$done"
}

passes_on() { # more than before this began
	sent=$(sent_pkts) && eventually has_sent "$sent"
}

has_sent() { # MORE THAN
	[ "$(sent_pkts)" -gt "$1" ]
}

sent_pkts() {
	inside "$build/stat" --json -i "$loaded" | jq '[.classes[].sent] | add'
}

drop_in() { # INSTANCE LINE: into the section [Service] of its unit
	inside sh -c "mkdir -p /run/systemd/system/ontime@$1.service.d && printf '[Service]\\n%s\\n' '$2' >/run/systemd/system/ontime@$1.service.d/test.conf" &&
		inside systemctl daemon-reload
}

main_pid() {
	inside systemctl show -p MainPID --value ontime@default
}

pid_of() { # STAGE
	inside "$build/hold" --stages -i default | sed -n "s/^$1 \([0-9]*\) ready .* 1\$/\1/p"
}

all_ready() {
	inside "$build/hold" --stages -i default 2>/dev/null | grep -c ' ready .* 1$' | grep -qx 3
}

is_balanced() {
	inside "$build/stat" --once -i default | grep -x balanced
}

#!/bin/sh
# t_deb.sh - the Debian packages: lintian finds nothing, the same sources give the same packages, and they install, start, are
# upgraded under traffic, removed and purged. That happens in an overlay of this machine's own root, in namespaces that end with the test.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh
newer=99.0

packages_of() { # VERSION DIRECTORY: the two, if they are there
	set -- "$2"/ontime_"$1"_*.deb "$2"/ontime-dash_"$1"_*.deb
	[ -e "$1" ] && [ -e "$2" ] && echo "$1" "$2"
}

# --- outside

build_in() { # DIRECTORY [VERSION=V]
	directory=$1
	shift
	make -s deb BUILD="$directory" "$@" >"$work/built" 2>&1 || { tail -n 20 "$work/built" && return 1; }
}

builds() {
	build_in "$work/one" && cp "$work/one/deb"/*.deb "$work/debs" && packages_of "$version" "$work/debs"
}

builds_the_same() { # elsewhere, and later
	build_in "$work/another/place" || return 1
	for package in $(packages_of "$version" "$work/debs"); do
		cmp "$package" "$work/another/place/deb/${package##*/}" || return 1
	done
}

builds_a_newer_one() {
	build_in "$work/one" VERSION=$newer && cp "$work/one/deb"/*_"$newer"_*.deb "$work/debs" && packages_of "$newer" "$work/debs"
}

lintian_is_content() { # but for the manual pages, as long as there are none
	pages=
	[ -e run/man/ontime.1 ] || pages="--suppress-tags no-manual-page"
	# shellcheck disable=SC2086 # two words, or none
	lintian --no-cfg --fail-on error,warning --tag-display-limit 0 --allow-root $pages "$work/one/deb/ontime_${version}_"*.changes
}

says_its_own_version() {
	[ "$(dpkg-parsechangelog -l run/debian/changelog -S Version)" = "$(sed -n 's/^#define ONTIME_VERSION "\(.*\)"/\1/p' common/version.h)" ]
}

holds() { # PACKAGE-FILE PATH...
	dpkg-deb -c "$1" | awk '{print $6}' >"$work/contents"
	shift
	for path in "$@"; do
		grep -qx "\./$path" "$work/contents" || { echo "$path is missing" && return 1; }
	done
}

contents_are_right() {
	# shellcheck disable=SC2046 # two files
	set -- $(packages_of "$version" "$work/debs")
	holds "$1" 'usr/bin/ontime.*' usr/libexec/ontime/edf usr/libexec/ontime/plugins/slow.so etc/ontime/ontime.conf usr/libexec/ontime/latency.bpf.o \
		usr/include/ontime/plugin.h etc/logrotate.d/ontime etc/ufw/applications.d/ontime usr/share/ontime/recipes/voice.conf &&
		! grep -E '/dash$|ontime-dash|grafana|installed|usr/local' "$work/contents" || return 1
	holds "$2" usr/libexec/ontime/dash usr/share/ontime/grafana.json usr/share/ontime/alerts.yml || return 1
	dpkg-deb -f "$1" Depends | tee "$work/depends" && grep -q libbpf1 "$work/depends" && grep -q 'libc6 (>=' "$work/depends" &&
		dpkg-deb -f "$2" Depends | grep "^ontime (= $version),.*libmicrohttpd"
}

strangers_end_the_build() { # a file that make install brings and no list has
	tree=$work/stranger
	mkdir "$tree" && cp -Rp Makefile LICENSE README.md common ingress edf egress run "$tree"
	# shellcheck disable=SC2016 # install.sh's own
	sed -i 's|^put_rest() {|&\n\tput 644 LICENSE "$DATADIR/stranger"|' "$tree/run/install.sh"
	mkdir -p "$tree/build/deb/tree" && cp -Rp "$work/one/deb/tree/build" "$tree/build/deb/tree"
	! make -s -C "$tree" deb >"$work/said" 2>&1 && grep 'usr/share/stranger exists in debian/tmp but is not installed' "$work/said"
}

mount_overlay() { # in namespaces of its own: $over/root is this machine's root, and what is written there goes to $over/upper
	mount -t tmpfs tmpfs "$over" && mkdir "$over/upper" "$over/work" "$over/root" &&
		mount -t overlay overlay -o "lowerdir=/,upperdir=$over/upper,workdir=$over/work" "$over/root" &&
		mount -t proc proc "$over/root/proc" && mount --rbind /dev "$over/root/dev" && mount --rbind /sys "$over/root/sys" || return 1
	for directory in dev/shm run tmp; do
		mount -t tmpfs tmpfs "$over/root/$directory" || return 1
	done
	mount -t bpf bpf "$over/root/sys/fs/bpf" 2>/dev/null || true
	for directory in "$PWD" "$work/debs"; do
		mkdir -p "$over/root$directory" && mount --bind "$directory" "$over/root$directory" || return 1
	done
	ip link set lo up && rm -f "$over/root/var/lib/man-db/auto-update" && find "$over/upper" ! -type d | sort >"$work/before"
}

is_kept() { # PATH: by dpkg, or by those that keep what /etc/passwd was
	case $1 in /var/lib/dpkg/* | /var/log/* | /var/cache/* | /etc/.pwd.lock | /etc/*-) ;; *) false ;; esac
}

nothing_is_left() { # a file that is as it was before counts as none
	find "$over/upper" ! -type d | sort | comm -13 "$work/before" - | while read -r path; do
		is_kept "${path#"$over/upper"}" || cmp -s "$path" "${path#"$over/upper"}" || echo "$path"
	done >"$work/left"
	find "$over/upper" -name '*ontime*' | grep -vE "^$over/upper($PWD|/var/lib/dpkg)" >>"$work/left" || true
	cat "$work/left"
	! grep -rl ontime "$over/upper/var/lib/dpkg/info" "$over/upper/var/lib/dpkg/status" && [ ! -s "$work/left" ]
}

# --- inside the overlay, as on a machine of its own

ontime() { # launch|status|stat|load ARGUMENT...: as it is typed there
	word=$1
	shift
	if [ -e /usr/bin/ontime ]; then
		case $word in launch) word=start ;; stat) word=top ;; esac
		set -- ontime "$word" "$@"
	else
		set -- "ontime-$word" "$@"
	fi
	${as-} env "$@"
}

fits_in() { # SECONDS COMMAND...
	limit_s=$1
	began_s=$(date +%s)
	shift
	"$@" && [ $(($(date +%s) - began_s)) -le "$limit_s" ]
}

processes() {
	for process in /proc/[0-9]*; do
		case $(readlink "$process/exe") in /usr/libexec/ontime/*) echo "$process $(readlink "$process/exe")" ;; esac
	done
}

installs() {
	# shellcheck disable=SC2046 # two files
	dpkg -i $(packages_of "$version" "$debs") && [ -z "$(processes)" ] && grep -q '^/etc/ontime/ontime.conf$' /var/lib/dpkg/info/ontime.conffiles &&
		sed -i 's/^policy = .*/policy = edf/' /etc/ontime/ontime.conf # nothing is shed, however late it is on a busy machine
}

starts() {
	ontime launch && ontime status
}

carries_traffic() {
	ontime load --rate 2000 --seconds 1 >"$work/load" && cat "$work/load" && ! grep 'not delivered' "$work/load" && ontime stat --once | grep '^balanced'
}

user() { # COMMAND...: an ordinary one
	as="setpriv --reuid 1234 --regid 1234 --clear-groups env ONTIME_RUN_DIR=/tmp/user/run"
	"$@" && status=0 || status=1
	as=
	return "$status"
}

dashes() { # their pids
	processes | sed -n 's|/proc/\([0-9]*\) /usr/libexec/ontime/dash\( (deleted)\)\{0,1\}$|\1|p'
}

serves() { # PID-BEFORE: another dashboard does, of a file that is there
	[ "$(dashes)" != "$1" ] && processes | grep -q '/usr/libexec/ontime/dash$' && [ -n "$(dashes)" ]
}

the_dashboard_is_its() { # the supervisor's, by a reload
	printf '[dash]\nlisten = 127.0.0.1:9999\n' >>/etc/ontime/ontime.conf
	kill -HUP "$(/usr/libexec/ontime/hold --supervisor -i default)" && eventually serves ""
}

an_instance_of_a_user() {
	mkdir /tmp/user && chown 1234 /tmp/user || return 1
	printf '[pipeline]\ninstance = other\n[class one]\nlisten = 127.0.0.1:7001\nsend = 127.0.0.1:7002\nbudget = 1ms\n' >/tmp/user/conf
	user ontime launch -c /tmp/user/conf && user ontime status -i other
}

came() { # PACKETS
	[ "$(ontime stat --json | jq '[.classes[].received] | add')" -ge "$1" ]
}

upgrade_under_traffic() {
	dash=$(dashes)
	before=$(ontime stat --json | jq '[.classes[].received] | add')
	ontime load --rate 5000 --seconds 300 >"$work/load" &
	source=$!
	eventually came $((before + 100)) || return 1
	# shellcheck disable=SC2046 # two files
	dpkg -i $(packages_of "$newer" "$debs") || return 1
	pkill -INT -x -P "$source" load || { echo "the traffic ended before the upgrade" && return 1; }
	wait "$source" && cat "$work/load" && ! grep 'not delivered' "$work/load" && ontime stat --once | grep '^balanced'
}

new_stages_run() { # of each instance, all started once more, from the files of the new version
	ontime stat --version | grep "$newer" || return 1
	for instance in $instances; do
		/usr/libexec/ontime/hold --stages -i "$instance" | tee "$work/stages"
		[ "$(grep -c ' ready 2 .* 1$' "$work/stages")" = 3 ] || return 1
		while read -r _ pid _; do
			[ "$(readlink "/proc/$pid/exe" | grep -c deleted)" = 0 ] || { echo "$pid is an old one" && return 1; }
		done <"$work/stages"
		for who in supervisor holder; do
			pid=$(/usr/libexec/ontime/hold --$who -i "$instance") || return 1
			[ "$(readlink "/proc/$pid/exe" | grep -c deleted)" = 0 ] || { echo "$who ($pid) is an old one" && return 1; }
		done
	done
	processes | grep deleted && return 1
	ontime status -i default | tee "$work/status"
	[ "$(grep -c " $newer\$" "$work/status")" = 5 ] && ! grep 'another build' "$work/status" || return 1
	grep -qx 'policy = edf' /etc/ontime/ontime.conf
}

a_dashboard_by_hand_runs_on() { # a removal of the package ends its supervisor's, and names the other
	/usr/bin/ontime dash --listen 127.0.0.1:9998 >"$work/dash" 2>&1 </dev/null &
	by_hand=$!
	runs_on_by_hand && status=0 || status=1
	kill "$by_hand" || true
	wait "$by_hand" || true
	return "$status"
}

runs_on_by_hand() {
	eventually curl -sf -o "$work/page" http://127.0.0.1:9998/ready || return 1
	dpkg -r ontime-dash >"$work/removed" 2>&1 || return 1
	cat "$work/removed"
	grep -x "ontime: the dashboard $by_hand (user root) was started by hand, and runs on as it is: kill $by_hand ends it" "$work/removed" &&
		curl -sf -o "$work/page" http://127.0.0.1:9998/ready && [ "$(dashes)" = "$by_hand" ]
}

removes() { # both instances end, and what they made
	dpkg -r ontime || return 1
	processes >"$work/left" && ls /dev/shm >>"$work/left"
	cat "$work/left"
	[ ! -s "$work/left" ] && [ ! -e /sys/fs/bpf/ontime ] || return 1
	[ ! -e /usr/libexec/ontime ] && [ -z "$(ls /usr/bin/ontime* 2>/dev/null)" ] && [ -e /etc/ontime/ontime.conf ]
}

purges() {
	dpkg -P ontime-dash ontime && [ ! -e /etc/ontime ] && [ ! -e /run/ontime ] && [ ! -e /etc/ufw/applications.d/ontime ]
}

a_unit_starts_it() {
	systemctl start ontime@default && ontime status
}

under_systemd() { # as inside()
	work=$(mktemp -d)
	debs=$1
	version=$2
	instances=default
	export PATH="/usr/sbin:/usr/bin:/sbin:/bin" DEBIAN_FRONTEND=noninteractive
	check "under systemd: installs, and starts nothing" installs
	check "under systemd: a unit starts it" a_unit_starts_it
	check_here "under systemd: an upgrade under traffic loses nothing" upgrade_under_traffic
	check "under systemd: and has replaced each process, and kept the config" new_stages_run
	check "under systemd: a removal of the dashboard lets one that was started by hand run, and says so" a_dashboard_by_hand_runs_on
	check "under systemd: a removal stops the unit" removes
	check "under systemd: a purge leaves nothing" purges
	verdict systemd
}

inside() {
	work=$(mktemp -d)
	instances="default other"
	debs=$1
	version=$2
	export PATH="/usr/sbin:/usr/bin:/sbin:/bin" DEBIAN_FRONTEND=noninteractive
	check "installs, and starts nothing" installs
	check "starts within 5 s" fits_in 5 starts
	check "carries traffic" carries_traffic
	check "an ordinary user starts another instance" an_instance_of_a_user
	check "its supervisor starts the dashboard that the config asks for" the_dashboard_is_its
	check_here "an upgrade under traffic loses nothing" upgrade_under_traffic
	check "and has replaced each process of both instances, and kept the config" new_stages_run
	check "and the dashboard" eventually serves "$dash"
	check "a removal of the dashboard lets one that was started by hand run, and says so" a_dashboard_by_hand_runs_on
	check "a removal stops both instances, and leaves the config" removes
	check "a purge removes the config and the logs" purges
	verdict inside
}

in_namespaces() { # WORK VERSION: a mount, network, pid and IPC namespace of its own
	work=$1
	over=$work/over
	mkdir "$over"
	mount_overlay || exit 77
	# shellcheck disable=SC2016 # the inner shell's own
	chroot "$over/root" sh -c 'cd "$1" && shift && exec tests/operate/t_deb.sh --inside "$@"' sh "$PWD" "$work/debs" "$2" || true
	check "nothing is left of it on the machine" nothing_is_left
	verdict outside
}

boot() { # WORK: systemd, as the first process of namespaces of its own, with no unit but ours and empty targets
	work=$1
	over=$work/booted
	mkdir "$over"
	mount_overlay && mount -t cgroup2 cgroup2 "$over/root/sys/fs/cgroup" && mkdir "$over/root/run/units" || exit 1
	for target in sysinit basic shutdown sockets network nss-lookup multi-user; do
		printf '[Unit]\nDescription=%s\nDefaultDependencies=no\n' "$target" >"$over/root/run/units/$target.target"
	done
	for unit in systemd-journald.service systemd-journald.socket ontime@.service ontime@default.service.d; do
		ln -s "/usr/lib/systemd/system/$unit" "$over/root/run/units"
	done
	exec chroot "$over/root" env -i container=test PATH="$PATH" SYSTEMD_PROC_CMDLINE= SYSTEMD_UNIT_PATH=/run/units:/run/systemd/system \
		/lib/systemd/systemd --system --log-target=console --unit=basic.target
}

within() { # COMMAND...: where systemd runs
	nsenter -t "$init" -r -m -p -n -i -u --wdns="$PWD" timeout 100 "$@"
}

is_booted() {
	init=$(pgrep -P "$outer") && within systemctl is-active basic.target
}

try_systemd() {
	unshare --mount --pid --fork --kill-child --net --ipc --uts --propagation private tests/operate/t_deb.sh --boot "$work" >"$work/booting" 2>&1 </dev/null &
	outer=$!
	if eventually is_booted >/dev/null 2>&1; then
		within tests/operate/t_deb.sh --under-systemd "$work/debs" "$version" || true
	else
		tail -n 5 "$work/booting"
		echo "FAIL under systemd: it starts"
	fi
	kill -KILL "$outer"
	wait "$outer" 2>/dev/null || true
}

skip_all() { # REASON
	echo "skip deb: $1"
	exit 77
}

case ${1:-} in
--inside)
	shift
	inside "$@"
	exit
	;;
--under-systemd)
	shift
	under_systemd "$@"
	exit
	;;
--boot)
	boot "$2"
	;;
--in-namespaces)
	in_namespaces "$2" "$3"
	exit
	;;
esac
for tool in dpkg-deb dpkg-buildpackage dh lintian curl; do
	command -v $tool >/dev/null || skip_all "$tool is missing: run/deps.sh test installs it where Debian has it"
done
work=$(realpath "$(mktemp -d)")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
mkdir "$work/debs"
version=$(dpkg-parsechangelog -l run/debian/changelog -S Version)
check "make deb makes two packages" builds
check "of the version that the programs print" says_its_own_version
check "the same sources give the same packages, wherever" builds_the_same
check "each has what belongs to it, and depends on the libraries it needs" contents_are_right
check "lintian finds nothing" lintian_is_content
check "a file that no list has ends the build in one line" strangers_end_the_build
check "make deb VERSION= makes those of another version" builds_a_newer_one
if [ "$(id -u)" != 0 ]; then
	skipped=1
	echo "skip the packages are installed, upgraded and removed: only root can have an overlay"
else
	unshare --mount --net --pid --ipc --fork --kill-child --propagation private tests/operate/t_deb.sh --in-namespaces "$work" "$version" >"$work/said" 2>&1 &&
		status=0 || status=$?
	cat "$work/said"
	[ "$status" != 77 ] || { skipped=1 && echo "skip the packages are installed, upgraded and removed: there can be no overlay here"; }
	if [ "$status" != 77 ] && [ -e run/systemd/ontime@.service ] && [ -x /lib/systemd/systemd ]; then
		try_systemd 2>&1 | tee -a "$work/said"
	fi
	passed=$((passed + $(grep -c '^ok ' "$work/said" || true)))
	failed=$((failed + $(grep -c '^FAIL ' "$work/said" || true)))
fi
verdict deb

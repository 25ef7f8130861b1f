#!/bin/sh
# deps.sh build | deb | stress | bench | test - install what is missing to build, for make deb, run/stress.sh or tests/bench.sh, or to test.
# Silent if nothing is.
# For Debian 12 or newer. As root through apt-get, else through sudo without a password, else it prints the command.
# Elsewhere it looks for what building needs, and says what is missing.
set -eu
here=$(dirname "$(realpath "$0")")
# shellcheck source=run/progress.sh
. "$here/progress.sh"

build="gcc make libc6-dev libncurses-dev libmicrohttpd-dev libpcap-dev libc-ares-dev netcat-openbsd procps" # the last two for what launch.sh says to try
test="libcunit1-dev clang clang-format shellcheck cppcheck binutils iproute2 systemd jq curl tmux libxml2-utils bsdutils sudo"
probes="libbpf-dev bpftool" # for the latency histograms, which need root once, where the kernel has BTF
optional= # what is wanted, but can be done without
if [ -e /sys/kernel/btf/vmlinux ] && { [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null; }; then optional=$probes; fi

case "${1-}" in
build) wanted=$build ;;
test)
	wanted="$build $test"
	optional="$optional logrotate"
	optional="$optional mandoc zsh fish" # man pages and completion
	optional="$optional tshark" # what reads a tape
	optional="$optional yq" # what reads the manifests of run/deploy
	optional="$optional nodejs chromium prometheus" # the dashboard's tests skip without
	optional="$optional ffmpeg socat liblo-tools" # and those of the recipes, which send with them (ffmpeg: 15 s, 150 MB)
	optional="$optional bind9-dnsutils dnsmasq-base dnsdist sip-tester mosh iperf3 sockperf ntpsec-ntpdig ngtcp2-client ngtcp2-server nftables" # and those of t_clients.sh, t_source.sh and t_refused.sh
	optional="$optional qemu-system-x86 busybox-static cpio kmod xz-utils" # and those under other kernels (tests/machine/kernel-vm.sh)
	optional="$optional qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross" # and AArch64's
	optional="$optional libclang-rt-dev spin" # libFuzzer, for tests/fuzz; and for tests/models
	optional="$optional build-essential debhelper dpkg-dev libbpf-dev lintian" # and those of the packages
	;;
deb) wanted="$build build-essential debhelper dpkg-dev libbpf-dev" optional= ;;
stress) wanted="$build jq" ;;
bench) # the rivals; an nginx that is there already is left as it runs
	wanted=$build
	optional="libnginx-mod-stream socat nftables iproute2 strace"
	[ -x /usr/sbin/nginx ] || optional="nginx-light $optional"
	;;
-h | --help)
	sed -n '2,4s/^# //p' "$0"
	exit 0
	;;
*)
	echo "deps.sh: what for? Use: run/deps.sh build | deb | stress | bench | test" >&2
	exit 2
	;;
esac

fail() { # MESSAGE
	printf 'ontime: %s\n' "$1" >&2
	exit 1
}

has_header() { # NAME
	printf '#include <%s>\n' "$1" | "${CC:-gcc}" -E -x c - >/dev/null 2>&1
}

elsewhere() { # where packages have other names
	lacks=
	for tool in make "${CC:-gcc}" nc ps; do
		command -v "$tool" >/dev/null || lacks="$lacks $tool"
	done
	for header in stdio.h ncurses.h microhttpd.h pcap/pcap.h ares.h; do
		has_header $header || lacks="$lacks <$header>"
	done
	[ -z "$lacks" ] || fail "missing:$lacks; this is no Debian: please install what Debian calls $wanted"
	exit 0
}
command -v dpkg-query >/dev/null || elsewhere

missing_of() { # PACKAGE...: those that are not installed
	for package in "$@"; do
		case " $(dpkg-query -W -f='${db:Status-Status} ' "$package" 2>/dev/null)" in
		*\ installed\ *) ;; # a known package may be ` not-installed ` too
		*) printf ' %s' "$package" ;;
		esac
	done
}
# shellcheck disable=SC2086
missing=$(missing_of $wanted)
# shellcheck disable=SC2086
also_missing=$(missing_of $optional)
[ "$missing$also_missing" ] || exit 0

options="-y -q --no-install-recommends -o APT::Status-Fd=1 -o DPkg::Lock::Timeout=120"
command="apt-get update && apt-get install --no-install-recommends$missing$also_missing"
if [ "$(id -u)" -eq 0 ]; then
	sudo=
elif sudo -n true 2>/dev/null; then
	sudo="sudo -n"
else
	if command -v sudo >/dev/null; then command="sudo apt-get update && sudo ${command#* && }"; else command="as root $command"; fi
	printf 'ontime: missing:%s; please run: %s\n' "$missing$also_missing" "$command" >&2
	[ -z "$missing" ] || exit 1
	exit 0
fi
said=$(mktemp)
trap 'rm -f "$said"' EXIT
trap 'exit 130' INT TERM HUP

# The words in $sudo, $options and $packages are meant to be split.
update() { # package lists; apt-get calls it a success when it got none
	# shellcheck disable=SC2086
	$sudo apt-get update -q
}

install_packages() { # those in $packages
	# shellcheck disable=SC2086
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get install $options $packages
}

how_far() {
	waits=$(tail -n 1 "$said" | sed -n 's/^Waiting for .*held by process \([0-9]* ([^)]*)\).*/waits for process \1, which installs too/p')
	[ -z "$waits" ] || { echo "$waits" && return; }
	sed -n 's/^Need to get \(.*\) of archives.*/\1 to fetch/p; s/^[dp][lm]status:[^:]*:\([0-9]*\)[^:]*:\(.*\)/\1 %  \2/p' "$said" | tail -n 1
}

get() { # PACKAGES: 0 if they are there then
	packages=$1
	# shellcheck disable=SC2086
	set -- $packages
	step "installing $# package$([ $# = 1 ] || echo s)" ":$packages" how_far install_packages
}

why() { # they could not be installed, in one line
	holder=$(sed -n 's/.*held by process \([0-9]* ([^)]*)\).*/ (process \1)/p' "$said" | tail -n 1)
	if grep -qiE 'could not get lock|unable to (lock|acquire)' "$said"; then
		echo "another installation is at work$holder and did not end in two minutes: try again when it has"
	elif grep -qE 'enough free space|No space left on device' "$said"; then
		echo "the disk is full: make room (df -h / /var; apt-get clean), then try again"
	elif grep -q 'dpkg was interrupted' "$said"; then
		echo "an earlier installation was interrupted: ${sudo:+sudo }dpkg --configure -a, then try again"
	elif grep -qE 'Temporary failure resolving|Could not resolve|Could not connect|Unable to connect|unreachable|timed out' "$said"; then
		echo "the packages cannot be fetched: is there a network, and does /etc/apt/sources.list name a mirror? Then try again"
	elif grep -qE 'Unable to locate|no installation candidate' "$said"; then
		echo "the package lists have no $(sed -n "s/^E: Unable to locate package //p; s/^E: Package '\(.*\)' has no .*/\1/p" "$said" | tail -n 1): is this Debian 12 or newer, with main in /etc/apt/sources.list?"
	else
		grep -E '^E: ' "$said" | tail -n 5 >&2
		echo "the packages cannot be installed: see above, or try by hand: ${sudo:+sudo }apt-get install$missing"
	fi
}

is_hopeless() { # newer lists would not help
	grep -qiE 'could not get lock|unable to (lock|acquire)|enough free space|No space left on device|dpkg was interrupted' "$said"
}

# The tests start a Prometheus and a dnsdist of their own, and tests/bench.sh an nginx: what the packages start is not wanted.
stop_services() {
	services=
	case $also_missing in *prometheus*) services="prometheus prometheus-node-exporter" ;; esac
	case $also_missing in *dnsdist*) services="$services dnsdist" ;; esac
	case $also_missing in *nginx-light*) services="$services nginx" ;; esac
	# shellcheck disable=SC2086
	[ -z "$services" ] || [ ! -d /run/systemd/system ] || $sudo systemctl disable -q --now $services 2>/dev/null || true
}

# Package lists that are absent or too old show as a failed install: only then are they fetched. What can be done without must not
# stop the rest.
get "$missing$also_missing" && stop_services && exit 0
[ -z "$missing" ] || ! is_hopeless || fail "$(why)"
step "fetching the package lists" "" how_far update || true # the next says what it lacks
get "$missing$also_missing" && stop_services && exit 0
[ -z "$missing" ] || { [ -n "$also_missing" ] && get "$missing"; } || fail "$(why)"
left_out=
for package in $also_missing; do
	get " $package" || left_out="$left_out $package"
done
[ -z "$left_out" ] || printf 'ontime: not installed, and what needs it is left out:%s\n' "$left_out" >&2
stop_services

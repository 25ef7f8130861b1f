#!/bin/sh
# deps.sh build | deb | stress | test - install what is missing to build, for make deb, for run/stress.sh, or to test. Silent if nothing is.
# For Debian 12 or newer. As root through apt-get, else through sudo without a password, else it prints the command.
set -eu

build="gcc make libc6-dev libncurses-dev libmicrohttpd-dev netcat-openbsd procps" # the last two for what launch.sh says to try
test="libcunit1-dev clang clang-format shellcheck cppcheck binutils iproute2 systemd jq tmux libxml2-utils bsdutils"
probes="libbpf-dev bpftool" # for the latency histograms, which only root can have, where the kernel has BTF
optional= # what is wanted, but can be done without
[ "$(id -u)" -ne 0 ] || [ ! -e /sys/kernel/btf/vmlinux ] || optional=$probes

case "${1-}" in
build) wanted=$build ;;
test)
	wanted="$build $test"
	optional="$optional logrotate"
	optional="$optional nodejs chromium prometheus" # the dashboard's tests skip without
	optional="$optional ffmpeg socat liblo-tools" # and those of the recipes, which send with them (ffmpeg: 15 s, 150 MB)
	optional="$optional qemu-system-x86 busybox-static cpio kmod xz-utils" # and those under other kernels (tests/machine/kernel-vm.sh)
	optional="$optional qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross" # and AArch64's
	optional="$optional build-essential debhelper dpkg-dev libbpf-dev lintian" # and those of the packages
	;;
deb) wanted="$build build-essential debhelper dpkg-dev libbpf-dev" optional= ;;
stress) wanted="$build jq" ;;
-h | --help)
	sed -n '2,3s/^# //p' "$0"
	exit 0
	;;
*)
	echo "deps.sh: what for? Use: run/deps.sh build | deb | stress | test" >&2
	exit 2
	;;
esac

if ! command -v dpkg-query >/dev/null; then
	echo "deps.sh: not a Debian system; please install what Debian calls: $wanted" >&2
	exit 1
fi

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

options="-y -qq --no-install-recommends -o DPkg::Lock::Timeout=120"
if [ "$(id -u)" -eq 0 ]; then
	sudo=
elif sudo -n true 2>/dev/null; then
	sudo="sudo -n"
else
	echo "deps.sh: missing:$missing$also_missing; please run: sudo apt-get update && sudo apt-get install --no-install-recommends$missing$also_missing" >&2
	[ -z "$missing" ] || exit 1
	exit 0
fi

# $1: install or update, $2: packages. The words in $sudo, $options and $2 are meant to be split.
apt()
{
	# shellcheck disable=SC2086
	case $1 in
	update) $sudo apt-get update -qq ;;
	install) $sudo env DEBIAN_FRONTEND=noninteractive apt-get install $options $2 ;;
	esac
}

# The tests start a Prometheus of their own: what the package starts is not wanted.
stop_services()
{
	case $also_missing in *prometheus*) ;; *) return 0 ;; esac
	[ ! -d /run/systemd/system ] || $sudo systemctl disable -q --now prometheus prometheus-node-exporter 2>/dev/null || true
}

# Package lists that are absent or too old show as a failed install: only then are they fetched.
echo "deps.sh: installing$missing$also_missing" >&2
apt install "$missing$also_missing" >/dev/null 2>&1 && stop_services && exit 0
if [ "$missing" ]; then
	apt update >&2
	apt install "$missing" >&2
fi
for package in $also_missing; do
	apt install "$package" >/dev/null 2>&1 || echo "deps.sh: $package cannot be installed (apt-get update may help): what needs it is left out" >&2
done
stop_services

#!/bin/sh
# bare.sh - ontime on a bare Debian, as a transcript with times and sizes: by package, from a clone, building the packages, or the whole
# suite. By hand; needs root and the network.
#
# usage: tests/machine/bare.sh bookworm|trixie [package|clone|build|suite] [MIRROR [APT-CONF-FILE..]]
#
# MIRROR is where debootstrap and apt get packages; this machine's own unless given. The files are copied to etc/apt/apt.conf.d there.
# build/bare/RELEASE keeps what debootstrap made. All else happens in an overlay of it, and ontime itself runs in namespaces without a network.
# The packages are those of build/deb; without any, make deb makes them.
set -eu
cd "$(dirname "$0")/../.."
release=$1
what=${2:-package}
# shellcheck disable=SC2016 # apt-get has this for itself
mirror=${3:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -n 1)}
shift $(($# < 3 ? $# : 3))
root=$PWD/build/bare/root

inside() { # COMMAND: with this machine's network
	chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive HOME=/root TERM=dumb LC_ALL=C.UTF-8 sh -c "$1" 2>&1
}

apart() { # COMMAND: on a machine of its own, as far as processes, network and shared memory go
	# shellcheck disable=SC2016 # the inner shell's own
	unshare --mount --net --pid --ipc --fork --kill-child --propagation private sh -c '
		mount -t proc proc "$1/proc" && mount -t tmpfs tmpfs "$1/dev/shm" && mount -t tmpfs tmpfs "$1/run" && ip link set lo up &&
		{ mount -t bpf bpf "$1/sys/fs/bpf" 2>/dev/null || true; } &&
		exec chroot "$1" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb LC_ALL=C.UTF-8 sh -c "$2"' sh "$root" "$1" 2>&1
}

timed() { # inside|apart COMMAND
	echo "\$ $2"
	began=$(date +%s%N)
	"$1" "$2" && status=0 || status=$?
	ms=$((($(date +%s%N) - began) / 1000000))
	printf '# %d.%d s, status %d; %d MB more than a bare one\n' $((ms / 1000)) $((ms % 1000 / 100)) "$status" \
		"$(du -sm --exclude=var/cache --exclude=var/lib/apt "$over/upper" | cut -f 1)"
}

bootstrap() {
	[ ! -d "build/bare/$release" ] || return 0
	mkdir -p build/bare
	echo "\$ debootstrap --variant=minbase $release"
	debootstrap --variant=minbase "$release" "build/bare/$release.new" "$mirror" >build/bare/log 2>&1 || { tail -n 5 build/bare/log && exit 1; }
	mv "build/bare/$release.new" "build/bare/$release"
}

mount_overlay() { # APT-CONF-FILE..: this runs in a mount namespace of its own, so all ends with it
	over=$PWD/build/bare/over
	rm -rf "$over"
	mkdir -p "$over" "$root"
	mount -t tmpfs tmpfs "$over" && mkdir "$over/upper" "$over/work"
	mount -t overlay overlay -o "lowerdir=$PWD/build/bare/$release,upperdir=$over/upper,workdir=$over/work" "$root"
	mount -t proc proc "$root/proc"
	mount --rbind /dev "$root/dev" && mount --rbind /sys "$root/sys"
	cp /etc/resolv.conf "$root/etc/resolv.conf"
	echo "127.0.0.1 localhost $(hostname)" >"$root/etc/hosts" # or sudo complains
	for file in "$@"; do
		cp "$file" "$root/etc/apt/apt.conf.d/"
	done
}

demo() { # LAUNCH LOAD STATUS STAT STOP: all that is tried, with what one types for each; traffic with a kill in it
	echo "$1 >/dev/null && { $2 --rate 20000 --seconds 3 & sleep 2; kill -9 \$($3 --pid edf); wait; $3; $4 --once; $5; }"
}

by_package() {
	cp build/deb/ontime*.deb "$root/root/"
	timed inside "apt-get update -qq"
	timed inside "cd /root && apt-get install -qy ./ontime_*.deb ./ontime-dash_*.deb | tail -n 4"
	timed apart "ontime start && ontime status"
	timed apart "$(demo "ontime start" "ontime load" "ontime status" "ontime top" "ontime stop")"
	timed apart "ontime demo"
	timed inside "apt-get purge -qy 'ontime*' | tail -n 3; find / -xdev -name '*ontime*' ! -path '/root/*'"
}

by_clone() {
	git clone -q . "$root/root/ontime"
	timed inside "apt-get update -qq"
	timed inside "cd /root/ontime && run/deps.sh build"
	timed apart "cd /root/ontime && run/launch.sh && run/status.sh"
	timed apart "cd /root/ontime && $(demo run/launch.sh build/load run/status.sh build/stat run/stop.sh)"
}

by_build() {
	git clone -q . "$root/root/ontime"
	timed inside "apt-get update -qq"
	timed inside "cd /root/ontime && run/deps.sh deb"
	timed inside "cd /root/ontime && make -s deb 2>&1 | tail -n 8; ls -l build/deb/*.deb"
	timed inside "apt-get install -qqy --no-install-recommends lintian >/dev/null"
	timed inside "cd /root/ontime && lintian --no-cfg --fail-on error,warning build/deb/*.changes"
}

by_suite() { # what needs the network is skipped
	git clone -q . "$root/root/ontime"
	timed inside "apt-get update -qq"
	timed inside "cd /root/ontime && run/deps.sh test >/dev/null"
	timed apart "cd /root/ontime && tests/run.sh --no-install"
}

if [ -z "${ONTIME_BARE:-}" ]; then
	[ "$what" != package ] || [ -n "$(ls build/deb/ontime_*.deb 2>/dev/null)" ] || make -s deb >/dev/null 2>&1
	bootstrap
	ONTIME_BARE=1 exec unshare --mount --propagation private "$0" "$release" "$what" "$mirror" "$@"
fi
mount_overlay "$@"
"by_$what"

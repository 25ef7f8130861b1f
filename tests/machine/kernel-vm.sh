#!/bin/sh
# kernel-vm.sh - run a command as root on this machine's files, under the kernel of a Debian release.
#
# usage: tests/machine/kernel-vm.sh [--cpus N] [--memory SIZE] RELEASE|FILE.deb SECONDS COMMAND..    COMMAND.. is a line for sh
#        tests/machine/kernel-vm.sh bookworm 120 "cd $PWD && ONTIME_BUILD=$PWD/build run/launch.sh && cat /sys/fs/bpf/ontime/default/report"
#        tests/machine/kernel-vm.sh --fetch RELEASE                       only see to it that its linux-image is in build/kernels
#
# QEMU emulates the processor (2 CPUs and 4G by default): a boot takes 10 to 30 s, and everything some ten times longer than it should.
# The machine's root is shared read-only below a tmpfs, so that what is built and installed here runs there, and nothing that is
# written stays. lo is up; of the kernel's modules those for networks and file systems are there.
# Output: what COMMAND prints, as it comes. Exit status: COMMAND's own; 124 it took more than SECONDS, 125 the kernel never came up,
# twice: one line says why it was tried again; 77 this cannot be had here: one line says why.
set -eu
kernels=$(cd "$(dirname "$0")/../.." && pwd)/build/kernels
cpus=2
memory=4G
boot_s=180 # in which a kernel that boots at all runs the command, however busy this machine is

cannot() { # REASON
	echo "kernel-vm: $1"
	exit 77
}

# What apt-get needs to know of a release that is not this machine's: its own archive, keys and nothing else. In $work.
release_options() { # RELEASE
	archive=$(apt-get indextargets --format "\$(REPO_URI)" 'Created-By: Packages' 2>/dev/null | grep '/debian/*$' | head -n 1) || true
	[ -n "$archive" ] || cannot "no Debian archive is among apt's sources, so the kernel of $1 cannot be fetched"
	keys=/usr/share/keyrings/debian-archive-keyring.gpg
	mkdir -p "$work/lists" "$work/cache"
	echo "deb [signed-by=$keys arch=amd64] $archive $1 main" >"$work/sources"
	echo "-q -o Dir::Etc::SourceList=$work/sources -o Dir::Etc::SourceParts=- -o Dir::State::Lists=$work/lists \
-o Dir::Cache=$work/cache -o Acquire::Languages=none -o Acquire::http::Timeout=20 -o APT::Sandbox::User=root"
}

fetch() { # RELEASE: its current linux-image, kept in build/kernels/RELEASE, as $image
	image=$(find "$kernels/$1" -name 'linux-image-*.deb' 2>/dev/null | head -n 1)
	[ -z "$image" ] || return 0
	options=$(release_options "$1") || cannot "$options"
	# shellcheck disable=SC2086 # words
	{
		apt-get $options update && package=$(apt-cache $options depends linux-image-amd64 | sed -n 's/.*Depends: *//p' | head -n 1) &&
			cd "$work/cache" && apt-get $options download "$package"
	} >"$work/said" 2>&1 || cannot "apt-get cannot fetch the kernel of $1: no network, or no such release"
	mkdir -p "$kernels/$1"
	mv "$work/cache"/linux-image-*.deb "$kernels/$1"
	image=$(find "$kernels/$1" -name 'linux-image-*.deb')
}

add_modules() { # TREE VERSION: those that the root needs, with what they need, in order, into $work/first/modules
	n=10
	for module in virtio_pci 9p 9pnet_virtio overlay; do
		modprobe -d "$1" -S "$2" --show-depends "$module" 2>/dev/null | awk '/^insmod/ {print $2}'
	done | awk '!seen[$0]++' | while read -r file; do
		n=$((n + 1))
		case $file in
		*.xz) xz -dc "$file" >"$work/first/modules/$n" ;;
		*.zst) zstd -qdc "$file" >"$work/first/modules/$n" ;;
		*) cp "$file" "$work/first/modules/$n" ;;
		esac
	done
}

write_init() { # what runs first: builds the root from the machine's own, and goes there
	cat >"$work/first/init" <<'END'
#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
for module in /modules/*; do $b insmod $module; done
$b mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=512000,cache=loose machine /lower
$b mount -t tmpfs -o size=2g tmp /upper
$b mkdir /upper/changes /upper/work
$b mount -t overlay -o lowerdir=/lower,upperdir=/upper/changes,workdir=/upper/work root /root
$b umount /proc /sys
$b mkdir -p /root/mnt/vm
$b mount -t 9p -o trans=virtio,version=9p2000.L job /root/mnt/vm
$b mount --move /dev /root/dev
exec $b switch_root /root /bin/sh /mnt/vm/inside
END
	chmod +x "$work/first/init"
}

keep_modules() { # TREE VERSION: what a test may want to load, as $image.modules; the guest has it as /lib/modules/VERSION
	rm -rf "$image.modules"
	mkdir -p "$image.modules/lib/modules/$2/kernel/drivers/net"
	for part in modules.builtin modules.builtin.modinfo modules.order kernel/net kernel/fs kernel/lib kernel/crypto; do
		mv "$1/lib/modules/$2/$part" "$image.modules/lib/modules/$2/$part"
	done
	mv "$1/lib/modules/$2/kernel/drivers/net"/*.ko* "$image.modules/lib/modules/$2/kernel/drivers/net"
	depmod -b "$image.modules" "$2"
}

unpack() { # $image: kernel, modules and first file system, kept beside it as $image.kernel, $image.modules and $image.initrd
	[ ! -s "$image.initrd" ] || [ ! -d "$image.modules" ] || return 0
	dpkg -x "$image" "$work/tree"
	[ -d "$work/tree/lib" ] || ln -s usr/lib "$work/tree/lib"
	version=$(basename "$work/tree/lib/modules"/*)
	depmod -b "$work/tree" "$version" 2>/dev/null || true
	for directory in bin modules root proc sys dev lower upper; do
		mkdir -p "$work/first/$directory"
	done
	cp "$(command -v busybox)" "$work/first/bin/busybox"
	add_modules "$work/tree" "$version"
	write_init
	keep_modules "$work/tree" "$version"
	cp "$work/tree/boot/vmlinuz-$version" "$image.kernel"
	(cd "$work/first" && find . | cpio -o -H newc 2>/dev/null | gzip -1) >"$work/initrd"
	mv "$work/initrd" "$image.initrd"
	rm -rf "$work/tree" "$work/first"
}

write_job() { # COMMAND..: what the guest runs, and where it leaves the outcome
	mkdir "$work/job"
	printf '%s\n' "$*" >"$work/job/command"
	echo "$image.modules/lib/modules" >"$work/job/modules"
	cat >"$work/job/inside" <<'END'
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /dev/shm /dev/pts /lib/modules
mount -t tmpfs tmpfs /dev/shm
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
ln -s /proc/self/fd /dev/fd
ln -s /proc/self/fd/0 /dev/stdin
ln -s /proc/self/fd/1 /dev/stdout
ln -s /proc/self/fd/2 /dev/stderr
ln -s "$(cat /mnt/vm/modules)"/* /lib/modules
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tracefs tracefs /sys/kernel/tracing
ip link set lo up
ulimit -l unlimited
cd /
: >/mnt/vm/began
status=0
sh /mnt/vm/command >/mnt/vm/said 2>&1 </dev/null || status=$?
echo "$status" >/mnt/vm/status
echo o >/proc/sysrq-trigger
sleep 60
END
}

# no_timer_check: the kernel waits a sixth of a second for four ticks of its timer. Where a busy machine stops the emulator for that
# long, the ticks are one, and the kernel panics: "IO-APIC + timer doesn't work".
boot() { # SECONDS
	: >"$work/job/said"
	timeout -k 5 "$1" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp "$cpus" -m "$memory" -display none -no-reboot -nic none \
		-serial "file:$work/console" -kernel "$image.kernel" -initrd "$image.initrd" \
		-append "console=ttyS0 quiet loglevel=4 panic=-1 no_timer_check" \
		-virtfs local,path=/,mount_tag=machine,security_model=none,readonly=on,multidevs=remap \
		-virtfs "local,path=$work/job,mount_tag=job,security_model=none" </dev/null >"$work/qemu" 2>&1 &
	guest=$!
	tail -q -n +1 -s 0.2 -f --pid="$guest" "$work/job/said" &
	shown=$!
	waited_s=0
	until [ -e "$work/job/began" ] || ! kill -0 "$guest" 2>/dev/null || [ "$waited_s" = "$boot_s" ]; do
		sleep 1
		waited_s=$((waited_s + 1))
	done
	[ -e "$work/job/began" ] || kill "$guest" 2>/dev/null || true
	wait "$guest" || true
	guest=
	wait "$shown" || true
}

last_words() { # of a kernel that never ran anything, in one line
	tail -q -n 3 "$work/qemu" "$work/console" 2>/dev/null | tr -cd '[:print:]\n' | grep . | tail -n 1
}

run_guest() { # SECONDS
	boot "$1"
	if [ ! -e "$work/job/began" ]; then
		echo "kernel-vm: the kernel ran nothing for $waited_s s, so it is booted once more; it said: $(last_words)"
		boot "$1"
	fi
	[ ! -s "$work/job/status" ] || exit "$(cat "$work/job/status")"
	[ ! -e "$work/job/began" ] || exit 124
	echo "kernel-vm: the kernel ran nothing for $waited_s s, twice; it said: $(last_words)"
	exit 125
}

while [ $# -gt 1 ]; do
	case $1 in
	--cpus) cpus=$2 ;;
	--memory) memory=$2 ;;
	*) break ;;
	esac
	shift 2
done
case ${1:-} in
--fetch) [ $# = 2 ] && shift || exit 2 ;;
*) [ $# -ge 3 ] || { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' "$0" && exit 2; } ;;
esac
guest=
work=$(mktemp -d /var/tmp/kernel-vm.XXXXXX)
trap 'rm -rf "$work"' EXIT
trap '[ -z "$guest" ] || kill "$guest"; exit 130' INT TERM HUP
[ "$(uname -m)" = x86_64 ] || cannot "only for x86-64"
for program in qemu-system-x86_64 busybox cpio modprobe depmod xz dpkg; do
	command -v "$program" >/dev/null || cannot "$program is missing: run/deps.sh test installs it"
done
case $1 in
*.deb) image=$(realpath "$1") ;;
*) fetch "$1" ;;
esac
[ $# -gt 1 ] || exit 0
seconds=$2
shift 2
unpack
write_job "$@"
run_guest "$seconds"

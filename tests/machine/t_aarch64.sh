#!/bin/sh
# t_aarch64.sh - built for AArch64 without a warning, and run under qemu-user: the unit tests, the crash points, the simulation, a
# plugin, and the three stages as processes that are killed under load. Shorter runs than on the machine itself: qemu takes ten times as long.
#
# Needs a cross compiler and qemu-user (run/deps.sh test), and two of Debian's arm64 packages, which are unpacked below build/ only.
# Not covered: the order in which another CPU sees stores, since qemu runs on this CPU, whose order is stricter; the eBPF
# program, which is compiled but not loaded; and tests/pipeline/pipeline.c, since qemu passes not all on that a kernel says of a socket.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh
cc=aarch64-linux-gnu-gcc
to=build/aarch64
apt=$PWD/$to/apt
sysroot=$to/sysroot/usr
lib=$sysroot/lib/aarch64-linux-gnu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export QEMU_LD_PREFIX=/usr/aarch64-linux-gnu
prlimit --pid $$ --core=0 # a test that dies on purpose leaves none

skip_all() { # REASON
	printf 'skip %s\naarch64: 0 passed, 0 failed, 1 skipped\n' "$1"
	exit 77
}

# apt-get for arm64, with lists, status and cache of its own: the machine's stay as they are.
apt_arm64() {
	apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User=root \
		-o Dir::State="$apt/state" -o Dir::State::status="$apt/status" -o Dir::Cache="$apt/cache" "$@"
}

get_libraries() {
	[ ! -e $lib/libcunit.a ] || return 0
	rm -rf "$apt" $to/sysroot
	mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial" "$apt/debs"
	: >"$apt/status"
	apt_arm64 update || true # one of several sources may fail
	(cd "$apt/debs" && apt_arm64 download libcunit1-dev) || return 1
	for package in "$apt"/debs/*.deb; do
		dpkg-deb -x "$package" $to/sysroot || return 1
	done
	find $to/sysroot -name '*.so' -exec rm {} + # only the static ones: then nothing has to be found at run time
	rm -rf "$apt"
}

build() { # TARGET..., below build/aarch64
	make -s -j"$(nproc)" BUILD=$to CC=$cc CPPFLAGS="-I$sysroot/include" LDFLAGS="-L$lib" "$@" >"$work/built" 2>&1 || {
		cat "$work/built"
		return 1
	}
	! grep warning: "$work/built"
}

build_programs() {
	build $to/ingress $to/edf $to/egress $to/hold $to/check $to/load $to/simulate $to/plugins/upper.so $to/plugins/slow.so
}

build_tests() {
	build $to/tests/unit $to/tests/crash $to/tests/sim $to/tests/plugin $to/tests/storm $to/tests/threads $to/tests/plugins/crash.so
}

build_bpf() {
	C_INCLUDE_PATH=$QEMU_LD_PREFIX/include build $to/latency.bpf.o
}

# The stages, as programs that this machine can start.
wrap_stages() {
	mkdir -p $to/qemu
	for stage in ingress edf egress; do
		printf '#!/bin/sh\nexec qemu-aarch64 "%s" "$@"\n' "$PWD/$to/$stage" >$to/qemu/$stage
		chmod +x $to/qemu/$stage
	done
	ln -sfn ../plugins $to/qemu/plugins
	ln -sfn ../tests $to/qemu/tests
}

# The emulator sends the messages of one sendmmsg(2) one by one, and notes the length of each after it. A kill between the two makes
# that message go twice, which no kernel does: there both are one system call. About one storm in five has such a kill, so that two in
# a row are no proof of anything: the fifth is.
only_repeats() { # FILE: what a storm says, and nothing else is wrong
	grep -q 'twice [1-9]' "$1" && ! grep -q 'lost [1-9-]\|reordered [1-9]\|corrupt [1-9]\|unbalanced [1-9-]' "$1"
}

suite() { # NAME PROGRAM ARGUMENT...: its own counts are added; what did not pass is shown
	suite=$1
	program=$2
	shift 2
	for again in 4 3 2 1 0; do
		status=0
		timeout -k 5 200 qemu-aarch64 $to/tests/"$program" "$@" >"$work/out" 2>&1 || status=$?
		if [ "$status" != 1 ] || [ $again = 0 ] || ! only_repeats "$work/out"; then
			break
		fi
		echo "     $suite: the emulator repeated a message: $(grep 'twice [1-9]' "$work/out" | tr -s ' '); again"
	done
	sums=$(sed -n 's/^.*: \([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p' "$work/out" | tail -n 1)
	# shellcheck disable=SC2086 # three words
	set -- ${sums:-0 0 0}
	passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
	if [ "$status" -eq 0 ] && [ "$1" -gt 0 ]; then
		printf 'ok   %s: %s\n' "$suite" "$1"
		sed -n 's/^skip/     skip/p' "$work/out"
	else
		[ "$2" -gt 0 ] || failed=$((failed + 1))
		printf 'FAIL %s, with status %s\n' "$suite" "$status"
		tail -n 40 "$work/out"
	fi
}

[ "$(uname -m)" != aarch64 ] || skip_all "this machine is one: the other tests are about it"
for tool in $cc qemu-aarch64 apt-get dpkg-deb; do
	command -v "$tool" >/dev/null || skip_all "$tool is missing: run/deps.sh test installs it where Debian has it"
done
get_libraries >"$work/got" 2>&1 || skip_all "Debian's arm64 libraries cannot be had: $(tail -n 1 "$work/got")"

check "the programs are built without a warning" build_programs
check "the tests are built without a warning" build_tests
if command -v clang >/dev/null && [ -e /usr/include/bpf/bpf_helpers.h ]; then
	check "the eBPF program is compiled without a warning" build_bpf
else
	skipped=$((skipped + 1))
	echo "skip the eBPF program is compiled: clang or libbpf-dev is missing"
fi
wrap_stages
suite "unit tests" unit
suite "death before each store" crash
QEMU_CPU=cortex-a53 suite "death before each store, without atomic instructions" crash
suite "death before each store, shaped, without UDP_SEGMENT" crash --gso=off --rate=1Gbit
suite "10 simulated worlds" sim --worlds 10
suite "5 simulated seconds" sim --seconds 5
suite "death before each simulated store" sim --sweep 1
suite "three stages as threads" threads
suite "a plugin's work" plugin $to/qemu
suite "100 kills under load" storm --kills 100 --seed 1 --gso on --stages $to/qemu
suite "50 kills under load, without UDP_SEGMENT" storm --kills 50 --seed 2 --gso off --stages $to/qemu
verdict aarch64

#!/bin/sh
# prebuilt.sh [--check] - started by make prebuilt: compiles latency.bpf.c for machines without clang, as latency.bpf.x86.gz here, and
# lists in latency.bpf.x86.sha256 what it was made from, and by what. x86 is the kernel's name of the machine. make takes the object
# as long as the list is true. --check: is the object what the sources give? Exit status 77: another compiler is here than made it.
set -eu
cd "$(dirname "$0")/../.."
name=run/latency/latency.bpf.$(uname -m | sed 's/x86_64/x86/; s/aarch64/arm64/')

for tool in clang bpftool; do
	command -v $tool >/dev/null || { echo "prebuilt.sh: $tool is missing: apt-get install clang libbpf-dev bpftool" >&2; exit 77; }
done
by="$(clang --version | head -n 1), libbpf $(printf '#include <bpf/libbpf_version.h>\nLIBBPF_MAJOR_VERSION.LIBBPF_MINOR_VERSION\n' |
	clang -E -P - | tail -n 1 | tr -d ' '), $(bpftool version | head -n 1)"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
make -s PREBUILT=no BUILD="$work" "$work/latency.bpf.o"
bpftool gen object "$work/object" "$work/latency.bpf.o" # without what only a debugger reads

if [ "${1-}" = --check ]; then
	was=$(sed -n 's/^# made by //p' "$name.sha256")
	[ "$was" = "$by" ] || { echo "prebuilt.sh: $name.gz was made by $was; here is $by" && exit 77; }
	gzip -dc "$name.gz" | cmp - "$work/object"
	exit
fi
gzip -9n <"$work/object" >"$name.gz"
{
	echo "# made by $by"
	sed -n 's/^\([^ ]*\):$/\1/p' "$work/obj/latency.bpf.d" | sort | xargs sha256sum run/latency/latency.bpf.c "$name.gz"
} >"$name.sha256"

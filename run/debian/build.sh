#!/bin/sh
# build.sh - make deb: the Debian packages, in build/deb, of a copy of the tree with debian/ where Debian wants it.
#
#   VERSION            of the packages and the programs, if not that of debian/changelog
#   SOURCE_DATE_EPOCH  of the files in them, if not the date of debian/changelog; the same sources give the same packages
#
# What an earlier build in the same place has compiled is used.
set -eu
cd "$(dirname "$0")/../.."
to=${BUILD:-build}/deb
tree=$to/tree
for tool in dh dpkg-buildpackage; do
	command -v $tool >/dev/null || { echo "make: deb: $tool is missing: run/deps.sh deb installs it" >&2; exit 1; }
done
mkdir -p "$tree"
find "$tree" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} +
cp -Rp Makefile LICENSE README.md common ingress edf egress run "$tree"
mv "$tree/run/debian" "$tree/debian"
cd "$tree"
if [ "${VERSION:-}" ]; then
	sed -i "1s/([^)]*)/($VERSION)/" debian/changelog
	sed -i "s/^#define ONTIME_VERSION .*/#define ONTIME_VERSION \"$VERSION\"/" common/version.h
fi
env -u MAKEFLAGS -u MAKELEVEL -u BUILD DEB_BUILD_OPTIONS="noautodbgsym terse parallel=$(nproc) ${DEB_BUILD_OPTIONS:-}" \
	dpkg-buildpackage --build=binary --no-sign --no-pre-clean

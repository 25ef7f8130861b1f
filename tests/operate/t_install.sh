#!/bin/sh
# t_install.sh - what make install leaves says where it is: units, scripts and the config, for each kind of PREFIX and DESTDIR.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh
home=$PWD
work=$(realpath "$(mktemp -d)")
trap 'rm -rf "$work"' EXIT

install_to() { # MAKE-VARIABLE=VALUE...
	make -s install "$@"
}

# every path that a unit, or a comment in it, names is below the directory, and is there
units_name() { # DIRECTORY DESTDIR
	at=$2$1/run/systemd
	[ "$(find "$at" -type f | wc -l)" = "$(find run/systemd -type f | wc -l)" ] || return 1
	grep -hoE '/[^ ]*lib/ontime/[a-z/.]*[a-z]' "$at"/* | sort -u >"$work/named"
	grep -c . "$work/named"
	while read -r path; do
		case $path in "$1"/*) ;; *) echo "a unit names $path" && return 1 ;; esac
		[ -e "$2$path" ] || { echo "a unit names $path, which is not there" && return 1; }
	done <"$work/named"
	for stage in ingress edf egress; do
		grep -qx "ExecStart=$1/build/$stage -c $1/run/ontime.conf" "$at/ontime-$stage.service" || return 1
	done
}

prefix_is_named() {
	install_to PREFIX="$work/one" || return 1
	units_name "$work/one/lib/ontime" ""
}

default_is_named() {
	install_to DESTDIR="$work/two" || return 1
	units_name /usr/local/lib/ontime "$work/two"
}

destdir_is_not_named() {
	install_to DESTDIR="$work/three" PREFIX=/opt/a+b_1.0~2 || return 1
	units_name /opt/a+b_1.0~2/lib/ontime "$work/three" || return 1
	! grep -r "$work" "$work/three/opt/a+b_1.0~2/lib/ontime/run"
}

relative_becomes_absolute() { # from the directory that make runs in, as the files themselves
	install_to PREFIX=build/installed || return 1
	units_name "$home/build/installed/lib/ontime" "" || return 1
	rm -r build/installed
}

a_root_has_no_double_slash() {
	install_to DESTDIR="$work/four" PREFIX=/ || return 1
	units_name /lib/ontime "$work/four"
}

own_config_is_kept() {
	echo "# mine" >>"$work/one/lib/ontime/run/ontime.conf"
	install_to PREFIX="$work/one" || return 1
	grep -qx '# mine' "$work/one/lib/ontime/run/ontime.conf"
}

runs_where_it_is() {
	"$work/one/lib/ontime/build/ingress" --version && "$work/one/lib/ontime/build/hold" --check -c "$work/one/lib/ontime/run/ontime.conf"
}

is_refused() { # MAKE-VARIABLE=VALUE: with one line of our own, and nothing is made
	mkdir -p "$work/none"
	(cd "$work/none" && ! make -s -C "$home" install "$@") >"$work/refused" 2>&1 || return 1
	cat "$work/refused"
	grep -v '^make: \*\*\*\|^make\[\|^make: \(Enter\|Leav\)ing' "$work/refused" >"$work/own"
	[ "$(wc -l <"$work/own")" = 1 ] && grep -q '^make: install below ' "$work/own" && [ ! -e "$home/st" ] && rmdir "$work/none"
}

hidden_is_said() { # of a directory that the units' protection hides
	install_to DESTDIR="$work/five" PREFIX=/home/somebody >"$work/said" 2>&1 || return 1
	grep -q '^make: the units cannot start what is in /home/somebody/lib/ontime' "$work/said" || return 1
	install_to DESTDIR="$work/five" PREFIX=/opt >"$work/said" 2>&1 && [ ! -s "$work/said" ]
}

systemd_accepts() { # it looks for the programs too
	systemd-analyze verify "$work/one/lib/ontime/run/systemd"/ontime*
}

check "PREFIX is what the units name" prefix_is_named
check "without it they name /usr/local" default_is_named
check "DESTDIR is no part of any path" destdir_is_not_named
check "a relative PREFIX becomes absolute" relative_becomes_absolute
check "PREFIX=/ makes no double slash" a_root_has_no_double_slash
check "the operator's config is kept" own_config_is_kept
check "what is installed runs" runs_where_it_is
check "a PREFIX with a blank is refused" is_refused PREFIX="$work/none/in st"
check "a PREFIX that systemd reads otherwise is refused" is_refused PREFIX="$work/none/50%u"
check "a PREFIX that the shell reads otherwise is refused" is_refused PREFIX="$work/none/a;touch st"
check "a DESTDIR with a blank is refused" is_refused DESTDIR="$work/none/in st"
check "units that could not start say so" hidden_is_said
if command -v systemd-analyze >/dev/null; then
	check "systemd accepts the installed units" systemd_accepts
else
	skipped=1
	echo "skip systemd accepts the installed units: systemd is not installed"
fi
verdict install

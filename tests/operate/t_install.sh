#!/bin/sh
# t_install.sh - what make install leaves says where it is: units, scripts and the config, for each kind of PREFIX and DESTDIR. It
# runs without the tree, plugins are built against it, and make uninstall takes back what was put there and no more.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh
home=$PWD
work=$(realpath "$(mktemp -d)")
instance=install$$
trap 'stop_quietly; rm -rf "$work"' EXIT INT TERM

install_to() { # MAKE-VARIABLE=VALUE...
	make -s install "$@"
}

# every path of ours that a unit, or a comment in it, names is there
units_name() { # PREFIX CONFIG DESTDIR
	at=$3$1/lib/systemd/system
	[ "$(find "$at" -type f | wc -l)" = "$(find run/systemd -name '*.service' -o -name '*.conf' | wc -l)" ] || return 1
	! grep -rn '@[A-Z]*@' "$at" "$3$1/lib/sysusers.d/ontime.conf" || return 1
	grep -rhoE '/[^ ]*/ontime/[a-z/.]*[a-z]' "$at" | sort -u >"$work/named"
	grep -c . "$work/named"
	while read -r path; do
		case $path in "$1"/* | "$2") ;; *) echo "a unit names $path" && return 1 ;; esac
		[ -e "$3$path" ] || { echo "a unit names $path, which is not there" && return 1; }
	done <"$work/named"
	grep -q "^ExecStart=$1/libexec/ontime/hold .* -- $1/libexec/ontime/supervise\$" "$at/ontime@.service" || return 1
	grep -qx "Environment=ONTIME_CONFIG=$2" "$at/ontime@default.service.d/config.conf" || return 1
	grep -qx "build=$1/libexec/ontime" "$3$1/libexec/ontime/run/supervise/paths.sh" &&
		grep -qx "config=$2" "$3$1/libexec/ontime/run/supervise/paths.sh"
}

prefix_is_named() {
	install_to PREFIX="$work/one" || return 1
	units_name "$work/one" "$work/one/etc/ontime/ontime.conf" ""
}

default_is_named() {
	install_to DESTDIR="$work/two" || return 1
	units_name /usr/local /etc/ontime/ontime.conf "$work/two"
}

destdir_is_not_named() {
	install_to DESTDIR="$work/three" PREFIX=/opt/a+b_1.0~2 || return 1
	units_name /opt/a+b_1.0~2 /opt/a+b_1.0~2/etc/ontime/ontime.conf "$work/three" || return 1
	find "$work/three" -type l -exec readlink {} + >"$work/links"
	! grep "$work" "$work/links" && ! grep -rI "$work" "$work/three"
}

relative_becomes_absolute() { # from the directory that make runs in, as the files themselves
	install_to PREFIX=build/installed || return 1
	units_name "$home/build/installed" "$home/build/installed/etc/ontime/ontime.conf" "" || return 1
	make -s uninstall PREFIX=build/installed && [ ! -e build/installed ]
}

a_root_has_no_double_slash() {
	install_to DESTDIR="$work/four" PREFIX=/ || return 1
	units_name "" /etc/ontime/ontime.conf "$work/four"
}

each_directory_is_taken() {
	echo '.TH ONTIME 8' >"$work/ontime.8"
	install_to DESTDIR="$work/six" BINDIR=/a SYSCONFDIR=/b LIBEXECDIR=/c MANDIR=/d INCLUDEDIR=/e SYSTEMDUNITDIR=/f SYSUSERSDIR=/h DATADIR=/g MANPAGES="$work/ontime.8" || return 1
	for path in a/ontime b/ontime/ontime.conf c/ontime/edf c/ontime/plugins/slow.so d/man8/ontime.8 e/ontime/plugin.h f/ontime@.service h/ontime.conf g/ontime/recipes/voice.conf g/zsh/site-functions/_ontime g/fish/vendor_completions.d/ontime.fish g/bash-completion/completions/ontime; do
		[ -e "$work/six/$path" ] || [ -L "$work/six/$path" ] || { echo "$path is missing" && return 1; }
	done
	[ "$(cd "$work/six" && echo *)" = "a b c d e f g h" ] && [ "$(readlink "$work/six/a/ontime")" = /c/ontime/run/ontime ] || return 1
	make -s uninstall DESTDIR="$work/six" BINDIR=/a SYSCONFDIR=/b LIBEXECDIR=/c MANDIR=/d INCLUDEDIR=/e SYSTEMDUNITDIR=/f SYSUSERSDIR=/h DATADIR=/g && rmdir "$work/six"
}

reading_is_there() { # below $work/two
	at=$work/two/usr/local/share
	(cd "$at/man" && find . -name 'ontime*' | sed 's|.*/||' | sort) >"$work/pages"
	(cd run/man && find . -name 'ontime*' | sed 's|.*/||; s/\.in$//' | sort) | diff - "$work/pages" &&
		"$work/two/usr/local/libexec/ontime/check" -c "$at/ontime/full.conf" >/dev/null
}

own_config_is_kept() {
	conf=$work/one/etc/ontime/ontime.conf
	echo "; mine" >>"$conf"
	install_to PREFIX="$work/one" && grep -qx '; mine' "$conf"
}

another_default_replaces_the_old() { # that nobody changed: what the list says was installed is what is there
	conf=$work/three/opt/a+b_1.0~2/etc/ontime/ontime.conf
	list=$work/three/opt/a+b_1.0~2/libexec/ontime/installed
	echo "; of an older version" >"$conf"
	sed -i "s|^\(config [^ ]*\) .*|\1 $(sha256sum <"$conf" | cut -d ' ' -f 1)|" "$list"
	echo file /opt/a+b_1.0~2/libexec/ontime/of_old >>"$list"
	touch "$work/three/opt/a+b_1.0~2/libexec/ontime/of_old"
	install_to DESTDIR="$work/three" PREFIX=/opt/a+b_1.0~2 || return 1
	cmp run/ontime.conf "$conf" && [ ! -e "$work/three/opt/a+b_1.0~2/libexec/ontime/of_old" ]
}

# As it is typed, from a directory that has nothing to do with the tree. The config is the installed one, on ports of this run's own.
installed() { # NAME ARGUMENT...
	name=$1
	shift
	(cd / && env -u ONTIME_BUILD ONTIME_RUN_DIR="$work/run" ONTIME_HISTOGRAMS=off PATH="$work/away/bin:$PATH" ontime "$name" "$@")
}

stop_quietly() {
	[ ! -e "$work/away/bin/ontime" ] || installed stop -i "$instance" >/dev/null 2>&1 || true
}

configure() { # KEY VALUE...
	conf=$work/away/etc/ontime/ontime.conf
	cp build/full.conf "$conf"
	listen=$((30000 + $$ % 100 * 10))
	sed -i "s/^instance = .*/instance = $instance/; s/^policy = .*/policy = edf/
		s/127\.0\.0\.1:808/127.0.0.1:${listen%0}/; s/127\.0\.0\.1:908/127.0.0.1:$(((listen + 1000) / 10))/" "$conf"
	while [ $# -gt 0 ]; do
		sed -i "s|^$1 = .*|$1 = $2|" "$conf"
		shift 2
	done
}

carries_traffic() {
	installed load -c "$conf" --rate 1000 --seconds 1 --size 64-64 && installed status -i "$instance" && installed stat --once -i "$instance"
}

names_no_file_of_the_tree() {
	cat "$work/said"
	! grep -E '(run/[a-z]*\.sh|build/[a-z])' "$work/said" && grep -q 'ontime restart' "$work/said" && ! grep "$home" "$work/said"
}

runs_without_the_tree() {
	install_to PREFIX="$work/away" || return 1
	configure
	installed launch >"$work/said" 2>&1 || { cat "$work/said" && return 1; }
	! tr '\0' '\n' <"/proc/$(installed status | sed -n 's/^ *egress *\([0-9]*\).*/\1/p')/maps" | grep -F "$home/" || return 1
	carries_traffic && installed restart all && carries_traffic && names_no_file_of_the_tree && installed stop && ! installed status
}

helps_by_its_own_names() {
	for script in start stop restart reload status list record demo recipe config stress load top tape check simulate options version; do
		installed $script --help >"$work/said" || return 1
		grep -q "usage: ontime $script" "$work/said" && ! grep -E 'run/[a-z]*\.sh|build/' "$work/said" || return 1
	done
}

# A user's own plugin: a file that includes the installed header, compiled where nothing else of ours can be found.
plugins_build_against_the_header() {
	mkdir -p "$work/mine"
	cp edf/plugins/*.c "$work/mine"
	(cd "$work/mine" && for source in *.c; do
		"${CC:-gcc}" -std=gnu17 -Wall -Wextra -Werror -I"$work/away/include" -shared -fPIC "$source" -o "${source%.c}.so" || exit 1
	done)
}

plugins_are_loaded() {
	for plugin in "$work"/mine/*.so "$work/away/libexec/ontime/plugins/slow.so" plugins/upper.so; do # the last: from where the scripts are
		configure work "plugin:$plugin"
		installed launch >/dev/null || return 1
		grep -h "plugin" "$work/run/$instance/log" || true
		installed stat -i "$instance" --once >/dev/null && echo hello | nc -u -w1 127.0.0.1 $((listen)) &&
			eventually sent_one && installed stop || return 1
	done
}

sent_one() {
	[ "$(installed stat --json -i "$instance" | jq '[.classes[].sent] | add')" = 1 ]
}

uninstall_takes_all_back() { # but what is not its own
	make -s uninstall PREFIX="$work/away" >"$work/said" || return 1
	grep -qx "make: $conf was changed, and stays" "$work/said" || return 1
	[ "$(cd "$work/away" && find . -type f)" = ./etc/ontime/ontime.conf ] || { find "$work/away" && return 1; }
	install_to PREFIX="$work/away" && touch "$work/away/bin/other" && cp run/ontime.conf "$conf" &&
		make -s uninstall PREFIX="$work/away" || return 1
	[ "$(cd "$work/away" && find . -type f -o -type l)" = ./bin/other ] || { find "$work/away" && return 1; }
	fails_with 2 'uninstall: .*/installed is missing' make -s uninstall PREFIX="$work/away" 2>&1 || ! make -s uninstall PREFIX="$work/away"
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
	grep -q '^make: the units cannot start what is in /home/somebody/libexec' "$work/said" || return 1
	install_to DESTDIR="$work/five" PREFIX=/opt >"$work/said" 2>&1 && [ ! -s "$work/said" ]
}

systemd_accepts() { # it looks for the programs too
	systemd-analyze verify "$work/one/lib/systemd/system"/ontime*.service
}

make -s all
check "PREFIX is what the units name" prefix_is_named
check "without it they name /usr/local" default_is_named
check "the pages of the manual and full.conf are there" reading_is_there
check "DESTDIR is no part of any path" destdir_is_not_named
check "a relative PREFIX becomes absolute" relative_becomes_absolute
check "PREFIX=/ makes no double slash" a_root_has_no_double_slash
check "each directory can be elsewhere" each_directory_is_taken
check "the operator's config is kept" own_config_is_kept
check "a config that nobody changed is replaced, and a file that is no more removed" another_default_replaces_the_old
check_here "an installed instance launches, carries traffic and stops without the tree" runs_without_the_tree
check "its scripts' help names what is typed" helps_by_its_own_names
check "the example plugins build against the installed header alone" plugins_build_against_the_header
check_here "and are loaded, as is an installed one" plugins_are_loaded
check "uninstall takes back what install put there, and no more" uninstall_takes_all_back
check "a PREFIX with a blank is refused" is_refused PREFIX="$work/none/in st"
check "a PREFIX that systemd reads otherwise is refused" is_refused PREFIX="$work/none/50%u"
check "a PREFIX that the shell reads otherwise is refused" is_refused PREFIX="$work/none/a;touch st"
check "a DESTDIR with a blank is refused" is_refused DESTDIR="$work/none/in st"
check "a BINDIR that the shell reads otherwise is refused" is_refused PREFIX="$work/none" BINDIR="/a'\$(touch st)"
check "units that could not start say so" hidden_is_said
if command -v systemd-analyze >/dev/null; then
	check "systemd accepts the installed units" systemd_accepts
else
	skipped=1
	echo "skip systemd accepts the installed units: systemd is not installed"
fi
verdict install

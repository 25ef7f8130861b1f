#!/bin/sh
# install.sh check|install|uninstall - started by make install and make uninstall, which say where to, and what was built:
#   WHERE     the directories as they were given, NAME=PATH, a | behind each; INTO  the same, absolute
#   DESTDIR   what the paths below get in front of them here, and not in what they say of themselves
#   WHAT      programs, plugins, BPF objects, completion and man pages
#
# LIBEXECDIR/ontime has the programs, plugins/ and run/ (the scripts); BINDIR has a link to the command ontime.
# LIBEXECDIR/ontime/installed lists what was put where: a later install removes what it does not bring any more, and uninstall all of it.
# A config that differs from the one installed is its operator's, and is kept. Each file appears whole or not at all, under running stages too.
set -eu

die() { # MESSAGE
	echo "make: $1" >&2
	exit 1
}

# A name that the units, the shell and make read as it is written.
check_names() {
	IFS='|'
	for given in $WHERE; do
		[ -z "$(printf '%s' "${given#*=}" | LC_ALL=C tr -d 'A-Za-z0-9/._+@:,=~\200-\377-')" ] ||
			die "install below '${given#*=}': ${given%%=*} may have letters, digits and /._+@:,=~- only, no blanks"
	done
	IFS=' '
}

make_directory() { # PATH: it, and those above that are missing, are on the list
	[ -n "$1" ] && [ ! -d "$DESTDIR$1" ] || return 0
	make_directory "${1%/*}"
	mkdir "$DESTDIR$1"
	echo "directory $1" >>"$new"
}

put() { # MODE FROM TO
	make_directory "${3%/*}"
	install -m "$1" "$2" "$DESTDIR$3.new"
	mv -fT "$DESTDIR$3.new" "$DESTDIR$3"
	echo "file $3" >>"$new"
}

put_link() { # TARGET LINK
	make_directory "${2%/*}"
	ln -sfT "$1" "$DESTDIR$2.new"
	mv -fT "$DESTDIR$2.new" "$DESTDIR$2"
	echo "file $2" >>"$new"
}

put_generated() { # FROM TO: with the paths filled in
	sed "s|@LIBEXECDIR@|$LIBEXECDIR|g; s|@SYSCONFDIR@|$SYSCONFDIR|g; s|@BINDIR@|$BINDIR|g; s|@INCLUDEDIR@|$INCLUDEDIR|g; s|@DATADIR@|$DATADIR|g
		s|@SYSUSERSDIR@|$SYSUSERSDIR|g" "$1" >"$work/generated"
	put 644 "$work/generated" "$2"
}

sum_of() { # FILE
	sha256sum <"$1" | cut -d ' ' -f 1
}

put_config() { # FROM TO
	was=$(sed -n "s|^config $2 ||p" "$list" 2>/dev/null) || true
	if [ ! -e "$DESTDIR$2" ] || [ "$(sum_of "$DESTDIR$2")" = "$was" ]; then
		put 644 "$1" "$2"
		sed -i '$d' "$new"
	fi
	echo "config $2 $(sum_of "$1")" >>"$new"
}

put_programs() {
	for file in $WHAT; do
		case $file in
		*.so) put 644 "$file" "$LIBEXECDIR/ontime/plugins/${file##*/}" ;;
		*/ontime.bash) put 644 "$file" "$BASHCOMPDIR/ontime" ;;
		*/_ontime) put 644 "$file" "$ZSHCOMPDIR/_ontime" ;;
		*/ontime.fish) put 644 "$file" "$FISHCOMPDIR/ontime.fish" ;;
		*.bpf.o) put 644 "$file" "$LIBEXECDIR/ontime/${file##*/}" ;;
		*.conf) put 644 "$file" "$DATADIR/ontime/${file##*/}" ;;
		*.[1-9]) put 644 "$file" "$MANDIR/man${file##*.}/${file##*/}" ;;
		*) put 755 "$file" "$LIBEXECDIR/ontime/${file##*/}" ;;
		esac
	done
}

put_scripts() {
	for script in launch stop restart reload drain status list record demo recipe config stress supervisor deps; do
		put 755 run/$script.sh "$LIBEXECDIR/ontime/run/$script.sh"
	done
	put 755 run/ontime "$LIBEXECDIR/ontime/run/ontime"
	for script in run/stress/*.sh run/deploy/*.sh run/options/generate.sh; do
		put 755 "$script" "$LIBEXECDIR/ontime/$script"
	done
	for file in run/options/*.options run/options/*.awk run/options/parse.sh run/progress.sh; do
		put 644 "$file" "$LIBEXECDIR/ontime/$file"
	done
	put 644 run/stress/sweep.sh "$LIBEXECDIR/ontime/run/stress/sweep.sh" # it is sourced
	put 755 run/each.sh "$LIBEXECDIR/ontime/run/each.sh"
	put 644 run/supervise/lib.sh "$LIBEXECDIR/ontime/run/supervise/lib.sh"
	put 644 run/supervise/user.sh "$LIBEXECDIR/ontime/run/supervise/user.sh"
	printf '%s\n' '# shellcheck shell=sh disable=SC2034' '# paths.sh - what make install put elsewhere than it lies in the tree.' \
		"build=$LIBEXECDIR/ontime" "config=$SYSCONFDIR/ontime/ontime.conf" "recipes=$DATADIR/ontime/recipes" installed=1 >"$work/paths"
	put 644 "$work/paths" "$LIBEXECDIR/ontime/run/supervise/paths.sh"
}

put_links() {
	put_link "$LIBEXECDIR/ontime/run/ontime" "$BINDIR/ontime"
}

put_rest() {
	put_config run/ontime.conf "$SYSCONFDIR/ontime/ontime.conf"
	put 644 run/stress.conf "$LIBEXECDIR/ontime/run/stress.conf"
	put 644 run/demo.conf "$LIBEXECDIR/ontime/run/demo.conf"
	put 644 LICENSE "$LIBEXECDIR/ontime/LICENSE"
	put 644 run/dash/grafana.json "$DATADIR/ontime/grafana.json"
	put 644 run/dash/alerts.yml "$DATADIR/ontime/alerts.yml"
	put 644 run/dash/vendor/LICENSE "$LIBEXECDIR/ontime/LICENSE.uPlot" # dash embeds it
	put 644 run/TROUBLE.md "$DATADIR/ontime/TROUBLE.md"
	for file in run/recipes/*; do
		put 644 "$file" "$DATADIR/ontime/${file#run/}"
	done
	put 644 edf/plugin.h "$INCLUDEDIR/ontime/plugin.h"
	put_config run/systemd/ontime.logrotate "$SYSCONFDIR/logrotate.d/ontime"
	for unit in run/systemd/ontime*.service run/systemd/ontime*.service.d/*.conf; do
		put_generated "$unit" "$SYSTEMDUNITDIR/${unit#run/systemd/}"
	done
	put_generated run/systemd/ontime.sysusers "$SYSUSERSDIR/ontime.conf"
}

warn_hidden() { # of what ProtectHome= and PrivateTmp= of the units hide from them
	for directory in "$LIBEXECDIR" "$SYSCONFDIR"; do
		case $directory/ in /home/* | /root/* | /run/user/* | /tmp/* | /var/tmp/*)
			echo "make: the units cannot start what is in $directory: they hide it (ProtectHome, PrivateTmp); use another PREFIX for systemd"
			return
			;;
		esac
	done
}

name_user() {
	[ -z "$DESTDIR" ] && [ -d /run/systemd/system ] && ! getent passwd ontime >/dev/null || return 0
	echo "make: the units run as user ontime: systemd-sysusers $SYSUSERSDIR/ontime.conf makes it"
}

remove_files() { # LIST: of what it has, all that the new one has not
	while read -r kind path sum; do
		case $kind in
		file) grep -qxF "file $path" "$new" || rm -f "$DESTDIR$path" ;;
		config)
			if [ "$(sum_of "$DESTDIR$path" 2>/dev/null)" = "$sum" ]; then
				grep -q "^config $path " "$new" || rm -f "$DESTDIR$path"
			elif [ "$uninstalling" ] && [ -e "$DESTDIR$path" ]; then
				echo "make: $DESTDIR$path was changed, and stays"
			fi
			;;
		esac
	done <"$1"
}

do_install() {
	mkdir -p "$DESTDIR/"
	put_programs
	put_scripts
	put_links
	put_rest
	if [ -e "$list" ]; then
		remove_files "$list"
		sed -n '/^directory/p' "$list" >>"$new"
	fi
	sort -u "$new" >"$work/list"
	put 644 "$work/list" "$list_at"
	warn_hidden
	name_user
}

do_uninstall() {
	[ -e "$list" ] || die "uninstall: $list is missing, and says what is installed: give the directories that make install was given"
	mv "$list" "$work/list"
	remove_files "$work/list"
	sed -n 's/^directory //p' "$work/list" | sort -r | while read -r path; do
		rmdir "$DESTDIR$path" 2>/dev/null || true # what somebody else put something in stays
	done
}

DESTDIR=${DESTDIR-}
check_names
[ "$1" != check ] || exit 0
for assignment in $INTO; do
	export "${assignment?}"
done
list_at=$LIBEXECDIR/ontime/installed
list=$DESTDIR$list_at
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
new=$work/new
: >"$new"
uninstalling=$([ "$1" = install ] || echo 1)
umask 022
"do_$1"

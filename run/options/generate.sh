#!/bin/sh
# generate.sh WHAT TABLE... - what is made of the tables of options, on standard output. WHAT is header, help or mdoc, of one table; bash, zsh or
# fish, of all. page FILE: a man page, with the options of table NAME in place of each line `.\" @OPTIONS NAME@`.
set -eu
here=$(dirname "$0")
what=$1
shift
write() { # WHAT TABLE...
	of=$1
	shift
	LC_ALL=C awk -f "$here/read.awk" -f "$here/$of.awk" "$@"
}

page() { # FILE
	while IFS= read -r line; do
		case $line in
		'.\" @OPTIONS '*@)
			name=${line#'.\" @OPTIONS '}
			write mdoc "$here/${name%@}.options"
			;;
		*) printf '%s\n' "$line" ;;
		esac
	done <"$1"
}

if [ "$what" = page ]; then
	page "$1"
else
	write "$what" "$@"
fi

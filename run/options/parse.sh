# shellcheck shell=sh disable=SC2154
# parse.sh - the command line of a script, by its table. Sourced by run/supervise/lib.sh, with $here set and die() there.
#
# The grammar is that of common/command.h. An option NAME ends in $option_NAME: its value, 1 for a flag, or nothing. Such names have no
# dash. What is no option is in $operands, and keys of the config are in $settings, quoted for `eval "set -- $operands"`.

quote() { # WORD: as the shell reads it
	left=$1 quoted=
	while :; do
		case $left in
		*\'*)
			quoted="$quoted${left%%\'*}'\\''"
			left=${left#*\'}
			;;
		*) break ;;
		esac
	done
	quoted="'$quoted$left'"
}

nearest() { # TYPED NAME...: the one that is most like it, if one is (common/nearest.c)
	LC_ALL=C awk 'function least(a, b) { return a < b ? a : b }
		function distance(a, b,   i, j, row, diagonal, add) {
			for (j = 0; j <= length(b); j++)
				row[j] = j
			for (i = 1; i <= length(a); i++) {
				diagonal = row[0]
				row[0] = i
				for (j = 1; j <= length(b); j++) {
					add = 1 + least(row[j], row[j - 1])
					add = least(add, diagonal + (substr(a, i, 1) != substr(b, j, 1)))
					diagonal = row[j]
					row[j] = add
				}
			}
			return row[length(b)]
		}
		BEGIN {
			best = 4
			for (k = 2; k < ARGC; k++) {
				d = distance(ARGV[1], ARGV[k])
				if (d < best && d + 1 < length(ARGV[k])) {
					best = d
					name = ARGV[k]
				}
			}
			print name
		}' "$@"
}

find_option() { # NAME LETTER: of one of them; $name and $kind are it. 1: there is none
	while read -r what name letter _ kind _; do
		if [ "$what" = option ] && { [ "$name" = "$1" ] || [ "$letter" = "$2" ]; }; then
			return 0
		fi
	done <"$table"
	return 1
}

takes() { # WHAT: does the table have such a line?
	grep -q "^$1" "$table"
}

refuse_option() { # AS-IT-WAS-TYPED
	typed_name=${1#--}
	# shellcheck disable=SC2046 # names without blanks
	meant=$(nearest "${typed_name#-}" $(sed -n 's/^option \([^ ]*\) .*/\1/p' "$table"))
	die 2 "$1: unknown option;${meant:+ did you mean --$meant?} see $(typed "$program") --help"
}

check_value() { # AS-IT-WAS-TYPED VALUE: of $kind
	[ -n "$2" ] || die 2 "$1: its value is missing; see $(typed "$program") --help"
	case $kind in
	words:*)
		case ",${kind#words:}," in *",$2,"*) ;; *) die 2 "$1 $2: not one of $(echo "${kind#words:}" | sed 's/,/, /g')" ;; esac
		;;
	number:* | whole:*)
		range=${kind#*:}
		case $2 in
		*[!0-9.]* | *.*.* | . | "") false ;;
		*) awk -v n="$2" -v least="${range%:*}" -v most="${range#*:}" 'BEGIN {exit !(n + 0 >= least + 0 && n + 0 <= most + 0)}' ;;
		esac || die 2 "$1 $2: not a number from ${range%:*} to ${range#*:}"
		;;
	esac
}

parse_options() { # PROGRAM ARGUMENT...
	program=$1
	table=$here/options/$1.options
	shift
	settings='' operands='' rest=
	while read -r what name _; do
		[ "$what" != option ] || eval "option_$name="
	done <"$table"
	while [ $# -gt 0 ]; do
		word=$1 shown=$1 has=
		shift
		case $rest$word in
		--help | -h) show_help && exit 0 ;;
		--version) show_version && exit 0 ;;
		--)
			rest=" "
			continue
			;;
		--*=*)
			shown=${word%%=*} value=${word#*=} has=1
			find_option "${shown#--}" "" || kind=
			;;
		--?*) find_option "${word#--}" "" || kind= ;;
		-?*)
			value=${word#-?} shown=${word%"${word#-?}"}
			[ -z "$value" ] || has=1
			find_option "" "${shown#-}" || refuse_option "$word"
			;;
		*)
			takes operand || die 2 "$word: not an option, and nothing else is taken; see $(typed "$program") --help"
			quote "$word"
			operands="$operands $quoted"
			continue
			;;
		esac
		if [ "$kind" = flag ]; then
			[ -z "$has" ] || die 2 "$shown: it takes no value; see $(typed "$program") --help"
			eval "option_$name=1"
			continue
		fi
		if [ -z "$has" ]; then
			case $kind${1:-} in
			'' | -*) [ -n "$kind" ] || refuse_option "$shown" ;;
			esac
			value=${1:-}
			[ $# = 0 ] || shift
		fi
		if [ -n "$kind" ]; then
			check_value "$shown" "$value"
			eval "option_$name=\$value"
		elif takes keys; then # the config says what is wrong with it
			quote "$shown=$value"
			settings="$settings $quoted"
		else
			refuse_option "$shown"
		fi
	done
}

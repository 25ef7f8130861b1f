#!/bin/sh
# t_options.sh - one grammar: each program takes what its table (run/options/) has, in both spellings, refuses everything else in one line with
# the nearest name, and its help, the man page's list and the shells' completion have the same options.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh
ONTIME_BUILD=${ONTIME_BUILD:-$PWD/build}
export ONTIME_BUILD

skip() { # REASON NAME
	skipped=$((skipped + 1))
	printf 'skip %s: %s\n' "$2" "$1"
}

tables=$(cd run/options && for table in *.options; do echo "${table%.options}"; done)

run_it() { # TABLE ARGUMENT...: the program that has this table
	table=$1
	shift
	case $table in
	stage) "$ONTIME_BUILD/edf" "$@" ;;
	ontime) run/ontime "$@" ;;
	options | version | help) run/ontime "$table" "$@" ;;
	*)
		if [ -e "run/$table.sh" ]; then
			"run/$table.sh" "$@"
		else
			"$ONTIME_BUILD/$table" "$@"
		fi
		;;
	esac
}

if [ "${1-}" = --run ]; then # for timeout
	shift
	run_it "$@"
	exit
fi
make -s all
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

is_built() { # TABLE
	[ "$1" = stage ] || [ "$1" = ontime ] || grep -q "^command $1 " run/options/ontime.options || [ -e "run/$1.sh" ] || [ -x "$ONTIME_BUILD/$1" ] || return 1
	case $1 in dash | latency) [ -x "$ONTIME_BUILD/$1" ] ;; esac
}

options_of() { # TABLE [KIND]: "NAME LETTER KIND", a line each
	awk -v kind="${2:-.*}" '$1 == "option" && $5 ~ "^(" kind ")$" {print $2, $3, $5}' "run/options/$1.options"
}

refused() { # PATTERN TABLE ARGUMENT...: in one line, with status 2, that is like that
	pattern=$1
	shift
	said=$(timeout 10 "$0" --run "$@" 2>&1 </dev/null) && got=0 || got=$?
	printf '%s: %s (status %s)\n' "$*" "$said" "$got"
	[ "$got" = 2 ] && printf '%s\n' "$said" | grep -qF -- "$pattern" && [ "$(printf '%s\n' "$said" | wc -l)" = 1 ]
}

helps() { # TABLE: with each option that it has
	run_it "$1" --help >"$work/help" && run_it "$1" -h | cmp - "$work/help" || return 1
	options_of "$1" | while read -r name letter _; do
		grep -q -e "--$name" "$work/help" && { [ "$letter" = - ] || grep -q -e "^  -$letter, *--$name" "$work/help"; } || { echo "$name" && exit 1; }
	done || return 1
	[ "$(run_it "$1" --version | head -n 1)" = "$(run/ontime --version | head -n 1)" ]
}

refuses_others() { # TABLE: one that is like no other, and one that is like one of its own
	refused 'unknown option' "$1" --frobnicate || return 1
	options_of "$1" | while read -r name _; do
		refused "did you mean --$name?" "$1" "--${name}x" || exit 1
	done
}

wants_values() { # TABLE: where one belongs, and nowhere else
	options_of "$1" '[^f].*|file' | while read -r name letter _; do
		refused "--$name: its value is missing" "$1" "--$name" && refused "--$name: its value is missing" "$1" "--$name=" || exit 1
		[ "$letter" = - ] || refused "-$letter: its value is missing" "$1" "-$letter" || exit 1
	done || return 1
	options_of "$1" flag | while read -r name _; do
		refused "--$name: it takes no value" "$1" "--$name=1" || exit 1
	done
}

takes_both_spellings() { # TABLE: a wrong value is refused in the same words
	options_of "$1" '(words|number|whole):.*' | while read -r name _; do
		refused "--$name bad: not " "$1" "--$name" bad && refused "--$name bad: not " "$1" "--$name=bad" || exit 1
	done
}

takes_keys_in_both() { # of the config, and as a letter's value
	"$ONTIME_BUILD/check" --print -c run/stress.conf --policy=edf --high.budget=3ms -i other >"$work/one" &&
		"$ONTIME_BUILD/check" --print --config=run/stress.conf --instance other --policy edf --high.budget 3ms | cmp - "$work/one" &&
		"$ONTIME_BUILD/check" --print -crun/stress.conf -iother --policy edf --high.budget 3ms | cmp - "$work/one" &&
		grep -qx 'instance = other' "$work/one" && grep -qx 'policy = edf' "$work/one"
}

prints_a_config() { # that is the same when it is read
	for file in run/ontime.conf run/stress.conf run/recipes/*.conf; do
		"$ONTIME_BUILD/check" --print -c "$file" 2>/dev/null >"$work/printed" && "$ONTIME_BUILD/check" --print -c "$work/printed" 2>/dev/null | cmp - "$work/printed" || return 1
	done
}

ends_at_dashes() { # behind -- everything is an operand
	refused 'No such file' simulate -- --compare && refused '--page: no such recipe' recipe -- --page && refused 'not an option' stop -- --pid
}

offers_in_bash() { # COMMAND: what completion has for "ontime COMMAND --"
	bash -c '. "$1"; COMP_WORDS=(run/ontime "$2" --) COMP_CWORD=2; _ontime; printf "%s\n" "${COMPREPLY[@]}"' bash "$ONTIME_BUILD/completion/ontime.bash" "$1"
}

completes_in_bash() {
	awk '$1 == "command" {print $2, $3}' run/options/ontime.options >"$work/commands"
	while read -r command table; do
		{ options_of "$table" | sed 's/^\([^ ]*\) .*/--\1/' && echo --help && echo --version; } | sort >"$work/has"
		offers_in_bash "$command" | sort | diff "$work/has" - || return 1
	done <"$work/commands"
	offered=$(bash -c '. "$1"; COMP_WORDS=(run/ontime restart "") COMP_CWORD=2; _ontime; echo "${COMPREPLY[@]}"' bash "$ONTIME_BUILD/completion/ontime.bash")
	[ "$offered" = "ingress edf egress supervisor all" ] || return 1
	offered=$(bash -c '. "$1"; COMP_WORDS=(run/ontime load --arrivals = p) COMP_CWORD=4; _ontime; echo "${COMPREPLY[@]}"' bash "$ONTIME_BUILD/completion/ontime.bash")
	[ "$offered" = poisson ] || return 1
	offered=$(bash -c '. "$1"; COMP_WORDS=(run/ontime recipe v) COMP_CWORD=2; _ontime; echo "${COMPREPLY[@]}"' bash "$ONTIME_BUILD/completion/ontime.bash")
	[ "$offered" = "video voice" ]
}

completes_in_fish() {
	while read -r command table; do
		{ options_of "$table" | sed 's/^\([^ ]*\) .*/--\1/' && echo --help && echo --version; } | sort >"$work/has"
		fish --no-config -c "source $ONTIME_BUILD/completion/ontime.fish; complete -C 'ontime $command --'" | cut -f 1 | sort >"$work/offers"
		diff "$work/has" "$work/offers" || return 1
	done <"$work/commands"
}

zsh_parses() {
	zsh -f -n "$ONTIME_BUILD/completion/_ontime" || return 1
	while read -r command table; do
		options_of "$table" | while read -r name _; do
			sed -n "/^	$command)/,/;;/p" "$ONTIME_BUILD/completion/_ontime" | grep -q -e "--${name}[=[]" || { echo "$command --$name" && exit 1; }
		done || return 1
	done <"$work/commands"
}

mandoc_accepts() { # each list, within the smallest page
	for table in $tables; do
		{ printf '.Dd November 1, 2026\n.Dt ONTIME 1\n.Os\n.Sh NAME\n.Nm ontime\n.Nd test\n.Sh OPTIONS\n.\\" @OPTIONS %s@\n' "$table"; } >"$work/page.in"
		run/options/generate.sh page "$work/page.in" >"$work/ontime.1"
		! mandoc -T lint -W warning "$work/ontime.1" | grep . && mandoc -T ascii "$work/ontime.1" | col -b >"$work/text" || return 1
		options_of "$table" | while read -r name _; do
			grep -q -e "--$name" "$work/text" || { echo "$table --$name" && exit 1; }
		done || return 1
	done
}

names_one_that_is() { # a table for each command, and a program for each table
	awk '$1 == "command" {print $3}' run/options/ontime.options | while read -r table; do
		[ -e "run/options/$table.options" ] || { echo "$table" && exit 1; }
	done
}

check "each command has a table" names_one_that_is
for table in $tables; do
	if ! is_built "$table"; then
		skip "it is not built" "$table takes what its table has"
		continue
	fi
	check "$table --help and -h show each of its options, and --version the version" helps "$table"
	check "$table refuses other options, and says which was meant" refuses_others "$table"
	check "$table wants a value where one belongs, and nowhere else" wants_values "$table"
	check "$table takes a value behind a blank and behind =" takes_both_spellings "$table"
done
check "keys of the config are taken in both spellings, and an option's letter too" takes_keys_in_both
check "a printed config is one" prints_a_config
check "behind -- no word is an option" ends_at_dashes
check "bash completes to what the tables have" completes_in_bash
if command -v fish >/dev/null; then check "fish likewise" completes_in_fish; else skip "fish is not installed" "fish completes to what the tables have"; fi
if command -v zsh >/dev/null; then check "zsh accepts its completion, which has what the tables have" zsh_parses; else skip "zsh is not installed" "zsh accepts its completion"; fi
if command -v mandoc >/dev/null; then check "mandoc accepts each list of options" mandoc_accepts; else skip "mandoc is not installed" "mandoc accepts each list of options"; fi
verdict options

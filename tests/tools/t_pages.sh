#!/bin/sh
# t_pages.sh - the pages of the manual are right: as mandoc wants them, with the keys, verbs, reasons and exit statuses that the programs have,
# and with examples that run. The configuration that counts without -c is the one that lookup.h says. In namespaces of its own, for the examples
# use the default instance and its ports.
set -eu
cd "$(dirname "$0")/../.."
if [ "${1-}" != inside ]; then
	as_root=
	[ "$(id -u)" = 0 ] || as_root=-r
	# shellcheck disable=SC2086  # one word or none
	if unshare $as_root -n -m true 2>/dev/null; then
		exec unshare $as_root -n -m "$0" inside
	fi
	echo "skip the pages of the manual: no namespaces can be made here"
	echo "pages: 0 passed, 0 failed, 1 skipped"
	exit 77
fi
# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh
home=$PWD
work=$(realpath "$(mktemp -d)")
ONTIME_RUN_DIR=$work/run
ONTIME_BUILD=build
ONTIME_HISTOGRAMS=off
export ONTIME_RUN_DIR ONTIME_BUILD ONTIME_HISTOGRAMS
background=

finish() {
	for pid in $background; do
		kill "$pid" 2>/dev/null || true
	done
	run/ontime stop >/dev/null 2>&1 || true
	run/ontime stop -i voice >/dev/null 2>&1 || true
	umount "$work/etc" /dev/shm /etc 2>/dev/null || true
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM
ip link set lo up
mount -t tmpfs tmpfs /dev/shm
mkdir "$work/etc" "$work/bin"
mount -t tmpfs tmpfs "$work/etc"
cp -a /etc/. "$work/etc" 2>/dev/null || true # what only root may read stays away
rm -rf "$work/etc/ontime"
mount --bind "$work/etc" /etc
ln -s "$home/run/ontime" "$work/bin/ontime" # as it is typed
PATH=$work/bin:$PATH

pages=$(find build/man run/man -name '*.[1-9]' | sort)

# mandoc knows no other page than those of this machine, and not all of those: it is not asked.
has_no_warning() {
	# shellcheck disable=SC2086  # one word a page
	mandoc -Tlint -W warning $pages && [ "$(echo "$pages" | wc -l)" = "$(find run/man -name 'ontime*' | wc -l)" ]
}

# every page that another one refers to as ours is there
refers_to_pages() {
	# shellcheck disable=SC2086
	sed -n 's/^\.Xr \(ontime[a-z.-]*\) \([1-9]\).*/\1.\2/p' $pages | sort -u >"$work/named"
	echo "$pages" | sed 's|.*/||' | sort >"$work/there"
	[ -z "$(comm -23 "$work/named" "$work/there")" ] || { comm -23 "$work/named" "$work/there" && return 1; }
}

# key, default and range of each option of the parser, and what the page says of it
keys_agree() {
	build/ingress --options | sed 's/^  --\([A-Za-z]*\.\)*//' >"$work/rows"
	build/ingress --options | cut -c 31- | cut -c 1-39 | sed 's/  */ /; s/ *$//' >"$work/values"
	sed 's/=.*//' "$work/rows" | paste -d ' ' - "$work/values" | tr -s ' ' | sort >"$work/parser"
	awk '/^\.It Cm [a-z_]+ = Ar / {key = $3; range = substr($0, index($0, " = Ar ") + 6)}
		/^Default / {standard = substr($0, 9); sub(/\.$/, "", standard)}
		/^No default/ {standard = "-"}
		/^(Default|No default)/ {print key, standard, range}' build/man/ontime.conf.5 | sort >"$work/page"
	[ -s "$work/parser" ] && diff "$work/parser" "$work/page"
}

reload_agrees() { # with the reload itself: a changed value of each key that is said to need a relaunch does, and of no other
	printf '%s\n' "$ok_changes" >"$work/changes"
	while read -r key value; do
		sed "s|^$key = .*|$key = $value|" build/full.conf >"$work/changed.conf"
		status=0
		build/hold --check -c "$work/changed.conf" --against build/full.conf >"$work/said" 2>&1 || status=$?
		said=$(awk -v key="$key" '$1 == ".It" && $3 == key {n = 3} n-- == 1 {print; exit}' build/man/ontime.conf.5)
		case $status:$said in
		0:"A reload takes it"* | 2:"Another value needs a relaunch.") ;;
		*) echo "$key: the page says \"$said\", a reload: $(cat "$work/said")" && return 1 ;;
		esac
	done <"$work/changes"
}
ok_changes='instance other
payload_bytes 1400B
policy edf
evict largest
work simulate
workers 2
plugin_calls openat clone3
shards 2
slice 50us
full drop
late drop
rate 1Gbit
burst 32KiB
gso off
gro on
socket_buffer 1MiB
cpus none
spin 5us
fifo off
cage off
user root
observers audio
heartbeat 100ms
hung 3s
budget 5ms
spread maglev
resolve 30s
health tcp:80
health_every 2s
health_fall 2
health_rise 1
margin 20us
share 10%
source proxy
sessions 2048
sessions_per_source 8
idle 30s
idle_unanswered 1s
via_ports 40000-49999
source_burst 20
source_prefix 24 56
fair 8
dscp ef
copy_wait 1ms
destination_rate 1Gbit
destination_burst 32KiB
ecn keep
ecn_mark_at 40%
group_ttl 3
group_loop off
broadcast on
expected_pps 5
expected_burst 2
expected_service 1us
ingress_quantum 32KiB
egress_quantum 32KiB
ingress_to_edf 257
edf_to_egress 257'

# each file that comes along means the defaults, and full.conf has each key
files_are_defaults() {
	: >"$work/empty.conf"
	for file in run/ontime.conf build/full.conf; do
		build/hold --check -c "$work/empty.conf" --against "$file" >"$work/said" || return 1
		[ ! -s "$work/said" ] || { cat "$work/said" && return 1; }
	done
	sed 's/=.*//' "$work/rows" | while read -r key; do
		grep -qE "^(; )?$key =" build/full.conf || { echo "full.conf has no $key" && return 1; }
	done
	[ "$(wc -l <run/ontime.conf)" -le 35 ]
}

# each configuration in a page is one
configs_are_accepted() {
	awk -v into="$work/shown" '/^\.Bd -literal/ {taken = 1; n++; next} /^\.Ed/ {taken = 0} taken {print >(into n)}' build/man/ontime.conf.5
	[ -e "$work/shown2" ] || return 1
	for shown in "$work"/shown*; do
		build/hold --check -c "$shown" || return 1
	done
}

awks_agree() { # of those that are here: make takes the one that is called awk
	made=
	for awk in awk mawk gawk original-awk "busybox awk"; do
		command -v "${awk%% *}" >/dev/null || continue
		# shellcheck disable=SC2086  # busybox has two words
		(cd common && $awk -f config/keys.awk config/keys.txt units.h config/value.c config/table.c config/config.c) >"$work/made" || return 1
		cmp "$work/made" build/full.conf || { echo "by $awk" && return 1; }
		made="$made $awk"
	done
	[ "$made" ]
}

a_key_without_text_is_refused() {
	sed '/^@ pipeline hung$/d' common/config/keys.txt >"$work/keys.txt"
	! (cd common && awk -f config/keys.awk "$work/keys.txt" units.h config/value.c config/table.c config/config.c) >/dev/null 2>"$work/said" &&
		grep -qx 'keys.txt: nothing is said of pipeline hung' "$work/said"
}

# a command of the page is one of ontime, and each has a section, or a page with its name
verbs_are_there() {
	sed -n 's/^command \([a-z]*\) .*/\1/p' run/options/ontime.options >"$work/verbs"
	[ -s "$work/verbs" ] || return 1
	while read -r verb; do
		ontime help "$verb" >/dev/null || { echo "ontime help $verb" && return 1; }
		[ "$verb" = help ] || grep -qx "\.Ss ontime $verb" build/man/ontime.1 || [ -e "build/man/ontime-$verb.1" ] || {
			echo "no page says what $verb does" && return 1
		}
	done <"$work/verbs"
	sed -n 's/^\.Ss ontime //p' build/man/ontime.1 | while read -r verb; do
		grep -qx "$verb" "$work/verbs" || { echo "there is no command $verb" && return 1; }
	done
}

digits() { # of exit statuses in a text
	tr -c '0-9' '\n' | grep -x '[0-9]' | sort -u | paste -s -d ' '
}

statuses_agree() { # what --help says they are, and what the pages say
	for verb in top dash latency tape load check simulate; do
		said=$(ontime help "$verb" | sed -n '/Exit status:/,$p' | digits)
		page=$(sed -n '/^\.Sh EXIT STATUS/,/^\.Sh EXAMPLES/s/^\.It //p' "build/man/ontime-$verb.1" | digits)
		[ "$said" = "$page" ] || { echo "$verb: --help has $said, the page $page" && return 1; }
	done
	for verb in start stop restart reload status record config demo; do
		said=$(ontime help "$verb" | sed -n '/Exit status:/,$p' | digits)
		page=$(sed -n "/^\.Ss ontime $verb\$/,/^\.S[sh] /p" build/man/ontime.1 | sed -n '/^Exit status:/,$p' | digits)
		[ "$said" = "$page" ] || { echo "$verb: --help has $said, the page $page" && return 1; }
	done
}

reasons_are_there() {
	sed -n 's/^\tREASON([A-Z_]*, \([a-z_]*\),.*/\1/p' common/fate.h | sort >"$work/reasons"
	sed -n '/^\.Sh THE ACCOUNT/,/^\.Ss/s/^\.It Cm //p' run/man/ontime.7 | sort | diff "$work/reasons" -
}

environment_is_read() {
	sed -n 's/^\.It Ev //p' build/man/ontime.1 | while read -r name; do
		grep -rqw "$name" run/launch.sh run/supervise common/log.c || { echo "nothing reads $name" && return 1; }
	done
}

# What runs as it stands: the indented blocks of literal text below EXAMPLES.
examples_of() { # PAGE
	awk '/^\.Sh / {examples = /EXAMPLES/} /^\.Bd -literal -offset indent/ {taken = examples; next} /^\.Ed/ {taken = 0} taken' "$1"
}

# In a shell that ends at the first command that fails.
examples_run() { # PAGE
	examples_of "$1" | sed 's/--seconds [0-9]*/--seconds 0.3/; s/^ontime load .*[^&]$/& --seconds 0.3/' >"$work/example"
	[ -s "$work/example" ] || return 1
	cat "$work/example"
	mkdir -p "$work/cwd"
	(cd "$work/cwd" && timeout 50 sh -e "$work/example") >"$work/output" 2>&1 || {
		echo "status $?" && tail -n 20 "$work/output" && return 1
	}
}

# The one in the text of ontime-plugin(3) is whole, and does what it says.
plugin_example_works() {
	mkdir -p "$work/plugin"
	awk '/^#include <ontime/ {taken = 1} /^\.Ed/ {taken = 0} taken' run/man/ontime-plugin.3 >"$work/plugin/upper.c"
	"${CC:-cc}" -Wall -Wextra -Werror -Ibuild/obj/include -shared -fPIC "$work/plugin/upper.c" -o "$work/plugin/upper.so" || return 1
	ontime start --work="plugin:$work/plugin/upper.so" >/dev/null || return 1
	nc -u -l -W 1 127.0.0.1 9080 >"$work/heard" &
	background="$background $!"
	eventually is_bound 9080 || return 1
	echo hello | nc -u -w1 127.0.0.1 8080
	wait $!
	ontime stop >/dev/null && grep -qx HELLO "$work/heard"
}

is_bound() { # PORT
	ss -lun | grep -q ":$1 "
}

members_agree() { # the synopsis of ontime-plugin(3) has the members of the header, in their order
	for struct in ontime_plugin ontime_packet; do
		for file in edf/plugin.h run/man/ontime-plugin.3; do
			sed -n "/^struct $struct {/,/^};/p" "$file" | sed 's|/\*.*\*/||; s/[[:blank:]]*$//' | grep ';'
		done | sort | uniq -c | awk '$1 != 2' >"$work/differ"
		[ ! -s "$work/differ" ] || { cat "$work/differ" && return 1; }
	done
}

# A tree, and an installation, made of copies. Which file counts shows in the name of the instance, in an error that names the file, or in the script's $config.
make_place() { # DIRECTORY INSTANCE
	mkdir -p "$1/build" "$1/run/supervise" "$1/run/options"
	cp build/check build/simulate build/load "$1/build"
	cp run/supervise/lib.sh run/supervise/user.sh "$1/run/supervise" && cp run/options/parse.sh "$1/run/options" && cp run/launch.sh "$1/run"
	printf '[nonsense of %s]\n' "$2" >"$1/run/ontime.conf"
}

counts() { # DIRECTORY FILE: that one for all of them, as each refuses it by its name
	for program in check "simulate -" load; do
		# shellcheck disable=SC2086  # program and argument
		"$1"/build/$program </dev/null 2>&1 | grep -qF ": $2:1: " || { echo "$program takes another than $2" && return 1; }
	done
	[ "$(here=$1/run sh -c '. "$here/supervise/lib.sh"; echo "$config"')" = "$2" ] || { echo "the scripts take another than $2" && return 1; }
}

tree_counts() { make_place "$work/tree" tree && counts "$work/tree" "$work/tree/run/ontime.conf"; }

machine_counts() {
	mkdir /etc/ontime && echo '[nonsense of etc]' >/etc/ontime/ontime.conf && counts "$work/tree" /etc/ontime/ontime.conf
}

installed_counts() { # its own, though there is one in /etc
	make_place "$work/installed" installed
	mkdir "$work/mine" && echo '[nonsense of mine]' >"$work/mine/ontime.conf"
	printf 'config=%s\ninstalled=1\n' "$work/mine/ontime.conf" >"$work/installed/run/supervise/paths.sh"
	counts "$work/installed" "$work/mine/ontime.conf"
}

named_counts() {
	printf '[pipeline]\ninstance = given\n' >"$work/given.conf"
	"$work/tree/build/check" -c "$work/given.conf" >/dev/null
	status=$?
	rm -r /etc/ontime # what follows starts the tree's
	[ "$status" = 0 ]
}

if command -v mandoc >/dev/null; then
	check "mandoc finds nothing in the pages" has_no_warning
else
	skipped=$((skipped + 1))
	echo "skip mandoc finds nothing in the pages: mandoc is not installed"
fi
check "each page that another one names is there" refers_to_pages
check_here "ontime.conf(5) has each key with the parser's range and default" keys_agree
check "what it says of reloads is what a reload says" reload_agrees
check "run/ontime.conf and full.conf say exactly the defaults" files_are_defaults
check "the configurations of ontime.conf(5) are accepted" configs_are_accepted
check "each awk makes the same list" awks_agree
check "a key without a text is refused" a_key_without_text_is_refused
check "each command has its page, and each page its command" verbs_are_there
check "the pages have the exit statuses of the help" statuses_agree
check "ontime(7) has each drop reason" reasons_are_there
check "what is said of the environment is read" environment_is_read
check "ontime-plugin(3) has the members of the header" members_agree
check "without -c a tree's own config counts" tree_counts
check "without -c that of the machine counts, if there is one" machine_counts
check "without -c what make install put there counts first" installed_counts
check "the one that -c names counts" named_counts
check "the example of ontime-plugin(3) works" plugin_example_works
check "the examples of ontime(1) run" examples_run build/man/ontime.1
check "the examples of ontime-check(1) run" examples_run build/man/ontime-check.1
check "the examples of ontime-simulate(1) run" examples_run build/man/ontime-simulate.1
check "an instance for the other pages starts" ontime start --policy=edf
check "the examples of ontime-load(1) run" examples_run build/man/ontime-load.1
check "the examples of ontime-tape(1) run" examples_run build/man/ontime-tape.1
for needs in top:jq dash:curl; do
	page=${needs%:*}
	if ! command -v "${needs#*:}" >/dev/null || ! [ -x build/stat ] || { [ "$page" = dash ] && ! [ -x build/dash ]; }; then
		skipped=$((skipped + 1))
		echo "skip the examples of ontime-$page(1) run: $page or ${needs#*:} is not here"
		continue
	fi
	check "the examples of ontime-$page(1) run" examples_run "build/man/ontime-$page.1"
done
verdict pages

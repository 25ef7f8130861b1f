#!/bin/sh
# t_first.sh - the first minute: launch.sh on a terminal and without one, as a user, through sudo, and where something is missing. A tree,
# users and a bpffs of its own; apt-get and dpkg-query are stubs, what they install is there already.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
own_namespaces "the first minute" "--net --mount" "$0" "$@"
unset MAKEFLAGS MAKELEVEL ONTIME_BUILD ONTIME_RUN_DIR SUDO_USER SUDO_UID CFLAGS CPPFLAGS LDFLAGS
work=$(mktemp -d)
chmod 755 "$work"
tree=$work/tree
stubs=$work/stubs
TERM=xterm
export TERM
trap clean_up EXIT
trap 'exit 130' INT TERM

clean_up() {
	cd /
	for launched in root stranger helped; do
		as_user $launched "$tree/run/stop.sh" -i "$launched" >/dev/null 2>&1 || true
	done
	umount "$tree/build" 2>/dev/null || true
	rm -rf "$work"
}

as_user() { # NAME COMMAND...
	who=$1
	shift
	setpriv --reuid="$who" --regid="$who" --init-groups env -u TMPDIR HOME="$work" XDG_RUNTIME_DIR="$work/run-$who" "$@"
}

# A machine of its own, as far as a launch looks at it: users, what is mounted, loopback.
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /dev/shm
chmod 1777 /dev/shm
mount -t bpf -o mode=700 bpf /sys/fs/bpf
ip link set lo up
for file in passwd group shadow; do
	cp -p /etc/$file "$work/$file"
done
for user in stranger:54321 helped:54322; do
	printf '%s:x:%s:%s::%s:/bin/sh\n' "${user%:*}" "${user#*:}" "${user#*:}" "$work" >>"$work/passwd"
	printf '%s:x:%s:\n' "${user%:*}" "${user#*:}" >>"$work/group"
	printf '%s:*:19000::::::\n' "${user%:*}" >>"$work/shadow"
done
for file in passwd group shadow; do
	mount --bind "$work/$file" /etc/$file
done
sudo=
if command -v sudo >/dev/null && [ -d /etc/sudoers.d ]; then
	mount -t tmpfs -o mode=755 tmpfs /etc/sudoers.d
	echo 'helped ALL=(ALL:ALL) NOPASSWD: ALL' >/etc/sudoers.d/helped
	chmod 440 /etc/sudoers.d/helped
	as_user helped sudo -n true 2>/dev/null && sudo=1
fi
mkdir "$tree" "$stubs"
for user in stranger helped; do
	install -d -m 700 -o $user -g $user "$work/run-$user"
done
cp -r Makefile LICENSE README.md common ingress edf egress run "$tree"
chown -R helped:helped "$tree"
cd "$tree"

skip() { # WHY
	skipped=$((skipped + 1))
	echo "skip $1"
}

terminal() { # NAME COMMAND: the command as that user on a terminal of 80 columns; what it shows is in $work/shown, a state of a line a line
	as_user "$1" script -qec "stty cols 80; $2" /dev/null >"$work/typed" 2>&1 </dev/null && status=0 || status=$?
	tr '\r' '\n' <"$work/typed" | sed 's/\x1b\[K//' >"$work/shown"
	cat "$work/shown"
	return "$status"
}

# Building.

builds_with_progress() { # one line that is rewritten, never wider than the terminal, and what is there at last
	terminal helped "${sudo:+sudo -n }run/launch.sh --instance=$(launcher)" || return 1
	cp "$work/shown" "$work/launched"
	[ "$(grep -cE '^ontime: building [0-9]+ files \.\.\. [0-9]+ s  [0-9]+ of [0-9]+' "$work/shown")" -ge 3 ] &&
		[ "$(grep -cE '^ontime: building [0-9]+ files: done in [0-9]+ s$' "$work/shown")" = 1 ] &&
		! grep -E '^.{81}' "$work/shown" | grep building && grep -q "is running" "$work/shown" && grep -q 'one way: answers do not come back' "$work/shown"
}

launcher() { # who launches then, and the name of the instance
	if [ "$sudo" ]; then echo root; else echo helped; fi
}

no_file_of_roots() {
	! find . ! -user helped | grep .
}

the_next_build_is_the_users() {
	as_user helped touch common/log.h && as_user helped run/build.sh 2>"$work/out" || return 1
	cat "$work/out"
	[ "$(grep -cE '^ontime: building [0-9]+ files$' "$work/out")" = 1 ] && [ "$(wc -l <"$work/out")" = 1 ]
}

nothing_to_build_is_silent() {
	as_user helped run/build.sh >"$work/out" 2>&1 && ! grep . "$work/out" && terminal helped run/build.sh && ! grep . "$work/shown"
}

anybody_runs_what_is_built() {
	as_user stranger run/build.sh >"$work/out" 2>&1 && ! grep . "$work/out"
}

nobody_is_at_work() {
	! pgrep -u helped -x 'script|build.sh|make|cc1|gcc|as'
}

interrupted() { # by Ctrl-C, as soon as it shows progress: it says no more, leaves nothing at work, and the next one goes on
	as_user helped touch common/clock.h
	mkfifo "$work/keys"
	as_user helped env --default-signal=INT,QUIT script -qfec run/build.sh /dev/null <"$work/keys" >"$work/typed" 2>&1 &
	typist=$!
	exec 8>"$work/keys"
	eventually grep -q 'building' "$work/typed" && printf '\003' >&8
	exec 8>&-
	wait "$typist" && return 1
	cat "$work/typed"
	eventually nobody_is_at_work && ! grep -q 'failed' "$work/typed" && as_user helped run/build.sh
}

says_last() { # STATUS PATTERN TEXT: status 1, what was at work, and one line that matches
	printf '%s (status %s)\n' "$3" "$1"
	[ "$1" = 1 ] && printf '%s\n' "$3" | tail -n 1 | grep -q "$2" &&
		! printf '%s\n' "$3" | sed '$d' | grep -vE '^ontime: (building [0-9]+ files?$|installing [0-9]+ packages?: |fetching the package lists$)'
}

second_launch_leaves_nothing() { # with a run directory of its own
	fails_with 1 "instance 'root' is running already (supervisor [0-9]*): run/stop.sh -i root stops it" \
		env ONTIME_RUN_DIR="$work/other" run/launch.sh --instance=root && [ ! -e "$work/other" ]
}

advice_after_everything_was_killed() { # is the same from status and launch, and works
	ONTIME_BUILD=build
	pids=$(for stage in ingress edf egress; do run/status.sh --pid $stage -i root; done)
	orphan root
	# shellcheck disable=SC2086 # a pid each
	kill -9 $pids
	eventually says_killed && run/launch.sh --instance=root >"$work/said" 2>&1 &&
		grep "^ontime: instance 'root' was not stopped cleanly, and its sockets are gone: it begins anew; [0-9]* packets that its queues held are gone" "$work/said" &&
		run/status.sh -i root
}

says_killed() {
	run/status.sh -i root >"$work/killed" 2>&1 && status=0 || status=$?
	[ "$status" = 1 ] && grep -q "all of it was killed: run/launch.sh removes what is left, and starts it anew" "$work/killed" &&
		! grep -q 'status.sh' "$work/killed"
}

# What README.md says to type, as one block: each line of it succeeds. A person is slower than nc; a script on a busy machine is not.

the_tour() {
	awk '/^## Five minutes/ {found = 1} found && /^```$/ {exit} found && block {print}
		/nc -d -u -l/ && block {print "until ss -Hlun \"sport = :9080\" | grep -q .; do sleep 0.05; done"} found && /^```sh$/ {block = 1}' README.md >"$work/tour"
	grep -q 'run/stop.sh' "$work/tour" && timeout 60 sh -e "$work/tour" >"$work/out" 2>&1 </dev/null && status=0 || status=$?
	cat "$work/out"
	[ "$status" = 0 ] && grep -qx hello "$work/out" && grep -qx again "$work/out" && grep -q '^balanced' "$work/out" &&
		grep -q 'http://127.0.0.1:9999/ shows' "$work/out"
}

the_tour_typed() { # on a terminal a job in the background must not read what is typed
	{ cat "$work/tour" && echo exit; } | TERM=dumb timeout 120 script -qec 'bash --norc --noprofile -i' /dev/null >"$work/out" 2>&1 || true
	tr -d '\r' <"$work/out" >"$work/shown"
	cat "$work/shown"
	grep -qx hello "$work/shown" && grep -qx again "$work/shown" && ! grep -q 'Stopped' "$work/shown" &&
		! grep -q 'already in use' "$work/shown" && grep -q "instance 'default' is stopped" "$work/shown"
}

# Histograms.

histograms_of_a_sudo_user() { # as that user, who reads and removes them without sudo
	as_user helped run/launch.sh --instance=helped >"$work/out" 2>&1 || return 1
	cat "$work/out"
	pins=/sys/fs/bpf/ontime/helped
	grep -q "histograms are attached: cat $pins/report" "$work/out" && [ "$(stat -c %U $pins)" = helped ] &&
		as_user helped cat $pins/report | grep -q '^class ' && as_user helped run/restart.sh edf -i helped >"$work/out" 2>&1 && cat "$work/out" &&
		[ "$(wc -l <"$work/out")" = 1 ] && as_user helped run/stop.sh -i helped >/dev/null && [ ! -e $pins ]
}

roots_again() { # what was helped's and is empty is no obstacle; launched from elsewhere, it says where its commands are
	(cd / && "$tree/run/launch.sh" --instance=root) >"$work/out" 2>&1 && run/stop.sh -i root >/dev/null || return 1
	cat "$work/out"
	grep -q 'histograms are attached' "$work/out" && grep -qx "  in $tree:" "$work/out"
}

nobody_without_sudo() {
	as_user stranger run/launch.sh --instance=stranger >"$work/out" 2>&1 && as_user stranger run/stop.sh -i stranger && status=0 || status=1
	cat "$work/out"
	[ "$status" = 0 ] || return 1
	grep -q '^latency: histograms need .*: sudo build/latency attaches them' "$work/out"
}

# Builds that fail, each in one line.

build_fails() { # USER PATTERN COMMAND...
	user=$1
	pattern=$2
	shift 2
	text=$(as_user "$user" "$@" 2>&1) && status=0 || status=$?
	says_last "$status" "$pattern" "$text"
}

broken_build() { # PATTERN COMMAND...: a build of one file, as helped
	pattern=$1
	shift
	as_user helped touch run/check/check.c
	build_fails helped "$pattern" "$@"
}

of_another_user() {
	chown root build/obj/run/check && chmod 755 build/obj/run/check || return 1
	broken_build 'sudo chown -R helped .*/build' run/build.sh && wrong=0 || wrong=1
	chown -R helped build
	return "$wrong"
}

not_ones_tree() {
	as_user helped touch run/check/check.c
	build_fails stranger "stranger cannot write to .*, which is helped's" run/build.sh
}

full_disk() {
	mount -t tmpfs -o size=64k,uid=54322,mode=755 tmpfs build
	build_fails helped 'the disk is full: make room' run/build.sh && wrong=0 || wrong=1
	umount build
	return "$wrong"
}

no_compiler() {
	broken_build 'there is no compiler (nocc): run/deps.sh build' env CC=nocc run/build.sh
}

# Packages, as apt-get and dpkg-query would say it. What a stub says is taken from the real one.

stub() { # NAME, its script from the standard input
	{ echo '#!/bin/sh' && cat; } >"$stubs/$1"
	chmod 755 "$stubs/$1"
}

stub dpkg-query <<'END'
exit 1
END
stub sudo <<'END'
exit 1
END

deps() { # with the stubs
	env PATH="$stubs:$PATH" run/deps.sh build
}

as_stranger() {
	as_user stranger env PATH="$stubs:$PATH" run/launch.sh
}

apt_says() { # STATUS TEXT of an install; an update is a success
	stub apt-get <<END
echo "\$*" >>$work/asked
case " \$* " in *" update "*) exit 0 ;; esac
cat <<'SAID'
$2
SAID
exit $1
END
}

apt_fails() { # SAID PATTERN: status 1; a line per step, and one that says what to do
	apt_says 100 "$1"
	text=$(deps 2>&1) && status=0 || status=$?
	printf '%s (status %s)\n' "$text" "$status"
	says_last "$status" "^ontime: $2" "$text"
}

old_lists_are_fetched() {
	stub apt-get <<END
case " \$* " in
*" update "*) touch $work/fetched ;;
*) [ -e $work/fetched ] || { echo 'E: Unable to locate package gcc'; exit 100; } ;;
esac
END
	deps >"$work/out" 2>&1 || return 1
	cat "$work/out"
	[ "$(grep -c '^ontime: installing' "$work/out")" = 2 ] && [ "$(grep -c 'fetching the package lists' "$work/out")" = 1 ]
}

packages_show_progress() { # how much is to be fetched, how far it is, and for whom it waits
	stub apt-get <<'END'
echo 'Waiting for cache lock: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 812 (apt)...'
sleep 0.7
echo 'Need to get 52.3 MB of archives.'
sleep 0.7
echo 'dlstatus:1:9.3211:Retrieving file 1 of 12 (12s remaining)'
sleep 0.7
END
	terminal root "PATH=$stubs:$PATH run/deps.sh build" || return 1
	grep -q 'waits for process 812 (apt)' "$work/shown" && grep -q '52.3 MB to fetch' "$work/shown" && grep -q ' 9 %  Retrieving file' "$work/shown" &&
		grep -qE 'installing [0-9]+ packages: done in [0-9]+ s$' "$work/shown"
}

elsewhere() { # no Debian, with all that is needed
	mkdir "$work/alien"
	for tool in /usr/bin/* /usr/sbin/*; do
		case ${tool##*/} in apt-get | dpkg-query | "$1") ;; *) ln -sf "$tool" "$work/alien" ;; esac
	done
	as_user stranger env PATH="$work/alien" run/deps.sh build >"$work/out" 2>&1 && status=0 || status=$?
	rm -rf "$work/alien"
	cat "$work/out"
	return "$status"
}

elsewhere_all_is_there() {
	elsewhere none && ! grep . "$work/out"
}

elsewhere_make_is_missing() {
	! elsewhere make && grep -q '^ontime: missing: make; this is no Debian: .*ncurses' "$work/out" && [ "$(wc -l <"$work/out")" = 1 ]
}

check "a launch from a terminal${sudo:+, through sudo,} shows how far the build is" builds_with_progress
check "no file of root's is left in the tree of a user" no_file_of_roots
check "the user builds on, one line without a terminal" the_next_build_is_the_users
check "nothing to build is silent" nothing_to_build_is_silent
check "another user runs what is built" anybody_runs_what_is_built
if [ "$sudo" ]; then
	check "a second launch of an instance is one line, and leaves no directory" second_launch_leaves_nothing
	check "after everything was killed, status and launch say the same" advice_after_everything_was_killed
fi
run/stop.sh -i root >/dev/null 2>&1 || true
check "the tour of README.md works as it is written" the_tour
if command -v script >/dev/null; then
	check "and typed on a terminal" the_tour_typed
else
	skip "the tour on a terminal: script is not installed"
fi
if ! grep -q 'histograms are attached' "$work/launched"; then
	skip "histograms of users: there are none for root here"
elif [ "$sudo" ]; then
	check "a sudo user has histograms, and removes them" histograms_of_a_sudo_user
	check "then root has them" roots_again
	check "a user without sudo is told the one command" nobody_without_sudo
else
	skip "histograms of a sudo user: sudo is not installed"
fi
check "Ctrl-C ends a build, and the next one goes on" interrupted
check "a tree with files of another user: one line" of_another_user
check "a tree of another user: one line" not_ones_tree
check "no compiler: one line" no_compiler
check "a full disk: one line" full_disk
as_user helped run/build.sh >/dev/null 2>&1 || true
check "nothing installed, no sudo: one line with the command" fails_with 1 \
	'^ontime: missing: gcc make .*; please run: sudo apt-get update && sudo apt-get install --no-install-recommends gcc make' as_stranger
check "no network: one line" apt_fails 'Err:1 http://deb.example/debian bookworm/main
  Temporary failure resolving
E: Unable to fetch some archives' 'the packages cannot be fetched: is there a network'
check "another installation: one line" apt_fails 'E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 812 (apt)
E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?' \
	'another installation is at work (process 812 (apt))'
check "no room for packages: one line" apt_fails 'E: You don'\''t have enough free space in /var/cache/apt/archives/.' 'the disk is full'
check "an interrupted installation: one line" apt_fails \
	"E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem." 'an earlier installation was interrupted'
check "package lists that are too old are fetched" old_lists_are_fetched
check "packages show how far they are" packages_show_progress
check "on no Debian: nothing is said when all is there" elsewhere_all_is_there
check "on no Debian: one line when make is missing" elsewhere_make_is_missing
verdict first

#!/bin/sh
# t_ontime.sh - the command run/ontime, each verb of it through real processes.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/instance.sh
. tests/harness/instance.sh
make -s all
ONTIME_BUILD=${ONTIME_BUILD:-$PWD/build}
own_instance verbs
conf=$work/one.conf
dash=
at_end() {
	# shellcheck disable=SC2086 # one, or none
	kill $dash 2>/dev/null
	run/ontime stop -i "${instance}b" >/dev/null 2>&1
}
port=$((31000 + $$ % 100 * 10))

configure() { # FILE INSTANCE PORT
	sed "s/^instance = .*/instance = $2/; s/127\.0\.0\.1:808/127.0.0.1:${3%0}/; s/127\.0\.0\.1:908/127.0.0.1:$((($3 + 5000) / 10))/
		s/^budget = .*ms\$/budget = 200ms/; s/^policy = .*/policy = edf/" build/full.conf >"$1"
}

says() { # PATTERN COMMAND...: it ends well, and says that
	pattern=$1
	shift
	said=$("$@" 2>&1) && got=0 || got=$?
	printf '%s (status %s)\n' "$said" "$got"
	[ "$got" = 0 ] && printf '%s\n' "$said" | grep -q -e "$pattern"
}

starts() {
	configure "$conf" "$instance" "$port"
	says "instance '$instance' is running" run/ontime start --config "$conf" --gso off
}

wrong_commands() {
	fails_with 2 'lod: no such command; did you mean load' run/ontime lod && fails_with 2 'no such command' run/ontime ../stop &&
		fails_with 2 'no such command' run/ontime help nothing && fails_with 2 'unknown option' run/ontime --nonsense && says 'usage: ontime COMMAND' run/ontime
}

helps() {
	awk '$1 == "command" {print $2}' run/options/ontime.options | while read -r command; do
		[ "$(run/ontime help "$command" | sed -n 's/^usage: ontime \([a-z]*\).*/\1/p')" = "$command" ] || { echo "$command" && exit 1; }
	done
}

only_one_is_meant() { # without -i
	says "instance '$instance', supervisor" run/ontime status && [ "$(run/ontime status --pid=egress)" = "$(run/ontime status --pid egress -i "$instance")" ] &&
		says "^instance = $instance\$" run/ontime config && says 'policy = edf$' run/ontime config && says '^gso = off$' run/ontime config
}

what_runs_is_named() {
	fails_with 1 "'nobody' is not running.*here run: '$instance'" run/ontime top --once -i nobody && fails_with 1 "here run: '$instance'" run/ontime status -i nobody &&
		fails_with 1 "here run: '$instance'" run/ontime restart edf -i nobody && fails_with 1 "here run: '$instance'" run/ontime reload -i nobody
}

carries() {
	run/ontime load -i "$instance" --rate=2000 --seconds 0.5 --json >"$work/load" && [ "$(jq '[.flows[].sent] | add' "$work/load")" = 1000 ] &&
		[ "$(jq '[.flows[].not_delivered] | add' "$work/load")" = 0 ] && says '^balanced$' run/ontime top --once -i "$instance"
}

restarts() {
	was=$(run/ontime status --pid edf)
	says 'edf restarted' run/ontime restart edf && [ "$(run/ontime status --pid edf)" != "$was" ] && fails_with 2 'which stage' run/ontime restart
}

reload_says() { # STATUS PATTERN
	said=$(run/ontime reload -i "$instance" 2>&1) && got=0 || got=$?
	printf '%s (status %s)\n' "$said" "$got"
	[ "$got" = "$1" ] && printf '%s\n' "$said" | grep -q -e "$2"
}

reloads() { # in force, again, only with a relaunch, refused
	sed -i 's/^budget = 200ms/budget = 150ms/' "$conf"
	reload_says 0 'ontime: high.budget: 200ms -> 150ms' && says 'budget = 150ms' run/ontime config && reload_says 0 'no value differs' || return 1
	cp "$conf" "$work/good"
	sed -i 's/^budget = 150ms/budget = 140ms/; s/^payload_bytes = .*/payload_bytes = 1000B/' "$conf"
	reload_says 3 'payload_bytes: .* (needs a relaunch)' || return 1
	sed -i 's/^payload_bytes = .*/payload_bytes = much/' "$conf"
	reload_says 2 'payload_bytes = "much"' && says 'budget = 150ms' run/ontime config && mv "$work/good" "$conf"
}

several_are_listed() {
	configure "$work/two.conf" "${instance}b" $((port + 1000))
	run/ontime start -c "$work/two.conf" >/dev/null || return 1
	[ "$(run/ontime list --names)" = "$instance
${instance}b" ] && says "instance '${instance}b', 3 of 3 stages ready" run/ontime list && says "instance '$instance', 3 of 3" run/ontime status &&
		fails_with 2 "several instances run, say which with -i: $instance ${instance}b" run/ontime config &&
		fails_with 2 'say which with -i' run/ontime status --pid edf && run/ontime stop -c "$work/two.conf" >/dev/null
}

versions() { # of a stage that runs another build than the installed one: a copy of it with a byte more
	says '^ontime [0-9]' run/ontime version && says "'$instance', egress (pid [0-9]*): as installed" run/ontime version -i "$instance" || return 1
	mkdir "$work/build"
	ln -s "$ONTIME_BUILD"/* "$work/build"
	rm "$work/build/egress"
	cp "$ONTIME_BUILD/egress" "$work/build/egress"
	echo >>"$work/build/egress"
	ONTIME_BUILD=$work/build says "egress (pid [0-9]*): ontime [0-9].*, another build than installed" run/ontime version --instance="$instance"
}

records() {
	(cd "$work" && exec timeout 5 "$OLDPWD/run/ontime" record --interval 0.1 -i "$instance" incident) >/dev/null &
	recorder=$!
	eventually grep -qs '"instance"' "$work/incident" || return 1
	kill "$recorder"
	wait "$recorder" || true
	jq -e .classes "$work/incident" >/dev/null
}

serves() {
	[ -x "$ONTIME_BUILD/dash" ] || return 0
	run/ontime dash -i "$instance" --listen=127.0.0.1:$((port + 9)) 2>/dev/null &
	dash=$!
	eventually curl -fsS "http://127.0.0.1:$((port + 9))/ready" && status=0 || status=1
	kill "$dash"
	wait "$dash" && [ "$status" = 0 ] && dash=
}

checks_and_simulates() {
	says 'the config is right' run/ontime check -i "$instance" && says 'the config is right' run/ontime check -c "$conf" --high.budget 3ms &&
		printf 'arrival_ns,class,bytes,service_ns\n0,high,100,1000\n' >"$work/trace" && says '^high' run/ontime simulate -i "$instance" "$work/trace"
}

has_recipes() { # each of which check accepts
	for name in $(run/ontime recipe --names); do
		says "^$name  *[A-Za-z]" run/ontime recipe && run/ontime recipe "$name" >"$work/recipe" && run/ontime check -c "$work/recipe" >/dev/null &&
			says '^# ' run/ontime recipe "$name" --page || return 1
	done
	[ "$name" = voice ] && fails_with 2 'did you mean games' run/ontime recipe game
}

has_keys() {
	run/ontime options >"$work/keys" && [ "$(wc -l <"$work/keys")" -gt 25 ] && grep -q 'CLASS.budget=' "$work/keys"
}

demonstrates() {
	run/ontime demo --rate 2000 --seconds 2 >"$work/demo" 2>&1 || { cat "$work/demo" && return 1; }
	cat "$work/demo"
	grep -q 'egress, pid [0-9]*, was killed' "$work/demo" && grep -q 'sent 4000, arrived 4000: lost 0, twice 0, out of order 0, changed 0' "$work/demo" &&
		[ "$(wc -l <"$work/demo")" = 5 ] && [ "$(run/ontime list --names)" = "$instance" ] && [ -z "$(find "$ONTIME_RUN_DIR" -name "demo*")" ]
}

stops() {
	says "instance '$instance' is stopped" run/ontime stop -i "$instance" && fails_with 1 'no instance runs here' run/ontime list &&
		fails_with 1 'is not running; run/launch.sh starts it$' run/ontime status
}

check "a wrong command is one line with the nearest, none is the help" wrong_commands
check "each command has its help" helps
check "ontime start" starts
check "without -i the only instance is meant, and config shows its keys" only_one_is_meant
check "what is not running says what runs" what_runs_is_named
check "ontime load and top, of the instance" carries
check "ontime restart" restarts
check "ontime reload: 0 in force, 3 needs a relaunch, 2 refused, and what differs" reloads
check "several are listed, and have to be named" several_are_listed
check "ontime version knows a stage of another build" versions
check "ontime record" records
check "ontime dash" serves
check "ontime check and simulate, of an instance and a config" checks_and_simulates
check "ontime recipe" has_recipes
check "ontime options" has_keys
check "ontime demo loses nothing, says so in four lines, and leaves nothing" demonstrates
check "ontime stop, and then nothing runs" stops
verdict ontime

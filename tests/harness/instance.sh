# shellcheck shell=sh disable=SC2034,SC2154
# instance.sh - what the scripts share that run an instance of their own: namespaces, directories, ports, a config, and the end of it.
# Sourced, from the top.

# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh

own_namespaces() { # WHAT FLAGS SCRIPT ARGS...: the script again, in such namespaces; where they take root it is skipped, and WHAT with it
	what=$1
	flags=$2
	shift 2
	[ "${ONTIME_NAMESPACES_OF:-}" != "$1" ] || return 0
	# shellcheck disable=SC2086 # several flags
	unshare $flags true 2>/dev/null || {
		echo "skip $what: namespaces need root"
		exit 77
	}
	# shellcheck disable=SC2086
	ONTIME_NAMESPACES_OF=$1 exec unshare $flags "$@"
}

at_end() { :; } # a script may define its own: what else to end, before the instance

end_instance() { # whatever has failed
	at_end || true
	run/stop.sh -i "$instance" >/dev/null 2>&1 || true
	rm -rf "$work"
}

own_instance() { # NAME [HISTOGRAMS]: a directory $work, which goes with the script, and an instance $instance, which is stopped then
	work=$(mktemp -d)
	trap end_instance EXIT
	trap 'exit 130' INT TERM
	instance=$1$$
	conf=$work/test.conf
	ONTIME_RUN_DIR=$work/run
	ONTIME_BUILD=${ONTIME_BUILD:-build}
	ONTIME_HISTOGRAMS=${2:-off}
	export ONTIME_RUN_DIR ONTIME_BUILD ONTIME_HISTOGRAMS
	dir=$ONTIME_RUN_DIR/$instance
	log=$dir/log
	listen=$((10000 + $$ % 1000 * 10)) # the ports are this run's own, so that two runs on one machine do not meet
	send=$((listen + 10000))
}

own_config() { # FILE [SED-SCRIPT]: as $conf, with the name of the instance and its ports
	sed "s/^instance = .*/instance = $instance/; s/127\.0\.0\.1:808/127.0.0.1:${listen%0}/; s/127\.0\.0\.1:908/127.0.0.1:${send%0}/; ${2:-}" \
		"$1" >"$conf"
}

on_failure() {
	tail -n 10 "${log-}" 2>/dev/null || true
}

pid_of() { # STAGE: alive or not
	"$ONTIME_BUILD/hold" --stages -i "$instance" | sed -n "s/^$1 \([0-9]*\) .*/\1/p"
}

live_pid_of() { # STAGE: nothing, if it is not alive
	"$ONTIME_BUILD/hold" --stages -i "$instance" | sed -n "s/^$1 \([0-9]*\) .* 1$/\1/p"
}

ready() { # all three, and alive
	[ "$("$ONTIME_BUILD/hold" --stages -i "$instance" 2>/dev/null | grep -c ' ready .* 1$')" = 3 ]
}

account() { # FILTER: what the account says
	"$ONTIME_BUILD/stat" -i "$instance" --json | jq -rc "$1"
}

begin() { # COMMAND...: a server or a client, until end_all or the end of itself; its pid is $begun
	"$@" >>"$work/server" 2>&1 </dev/null &
	begun=$!
	echo "$begun" >>"$work/pids"
}

end_all() {
	[ -e "$work/pids" ] || return 0
	while read -r pid; do
		end_process "$pid" || true
	done <"$work/pids"
	rm -f "$work/pids"
}

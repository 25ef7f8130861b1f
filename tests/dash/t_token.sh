#!/bin/sh
# t_token.sh - a dashboard that asks for a token: who has none learns how to have one, and nothing else; by a header, by the address, by a
# cookie; a file that is no good is refused; and it is shut in.
set -eu
cd "$(dirname "$0")/../.."
name=token
# shellcheck source=tests/dash/lib.sh
. tests/dash/lib.sh
own_config run/ontime.conf
if reason=$(without_dash); then
	skip "a token is asked for" "$reason"
	verdict
	exit 77
fi
token=0123456789abcdef.-_~
secret=$work/secret
umask 077
echo "$token" >"$secret"

ask() { # PATH [CURL-OPTION]...: the status, then what was answered
	path=$1
	shift
	curl -s -o "$work/body" -D "$work/headers" -w '%{http_code}\n' "$@" "http://127.0.0.1:$port$path"
}

gets() { # STATUS PATH [CURL-OPTION]...
	want=$1
	shift
	got=$(ask "$@")
	[ "$got" = "$want" ] || { echo "$*: $got, wanted $want" && cat "$work/headers" && return 1; }
}

each_address_asks() {
	for path in / /metrics /events /healthz /counters.js /page.js /uPlot.js /nothing '/?instance=x' '/metrics?token=' '/?token=0123456789abcdef.-_'; do
		gets 401 "$path" || return 1
		grep -qi '^www-authenticate: Bearer' "$work/headers" && grep -q 'token=TOKEN once; a program sends the header Authorization: Bearer TOKEN' "$work/body" || return 1
	done
	gets 401 / -I
}

near_ones_are_refused() { # a letter more, one less, another; another scheme; another cookie
	for word in "${token}x" "${token%?}" "x${token#0}" "" "$token $token"; do
		gets 401 /metrics -H "Authorization: Bearer $word" && gets 401 /metrics -H "Cookie: ontime-$port=$word" || return 1
	done
	gets 401 /metrics -H "Authorization: Basic $token" && gets 401 /metrics -H "Authorization: $token" && gets 401 /metrics -H "Cookie: ontime-1=$token"
}

probes_are_answered() {
	gets 200 /live && { gets 200 /ready || gets 503 /ready; }
}

a_header_opens() {
	gets 200 /metrics -H "Authorization: Bearer $token" && grep -q '^ontime_' "$work/body" && gets 200 / -H "authorization: bearer $token" && gets 204 / -X OPTIONS
}

an_address_becomes_a_cookie() { # and goes on without it
	gets 303 "/?token=$token&instance=$instance" && grep -qi "^location: /?instance=$instance.\{0,1\}\$" "$work/headers" &&
		grep -qi "^set-cookie: ontime-$port=$token; Path=/; HttpOnly; SameSite=Strict" "$work/headers" && ! grep "$token" "$work/body" || return 1
	gets 200 /metrics -H "Cookie: other=1; ontime-$port=$token" && gets 303 "/%5Cevil.example/?token=$token" && grep -qi '^location: /.\{0,1\}$' "$work/headers" &&
		gets 303 "//evil.example/?token=$token" && grep -qi '^location: /.\{0,1\}$' "$work/headers"
}

answers_are_dressed() { # a refusal too
	for options in '' "-H Cookie:ontime-$port=$token"; do
		# shellcheck disable=SC2086 # two words, or none
		ask / $options >/dev/null
		for header in "content-security-policy: default-src 'none'; script-src 'self'.*frame-ancestors 'none'" 'x-content-type-options: nosniff' 'x-frame-options: DENY' \
			'referrer-policy: no-referrer' 'cross-origin-opener-policy: same-origin' 'cross-origin-resource-policy: same-origin' 'cache-control: no-store'; do
			grep -qi "^$header" "$work/headers" || { echo "no $header" && return 1; }
		done
	done
}

is_shut_in() {
	grep -E '^(Seccomp|NoNewPrivs|CapEff)' "/proc/$dash/status"
	grep -qE '^Seccomp:.2$' "/proc/$dash/status" && grep -qE '^NoNewPrivs:.1$' "/proc/$dash/status" && gets 200 /metrics -H "Authorization: Bearer $token"
}

refuses_file() { # PATTERN: one line, and nothing is served
	text=$(timeout 5 "$ONTIME_BUILD/dash" -i "$instance" --listen "127.0.0.1:$((port + 2))" --token "$work/bad" 2>&1) && status=0 || status=$?
	echo "$text (status $status)"
	[ "$status" = 1 ] && [ "$(printf '%s\n' "$text" | wc -l)" = 1 ] && printf '%s\n' "$text" | grep -q "$1"
}

bad_files_are_refused() {
	refuses_file 'No such file' || return 1
	echo short >"$work/bad" && refuses_file 'no word of 16 to 256' || return 1
	printf '%s more\n' "$token" >"$work/bad" && refuses_file 'no word of 16 to 256' || return 1
	printf '%0257d\n' 0 >"$work/bad" && refuses_file 'no word of 16 to 256' || return 1
	cp "$secret" "$work/bad" && chmod 644 "$work/bad" && refuses_file 'others may read or write it' || return 1
	chmod 620 "$work/bad" && refuses_file 'others may read or write it' || return 1
	rm "$work/bad" && mkfifo "$work/bad" && refuses_file 'no regular file' && rm "$work/bad"
}

comes_with_the_instance() { # and a reload takes another file, or none
	sed "s|^\[class high\]|[dash]\nlisten = 127.0.0.1:$port\ntoken = $secret\n&|" "$conf" >"$work/with.conf"
	timeout 20 "$ONTIME_BUILD/dash" -i "$instance" --listen "127.0.0.1:$((port + 3))" 2>"$work/early" & # which knows of no token yet
	early=$!
	run/launch.sh -c "$work/with.conf" && eventually gets 401 /metrics && gets 200 /metrics -H "Authorization: Bearer $token" || return 1
	wait "$early" && return 1 || [ $? = 1 ] || return 1
	grep 'asks for a token' "$work/early" || return 1
	sed -i '/^token/d' "$work/with.conf" && run/reload.sh -i "$instance" && eventually gets 200 /metrics
}

if ! command -v curl >/dev/null; then
	skip "a token is asked for" "curl is missing"
	verdict
	exit 77
fi
start_dash --interval 0.1 --token "$secret" || failed=$((failed + 1))
check "each address asks for the token, and says how it is given" each_address_asks
check "what is nearly it is refused" near_ones_are_refused
check "load balancers are answered without" probes_are_answered
check "a header opens it" a_header_opens
check "an address becomes a cookie, and leads nowhere else" an_address_becomes_a_cookie
check "each answer has its headers" answers_are_dressed
check "a file that is no good is refused" bad_files_are_refused
check "it is shut in" is_shut_in
kill "$dash"
wait "$dash" || true
check "with the instance it comes, and with a reload it goes" comes_with_the_instance
verdict "$name"

# shellcheck shell=sh disable=SC2034
# unpacked.sh - programs of Debian's packages that a test runs without installing them, since an installation would start them as services.
# Sourced, from the top, before own_namespaces: packages come from the network, once.
unpacked=$PWD/build/unpacked

unpack() { # PROGRAM PACKAGE...: it is found by its name from now on, if it can be had
	! command -v "$1" >/dev/null || return 0
	if [ ! -e "$unpacked/usr/sbin/$1" ]; then
		rm -rf "$unpacked/debs" && mkdir -p "$unpacked/debs" || return 0
		program=$1
		shift
		(cd "$unpacked/debs" && apt-get -qq -o APT::Sandbox::User=root download "$@" >/dev/null 2>&1) || return 0
		for package in "$unpacked"/debs/*.deb; do
			dpkg-deb -x "$package" "$unpacked"
		done
		set -- "$program"
	fi
	[ ! -x "$unpacked/usr/sbin/$1" ] || PATH=$PATH:$unpacked/usr/sbin
	for directory in "$unpacked"/usr/lib/*-linux-gnu*; do
		[ ! -d "$directory" ] || LD_LIBRARY_PATH=$directory${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
	done
	export PATH ${LD_LIBRARY_PATH:+LD_LIBRARY_PATH}
}

rsyslogd_finds_its_modules() { # with these options, in $rsyslogd_options
	rsyslogd_options=
	for directory in "$unpacked"/usr/lib/*-linux-gnu*/rsyslog; do
		[ ! -e "$directory" ] || rsyslogd_options="-M $directory"
	done
}

# names.awk -v known=FILE -v files=FILE - of what split.awk prints: each function name() and each path that a text names and that is not there.
# known: names of others that a text may name: functions of the C library, kernel and so on, and files that are not ours.
BEGIN {
	while ((getline line <known) > 0)
		if (line !~ /^#/)
			there[line]
	while ((getline line <files) > 0) {
		sub(/^\.\//, "", line)
		for (part = line; ; sub(/^[^\/]*\//, "", part)) { # a file may be named by any end of its path, a folder by its whole
			is_file[part]
			if (part !~ /\//)
				break
		}
		for (part = line; sub(/\/[^\/]*$/, "", part); )
			is_file[part]
		part = line
		if (sub(/^run\/options\//, "options/", part) && sub(/\.options$/, ".h", part)) # made of it
			is_file[part]
		if (line ~ /^(run|tests)\/.*\.c$/ || line ~ /^edf\/plugins\//) {
			part = line
			sub(/.*\//, "", part)
			sub(/\.c$/, "", part)
			built[(line ~ /^tests/ ? "tests/" : line ~ /^edf/ ? "plugins/" : "") part]
		}
	}
	for (stage = 1; stage <= split("ingress edf egress", stages, " "); stage++)
		built[stages[stage]]
	FS = "\t"
}

function exists(path) {
	sub(/[.,:]+$/, "", path)
	sub(/\/$/, "", path)
	if (path in is_file || path in there)
		return 1
	if (path !~ /^build\//)
		return 0
	sub(/^build\//, "", path)
	sub(/\.(so|bpf\.o)$/, "", path)
	sub(/^(san-[a-z-]*|mutant|no-probes|coverage|aarch64)(\/|$)/, "", path)
	return path == "" || path == "tests" || path == "plugins" || path == "tests/plugins" || path == "obj" || path in built || path in there
}

$1 == "code" {
	text = $3
	while (match(text, /[A-Za-z_][A-Za-z_0-9]*[ ]?\(/)) {
		name = substr(text, RSTART, RLENGTH)
		sub(/ ?\($/, "", name)
		there[name]
		text = substr(text, RSTART + RLENGTH)
	}
	next
}

{
	said[++n_said] = $2 "\t" $3
}

END {
	for (i = 1; i <= n_said; i++) {
		split(said[i], where, "\t")
		text = where[2]
		while (match(text, /[A-Za-z_][A-Za-z_0-9]*\(\)/)) {
			name = substr(text, RSTART, RLENGTH - 2)
			if (substr(text, RSTART - 1, 1) !~ /[.$]/ && name ~ /[a-z]/ && !(name in there))
				print where[1] " names " name "(), which is not there"
			text = substr(text, RSTART + RLENGTH)
		}
		text = where[2]
		while (match(text, /[A-Za-z0-9_.\/@*<>{}$%~-]+/)) {
			name = substr(text, RSTART, RLENGTH)
			before = substr(text, RSTART - 1, 1)
			text = substr(text, RSTART + RLENGTH)
			if (name ~ /[*<>{}$%@~]/ || name ~ /(^|\/)[A-Z][A-Z]+(\.[a-z]*)?(\/|$)/ || name ~ /^\// || before == "\\" || name ~ /^\.\.?\//)
				continue
			if (name ~ /^(common|ingress|edf|egress|run|tests|build|\.ci)\/[A-Za-z0-9_]/ || name ~ /^[a-z0-9_\/-]*[a-z0-9_]\.([ch]|bpf\.c|sh|js|awk|conf|md)[.,:]*$/)
				if (!exists(name))
					print where[1] " names " name ", which is not there"
		}
	}
}

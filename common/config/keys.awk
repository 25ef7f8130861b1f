# keys.awk keys.txt units.h value.c table.c config.c [PAGE.in] - the list of keys for people, read off the parser's own sources, so that it
# cannot say anything else than the parser takes; nothing that is built has to run.
#
# With a page: that page, a line `.\" @KEYS NAME@` of it replaced by the keys of pipeline, dash or class as a list, or by the text of
# `@ NAME` in keys.txt. Without: a configuration that sets every key to its default, each below its text. The units come from value.c, the
# rows from table.c, the default classes from config.c, the texts from keys.txt.

function quoted(text, out,    n) { # the strings in `text`, into out[1..n]
	for (n = 0; match(text, /"[^"]*"/); text = substr(text, RSTART + RLENGTH))
		out[++n] = substr(text, RSTART + 1, RLENGTH - 2)
	return n
}

function field(row, name) { # .name = WORD of a row, without quotes
	if (!match(row, "[.]" name " = (\"[^\"]*\"|[^,}]*)"))
		return ""
	row = substr(row, RSTART + length(name) + 4, RLENGTH - length(name) - 4)
	gsub(/^["& ]+|[" ]+$/, "", row)
	return row
}

function number(text,    n, factors, i, product) { # "3600 * NS_PER_S"
	product = 1
	gsub(/[() ]/, "", text)
	n = split(text, factors, "*")
	for (i = 1; i <= n; i++) {
		sub(/ULL$/, "", factors[i])
		product *= factors[i] in constant ? constant[factors[i]] : factors[i] + 0
	}
	return n ? product : 0
}

function learn_units(kind, text,    names, n, pair, at) { # { "us", NS_PER_US }, ..
	while (match(text, /[{] "[^"]*", [A-Z0-9_a-z* ]+ [}]/)) {
		pair = substr(text, RSTART + 2, RLENGTH - 4)
		text = substr(text, RSTART + RLENGTH)
		n = ++n_units[kind]
		split(pair, at, ", ")
		quoted(at[1], names)
		unit[kind, n] = names[1]
		scale[kind, n] = number(at[2])
	}
}

function quantity(kind, value, step,    i, best) { # as format_quantity() in value.c does
	best = 1
	for (i = 1; i <= n_units[kind]; i++)
		if (value ? value % scale[kind, i] == 0 : scale[kind, i] <= step)
			best = i
	return sprintf("%.0f%s", value / scale[kind, best], unit[kind, best])
}

function range_of(row,    kind, words, n, i, text, step) {
	kind = field(row, "kind")
	step = number(field(row, "step"))
	if (field(row, "accepts") != "")
		return field(row, "accepts")
	if (match(row, /WORDS\([^)]*\)/)) {
		n = quoted(substr(row, RSTART, RLENGTH), words)
		for (i = 1; i <= n; i++)
			text = text (i > 1 ? "|" : "") words[i]
		return text
	}
	text = field(row, "word")
	return (text == "" ? "" : text "|") quantity(kind, number(field(row, "min")), step ? step : 1) ".." \
		quantity(kind, number(field(row, "max")), step ? step : 1)
}

function take_row(row,    at, strings) {
	at = ++n_rows
	match(row, /(PIPELINE|DASH|CLASS)\("/)
	scope_of[at] = tolower(substr(row, RSTART, RLENGTH - 2))
	quoted(row, strings)
	key[at] = strings[1]
	range[at] = range_of(row)
	standard[at] = field(row, "standard")
	change[at] = field(row, "change")
}

function in_force(at) {
	if (change[at] == "CHANGE_RELOAD")
		return "A reload takes it."
	if (change[at] == "CHANGE_COPYING")
		return "A reload takes it, unless one of the two is `copy`: that needs a relaunch."
	if (change[at] == "CHANGE_LIMIT")
		return "A reload takes it, but for off."
	return change[at] == "CHANGE_LANE" ? "A reload takes it as long as the slots stay." : "Another value needs a relaunch."
}

function default_of(at) {
	return standard[at] != "" ? "Default " standard[at] "." : scope_of[at] == "class" ? "No default: it must be given." : "No default."
}

function say_mdoc(name,    n, lines, i, parts, j) { # a sentence to a line; `...` in bold
	n = split(text_of[name], lines, "\n\n")
	for (i = 1; i <= n; i++) {
		if (i > 1)
			print ".Pp"
		gsub(/\n/, " ", lines[i])
		gsub(/\\/, "\\e", lines[i])
		gsub(/[.] /, ".\n", lines[i])
		for (j = 0; sub(/`/, j % 2 ? "\\fR" : "\\fB", lines[i]); j++)
			;
		gsub(/\n[.]/, "\n\\\\\\&.", lines[i])
		print lines[i]
	}
}

function print_mdoc(scope,    i) {
	if (scope != "pipeline" && scope != "dash" && scope != "class") {
		say_mdoc(scope)
		return
	}
	print ".Bl -tag -width Ds"
	for (i = 1; i <= n_rows; i++) {
		if (scope_of[i] != scope)
			continue
		print ".It Cm " key[i] " = Ar " range[i]
		print default_of(i) "\n" in_force(i) "\n.Pp"
		say_mdoc(scope " " key[i])
	}
	print ".El"
}

function say_comment(text,    words, n, i, line) { # filled to 118 columns
	gsub(/\n\n/, " \001 ", text)
	gsub(/\n/, " ", text)
	gsub(/`/, "", text)
	n = split(text, words, " ")
	for (i = 1; i <= n + 1; i++) {
		if (i > n || words[i] == "\001" || length(line " " words[i]) > 116) {
			print ";" line
			if (words[i] == "\001")
				print ";"
			line = i > n || words[i] == "\001" ? "" : " " words[i]
		} else {
			line = line " " words[i]
		}
	}
}

function say_row(i) {
	print "; " range[i] ". " default_of(i) " " in_force(i)
	say_comment(text_of[scope_of[i] " " key[i]])
}

function print_conf(    i, c) {
	say_comment("full.conf - every key with its range, default and reason, for reading and copying. As it stands it sets each to its default, as " \
		    "an empty file would. The file to begin with is run/ontime.conf, or /etc/ontime/ontime.conf once installed.\n\n" text_of["file"])
	print "\n[pipeline]"
	for (i = 1; i <= n_rows; i++)
		if (scope_of[i] == "pipeline") {
			say_row(i)
			print key[i] " = " standard[i] "\n"
		}
	say_comment(text_of["hosts"] "\n\n" text_of["dashboard"])
	print ";\n; [dash]"
	for (i = 1; i <= n_rows; i++)
		if (scope_of[i] == "dash") {
			say_row(i)
			print "; " key[i] " =\n;"
		}
	say_comment(text_of["classes"])
	for (i = 1; i <= n_rows; i++)
		if (scope_of[i] == "class") {
			print ";\n; " key[i] " ="
			say_row(i)
		}
	for (c = 1; c <= n_classes; c++) {
		print "\n[class " class[c, "name"] "]"
		for (i = 1; i <= n_rows; i++)
			if (scope_of[i] == "class" && (c, key[i]) in class)
				print key[i] " = " class[c, key[i]]
			else if (scope_of[i] == "class" && standard[i] != "")
				print key[i] " = " standard[i]
	}
}

BEGIN { constant["KIB"] = 1024 }
{ file = FILENAME; sub(/.*\//, "", file) }
file ~ /\.in$/ { page[++n_lines] = $0; next }
file ~ /\.h$/ && /^#define [A-Z_]+ / { constant[$2] = number(substr($0, index($0, $3))) }

file == "keys.txt" && /^#/ { next }
file == "keys.txt" && /^@ / {
	name = substr($0, 3)
	next
}
file == "keys.txt" && name != "" {
	if ($0 == "")
		blank = "\n"
	else {
		text_of[name] = text_of[name] (text_of[name] == "" ? "" : "\n" blank) $0
		blank = ""
	}
}

file == "value.c" && /^#define TIMES/ { macro = 1 }
file == "value.c" && /^const struct kind / { kind_text = ""; in_kind = 1 }
file == "value.c" && macro { times = times " " $0; macro = /\\$/ }
file == "value.c" && in_kind {
	kind_text = kind_text " " $0
	if (/;$/) {
		in_kind = 0
		match(kind_text, /kind_[a-z]+/)
		learn_units(substr(kind_text, RSTART, RLENGTH), kind_text ~ /TIMES/ ? times : kind_text)
	}
}

file == "table.c" && /^const struct option options\[\]/ { in_table = 1; next }
file == "table.c" && /^};/ { in_table = 0 }
file == "table.c" && in_table && NF {
	sub(/^[ \t]+/, "")
	row = row (row == "" ? "" : " ") $0
	braces = row
	if (gsub(/[{]/, "", braces) == gsub(/[}]/, "", braces)) {
		take_row(row)
		row = ""
	}
}

file == "config.c" && /^\t[{] "[a-z]+", "/ && quoted($0, strings) == 5 {
	n_classes++
	class[n_classes, "name"] = strings[1]
	class[n_classes, "budget"] = strings[2]
	class[n_classes, "listen"] = strings[3]
	class[n_classes, "send"] = strings[4]
	class[n_classes, "ingress_quantum"] = class[n_classes, "egress_quantum"] = strings[5]
}

END {
	for (i = 1; i <= n_rows; i++)
		if (!((scope_of[i] " " key[i]) in text_of)) {
			print "keys.txt: nothing is said of " scope_of[i] " " key[i] >"/dev/stderr"
			exit 1
		}
	for (i = 1; i <= n_lines; i++)
		if (match(page[i], /@KEYS [a-z]+@/))
			print_mdoc(substr(page[i], RSTART + 6, RLENGTH - 7))
		else
			print page[i]
	if (!n_lines)
		print_conf()
}

# wrap.awk - breaks comment lines of more than 120 columns: the rest goes to the next line if that goes on in the same column, else to a
# line of its own. A comment behind code that makes its line too wide goes above it. Nothing else is touched.
function width(s,    i, w) {
	for (i = 1; i <= length(s); i++)
		w += substr(s, i, 1) == "\t" ? 8 - w % 8 : 1
	return w + 0
}

function blanks(n,    s) {
	while (n-- > 0)
		s = s " "
	return s
}

# The last place to break at that leaves at most 120 columns, behind the first `from` characters; 0: none.
function break_at(s, from,    i, w, at) {
	for (i = 1; i <= length(s) && w <= 120; i++) {
		if (substr(s, i, 1) == " " && i > from && substr(s, i + 1) !~ /^ *\*\/$/)
			at = i
		w += substr(s, i, 1) == "\t" ? 8 - w % 8 : 1
	}
	return at
}

# What the next line of a comment begins with: the column of its text, behind a label or the first column of a table.
function hanging(s,    lead, text) {
	match(s, /^[ \t]*\*[ ]*/)
	lead = substr(s, 1, RLENGTH)
	text = substr(s, RLENGTH + 1)
	if (match(text, /^[^ ]+( [^ ]+)?( [^ ]+)?  +/))
		return lead blanks(RLENGTH)
	return lead
}

function insert(at, s,    i) {
	for (i = ++n; i > at; i--)
		line[i] = line[i - 1]
	line[at] = s
}

function widen(i,    at, lead, rest, next_lead, next_text) {
	lead = hanging(line[i])
	at = break_at(line[i], length(lead))
	if (!at)
		return 0
	rest = substr(line[i], at + 1)
	line[i] = substr(line[i], 1, at - 1)
	match(line[i + 1], /^[ \t]*\*[ ]*/)
	next_lead = substr(line[i + 1], 1, RLENGTH)
	next_text = substr(line[i + 1], RLENGTH + 1)
	if (rest !~ /\*\/$/ && rest !~ /[.:]$/ && next_lead == lead && next_text ~ /^([^\/ -]|\/.)/ && hanging(line[i + 1]) == lead)
		line[i + 1] = lead rest " " next_text
	else
		insert(i + 1, lead rest)
	return 1
}

# The rest of a comment whose lines begin with blanks only.
function star(i, indent) {
	for (; i <= n && line[i] !~ /^[ \t]*\*/; i++) {
		sub(/^[ \t]*/, indent " * ", line[i])
		if (sub(/ *\*\/$/, "", line[i])) {
			insert(i + 1, indent " */")
			return
		}
	}
}

{ line[++n] = $0 }

END {
	for (i = 1; i <= n; i++) {
		if (width(line[i]) <= 120)
			continue
		if (line[i] ~ /^[ \t]*\* /) {
			widen(i)
		} else if (line[i] ~ /^[ \t]*\/\* / && line[i] !~ /\*\//) {
			match(line[i], /^[ \t]*/)
			text = substr(line[i], RLENGTH + 3)
			line[i] = substr(line[i], 1, RLENGTH) "/*"
			insert(i + 1, substr(line[i], 1, RLENGTH) " *" text)
			star(i + 2, substr(line[i], 1, RLENGTH))
		} else if (line[i] ~ /^[ \t]*\/\* .*\*\/$/) {
			match(line[i], /^[ \t]*/)
			indent = substr(line[i], 1, RLENGTH)
			text = substr(line[i], RLENGTH + 4)
			sub(/ *\*\/$/, "", text)
			line[i] = indent "/*"
			insert(i + 1, indent " * " text)
			insert(i + 2, indent " */")
		} else if (match(line[i], /[ \t]*\/\* [^"]*\*\/$/) && line[i] !~ /^[ \t]*[}]/ && line[i - 1] !~ /\\$/) {
			text = substr(line[i], RSTART)
			line[i] = substr(line[i], 1, RSTART - 1)
			sub(/^[ \t]*/, "", text)
			match(line[i], /^[ \t]*/)
			insert(i, substr(line[i], 1, RLENGTH) text)
			i--
		}
	}
	for (i = 1; i <= n; i++)
		print line[i]
}

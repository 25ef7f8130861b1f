# mutants.awk - lists the mutants of a C file, one a line: number of the line, function, what was done, the new line; separated by tabs.
#
# usage: awk -f mutants.awk FILE
#
# What was done is counted where the same is done more than once to lines of the same text in a function: the second is "... #2".
# Only what is in a function changes, and no comment, no text, no assertion, no length of an array. What does not compile is for the caller to
# notice. Two are not made, since they never change anything: another comparison at the edge where both sides are equal and one of them is the
# result (a minimum, a maximum, a clamp); and another number that is true where a 1 is only asked whether it is.

function emit(what, text) {
	gsub(/^ +| +$/, "", what)
	gsub(/  +/, " ", what)
	if (n_of[what, code_text]++)
		what = what " #" n_of[what, code_text]
	print at_line "\t" name "\t" what "\t" text
}

# Columns `from` to `to` - 1 of the line become `new`.
function change(what, from, to, new) {
	emit(what, substr(line, 1, from - 1) new substr(line, to))
}

function swap(old, new,    from, rest) {
	for (from = 1; (rest = index(substr(code, from), old)) > 0; from += length(old)) {
		from += rest - 1
		change(old " -> " new, from, from + length(old), new)
	}
}

# Does an operator of 2 or 3 letters between blanks, at `from`, compare what a ternary, or the next line, chooses between?
function is_choice(from, length_of,    before, after, at, right, one, other, parts) {
	before = substr(code, 1, from - 1)
	after = substr(code, from + length_of)
	if (match(code, /^[ \t]*if \(.*\)$/) && split(next_code, parts, " = ") == 2) {
		sub(/^[ \t]*if \(/, "", before)
		sub(/\)$/, "", after)
		sub(/^[ \t]+/, "", parts[1])
		sub(/;$/, "", parts[2])
		return before == parts[1] && after == parts[2] || before == parts[2] && after == parts[1]
	}
	if ((at = index(after, " ? ")) == 0)
		return 0
	right = substr(after, 1, at - 1)
	one = substr(after, at + 3)
	other = substr(one, index(one, " : ") + 3)
	one = substr(one, 1, index(one, " : ") - 1)
	if (one == right)
		sub(/[;,)].*$/, "", other)
	else if (substr(other, 1, length(right)) == right)
		other = one
	else
		return 0
	return substr(before, length(before) - length(other) + 1) == other
}

function compare(old, edge, opposite,    from, rest) {
	for (from = 1; (rest = index(substr(code, from), old)) > 0; from += length(old)) {
		from += rest - 1
		if (!is_choice(from, length(old)))
			change(old " -> " edge, from, from + length(old), edge)
		change(old " -> " opposite, from, from + length(old), opposite)
	}
}

# Each whole number is one more, and a 1 is a 0.
function count(    from, number, rest) {
	for (from = 1; match(substr(code, from), /(^|[^A-Za-z0-9_.])(0x[0-9a-f]+|[0-9]+)(U|LL|ULL|u)?([^A-Za-z0-9_.]|$)/); from += length(number)) {
		from += RSTART - 1
		if (substr(code, from, 1) !~ /[0-9]/)
			from++
		match(substr(code, from), /^[0-9a-fA-FxUuL]+/)
		number = substr(code, from, RLENGTH)
		rest = from + RLENGTH
		if (number ~ /^1[UuL]*$/)
			change(number " -> 0", from, rest, "0")
		if (number !~ /^1/ || code !~ /( = |return )1;$/)
			change(number " + 1", from, rest, number ~ /^0[UuL]*$/ ? "1" : "(" number " + 1)")
	}
}

# A condition that is written on one line holds never, or always.
function decide(    from, rest) {
	if (match(code, /^[ \t]*(\} else |else )?(if|while) \(.*\)( \{)?$/)) {
		from = index(code, "(") + 1
		rest = length(code) - (code ~ /\{$/ ? 2 : 0)
		change("never", from, rest, "0 && (" substr(line, from, rest - from) ")")
		if (code !~ /while \(/)
			change("always", from, rest, "1 || (" substr(line, from, rest - from) ")")
	}
	for (from = 1; (rest = index(substr(code, from), " ? ")) > 0; from += 3) {
		from += rest - 1
		change("never ?", from, from, " && 0")
		change("always ?", from, from, " || 1")
	}
}

# An operator in front of its only operand is left out.
function strip(operator, pattern,    from) {
	for (from = 1; match(substr(code, from), pattern); from += 2) {
		from += RSTART - 1
		change("no " operator, from + 1, from + 2, "")
	}
}

function leave_out() {
	if (last_code !~ /([;{}:)]|else|do)$/ || code !~ /;$/)
		return
	if (code ~ /^[ \t]+return [^;]+;$/ && code !~ /return 0;/)
		change("return 0", 1, length(line) + 1, "\treturn 0;")
	else if (code !~ /^[ \t]+(return|if|for|while|do|else|goto|case|default|const|struct|enum|static|u?int[0-9]*(_t)?|double|char|void) ?/ && code !~ /^[ \t]*}/)
		change("gone", 1, length(line) + 1, "\t;")
}

# What is no code becomes as many blanks.
function code_of(text,    rest, blank) {
	if (in_comment) {
		if ((rest = index(text, "*/")) == 0)
			return ""
		text = sprintf("%" (rest + 1) "s", "") substr(text, rest + 2)
		in_comment = 0
	}
	while (match(text, /"([^"\\]|\\.)*"|'([^'\\]|\\.)*'|\/\*([^*]|\*[^\/])*\*\/|\/\/.*$/)) {
		blank = sprintf("%" RLENGTH "s", "")
		text = substr(text, 1, RSTART - 1) blank substr(text, RSTART + RLENGTH)
	}
	if (match(text, /\/\*/)) {
		in_comment = 1
		text = substr(text, 1, RSTART - 1)
	}
	sub(/[ \t]+$/, "", text)
	return text
}

function list_mutants() {
	compare(" < ", " <= ", " >= "); compare(" <= ", " < ", " > ")
	compare(" > ", " >= ", " <= "); compare(" >= ", " > ", " < ")
	swap(" == ", " != "); swap(" != ", " == ")
	swap(" && ", " || "); swap(" || ", " && ")
	swap(" + ", " - "); swap(" - ", " + "); swap(" * ", " / "); swap(" / ", " * "); swap(" % ", " / ")
	swap(" += ", " -= "); swap(" -= ", " += "); swap(" += ", " = "); swap(" -= ", " = ")
	swap(" |= ", " = "); swap(" |= ", " &= "); swap(" &= ", " = "); swap(" ^= ", " |= ")
	if (code !~ /^[ \t]*for \(/) { # most of those would not end
		swap("++", "--"); swap("--", "++")
	}
	swap(" << ", " >> "); swap(" >> ", " << ")
	swap(" & ", " | "); swap(" | ", " & "); swap(" ^ ", " | ")
	strip("!", "[( ]![^=]"); strip("~", "[( ]~"); strip("-", "[( ]-[A-Za-z0-9(]")
	decide()
	if (code ~ /^[ \t]+return / || code !~ /^[ \t]+(struct [a-z_]+|[a-z0-9_]+) [^=()]*;$/) # else it is a declaration: a number is how long an array is
		count()
	leave_out()
}

{
	lines[NR] = $0
	codes[NR] = code_of($0)
}

END {
	last_code = ""
	for (at_line = 1; at_line <= NR; at_line++) {
		line = lines[at_line]
		code = codes[at_line]
		next_code = codes[at_line + 1]
		code_text = code
		sub(/^[ \t]+/, "", code_text)
		if (match(code, /[a-z_0-9]+\(/) && code ~ /^[A-Za-z]/) {
			name = substr(code, RSTART, RLENGTH - 1)
			split("", n_of)
		}
		if (code ~ /^\{/)
			in_function = 1
		else if (code ~ /^\}/)
			in_function = 0
		else if (in_function && code != "" && code !~ /^[ \t]*#/ && code !~ /assert *\(/)
			list_mutants()
		if (code != "")
			last_code = code
	}
}

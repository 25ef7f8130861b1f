# mutants.awk - lists the mutants of a C file, one a line: number of the line, what was done, the new line; separated by tabs.
#
# usage: awk -f mutants.awk FILE.c
#
# Left alone: comments, the preprocessor, declarations of functions, assertions. What does not compile is for the caller to notice.

function emit(what, text) {
	if (text != $0)
		print NR "\t" what "\t" text
}

# Each place where `old` stands in the code of the line becomes `new`, one at a time.
function swap(old, new,    at, from, rest) {
	from = 1
	while ((at = index(substr(code, from), old)) > 0) {
		at += from - 1
		rest = at + length(old)
		emit(old " -> " new, substr($0, 1, at - 1) new substr($0, rest))
		from = rest
	}
}

# Each whole number is one more.
function count_up(    at, from, number) {
	from = 1
	while (match(substr(code, from), /(^|[^A-Za-z0-9_.])[0-9]+([^A-Za-z0-9_.xX]|$)/)) {
		at = from + RSTART - 1
		if (substr(code, at, 1) !~ /[0-9]/)
			at++
		match(substr(code, at), /^[0-9]+/)
		number = substr(code, at, RLENGTH)
		emit(number " -> " number + 1, substr($0, 1, at - 1) (number + 1) substr($0, at + RLENGTH))
		from = at + RLENGTH
	}
}

function negate(    at) {
	if (match(code, /^[ \t]*(\} else )?(if|while) \(.*\)( \{)?$/)) {
		at = index(code, "(")
		text = $0
		sub(/\)( \{)?$/, ")&", text)
		emit("not", substr(text, 1, at) "!(" substr(text, at + 1))
	}
}

{
	code = $0
	if (in_comment) {
		if (code !~ /\*\//)
			next
		sub(/^.*\*\//, "", code)
		in_comment = 0
	}
	# What is no code becomes as many blanks.
	while (match(code, /"([^"\\]|\\.)*"|'([^'\\]|\\.)*'|\/\*([^*]|\*[^\/])*\*\/|\/\/.*$/)) {
		blank = sprintf("%" RLENGTH "s", "")
		code = substr(code, 1, RSTART - 1) blank substr(code, RSTART + RLENGTH)
	}
	if (match(code, /\/\*/)) {
		in_comment = 1
		code = substr(code, 1, RSTART - 1)
	}
	if (code ~ /^[ \t]*#/ || code ~ /\\$/ || code ~ /assert *\(/ || code ~ /^[A-Za-z_].*[^;]$/ || code ~ /^static .*;$/)
		next
	sub(/[ \t]+$/, "", code)
	swap(" < ", " <= "); swap(" <= ", " < "); swap(" > ", " >= "); swap(" >= ", " > ")
	swap(" < ", " >= "); swap(" > ", " <= ")
	swap(" == ", " != "); swap(" != ", " == ")
	swap(" && ", " || "); swap(" || ", " && ")
	swap(" + ", " - "); swap(" - ", " + "); swap(" * ", " / "); swap(" / ", " * ")
	swap(" += ", " -= "); swap(" -= ", " += ")
	swap("++", "--"); swap("--", "++")
	swap(" << ", " >> "); swap(" >> ", " << ")
	swap(" & ", " | "); swap(" | ", " & ")
	swap("(!", "("); swap(" !", " ")
	swap(" ? ", " ? 0 && ")
	count_up()
	negate()
	if (code ~ /^[ \t]+[A-Za-z_][A-Za-z0-9_>.*\[\]-]*( [-+*\/|&^%]?= .*|\(.*\)|\+\+|--);$/ || code ~ /^[ \t]+(continue|break);$/ || code ~ /^[ \t]+\*[a-z_]+ = .*;$/)
		emit("gone", ";")
	if (code ~ /^[ \t]+return [^;]+;$/ && code !~ /return 0;/)
		emit("return 0", "return 0;")
}

# read.awk - the tables of options. One awk program with whatever writes something from them: `awk -f read.awk -f header.awk TABLE...`.
# By program p, whose number is among 1..n_programs, and option i in 1..n[p]: name, letter, value, kind, help (lines).

function rest(fields,   i, s) { # the line without its first words
	s = $0
	for (i = 0; i < fields; i++)
		sub(/^[^ \t]+[ \t]+/, "", s)
	return s
}

function typed(p) { # what one types for it
	if (p == "stage") # of three programs
		return "\001"
	return verb[p] == "" ? p : p == "ontime" ? p : "ontime " verb[p]
}

function left(p, i) { # the option as the help shows it
	return sprintf("%-4s--%s%s", letter[p, i] == "" ? "" : "-" letter[p, i] ",", name[p, i], kind[p, i] == "flag" ? "" : " " value[p, i])
}

function words_of(p, i,   k) { # of an option that takes one of several: "a,b,c", else ""
	k = kind[p, i]
	return sub(/^words:/, "", k) ? k : ""
}

function one_line(s) {
	gsub(/\n/, " ", s)
	return s
}

function usage_of(p,   i, s) {
	for (i = 1; i <= n_usage[p]; i++)
		s = s (i == 1 ? "usage: " : "       ") typed(p) (usage[p, i] == "" ? "" : " ") usage[p, i] "\n"
	return s
}

function column(s, width) {
	return length(s) <= width ? sprintf("  %-" width "s  ", s) : "  " s "\n" sprintf("%" (width + 4) "s", "")
}

function indent(s, width) {
	gsub(/\n/, "\n" sprintf("%" (width + 4) "s", ""), s)
	return s
}

function help_of(p,   i, w, s) {
	w = width[p] ? width[p] : 22
	s = typed(p) " - " summary[p] "\n\n" usage_of(p) "\n"
	for (i = 1; i <= n_commands[p]; i++)
		s = s column(command[p, i], 10) command_help[p, i] "\n"
	for (i = 1; i <= n_operands[p]; i++)
		s = s column(operand[p, i], w) indent(operand_help[p, i], w) "\n"
	for (i = 1; i <= n[p]; i++)
		s = s column(left(p, i), w) indent(help[p, i], w) "\n"
	return s column("-h, --help", w) "this; --version: the version\n" (text[p] == "" ? "" : "\n" text[p])
}

FNR == 1 {
	p = FILENAME
	sub(/.*\//, "", p)
	sub(/\.options$/, "", p)
	programs[++n_programs] = p
	n[p] = n_usage[p] = n_operands[p] = n_commands[p] = 0
	more = ""
}
/^;/ { next }
/^[ \t]+[^ \t]/ { # goes on with the help of the line before
	sub(/^[ \t]+/, "")
	if (more == "option")
		help[p, n[p]] = help[p, n[p]] "\n" $0
	else
		operand_help[p, n_operands[p]] = operand_help[p, n_operands[p]] "\n" $0
	next
}
$1 == "summary" { summary[p] = rest(1) }
$1 == "verb" { verb[p] = $2 }
$1 == "usage" { usage[p, ++n_usage[p]] = NF > 1 ? rest(1) : "" }
$1 == "width" { width[p] = $2 }
$1 == "keys" { keys[p] = 1 } # it takes those of the config
$1 == "rest" { takes_command[p] = 1 }
$1 == "command" {
	command[p, ++n_commands[p]] = $2
	command_of[p, n_commands[p]] = $3
	command_help[p, n_commands[p]] = rest(3)
}
$1 == "operand" {
	more = $1
	operand[p, ++n_operands[p]] = $2
	operand_kind[p, n_operands[p]] = $3
	operand_help[p, n_operands[p]] = rest(3)
}
$1 == "option" {
	more = $1
	name[p, ++n[p]] = $2
	letter[p, n[p]] = $3 == "-" ? "" : $3
	value[p, n[p]] = $4
	kind[p, n[p]] = $5
	help[p, n[p]] = rest(5)
}
$1 == "text" {
	sub(/^text ?/, "")
	text[p] = text[p] $0 "\n"
}

# zsh.awk - completion for zsh, of `ontime COMMAND`.
function action(k) {
	if (sub(/^words:/, "", k)) {
		gsub(/,/, " ", k)
		return "(" k ")"
	}
	if (k == "instance")
		return "{compadd ${(f)\"$($words[1] list --names 2>/dev/null)\"}}"
	if (k == "recipe")
		return "{compadd ${(f)\"$($words[1] recipe --names 2>/dev/null)\"}}"
	if (k == "file")
		return "_files"
	if (k == "directory")
		return "_files -/"
	return " "
}

function plain(s) { # within '...[...]'
	s = one_line(s)
	gsub(/'/, "", s)
	gsub(/\[/, "(", s)
	gsub(/\]/, ")", s)
	gsub(/:/, "\\:", s)
	return s
}

function arguments(p,   i, s, tail) {
	for (i = 1; i <= n[p]; i++) {
		tail = "[" plain(help[p, i]) "]" (kind[p, i] == "flag" ? "" : ":" value[p, i] ":" action(kind[p, i]))
		if (letter[p, i] != "")
			s = s " \\\n\t\t\t'-" letter[p, i] tail "'"
		s = s " \\\n\t\t\t'--" name[p, i] (kind[p, i] == "flag" ? "" : "=") tail "'"
	}
	for (i = 1; i <= n_operands[p]; i++)
		s = s " \\\n\t\t\t':" operand[p, i] ":" action(operand_kind[p, i]) "'"
	return s " \\\n\t\t\t'--help[help]' '--version[the version]'\n"
}

END {
	p = "ontime"
	print "#compdef ontime\n# zsh completion of ontime. Made from run/options/ by run/options/generate.sh.\n\n_ontime() {\n\tlocal -a commands=("
	for (i = 1; i <= n_commands[p]; i++)
		printf "\t\t'%s:%s'\n", command[p, i], plain(command_help[p, i])
	print "\t)\n\tif (( CURRENT == 2 )); then\n\t\t_describe command commands\n\t\treturn\n\tfi\n\tlocal command=$words[2]"
	print "\twords=($words[1] $words[3,-1])\n\t(( CURRENT-- ))\n\tcase $command in"
	for (i = 1; i <= n_commands[p]; i++)
		if (command_of[p, i] in summary)
			printf "\t%s)\n\t\t_arguments%s\t\t;;\n", command[p, i], arguments(command_of[p, i])
	print "\tesac\n}\n\n_ontime \"$@\""
}

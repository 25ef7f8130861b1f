# bash.awk - completion for bash, of `ontime COMMAND`.
function words(kind_of,   k) { # what is offered for a value of that kind
	k = kind_of
	if (sub(/^words:/, "", k)) {
		gsub(/,/, " ", k)
		return "-W '" k "'"
	}
	if (k == "instance")
		return "-W \"$(\"$1\" list --names 2>/dev/null)\""
	if (k == "recipe")
		return "-W \"$(\"$1\" recipe --names 2>/dev/null)\""
	if (k == "file")
		return "-f"
	if (k == "directory")
		return "-d"
	return ""
}

function complete(p,   i, s, long, w) {
	for (i = 1; i <= n[p]; i++) {
		long = long " --" name[p, i]
		w = words(kind[p, i])
		if (kind[p, i] != "flag")
			s = s "\t\t" (letter[p, i] == "" ? "" : "-" letter[p, i] " | ") "--" name[p, i] ") offer=" (w == "" ? "none" : "'" quoted(w) "'") " ;;\n"
	}
	w = n_operands[p] ? words(operand_kind[p, 1]) : ""
	return "\t\tcase $before in\n" s "\t\t-*) ;;\n\t\tesac\n\t\toptions='" substr(long, 2) " --help --version'" (w == "" ? "" : "\n\t\toperand='" quoted(w) "'") "\n"
}

function quoted(s) {
	gsub(/'/, "'\\''", s)
	return s
}

END {
	p = "ontime"
	for (i = 1; i <= n_commands[p]; i++)
		all = all " " command[p, i]
	print "# bash completion of ontime. Made from run/options/ by run/options/generate.sh."
	print "_ontime()\n{\n\tlocal word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} offer='' options='' operand=''"
	print "\tif [ \"$before\" = = ]; then\n\t\tbefore=${COMP_WORDS[COMP_CWORD - 2]}\n\telif [ \"$word\" = = ]; then\n\t\tword=''\n\tfi"
	print "\tif [ \"$COMP_CWORD\" = 1 ]; then\n\t\tmapfile -t COMPREPLY < <(compgen -W '" substr(all, 2) " --help --version' -- \"$word\")\n\t\treturn\n\tfi"
	print "\tcase ${COMP_WORDS[1]} in"
	for (i = 1; i <= n_commands[p]; i++)
		if (command_of[p, i] in summary)
			printf "\t%s)\n%s\t\t;;\n", command[p, i], complete(command_of[p, i])
	print "\tesac\n\t[ \"$offer\" != none ] || return 0\n\tcase $word in\n\t-*) [ -n \"$offer\" ] || offer=\"-W '$options'\" ;;"
	print "\t*) [ -n \"$offer\" ] || offer=$operand ;;\n\tesac"
	print "\t[ -z \"$offer\" ] || eval \"set -- \\\"${COMP_WORDS[0]}\\\"; mapfile -t COMPREPLY < <(compgen $offer -- \\\"\\$word\\\")\"\n}"
	print "complete -o bashdefault -F _ontime ontime"
}

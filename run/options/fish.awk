# fish.awk - completion for fish, of `ontime COMMAND`.
function action(k) {
	if (k == "flag")
		return ""
	if (sub(/^words:/, "", k)) {
		gsub(/,/, " ", k)
		return " -x -a '" k "'"
	}
	if (k == "instance")
		return " -x -a '(ontime list --names 2>/dev/null)'"
	if (k == "recipe")
		return " -x -a '(ontime recipe --names 2>/dev/null)'"
	if (k == "file")
		return " -r -F"
	if (k == "directory")
		return " -x -a '(__fish_complete_directories)'"
	return " -x"
}

function plain(s) {
	s = one_line(s)
	gsub(/'/, "\\'", s)
	return "'" s "'"
}

function lines(of, p,   i) {
	for (i = 1; i <= n[p]; i++)
		printf "complete -c ontime -n '__fish_seen_subcommand_from %s'%s -l %s%s -d %s\n", of, letter[p, i] == "" ? "" : " -s " letter[p, i],
			name[p, i], action(kind[p, i]), plain(help[p, i])
	for (i = 1; i <= n_operands[p]; i++)
		if (operand_kind[p, i] != "text")
			printf "complete -c ontime -n '__fish_seen_subcommand_from %s'%s\n", of, action(operand_kind[p, i])
}

END {
	p = "ontime"
	print "# fish completion of ontime. Made from run/options/ by run/options/generate.sh.\ncomplete -c ontime -f"
	for (i = 1; i <= n_commands[p]; i++)
		printf "complete -c ontime -n __fish_use_subcommand -a %s -d %s\n", command[p, i], plain(command_help[p, i])
	print "complete -c ontime -l help -d help\ncomplete -c ontime -l version -d 'the version'"
	for (i = 1; i <= n_commands[p]; i++)
		if (command_of[p, i] in summary)
			lines(command[p, i], command_of[p, i])
}

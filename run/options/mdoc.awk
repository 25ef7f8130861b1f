# mdoc.awk - the options as a list of a man page.
function escaped(s) { # a sentence a line
	gsub(/\n/, " ", s)
	gsub(/\. /, ".\n", s)
	return s
}

function item(i,   s) {
	s = ".It"
	if (letter[p, i] != "")
		s = s " Fl " letter[p, i] " , "
	s = s " Fl -" name[p, i] (kind[p, i] == "flag" ? "" : " Ar " value[p, i])
	gsub(/  +/, " ", s)
	return s "\n" escaped(help[p, i])
}

END {
	p = programs[1]
	print ".Bl -tag -width Ds"
	for (i = 1; i <= n_commands[p]; i++)
		printf ".It Cm %s\n%s\n", command[p, i], escaped(command_help[p, i])
	for (i = 1; i <= n_operands[p]; i++)
		printf ".It Ar %s\n%s\n", operand[p, i], escaped(operand_help[p, i])
	for (i = 1; i <= n[p]; i++)
		print item(i)
	if (keys[p])
		print ".It Fl -\\&KEY Ns = Ns Ar VALUE\na key of the configuration, see\n.Xr ontime.conf 5"
	print ".It Fl h , Fl -help\nhelp"
	print ".It Fl -version\nthe version\n.El"
}

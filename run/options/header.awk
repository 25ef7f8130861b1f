# header.awk - the table as C: what common/command.h describes.
function in_c(s) {
	gsub(/"/, "\\\"", s)
	gsub(/\001/, "\\001", s) # where the stage puts its name
	gsub(/\n/, "\\n\"\n\t\"", s)
	return "\"" s "\""
}

function constant(s) {
	gsub(/-/, "_", s)
	return "OPTION_" toupper(s)
}

function c_kind(k) {
	sub(/:.*/, "", k)
	return k == "flag" || k == "number" || k == "whole" ? "COMMAND_" toupper(k) : k == "words" ? "COMMAND_WORD" : "COMMAND_TEXT"
}

function details(i,   k, parts) {
	k = kind[p, i]
	if (k ~ /^(number|whole):/) {
		split(k, parts, ":")
		return sprintf(", .least = %s, .most = %s", parts[2], parts[3])
	}
	if (k !~ /^words:/)
		return ""
	k = words_of(p, i)
	gsub(/,/, "\", \"", k)
	return ", .words = (const char *const[]){ \"" k "\", NULL }"
}

END {
	p = programs[1]
	printf "/* Made from run/options/%s.options by run/options/generate.sh. */\n#include <stddef.h>\n\n#include \"command.h\"\n\nenum {\n", p
	for (i = 1; i <= n[p]; i++)
		printf "\t%s,\n", constant(name[p, i])
	printf "\tN_COMMAND_OPTIONS\n};\n\nstatic const struct command_option command_options[] = {\n"
	for (i = 1; i <= n[p]; i++)
		printf "\t{ .name = \"%s\"%s, .kind = %s%s },\n", name[p, i], letter[p, i] == "" ? "" : ", .letter = '" letter[p, i] "'", c_kind(kind[p, i]), details(i)
	if (n[p] == 0)
		printf "\t{ .name = NULL }\n"
	printf "};\n\nstatic const struct command command = {\n\t.name = %s, .options = command_options, .n_options = N_COMMAND_OPTIONS,\n", in_c(typed(p))
	printf "\t.takes_operands = %d, .takes_command = %d,\n\t.help = %s,\n};\n", (n_operands[p] > 0), (takes_command[p] > 0), in_c(help_of(p))
}

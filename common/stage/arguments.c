/* arguments.c - the command line of a stage. */
#include "arguments.h"

#include <stdio.h>
#include <string.h>

#include "log.h"
#include "config/table.h"
#include "options/stage.h"

int arguments_parse(struct stage *s, int argc, char **argv)
{
	struct command mine = command;
	void *const places[N_COMMAND_OPTIONS] = { [OPTION_CONFIG] = &s->file };
	struct command_line line;
	int option;

	if (argc > MAX_ARGUMENTS) {
		log_error("too many arguments: put them into a file, and give it with -c");
		return 1 + EXIT_CONFIG;
	}
	mine.name = stage_name(s->id);
	memcpy(s->argv, argv, (size_t)argc * sizeof(*argv)); /* its own words: the parser moves them */
	command_open(&line, &mine, argc, s->argv, places, option_changes);
	while ((option = command_next(&line)) >= 0) {
		if (option == OPTION_OPTIONS) {
			config_print_options(stdout);
			return 1;
		}
		snprintf(s->instance_word, sizeof(s->instance_word), "--instance=%s", line.value);
		line.argv[line.argc++] = s->instance_word; /* the words that gave it make room */
	}
	if (option != COMMAND_END)
		return 1 + command_status(option);
	s->argc = line.argc;
	return 0;
}

/* arguments.c - the command line of a stage. */
#include "arguments.h"

#include <stdio.h>
#include <string.h>

#include "log.h"
#include "config/table.h"
#include "options/stage.h"

int arguments_parse(struct stage *s, int argc, char **argv)
{
	static char instance[64];
	struct command mine = command;
	void *const places[N_COMMAND_OPTIONS] = { [OPTION_CONFIG] = &s->file };
	struct command_line line;
	int option;

	mine.name = stage_name(s->id);
	command_open(&line, &mine, argc, argv, places, option_is_key);
	while ((option = command_next(&line)) >= 0) {
		if (option == OPTION_OPTIONS) {
			config_print_options(stdout);
			return 1;
		}
		snprintf(instance, sizeof(instance), "--instance=%s", line.value); /* its own words make room for it */
		line.argv[line.argc++] = instance;
	}
	if (option != COMMAND_END)
		return 1 + command_status(option);
	if (line.argc > MAX_ARGUMENTS) {
		log_error("too many arguments: put them into a file, and give it with -c");
		return 1 + EXIT_CONFIG;
	}
	memcpy(s->argv, line.argv, (size_t)line.argc * sizeof(*s->argv));
	s->argc = line.argc;
	return 0;
}

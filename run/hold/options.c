/* options.c - what the scripts ask hold for. */
#include "options.h"

#include <errno.h>
#include <stdlib.h>

#include "config/table.h"
#include "log.h"
#include "options/hold.h"
#include "stage/stage.h"

/* An option that says what is asked for: the mode is its name. */
static int is_mode(int option)
{
	switch (option) {
	case OPTION_CONFIG:
	case OPTION_RUNNING:
	case OPTION_KEEP:
	case OPTION_AGAINST:
	case OPTION_OWN:
	case OPTION_FORCE:
	case OPTION_WHERE:
		return 0;
	default:
		return 1;
	}
}

/* What a mode is about: its value, if it has one, or the word behind it. 0, or -1 after a line. */
static int take_value(struct hold_options *o, int option, const char *value)
{
	if (option == COMMAND_OPERAND && (o->signal || strcmp(o->mode, "signal") != 0)) {
		log_error("%s: unknown option; see hold --help", value);
		return -1;
	}
	if (option == COMMAND_OPERAND)
		o->signal = value;
	else if (option == OPTION_RUN_DIR || option == OPTION_LOCK_FILE)
		o->directory = value;
	else if (option == OPTION_BESIDE)
		o->supervisor = atoi(value);
	else if (option == OPTION_ASK)
		o->request = value;
	else if (option == OPTION_SIGNAL)
		o->who = value;
	return 0;
}

int options_parse(struct hold_options *o, int argc, char **argv)
{
	void *const places[N_COMMAND_OPTIONS] = {
		[OPTION_CONFIG] = &o->file,	[OPTION_RUNNING] = &o->instance, [OPTION_KEEP] = &o->keeps,
		[OPTION_AGAINST] = &o->against, [OPTION_OWN] = &o->own,		 [OPTION_FORCE] = &o->force,
		[OPTION_WHERE] = &o->at,
	};
	struct command_line line;
	int option;

	memset(o, 0, sizeof(*o));
	o->mode = "";
	command_open(&line, &command, argc, argv, places, option_changes);
	while ((option = command_next(&line)) >= 0 || option == COMMAND_OPERAND) {
		if (option >= 0 && is_mode(option))
			o->mode = command_options[option].name;
		if (take_value(o, option, line.value))
			return COMMAND_USAGE;
	}
	if (option != COMMAND_END)
		return command_status(option);
	if (line.argc > 64) {
		log_error("too many arguments: put them into a file, and give it with -c");
		return COMMAND_USAGE;
	}
	memcpy(o->overrides, line.argv, (size_t)line.argc * sizeof(*o->overrides));
	o->n_overrides = line.argc;
	o->command = line.is_at_rest ? line.words + line.at : NULL;
	return -1;
}

/* Unlike a stage, which waits for its file to come back, who asks here may have named a wrong one. */
int options_refuse(int err, const char *why)
{
	config_log_refusals(why, "");
	return err == -EMFILE || err == -ENFILE || err == -ENOMEM || err == -EAGAIN ? EXIT_TEMPORARY : EXIT_CONFIG;
}

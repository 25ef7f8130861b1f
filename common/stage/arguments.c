/* arguments.c - the command line of a stage. */
#include "arguments.h"

#include <stdio.h>
#include <string.h>

#include "log.h"
#include "version.h"

static void print_help(enum stage_id id, FILE *out)
{
	fprintf(out,
		"%s - one stage of ontime, the deadline-aware UDP pipeline.\n\n"
		"usage: %s [-c FILE] [--KEY=VALUE]... [--CLASS.KEY=VALUE]...\n\n"
		"  -c FILE     the config file (default: built-in, see --options)\n"
		"  --options   print every key with unit, default and range\n"
		"  --version   print the version\n\n"
		"Normally started by run/launch.sh; alone it joins the running instance, once the stage it replaces is "
		"gone.\n"
		"Signals: TERM stops, USR1 stops when the input is empty, HUP reads the config again.\n"
		"Exit status: 0 stopped, 1 temporary failure, 2 usage or configuration, 3 another layout than the "
		"segment's.\n",
		stage_name(id), stage_name(id));
}

int arguments_parse(struct stage *s, int argc, char **argv)
{
	int n = 0;

	s->argv[n++] = argv[0];
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			print_help(s->id, stdout);
			return 1;
		}
		if (strcmp(argv[i], "--options") == 0) {
			config_print_options(stdout);
			return 1;
		}
		if (strcmp(argv[i], "--version") == 0) {
			printf("ontime %s\n", ONTIME_VERSION);
			return 1;
		}
		if (strcmp(argv[i], "-c") == 0 && i + 1 < argc) {
			s->file = argv[++i];
			continue;
		}
		if (n == MAX_ARGUMENTS) {
			log_error("too many arguments: put them into a file, and give it with -c");
			return 1 + EXIT_CONFIG;
		}
		s->argv[n++] = argv[i];
	}
	s->argc = n;
	return 0;
}

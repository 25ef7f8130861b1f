/* options.c - what the scripts ask hold for. */
#include "options.h"

#include <errno.h>
#include <stdlib.h>

#include "stage/stage.h"

/* Every mode, with what --help says of it: one that is not here does not exist. */
static const struct {
	const char *name, *help;
} modes[] = {
	{ "--check", "validate the config; --against FILE: and say what differs, status 2 if that needs a relaunch" },
	{ "--name", "the name of the instance that the config describes" },
	{ "--classes", "a line per class for people: its addresses and its budget" },
	{ "--adopt", "take the sockets from a running stage, exec COMMAND" },
	{ "--beside", "PID: hold what was handed on for the supervisor PID, and start COMMAND when that is killed" },
	{ "--unit", "-i INSTANCE -c FILE: for a service manager: begin, or go on with what a start before has left" },
	{ "--stages", "NAME PID STATE STARTS AGE_S BEAT_AGE_MS HAS_WORK ALIVE, a line per stage\n"
		      "                (--own: refused if the instance is another user's)" },
	{ "--held", "packets in all lanes" },
	{ "--supervisor", "its pid, - if it cannot be seen from here; status 1: nobody supervises" },
	{ "--stopping", "status 0: a supervisor has begun to stop it, whether or not that one is there still" },
	{ "--holder", "likewise of the process that holds the sockets for it" },
	{ "--remove", "remove the segment, unless a stage is alive (--force: end all that have it open)" },
	{ "--signal", "TERM, USR1, HUP, KILL, STOP or CONT to ingress, edf, egress or supervisor, and to nobody else;\n"
		      "                KILL also waits until it is gone, TERM and USR1 kill after 3 s" },
	{ "--ask",
	  "what is asked of the supervisor: status, \"restart [STAGE]\", \"reload [FILE]\", stop, adopt; --at "
	  "DIRECTORY:\n"
	  "                its run directory, if that cannot be found. Status: 0 done, 1 not, 2 refused, 3 it\n"
	  "                needs a relaunch, 4 there is no supervisor" },
	{ "--run-dir", "make the directory, where nobody else can put anything; print its true path" },
	{ "--lock-file", "the same, and a file .lock in it, for flock" },
};
#define N_MODES (sizeof(modes) / sizeof(modes[0]))

void options_help(void)
{
	puts("hold - bind ontime's sockets, create its segment, hand both on.\n\n"
	     "usage: hold [-c FILE] [--KEY=VALUE]... -- COMMAND [ARG]...\n"
	     "       hold --check [--against FILE] | --name | --classes | --unit | --adopt  [-c FILE] "
	     "[--KEY=VALUE]...\n"
	     "       hold --stages [--own] | --held | --supervisor | --holder | --remove [--force]  -i INSTANCE\n"
	     "       hold --signal WHO SIGNAL | --ask REQUEST [--at DIRECTORY]  -i INSTANCE\n"
	     "       hold --run-dir DIRECTORY | --lock-file DIRECTORY\n\n"
	     "  (no mode)     bind, create, exec COMMAND with LISTEN_FDS and LISTEN_FDNAMES\n"
	     "  --keep        with that, or --adopt: start COMMAND, the supervisor, and stay: the sockets live on "
	     "with\n"
	     "                this process, and a supervisor that is killed is replaced");
	for (size_t i = 0; i < N_MODES; i++)
		printf("  %-13s %s\n", modes[i].name, modes[i].help);
	puts("\nNormally called by run/launch.sh.\n"
	     "Exit status: 0 done, 1 temporary failure (port in use, no memory), 2 usage or configuration.");
}

/* The words that belong to a mode. Returns how many were taken. */
static int take_words(struct hold_options *o, int n, char **words)
{
	if ((strcmp(o->mode, "--run-dir") == 0 || strcmp(o->mode, "--lock-file") == 0) && n > 0)
		return o->directory = words[0], 1;
	if (strcmp(o->mode, "--beside") == 0 && n > 0)
		return o->supervisor = atoi(words[0]), 1;
	if (strcmp(o->mode, "--ask") == 0 && n > 0)
		return o->request = words[0], 1;
	if (strcmp(o->mode, "--signal") != 0 || n < 2)
		return 0;
	o->who = words[0];
	o->signal = words[1];
	return 2;
}

int options_parse(struct hold_options *o, int argc, char **argv)
{
	memset(o, 0, sizeof(*o));
	o->mode = "";
	o->overrides[o->n_overrides++] = argv[0];
	for (int i = 1; i < argc; i++) {
		size_t m = 0;

		while (m < N_MODES && strcmp(argv[i], modes[m].name) != 0)
			m++;
		if (strcmp(argv[i], "--") == 0) {
			o->command = argv + i + 1;
			break;
		}
		if (m < N_MODES) {
			o->mode = modes[m].name;
			i += take_words(o, argc - i - 1, argv + i + 1);
		} else if (strcmp(argv[i], "--force") == 0)
			o->force = 1;
		else if (strcmp(argv[i], "--own") == 0)
			o->own = 1;
		else if (strcmp(argv[i], "--keep") == 0)
			o->keeps = 1;
		else if (strcmp(argv[i], "--at") == 0 && i + 1 < argc)
			o->at = argv[++i];
		else if (strcmp(argv[i], "-c") == 0 && i + 1 < argc)
			o->file = argv[++i];
		else if (strcmp(argv[i], "-i") == 0 && i + 1 < argc)
			o->instance = argv[++i];
		else if (strcmp(argv[i], "--against") == 0 && i + 1 < argc)
			o->against = argv[++i];
		else if (o->n_overrides < 64)
			o->overrides[o->n_overrides++] = argv[i];
		else
			return -E2BIG;
	}
	return 0;
}

/* Unlike a stage, which waits for its file to come back, who asks here may have named a wrong one. */
int options_refuse(int err, const char *why)
{
	config_log_refusals(why, "");
	return err == -EMFILE || err == -ENFILE || err == -ENOMEM || err == -EAGAIN ? EXIT_TEMPORARY : EXIT_CONFIG;
}

/*
 * reload.h - a new configuration for a running instance: all of a file, or nothing and one line that says why.
 *
 * Memory:  the configuration in force is a file in memory that all stages have as a descriptor. It is rewritten in place, under a
 *          lock that readers wait for (config.c), so a stage that starts at any moment reads the old one or the new one.
 * Rules:   the file is read once, and what was read is what is judged and used, whatever becomes of the file meanwhile. Its name is
 *          resolved anew each time: it may lead through links that were swapped.
 */
#ifndef ONTIME_SUPERVISE_RELOAD_H
#define ONTIME_SUPERVISE_RELOAD_H

#include "config/config.h"
#include "names.h"

struct reload {
	const char *file; /* as the user named it */
	int config_fd; /* what is in force */
	int argc;
	char *const *argv;
};

void reload_init(struct reload *r, const char *file, int config_fd, int argc, char *const *argv);

/* reload_now - 0: *config is the new one, and so is what the stages will read; -1: nothing has changed, and the log says why. */
int reload_now(struct reload *r, struct config *config);

/* reload_publish - what is in force, as a file in the run directory. */
void reload_publish(const struct reload *r, struct names *names);

#endif

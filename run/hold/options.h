/*
 * options.h - what the scripts ask hold for.
 */
#ifndef ONTIME_HOLD_OPTIONS_H
#define ONTIME_HOLD_OPTIONS_H

#include "config/hosts.h"

struct hold_options {
	const char *mode; /* the option that says what to do, without dashes; "": hold */
	const char *file;
	const char *against; /* with --check: the config to compare with */
	const char *instance; /* instead of a config, where only the segment matters */
	const char *who, *signal; /* with --signal */
	const char *request, *at; /* with --ask; the run directory of the instance, if it cannot be found */
	const char *directory; /* with --run-dir */
	int force, own, keeps;
	int supervisor; /* with --beside: its pid */
	struct hosts hosts; /* what the names in the config stand for */
	int n_overrides;
	char *overrides[64 + 1]; /* one more for the instance */
	char **command; /* after "--" */
};

/* options_parse - -1: go on, else the exit status. */
int options_parse(struct hold_options *o, int argc, char **argv);

/* options_refuse - a config that could not be loaded: its lines, and the exit status. */
int options_refuse(int err, const char *why);

#endif

/*
 * arguments.h - the command line of a stage: a config file, single options of the config, and words that end the
 * process.
 */
#ifndef ONTIME_STAGE_ARGUMENTS_H
#define ONTIME_STAGE_ARGUMENTS_H

#include "stage.h"

/*
 * arguments_parse - set s->file, and in s->argv what config_load() is to read. --help, --options and --version print,
 * and end the process. s->id is set. 0, or 1 + the exit status.
 */
int arguments_parse(struct stage *s, int argc, char **argv);

#endif

/*
 * table.h - THE table of options: the file's keys, the command line and --help are all read off it.
 */
#ifndef ONTIME_CONFIG_TABLE_H
#define ONTIME_CONFIG_TABLE_H

#include "config.h"
#include "value.h"

#define MAX_OPTIONS 80

extern const struct option options[];
extern const int n_options; /* at most MAX_OPTIONS */

/* scope_words - for messages: "[pipeline]", "[dash]", "a class". */
const char *scope_words(enum scope scope);

/* option_find - the index of the option in the table, or -1. */
int option_find(enum scope scope, const char *key);

/* option_nearest - the key of this scope most like the given one, or NULL if none is. */
const char *option_nearest(enum scope scope, const char *key);

/*
 * option_changes - how many letters make KEY, CLASS.KEY or dash.KEY of it, with a key of the table, whatever the class.
 * 0: it is one; NEAREST_NONE: it is like none.
 */
size_t option_changes(const char *name);

/* class_find - the index of the class called `name`, or -1. */
int class_find(const struct config *c, const char *name);

#endif

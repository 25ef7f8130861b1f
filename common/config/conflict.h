/*
 * conflict.h - values that are fine alone but cannot work together, or not on this machine.
 *
 * Rules:   conflict_find() looks at the config only, and so says the same everywhere and at any time: what it refuses could
 *          run nowhere. conflict_find_here() looks at files and addresses, which come and go: only a launch asks it.
 */
#ifndef ONTIME_CONFIG_CONFLICT_H
#define ONTIME_CONFIG_CONFLICT_H

#include <stdbool.h>

#include "config.h"
#include "value.h"

struct conflict {
	int class; /* whose key it is; -1: of [pipeline] */
	const char *key;
	char reason[REASON_BYTES]; /* why its value cannot stay, and what to do */
};

/* conflict_find - the first conflict of a config in which every class listens and sends; false: there is none. */
bool conflict_find(const struct config *c, struct conflict *found);

/*
 * conflict_find_here - likewise, of a config without conflicts of its own: a plugin that cannot be opened (a relative one
 * counts from the working directory), or a loop through an address of this machine.
 */
bool conflict_find_here(const struct config *c, struct conflict *found);

#endif

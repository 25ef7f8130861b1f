/*
 * others.h - which instances run on this machine, by the names of their segments.
 *
 * Memory:  struct others is private, with room for MAX_OTHERS names; more are not shown.
 * Rules:   only what this user may observe: his own, and root all. Only segments of this build's layout.
 */
#ifndef ONTIME_DASH_OTHERS_H
#define ONTIME_DASH_OTHERS_H

#include "look/view.h"

#define MAX_OTHERS 16

struct others {
	uint32_t n;
	char names[MAX_OTHERS][INSTANCE_NAME_BYTES]; /* in alphabetical order */
};

void others_look(struct others *o);

/* others_have - is that one of them? */
int others_have(const struct others *o, const char *name);

#endif

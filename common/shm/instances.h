/*
 * instances.h - which instances run on this machine, by the names of their segments.
 *
 * Memory:  struct instances is private, with room for MAX_INSTANCES names; more are not shown.
 * Rules:   only what this user may observe: his own, and root all. Only segments of this build's layout.
 */
#ifndef ONTIME_SEGMENT_INSTANCES_H
#define ONTIME_SEGMENT_INSTANCES_H

#include <stddef.h>
#include <stdint.h>

#include "config/ids.h"

#define MAX_INSTANCES 16

struct instances {
	uint32_t n;
	char names[MAX_INSTANCES][INSTANCE_NAME_BYTES]; /* in alphabetical order */
};

void instances_look(struct instances *all);

/* instances_have - is that one of them? */
int instances_have(const struct instances *all, const char *name);

/* instances_say - append to a line that names one which does not run: "; here run: 'a', 'b'". Nothing if none does. */
void instances_say(char *line, size_t bytes);

#endif

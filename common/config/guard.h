/*
 * guard.h - protection per source (`allow`, `deny`, `source_rate`, `fair`): what it needs, and what stands in its way.
 */
#ifndef ONTIME_CONFIG_GUARD_H
#define ONTIME_CONFIG_GUARD_H

#include "config.h"

/* guard_needs_memory - does a class have a struct guard in the segment? What it depends on no reload can change. */
bool guard_needs_memory(const struct class_config *class);

/* guard_conflict - what is wrong with the key *key of a class, in reason[REASON_BYTES] (value.h); NULL: nothing. */
const char *guard_conflict(const struct config *c, uint32_t class, const char **key, char *reason);

/* guard_draw - a multiplier for an instance that begins. */
uint32_t guard_draw(void);

#endif

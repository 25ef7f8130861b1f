/*
 * copying.h - classes that send a copy of each datagram to each of their destinations, and rates of a class and of a
 * destination: what stands in their way.
 */
#ifndef ONTIME_CONFIG_COPYING_H
#define ONTIME_CONFIG_COPYING_H

#include "config.h"

/* copying_count - to how many destinations each datagram of the class goes; 0: to one of them. */
uint32_t copying_count(const struct class_config *c);

/* copying_conflict - what is wrong with the key *key of a class, in reason[REASON_BYTES] (value.h); NULL: nothing. */
const char *copying_conflict(const struct config *c, uint32_t class, const char **key, char *reason);

#endif

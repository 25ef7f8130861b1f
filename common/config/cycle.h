/*
 * cycle.h - whether what an instance sends comes in at one of its own classes again, and so on for ever.
 *
 * Rules:   pure. One datagram in a loop is worked on as often as a CPU can, for ever, and no count shows it as a fault.
 *          A chain (high sends to low of the same instance) is none as long as nothing comes back.
 *          A wildcard (0.0.0.0, [::]) receives what goes to loopback, to the groups of all hosts, and to the machine's
 *          own addresses; these are the caller's to know.
 */
#ifndef ONTIME_CONFIG_LOOP_H
#define ONTIME_CONFIG_LOOP_H

#include <stdbool.h>

#include "config.h"

#define LOOP_TEXT_BYTES 160

struct loop_found {
	uint32_t class, dest; /* what is sent there .. */
	uint32_t next; /* .. comes in at this class */
	char text[LOOP_TEXT_BYTES]; /* "b -> c -> b" */
};

/* loop_find - the first class whose datagrams come back to it; own[n_own]: this machine's addresses, of any port. */
bool loop_find(const struct config *c, const struct address *own, uint32_t n_own, struct loop_found *found);

#endif

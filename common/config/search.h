/*
 * search.h - what the files of conflict.h share: a search for conflicts.
 */
#ifndef ONTIME_CONFIG_SEARCH_H
#define ONTIME_CONFIG_SEARCH_H

#include "conflict.h"

struct search {
	const struct config *c;
	conflict_tell *tell;
	void *arg;
};

/* conflict_say - one was found; class -1: of [pipeline]. */
__attribute__((format(printf, 4, 5))) void conflict_say(const struct search *s, int class, const char *key,
							const char *format, ...);

/* conflict_has_group - does a class listen on a multicast group? */
bool conflict_has_group(const struct class_config *class);

/* conflict_find_addresses - those of the addresses that a class listens on and sends to, and of its rules. */
void conflict_find_addresses(const struct search *s, uint32_t class);

/* conflict_find_destinations - likewise of how one of its destinations is chosen. */
void conflict_find_destinations(const struct search *s, uint32_t class);

#endif

/*
 * destinations.h - the destinations of a class as the scout of the instance says they are, for people and programs.
 *
 * Rules:   of a class that has nothing to look after nothing is known, and nothing is shown.
 */
#ifndef ONTIME_STAT_DESTINATIONS_H
#define ONTIME_STAT_DESTINATIONS_H

#include <stdio.h>

#include "view.h"

/* destinations_look - what the segment says, into *c. */
void destinations_look(const struct lane_view *v, struct class_view *c);

/* destinations_n_up - how many take new senders. */
uint32_t destinations_n_up(const struct class_view *c);

/* destinations_json - ,"destinations":[..] behind other members of an object. now: as in since_ns. */
void destinations_json(FILE *out, const struct class_view *c, uint64_t now);

/* destinations_table - a line for each. */
void destinations_table(FILE *out, const struct class_view *c, uint64_t now);

/* destinations_at - its address as text; returns text. */
const char *destinations_at(const struct destination_state *s, char text[ADDRESS_BYTES]);

#endif

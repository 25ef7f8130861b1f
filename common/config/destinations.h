/*
 * destinations.h - what a class says of its destinations beyond where they are: names, weights, backups, those that
 * take no new senders.
 *
 * Rules:   pure. A destination is known by the text that it was given as, without its weight: a name stays the same
 *          when its address changes. Backups stand behind those of `send`.
 */
#ifndef ONTIME_CONFIG_DESTINATIONS_H
#define ONTIME_CONFIG_DESTINATIONS_H

#include "config.h"

#define DESTINATION_BYTES (HOST_BYTES + 8) /* "name:port" */

/* destinations_join - once all is read: the backups behind those of `send`, as far as there is room. */
void destinations_join(struct class_config *c);

/* destinations_name - of the i-th of all; returns text. */
const char *destinations_name(const struct class_config *c, uint32_t i, char text[DESTINATION_BYTES]);

/* destinations_weight - 1 or more. */
static inline uint32_t destinations_weight(const struct class_config *c, uint32_t i)
{
	return c->weights[i] ? c->weights[i] : 1;
}

/* destinations_is_backup - is it used only while none of `send` is up? */
static inline bool destinations_is_backup(const struct class_config *c, uint32_t i)
{
	return i >= c->n_dests - c->n_joined;
}

/* destinations_is_drained - does it take no new senders? */
bool destinations_is_drained(const struct class_config *c, uint32_t i);

/* destinations_are_chosen - is one chosen by more than the sender's hash, all being alike? */
bool destinations_are_chosen(const struct class_config *c);

/* destinations_are_scouted - has it names to ask for again, destinations to look after, or some that are drained? */
bool destinations_are_scouted(const struct class_config *c);

/* destinations_need_scout - has a class such ones? */
bool destinations_need_scout(const struct config *c);

/* destinations_have_names - was one given by name? */
bool destinations_have_names(const struct class_config *c);

#endif

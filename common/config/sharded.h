/*
 * sharded.h - `shards`: how many pipelines an instance is to have, and what cannot be combined with more than one.
 *
 * Rules:   `auto` is one for each CPU that the process that asks may run on: the holder, before anything is pinned, or
 *          a program that judges a configuration. An instance keeps the number that it was launched with, which stands
 *          in its segment.
 */
#ifndef ONTIME_CONFIG_SHARDED_H
#define ONTIME_CONFIG_SHARDED_H

#include "config.h"

/* sharded_count - 1 to MOST_SHARDS. */
uint32_t sharded_count(const struct config *c);

/* sharded_may_be_many - 0: it says 1. */
static inline bool sharded_may_be_many(const struct config *c)
{
	return c->shards != 1;
}

/* sharded_stage_name - "edf", or of several shards "edf.1". */
const char *sharded_stage_name(enum stage_id id, uint32_t shard, uint32_t n_shards);

/*
 * sharded_take_part - what one of n shards is held to: its part of the rate and of the burst, rounded down, so that
 * both hold over all shards together.
 */
void sharded_take_part(struct config *c, uint32_t n);

/* sharded_conflict - NULL, or why the configuration cannot have several shards, and *key. */
const char *sharded_conflict(const struct config *c, const char **key);

/* sharded_class_conflict - likewise of what a class says. */
const char *sharded_class_conflict(const struct config *c, uint32_t class, const char **key);

#endif

/*
 * shards.h - a trace through several shards, each by itself (model.h).
 *
 * Rules:   a trace does not say who sent a packet: each is taken for a sender of its own, which chance gives to a
 *          shard, the same way each time. Few senders spread worse.
 */
#ifndef ONTIME_SIMULATE_SHARDS_H
#define ONTIME_SIMULATE_SHARDS_H

#include "model.h"

/* shards_run - as model_run(), each shard with its own queues, and `outcomes` the sum. */
int shards_run(const struct config *c, struct trace *t, const struct model_setting *setting, uint32_t n_shards,
	       struct outcome *outcomes);

#endif

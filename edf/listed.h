/*
 * listed.h - the packets of a class that can be evicted, in lists: by size, or by source. For plan.c alone.
 *
 * Rules:   a list has its newest first. To add and to remove cost the same whatever waits; to choose a list costs a
 *          look at each of the 64.
 */
#ifndef ONTIME_EDF_LISTED_H
#define ONTIME_EDF_LISTED_H

#include "plan.h"

#define PLAN_NONE UINT32_MAX

static inline void listed_add(struct plan_class *c, uint64_t n)
{
	struct plan_entry *e = plan_entry(c, n);
	uint32_t at = (uint32_t)n & c->mask, was = c->sizes >> e->size & 1 ? c->newest[e->size] : PLAN_NONE;

	e->newer = PLAN_NONE;
	e->older = was;
	if (was != PLAN_NONE)
		c->entries[was].newer = at;
	c->newest[e->size] = at;
	c->sizes |= 1ULL << e->size;
	c->listed_ns[e->size] += e->service_ns;
}

static inline void listed_remove(struct plan_class *c, const struct plan_entry *e)
{
	c->listed_ns[e->size] -= e->service_ns;
	if (e->older != PLAN_NONE)
		c->entries[e->older].newer = e->newer;
	if (e->newer != PLAN_NONE)
		c->entries[e->newer].older = e->older;
	else if (e->older != PLAN_NONE)
		c->newest[e->size] = e->older;
	else
		c->sizes &= ~(1ULL << e->size);
}

/* Of the list of the largest, or of the sources that have most waiting. */
static inline uint32_t listed_victims(const struct plan_class *c)
{
	uint32_t most = 63 - (uint32_t)__builtin_clzll(c->sizes);

	for (uint32_t i = 0; i < PLAN_SIZES && c->evict == EVICT_SOURCE; i++)
		if ((c->sizes >> i & 1) && c->listed_ns[i] > c->listed_ns[most])
			most = i;
	return most;
}

static inline uint32_t listed_which(const struct plan_class *c, uint32_t payload_bytes, uint32_t bytes, uint32_t source)
{
	uint32_t size = (uint32_t)((uint64_t)bytes * PLAN_SIZES / (payload_bytes + 1));

	if (c->evict == EVICT_SOURCE)
		return (source ^ source >> 6 ^ source >> 12) % PLAN_SIZES;
	return size < PLAN_SIZES ? size : PLAN_SIZES - 1;
}

#endif

/*
 * parts.h - all shards of an instance, one after the other.
 */
#ifndef ONTIME_HOLD_PARTS_H
#define ONTIME_HOLD_PARTS_H

#include "shm/segment.h"

/*
 * parts_each - call look() for each part of the segment whose first one is observed. Returns the sum of what it
 * returned, or -errno if a part could not be observed, after a line.
 */
int parts_each(const struct segment *first, int (*look)(void *arg, const struct segment *part), void *arg);

/* parts_held_pkts - what waits in the lanes of all. */
uint64_t parts_held_pkts(const struct segment *first);

/*
 * part_of - a handle that maps nothing, to ask by: the locks of another shard's stages.
 */
struct segment part_of(const struct segment *seg, uint32_t shard);

#endif

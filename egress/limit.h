/*
 * limit.h - a rate that is kept across kills: a bucket of shaper.h, and the words of the segment that a successor goes
 * on from.
 *
 * Memory:  private; `kept` lies in the segment (layout.h).
 * Rules:   limit_note() before a call, limit_charge() after it. A limit without a rate does nothing and stores nothing.
 * Crash:   before a call the worst case is noted: killed in it, the bound still holds, and so it does when killed
 *          between any two stores here, on the slow side.
 */
#ifndef ONTIME_LIMIT_H
#define ONTIME_LIMIT_H

#include "shaper.h"
#include "shm/layout.h"

struct limit {
	struct shaper shaper;
	struct shaped *kept;
};

/*
 * limit_open - at start, and when a reload may have changed the rate. rescued_bytes: what a predecessor's last call had
 * put on the wire under this limit, maybe just now.
 */
void limit_open(struct limit *l, struct shaped *kept, uint64_t rate_bits_per_s, uint32_t burst_bytes,
		uint32_t rescued_bytes, uint64_t now);

/* limit_note - that many wire bytes may leave by the call that comes now. */
void limit_note(struct limit *l, uint32_t bytes, uint64_t now);

/* limit_charge - that many have left. */
void limit_charge(struct limit *l, uint32_t bytes, uint64_t now);

#endif

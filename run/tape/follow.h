/*
 * follow.h - behind egress in one lane: what it has released is copied before ingress uses the slot again, or counted.
 *
 * Memory:  the lane is mapped read-only; the copies are private, for FOLLOW_PKTS packets at a time.
 * Rules:   each released packet is copied whole or counted as missed: one or the other. A released slot is ingress's,
 *          who may write to it at any time, so the copy comes first, and then a look at how far ingress is: packets
 *          whose slots it may have begun to write to are missed, whatever the copy looks like. It writes to no slot
 *          further ahead of its count than BATCH, or with trains than the limit of its queue.
 * Order:   the copy, then a fence, then the count: a copy that holds a byte of a later packet sees a count that was
 *          stored before that byte.
 */
#ifndef ONTIME_TAPE_FOLLOW_H
#define ONTIME_TAPE_FOLLOW_H

#include "shm/segment.h"

#define FOLLOW_PKTS 32

/* A packet's slot, as it was when egress had released it. */
struct copy {
	struct arrival arrival;
	struct result result;
	struct departure departure;
	struct origin origin; /* valid in a class that has them */
	uint8_t *payload; /* as it came, without the header before it */
	uint32_t payload_bytes; /* of it, as many as there are in the slot and are asked for */
};

/* How far in a lane. */
struct place {
	uint64_t word; /* a commit word whose count is that of the next packet */
	uint64_t released_pkts, missed_pkts; /* since place_begin() */
};

struct follower {
	struct copy copies[FOLLOW_PKTS];
	uint8_t *room; /* of the payloads; NULL: none is wanted */
	uint32_t payload_bytes;
};

/* follow_open - payload_bytes: of the instance; 0: no payload is wanted. 0 or -ENOMEM. */
int follow_open(struct follower *f, uint32_t payload_bytes);
void follow_close(struct follower *f);

/* place_begin - from what is released next on. */
void place_begin(struct place *p, const struct lane_view *v);

/* follow_waiting - how many packets are released and not followed yet. */
uint64_t follow_waiting(const struct place *p, const struct lane_view *v);

/*
 * follow_next - copies of packets that were released after those before, FOLLOW_PKTS at most; *first: which of the
 * copies is the first that is whole, those before it are missed. Returns how many there are; 0: none waits. ahead_pkts:
 * how far ingress may write ahead.
 */
uint32_t follow_next(struct follower *f, struct place *p, const struct lane_view *v, uint32_t ahead_pkts,
		     uint32_t *first);

/* follow_skip - all that wait, without a copy; how many they are. */
uint64_t follow_skip(struct place *p, const struct lane_view *v);

/* follow_return - the last n packets of follow_next() were not wanted yet: they are next. */
void follow_return(struct place *p, uint32_t n);

/* follow_ahead_pkts - for follow_next(): of that class. */
uint32_t follow_ahead_pkts(const struct segment *seg, uint32_t class);

#endif

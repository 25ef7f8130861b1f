/*
 * shaper.h - pure: the share of each class of the way out, and how much may leave, and when at the earliest.
 *
 * Memory:  plain private state; not durable. Only empty_at_ns outlives the process: limit.h stores it in the segment.
 * Rules:   deficit round robin over the classes (drr.h), in bytes on the wire. Then a token bucket: one for all of
 *          them, and where it is asked for one of a class, and of a destination.
 * Bound:   in any window of t seconds at most rate * t + burst wire bytes are sent, across restarts too. Across a
 *          reload the bound takes each rate for its time, and the larger burst. A packet longer on the wire than the
 *          burst leaves when the bucket is full: then the bound is that packet.
 * Source:  the bucket is the virtual scheduling algorithm of ITU-T I.371 (GCRA): one instant instead of a token count,
 *          so nothing has to be refilled and nothing is lost to rounding in the sender's favour.
 */
#ifndef ONTIME_SHAPER_H
#define ONTIME_SHAPER_H

#include "config/config.h"
#include "drr.h"

#define IPV4_UDP_BYTES 28 /* headers of a datagram: what it is longer on the wire than its payload */
#define IPV6_UDP_BYTES 48

struct shaper {
	uint64_t rate_bits_per_s; /* 0: off */
	uint64_t burst_ns; /* the burst, as time at that rate */
	uint64_t empty_at_ns; /* when all that was sent would have left at that rate */
};

/* shaper_init_shares - each class's quantum on the way out. */
void shaper_init_shares(struct drr *d, const struct config *c);

/* shaper_init - a bucket that is full. */
void shaper_init(struct shaper *s, uint64_t rate_bits_per_s, uint32_t burst_bytes);

/*
 * shaper_resume - go on from an earlier bucket (a restart, a reload), so that the bound holds across it: the bytes that
 * the earlier one still held at its own rate (0: it was off) are in this one too. No more than any bucket can hold is
 * believed.
 */
void shaper_resume(struct shaper *s, uint64_t empty_at_ns, uint64_t rate_bits_per_s, uint64_t now);

/* shaper_after_ns - what empty_at_ns would be after that many wire bytes were sent at now. */
uint64_t shaper_after_ns(const struct shaper *s, uint32_t bytes, uint64_t now);

/* shaper_charge - that many wire bytes were handed to the kernel at now. */
void shaper_charge(struct shaper *s, uint32_t bytes, uint64_t now);

/* shaper_allows_bytes - wire bytes that may leave now; UINT32_MAX when not shaping. */
uint32_t shaper_allows_bytes(const struct shaper *s, uint64_t now);

/* shaper_next_ns - the earliest time a packet of that many wire bytes may leave. */
uint64_t shaper_next_ns(const struct shaper *s, uint32_t bytes, uint64_t now);

#endif

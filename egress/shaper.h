/*
 * shaper.h - pure step: which class may send next, how much, and when at the earliest.
 *
 * Memory:  plain private state; not durable: after a restart deficits are 0. Only empty_at_ns outlives it.
 * Rules:   byte-based deficit round robin over classes (drr.h), then a token bucket over all of them.
 * Bound:   wire bytes sent in any window of t seconds <= rate * t + burst, across restarts too, and across a reload with each
 *          rate for its time and the larger burst. A packet longer on the wire than the burst leaves when the bucket is
 *          empty: then the bound is that packet.
 * Source:  the bucket is the virtual scheduling algorithm of ITU-T I.371 (GCRA): one instant instead of a token count,
 *          so nothing has to be refilled and nothing is lost to rounding in the sender's favour.
 */
#ifndef ONTIME_EGRESS_H
#define ONTIME_EGRESS_H

#include "config/config.h"
#include "drr.h"

#define IPV4_UDP_BYTES 28 /* what a datagram weighs beyond its payload */
#define IPV6_UDP_BYTES 48

struct shaper {
	uint64_t rate_bits_per_s; /* 0: off */
	uint64_t burst_ns; /* the burst, as time at that rate */
	uint64_t empty_at_ns; /* when all that was sent would have left at that rate */
};

struct egress {
	struct drr drr;
	struct shaper shaper;
};

void egress_init(struct egress *e, const struct config *c);

/*
 * egress_resume - go on from an earlier bucket (a restart, a reload), so that the bound holds across it: the bytes that the
 * earlier one still held at its own rate (0: it was off) are in this one too. No more than any bucket can hold is believed.
 */
void egress_resume(struct egress *e, uint64_t empty_at_ns, uint64_t rate_bits_per_s, uint64_t now);

/* egress_after_ns - what empty_at_ns would be after sending that many wire bytes at now. */
uint64_t egress_after_ns(const struct egress *e, uint32_t bytes, uint64_t now);

/*
 * egress_pick - choose a class.
 * oldest_bytes[class]: wire bytes of its oldest packet, 0: nothing to send now. Returns the class or -1.
 */
int egress_pick(struct egress *e, const uint32_t *oldest_bytes);

/* egress_charge - wire bytes of a class were handed to the kernel at now. */
void egress_charge(struct egress *e, int class, uint32_t bytes, uint64_t now);

/* shaper_allows_bytes - wire bytes that may leave now; UINT32_MAX when not shaping. */
uint32_t shaper_allows_bytes(const struct shaper *s, uint64_t now);

/* shaper_next_ns - the earliest time a packet of that many wire bytes may leave. */
uint64_t shaper_next_ns(const struct shaper *s, uint32_t bytes, uint64_t now);

#endif

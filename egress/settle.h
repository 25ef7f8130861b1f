/*
 * settle.h - count what left: the end of a packet's way, for egress and for its successor alike.
 *
 * Rules:   each slot released is counted once: sent (with its latency and, if late, the span to blame), dropped here, or passed
 *          because a stage before dropped and counted it.
 * Crash:   counters, histogram updates and the count commit in one store (layout.h); the updates are absolute, so applying
 *          them again after a crash changes nothing.
 */
#ifndef ONTIME_SETTLE_H
#define ONTIME_SETTLE_H

#include "send.h"

/* settle - release the next n slots of a class: commit, then update the histogram, then ring who waits for room. */
void settle(struct sender *s, uint32_t class, uint32_t n, uint64_t sent_at_ns);

/* settle_load - a new process takes over counters and histogram. */
void settle_load(struct sender *s, uint32_t class);

#endif

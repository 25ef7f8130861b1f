/*
 * settle.h - count what leaves: the end of a packet's way, for egress and for its successor alike.
 *
 * Memory:  struct settled is private to egress: its own counts, which the lanes hold for a successor.
 * Rules:   each released slot is counted once: sent (with its latency and, if it was late, the span to blame), dropped
 *          here, or passed through, because an earlier stage already dropped and counted it. Counting does not ring:
 *          the loop does, once per step at most, if there are `unrung_classes`.
 * Crash:   counters, histogram updates and the count commit in one store (layout.h). The updates are absolute, so a
 *          successor that applies them again changes nothing.
 */
#ifndef ONTIME_SETTLE_H
#define ONTIME_SETTLE_H

#include "stage/stage.h"

struct settled {
	struct stage *stage;
	uint64_t sent[MAX_CLASSES]; /* the commit word of each lane, as egress stored it last */
	struct egress_tally tally[MAX_CLASSES];
	struct copies_tally copies[MAX_CLASSES]; /* of a class that copies; else all 0 */
	uint64_t latency[MAX_CLASSES][HISTOGRAM_BUCKETS]; /* the lane's histogram gets absolute values from this copy */
	uint64_t after[MAX_CLASSES]; /* estimates of after.h */
	/* bit per class: slots of it were released since the neighbours were last rung for room */
	uint32_t unrung_classes;
};

/* settle_load - a new process takes over the counters and the histogram of a class. */
void settle_load(struct settled *s, uint32_t class);

/*
 * settle - release the next n slots of a class: commit, then update the histogram. sent_at_ns: when the call that sent
 * them returned; in a class that copies each packet has its own time. n = 0 commits the counters alone.
 */
void settle(struct settled *s, uint32_t class, uint32_t n, uint64_t sent_at_ns);

#endif

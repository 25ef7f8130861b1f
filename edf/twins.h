/*
 * twins.h - pure: packets at the head of a class that would be chosen one right after the other, as one decision.
 *
 * Rules:   while there is no work a decision depends on deadlines, on what is lost, and on which classes have packets
 *          and room. Datagrams of a train came at one instant, so they have one deadline. Taking one of them off
 *          changes nothing that the next decision at the same instant looks at, until the run or the room ends.
 *          Work was predicted, a queue is to be evicted by size or by source, or the price of what is lost depends on
 *          the room before a shaped way out: then each packet is a decision of its own.
 */
#ifndef ONTIME_EDF_TWINS_H
#define ONTIME_EDF_TWINS_H

#include "plan.h"

/*
 * twins_pkts - plan_choose() has just chosen the head of the class to be worked on: that many packets, from the head
 * on and at most `most`, it would choose one after the other at the same instant. At least 1.
 */
static inline uint32_t twins_pkts(struct plan *p, uint32_t class, uint32_t most)
{
	struct plan_class *c = &p->classes[class];
	const struct edf_queue *q = &p->queues[class];
	uint32_t n = 1;

	if (p->model.n_samples || p->rate_bits_per_s || c->evict != EVICT_NEWEST || p->n_workers > 1 ||
	    plan_entry(c, c->first)->lost)
		return 1;
	most = most < q->waiting_pkts ? most : q->waiting_pkts;
	most = most < q->room_pkts ? most : q->room_pkts;
	for (; n < most; n++) {
		const struct plan_entry *e = plan_entry(c, c->first + n);

		if (e->deadline_ns != q->deadline_ns || e->lost || e->gone)
			break;
	}
	return n;
}

/* twins_take - the first n of the class, which are twins, are finished. */
static inline void twins_take(struct plan *p, uint32_t class, uint32_t n)
{
	p->classes[class].first += n - 1; /* nothing else is known of them: no work, and no place in a list */
	plan_take(p, class);
}

#endif

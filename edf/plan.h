/*
 * plan.h - pure: what edf knows of the packets that wait: deadlines, predicted work, what was given up; and its
 * decisions.
 *
 * Memory:  private to the process, one entry per slot, given by the caller; nothing is durable: a successor tells a new
 *          plan of all that wait, and what the old one had evicted is judged again.
 * Rules:   the stage tells of each arrival, asks what to do, does it, and takes the head off: plan_arrive(),
 *          plan_choose(), plan_take(), plan_learn(). A packet that is evicted keeps its place until it is the head.
 *          So it is with one that can no longer be in time: as soon as it is among the first of its class that are
 *          lost, it counts for nothing any more. What becomes of a lost head is decided when it is its turn (policy.h).
 *          With n workers a packet takes its whole service from one of them, and a share of it, service / n, from the
 *          time that all of them have: what waits drains n times as fast, and no packet is done sooner. All that is
 *          summed (work, loads, shares, costs) is such shares; what is predicted for one packet is whole.
 *          Service times are never assumed: per class a line in bytes, learned from measured ones (least squares with
 *          exponential forgetting). A share is a token bucket of service time that starts empty and holds
 *          SHARE_WINDOW_NS of its rate, which bounds how long a class with credit can delay others that have credit
 *          too.
 *          O(classes) per call; each packet that is late is passed over once more.
 */
#ifndef ONTIME_PLAN_H
#define ONTIME_PLAN_H

#include "policy.h"
#include "predict.h"

#define PLAN_SIZES 64 /* lists of packets, by size for evict = largest, by source for evict = source */
#define SHARE_WINDOW_NS 50000000ULL
#define LOAD_WINDOW_NS 10000000ULL

struct plan_entry {
	uint64_t deadline_ns;
	uint64_t
		/* predicted work on all that came until then and were not evicted at once, this one included */
		total_ns;
	uint32_t service_ns; /* its share of the time of all workers, as predicted when it came */
	uint32_t bytes;
	uint32_t newer, older; /* neighbours in the list of its size; PLAN_NONE: none */
	uint32_t tight; /* not of this packet: an element of the ring of tight ones, the end of its number */
	uint8_t size; /* which list, by size or source; none once work has started */
	uint8_t lost; /* enum drop_reason: DROP_EVICTED, DROP_LATE; else DROP_NONE */
	uint8_t gone; /* dropped by a stage before */
	uint8_t started : 1;
	uint8_t refused : 1; /* evicted as soon as it came, or gone: not in total_ns */
};

struct plan_class {
	struct plan_entry *entries;
	uint32_t mask; /* entries - 1 */
	uint32_t share_percent;
	uint32_t edf_to_egress_pkts;
	uint32_t n_workers; /* as in struct plan */
	uint64_t first, fresh, last; /* waiting: first <= n < last; lost as far as looked at: first <= n < fresh */
	uint64_t total_ns;
	/*
	 * Those with less time to spare than any that came later: tight_first <= i < tight_last, oldest first. The
	 * first that is not lost has the least of all. A sliding minimum, one addition per packet; nobody asks for it
	 * while nothing is lost, so packets are added when somebody does: tight_told is the first that was not.
	 */
	uint64_t tight_first, tight_last, tight_told;
	int64_t tokens_ns;
	uint64_t served_ns, served_at_ns; /* service lately, fading over LOAD_WINDOW_NS, as of then */
	struct predict_line model;
	enum evict evict; /* EVICT_SOURCE also where the class is fair */
	uint64_t sizes; /* bit per list that is not empty */
	uint64_t listed_ns[PLAN_SIZES]; /* predicted work on what each list has */
	uint32_t newest[PLAN_SIZES]; /* per size */
};

/* plan_entry - of packet n of the class. */
static inline struct plan_entry *plan_entry(struct plan_class *c, uint64_t n)
{
	return &c->entries[n & c->mask];
}

struct plan {
	struct edf_rules rules;
	enum evict evict;
	uint64_t rate_bits_per_s; /* of egress; 0: it does not shape */
	uint32_t n_classes;
	uint32_t payload_bytes;
	uint32_t n_workers; /* packets that are worked on at one time */
	uint32_t has_shares;
	uint64_t refilled_at_ns;
	uint64_t loads_at_ns; /* when load_permille of the queues was worked out; 0: it has to be again */
	uint32_t begin_stale; /* bit per class: begin_by_ns of its queue has to be worked out again */
	struct predict_line model; /* of all classes, for one that has had little service itself */
	struct plan_class classes[MAX_CLASSES];
	/*
	 * Before this instant the head is not lost, nor gone, nor at work: there is nothing to find out about the
	 * class. 0: there is.
	 * Set whenever the head, or what is predicted for it, changes.
	 */
	uint64_t sound_until_ns[MAX_CLASSES];
	struct edf_queue queues[MAX_CLASSES];
};

/* plan_init - entries[class]: slots[class] of them, a power of two. */
void plan_init(struct plan *p, const struct config *c, struct plan_entry *const *entries, const uint32_t *slots);

/*
 * plan_set_workers - so many packets are worked on at one time: 1 after plan_init(). Call it while nothing waits. With
 * more than one, a packet is taken off the plan when its work begins, and nothing is interrupted.
 */
void plan_set_workers(struct plan *p, uint32_t n);

/*
 * plan_reload - another config of the same classes: nothing waits any more, the caller tells of it again. Models stay.
 */
void plan_reload(struct plan *p, const struct config *c);

/* plan_arrive - the class's newest packet. gone: dropped by a stage before; it only has to be passed on. */
void plan_arrive(struct plan *p, uint32_t class, uint64_t now, uint64_t deadline_ns, uint32_t bytes, int gone);

/*
 * plan_arrive_from - likewise, of a source: with evict = source it is that which is taken from that has most waiting.
 */
void plan_arrive_from(struct plan *p, uint32_t class, uint64_t now, uint64_t deadline_ns, uint32_t bytes, int gone,
		      uint32_t source);

/* plan_choose - what to do next. room_pkts[class]: before the edf_to_egress limit. */
struct edf_choice plan_choose(struct plan *p, uint64_t now, const uint32_t *room_pkts);

/*
 * plan_start - work on the head of the class begins, and may be interrupted: it is not evicted any more.
 * Returns how long the work is predicted to take.
 */
uint64_t plan_start(struct plan *p, uint32_t class);

/*
 * plan_progress - the head of the class, which was started, needs remaining_ns more: call before telling of arrivals.
 */
void plan_progress(struct plan *p, uint32_t class, uint64_t remaining_ns);

/*
 * plan_interrupt - the packet that must go before work on the head of the class, which was started, goes on.
 * edf_interrupt().
 */
struct edf_choice plan_interrupt(struct plan *p, uint32_t class, uint64_t now, const uint32_t *room_pkts);

/* plan_take - the head of the class is finished, or dropped. */
void plan_take(struct plan *p, uint32_t class);

/* plan_learn - work on a packet took that long, until now. */
void plan_learn(struct plan *p, uint32_t class, uint64_t now, uint32_t bytes, uint64_t took_ns);

/* plan_predict_ns - the predicted work on a packet of that many bytes, in ns; 0 before anything was learned. */
uint64_t plan_predict_ns(const struct plan *p, uint32_t class, uint32_t bytes);

/* plan_share_ns - what work of service_ns on one packet takes of the time that all workers have. */
static inline uint64_t plan_share_ns(const struct plan *p, uint64_t service_ns)
{
	return p->n_workers > 1 ? service_ns / p->n_workers : service_ns;
}

/*
 * plan_set_margin - what a packet of the class needs after edf, from now on. What was given up before stays so; whether
 * the head is lost has to be found out again.
 */
static inline void plan_set_margin(struct plan *p, uint32_t class, uint64_t margin_ns)
{
	if (p->queues[class].margin_ns == margin_ns)
		return;
	p->queues[class].margin_ns = margin_ns;
	if (p->queues[class].waiting_pkts)
		p->sound_until_ns[class] = 0;
}

static inline uint32_t plan_waiting_pkts(const struct plan *p, uint32_t class)
{
	return p->queues[class].waiting_pkts;
}

#endif

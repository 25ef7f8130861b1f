/*
 * edf.h - pure: which class's oldest packet is next, or which one is shed, and why.
 *
 * Memory:  nothing of its own; what it decides on is given to it (plan.h keeps that).
 * Rules:   time in, decision out; no clock, no memory, no system call; O(classes) per decision.
 *          Within a class always first in, first out. Between classes the earliest deadline first; a class without a
 *          deadline is last; ties go to the higher class, which is the lower index.
 *            edf        also serves packets that are late already
 *            edf-drop   drops a head that cannot be in time
 *            guarded    drops such heads too, with a margin; serves the earliest deadline only while every higher class
 *                       would keep at least half of its budget as slack, its first packet and its last; else one of those.
 *                       A class that has used up its share ranks below all that have not.
 * Source:  EDF: Liu & Layland 1973; non-preemptive: Jeffay, Stanat & Martel 1991. guarded: measured against the
 *          clairvoyant optimum, tests/workloads.sh.
 */
#ifndef ONTIME_EDF_H
#define ONTIME_EDF_H

#include "account.h"
#include "config.h"

#define NO_DEADLINE UINT64_MAX

/* One class as the policy sees it: its oldest packet, what waits behind it, and room behind edf. */
struct edf_queue {
	uint64_t deadline_ns; /* of the head; NO_DEADLINE: none */
	uint64_t service_ns; /* predicted work on the head */
	uint32_t waiting_pkts; /* 0: empty */
	uint32_t room_pkts; /* before the edf_to_egress limit */
	/* for guarded */
	uint64_t last_deadline_ns; /* of the newest packet */
	uint64_t work_ns; /* predicted work on all that wait */
	uint64_t budget_ns;
	uint64_t margin_ns; /* time a packet needs after edf */
	uint32_t over_share; /* 1: the class has used up its share */
	uint32_t load_permille; /* part of the time that was spent on the class lately */
};

struct edf_choice {
	int class; /* -1: nothing can be done now */
	enum drop_reason drop; /* DROP_NONE: work on it */
};

/* edf_choose - one decision. full: what a class with waiting packets and no room means. */
struct edf_choice edf_choose(enum policy policy, enum full full, uint64_t now, const struct edf_queue *queues,
			     uint32_t n_classes);

/*
 * edf_interrupt - while a packet of `class` is worked on and needs remaining_ns more: which class above it must go first? One
 * whose packets (the first, or the newest with all before it) would be late if they waited, but are not if they do not.
 * Returns -1: none. Where late packets are dropped, a first packet that is late already is to be dropped first.
 */
struct edf_choice edf_interrupt(enum policy policy, uint64_t now, const struct edf_queue *queues, uint32_t n_classes,
				uint32_t class, uint64_t remaining_ns);

/*
 * edf_is_too_long - would a packet that arrives now, behind all of its class and of those above, finish after its deadline?
 * Such a queue is too long in time: something must go. evict: with EVICT_LARGEST what the classes above keep taking, by their
 * load, stretches the wait too, to twice as long at most: choosing whom to evict pays early. Where it is always the newest, it
 * only costs packets.
 */
int edf_is_too_long(const struct edf_queue *queues, uint32_t n_classes, uint32_t class, enum evict evict, uint64_t now,
		    uint64_t service_ns, uint64_t deadline_ns);

#endif

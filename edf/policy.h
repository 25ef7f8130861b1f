/*
 * policy.h - pure: which class's oldest packet is next, or which one is shed, and why.
 *
 * Memory:  nothing of its own; what it decides on is given to it (plan.h keeps that).
 * Rules:   time in, decision out; no clock, no memory, no system call; O(classes) per decision.
 *          Within a class always first in, first out. Between classes the earliest deadline first; a class without a
 *          deadline is last; ties go to the higher class, which is the lower index.
 *            edf        also serves packets that are late already
 *            edf-drop   drops a head that cannot be in time
 *            guarded    serves the earliest deadline only while every higher class would keep at least half of its
 *                       budget as slack, its first packet and its last; else one of those. A class that has used up its
 *                       share ranks below all that have not. A head that is lost (it cannot be in time, or was evicted)
 *                       goes on all the same where that costs nobody anything, else it is dropped. It costs somebody
 *                       something when a packet that waits and can be in time would not be, behind those before it in
 *                       its class and all that wait in the classes above; or when it takes more than half of the budget
 *                       of a class that is in use, from packets that may come. The time it takes is its work, stretched
 *                       by the load of late: with 60 % of the time taken, 0.2 ms of work puts off what comes for 0.5
 *                       ms.
 *          With `late = drop` a head that cannot be in time is dropped under every policy.
 * Source:  EDF: Liu & Layland 1973; non-preemptive: Jeffay, Stanat & Martel 1991. guarded: measured against the
 *          clairvoyant optimum, tests/workloads/compare.sh.
 */
#ifndef ONTIME_EDF_H
#define ONTIME_EDF_H

#include <stdalign.h>

#include "config/config.h"
#include "fate.h"

#define NO_DEADLINE UINT64_MAX
#define CACHE_LINE 64 /* bytes */

struct edf_rules {
	enum policy policy;
	enum full full; /* what a class with waiting packets and no room means */
	enum late late;
};

/*
 * One class as the policy sees it: its oldest packet, what waits behind it, and room behind edf. Each decision reads
 * the first line.
 */
struct edf_queue {
	alignas(CACHE_LINE) uint64_t deadline_ns; /* of the head; NO_DEADLINE: none */
	uint64_t service_ns; /* predicted work on the head */
	uint32_t waiting_pkts; /* 0: empty */
	uint32_t room_pkts; /* before the edf_to_egress limit */
	uint16_t
		/* enum drop_reason: DROP_LATE, DROP_EVICTED: the head was given up before; DROP_NONE: it was not */
		lost;
	/* for guarded */
	uint16_t over_share; /* 1: the class has used up its share */
	uint32_t load_permille; /* part of the time that was spent on the class lately */
	uint64_t last_deadline_ns; /* of the newest packet */
	uint64_t work_ns; /* predicted work on all that wait and are not evicted */
	uint64_t budget_ns;
	uint64_t margin_ns; /* time a packet needs after edf */
	/* read only where something is lost, or interrupted */
	uint64_t cost_ns; /* what the head takes from all others: its service, and its time on a shaped way out */
	uint64_t fresh_deadline_ns, fresh_service_ns; /* of the oldest that is not lost; NO_DEADLINE: none */
	/* when work on those not lost must begin for each of them to be in time; INT64_MAX: any time */
	int64_t begin_by_ns;
	uint64_t late_ns; /* the part of work_ns that is for those in front that cannot be in time any more */
	uint32_t started; /* 1: work on the head has begun; if others interrupted it, it goes on after them */
};

struct edf_choice {
	int class; /* -1: nothing can be done now */
	enum drop_reason drop; /* DROP_NONE: work on it */
};

/* edf_is_hopeless - can a packet of the class with that deadline and predicted work not be in time, by these rules? */
int edf_is_hopeless(const struct edf_rules *rules, const struct edf_queue *q, uint64_t now, uint64_t deadline_ns,
		    uint64_t service_ns);

/* edf_hopeless_from - the first instant at which edf_is_hopeless(); UINT64_MAX: it never is. */
uint64_t edf_hopeless_from(const struct edf_rules *rules, const struct edf_queue *q, uint64_t deadline_ns,
			   uint64_t service_ns);

/* edf_choose - one decision. */
struct edf_choice edf_choose(const struct edf_rules *rules, uint64_t now, const struct edf_queue *queues,
			     uint32_t n_classes);

/*
 * edf_interrupt - while a packet of `class` is worked on and needs remaining_ns more: which class above it must go
 * first? One whose packets (the first, or the newest with all before it) would be late if they waited, but are not if
 * they do not.
 * A lost head in front of those goes first, or is dropped. A started head waits further down the stack: it cannot go
 * before what interrupted it, even if shares have changed the ranks since. Returns -1: none.
 */
struct edf_choice edf_interrupt(const struct edf_rules *rules, uint64_t now, const struct edf_queue *queues,
				uint32_t n_classes, uint32_t class, uint64_t remaining_ns);

/*
 * edf_is_too_long - would a packet that arrives now, behind all of its class and of those above, finish after its
 * deadline? Such a queue is too long in time: something must go. evict: with EVICT_LARGEST what the classes above keep
 * taking, by their load, stretches the wait too, to twice as long at most: choosing whom to evict pays early. Where it
 * is always the newest, it only costs packets.
 */
int edf_is_too_long(const struct edf_queue *queues, uint32_t n_classes, uint32_t class, enum evict evict, uint64_t now,
		    uint64_t service_ns, uint64_t deadline_ns);

#endif

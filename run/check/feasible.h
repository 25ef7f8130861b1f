/*
 * feasible.h - pure: can these classes meet these deadlines at these rates?
 *
 * Rules:   non-preemptive earliest deadline first, one worker. A class is sporadic with bursts: at most burst_pkts +
 *          floor(x / period_ns) packets in any x ns. Feasible if and only if the load is at most 1 and for every
 *          deadline t = D_c + k * T_c in the longest busy period
 *
 *              h(t) + B(t) <= t      h(t) = sum over D_c <= t of C_c * (b_c + floor((t - D_c) / T_c))
 *                                    B(t) = max { C_j : D_j > t }, the packet that had begun when the worst came
 *                                    together
 *
 *          Classes without a deadline only block. The verdict is for `policy = edf` and `edf-drop`.
 * Source:  Jeffay, Stanat & Martel 1991; George, Rivierre & Spuri 1996; bursts as in Baruah, Mok & Rosier's demand
 *          bound.
 */
#ifndef ONTIME_FEASIBLE_H
#define ONTIME_FEASIBLE_H

#include <stdint.h>

#include "config/config.h"

#define NO_BOUND UINT64_MAX

struct feasible_class {
	uint64_t service_ns; /* C: the longest */
	uint64_t period_ns; /* T: between packets, bursts aside; 0: none come */
	uint64_t deadline_ns; /* D: from arrival until the work must be done; NO_BOUND: none */
	uint32_t burst_pkts; /* b: at least 1 */
};

enum verdict {
	VERDICT_FITS,
	VERDICT_OVERLOAD, /* more work than time */
	VERDICT_MISSES, /* a deadline can be missed, see tightest_* */
	VERDICT_OPEN, /* the load is so close to 1 that the busy period is too long to look through */
};

struct feasible {
	enum verdict verdict;
	uint64_t load_ppm; /* of classes with a deadline, rounded up */
	uint64_t busy_ns; /* longest busy period */
	uint64_t tightest_ns; /* the deadline with the least slack, from the start of the busy period */
	uint64_t demand_ns; /* h + B there */
	int64_t slack_ns; /* tightest_ns - demand_ns */
	uint32_t tightest_class; /* whose deadline that is */
	uint32_t blocker; /* whose packet blocks there; n: none */
	uint64_t points; /* deadlines looked at */
};

/*
 * feasible_share - the same classes as n_workers make them for one: work is done n_workers times as fast, and deadlines
 * are sooner by what is returned. What fits then fits with so many workers; what does not may.
 *     From the last moment at which no packet with a deadline of d or sooner waits, all workers work, but for the
 *     longest packet that each has begun, on such packets only: the one of that deadline begins after at most
 *     (h - C) / n_workers + max C, and takes its C. Sooner by (2 - 1 / n_workers) * max C covers both.
 */
uint64_t feasible_share(struct feasible_class *c, uint32_t n, uint32_t n_workers);

/* feasible_check - decide. n <= MAX_CLASSES; classes without packets count for nothing. */
void feasible_check(const struct feasible_class *c, uint32_t n, struct feasible *out);

/*
 * feasible_response_ns - an upper bound of the class's response, from arrival until the work is done: the shortest
 * deadline it could have with all others as they are. NO_BOUND if there is none.
 */
uint64_t feasible_response_ns(const struct feasible_class *c, uint32_t n, uint32_t class);

/* feasible_period_ns - the shortest period the class could have with all else as it is; NO_BOUND if there is none. */
uint64_t feasible_period_ns(const struct feasible_class *c, uint32_t n, uint32_t class);

#endif

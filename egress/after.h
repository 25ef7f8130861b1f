/*
 * after.h - pure: how long a packet needs after edf: the time that half of them stay below.
 *
 * Memory:  one number per class, in 1/4096 ns; the lane holds it in ns, for edf and for a successor of egress.
 * Rules:   a packet that took longer raises it, one that took less lowers it, by a part of itself. It follows a tenfold
 *          change in 2,400 packets, and needs no history.
 *          The median, not a tail: a packet with less time to spare than most need is late; one that is given up though
 *          it has that much would more often have been in time (tests/bench/README.md has the figures).
 * Source:  Ma, Muthukrishnan, Sandler: Frugal Streaming for Estimating Quantiles (2013), with steps in proportion.
 */
#ifndef ONTIME_AFTER_H
#define ONTIME_AFTER_H

#include <stdint.h>

#include "clock.h"

#define AFTER_SHIFT 12 /* bits of the fraction */
#define AFTER_STEPS 1024 /* a step is that part of the estimate */
#define AFTER_LEAST_NS NS_PER_US
#define AFTER_MOST_NS NS_PER_S

/* after_learn - the estimate once a packet has taken took_ns. */
static inline uint64_t after_learn(uint64_t estimate, uint64_t took_ns)
{
	const uint64_t least = AFTER_LEAST_NS << AFTER_SHIFT, most = AFTER_MOST_NS << AFTER_SHIFT;
	uint64_t step = estimate / AFTER_STEPS;

	if (took_ns > estimate >> AFTER_SHIFT)
		return estimate + step < most ? estimate + step : most;
	return estimate - step > least ? estimate - step : least;
}

#endif

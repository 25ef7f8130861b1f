/*
 * schedule.h - when a class's datagrams are due: constant, Poisson or bursty arrivals, from a seed.
 *
 * Rules:   pure; open loop: a due time depends on those before it and on nothing else.
 */
#ifndef ONTIME_LOAD_SCHEDULE_H
#define ONTIME_LOAD_SCHEDULE_H

#include <stdint.h>

enum arrivals {
	ARRIVALS_CONSTANT,
	ARRIVALS_POISSON, /* exponential gaps */
	ARRIVALS_BURSTY, /* a burst at once, exponential gaps between bursts */
	N_ARRIVALS
};

struct schedule {
	enum arrivals arrivals;
	uint32_t burst_pkts, left_pkts; /* of this burst */
	double mean_gap_ns; /* between datagrams */
	double due_at_ns; /* of the next one, from the start; a fraction of a nanosecond each would add up */
	uint64_t random;
};

/* schedule_start - phase: 0 to 1, how much of a gap constant arrivals begin with, so that classes do not meet. */
void schedule_start(struct schedule *s, enum arrivals arrivals, uint32_t burst_pkts, double rate_pps, double phase,
		    uint64_t seed);

/* schedule_next - the one that was due is done; the next one's time is set. */
void schedule_next(struct schedule *s);

#endif

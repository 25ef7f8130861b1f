/* schedule.c - when datagrams are due. */
#include "schedule.h"

#include "random.h"

/* The exponential distribution without libm: -ln(u) by its binary exponent and a short series. */
static double exponential(uint64_t random)
{
	double u = (double)((random >> 11) + 1) / 9007199254740993.0, sum = 0, x;

	while (u < 0.5) {
		u *= 2;
		sum += 0.69314718055994531;
	}
	x = (1 - u) / (1 + u); /* -ln(u) = 2 artanh(x) */
	return sum + 2 * (x + x * x * x / 3 + x * x * x * x * x / 5 + x * x * x * x * x * x * x / 7);
}

static double gap_ns(struct schedule *s)
{
	if (s->arrivals == ARRIVALS_CONSTANT)
		return s->mean_gap_ns;
	if (s->arrivals == ARRIVALS_POISSON)
		return s->mean_gap_ns * exponential(random_next(&s->random));
	if (--s->left_pkts > 0)
		return 0;
	s->left_pkts = s->burst_pkts;
	return s->mean_gap_ns * s->burst_pkts * exponential(random_next(&s->random));
}

void schedule_start(struct schedule *s, enum arrivals arrivals, uint32_t burst_pkts, double rate_pps, double phase,
		    uint64_t seed)
{
	*s = (struct schedule){ .arrivals = arrivals,
				.burst_pkts = burst_pkts,
				.left_pkts = 1,
				.mean_gap_ns = 1e9 / rate_pps,
				.random = (seed + 1) * 0x9e3779b97f4a7c15ULL };
	if (s->random == 0)
		s->random = 1;
	s->due_at_ns = arrivals == ARRIVALS_CONSTANT ? phase * s->mean_gap_ns : gap_ns(s);
}

void schedule_next(struct schedule *s)
{
	s->due_at_ns += gap_ns(s);
}

/* feasible.c - pure: non-preemptive EDF feasibility. */
#include "feasible.h"

#include <string.h>

#include "units.h"

#define MOST_POINTS 2000000u /* a tenth of a second */
#define MOST_ROUNDS 100000u
#define LONGEST_NS (3600 * NS_PER_S) /* deadlines and periods up to an hour */

static int counts(const struct feasible_class *c)
{
	return c->period_ns != 0 && c->service_ns != 0;
}

static int has_deadline(const struct feasible_class *c)
{
	return counts(c) && c->deadline_ns != NO_BOUND;
}

/* Rounded up, so that 1000000 is never exceeded unnoticed. */
static uint64_t load_ppm(const struct feasible_class *c, uint32_t n)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < n; i++)
		if (has_deadline(&c[i]))
			sum += (c[i].service_ns * 1000000 + c[i].period_ns - 1) / c[i].period_ns;
	return sum;
}

/*
 * The longest time without a pause, as the fixed point of all work that arrives in it; 0: not found in the rounds there
 * are.
 */
static uint64_t busy_period_ns(const struct feasible_class *c, uint32_t n)
{
	uint64_t longest_ns = 0, busy_ns = 0, next_ns = 0;

	for (uint32_t i = 0; i < n; i++)
		if (counts(&c[i]) && c[i].service_ns > longest_ns)
			longest_ns = c[i].service_ns;
	for (uint32_t round = 0; round < MOST_ROUNDS; round++) {
		next_ns = longest_ns;
		for (uint32_t i = 0; i < n; i++)
			if (has_deadline(&c[i]))
				next_ns += c[i].service_ns * (c[i].burst_pkts + busy_ns / c[i].period_ns);
		if (next_ns == busy_ns)
			return busy_ns;
		busy_ns = next_ns;
		if (busy_ns > LONGEST_NS)
			return 0;
	}
	return 0;
}

static void look_at(const struct feasible_class *c, uint32_t n, uint64_t t, uint32_t class, struct feasible *out)
{
	uint64_t demand_ns = 0, block_ns = 0;
	uint32_t blocker = n;

	for (uint32_t i = 0; i < n; i++) {
		if (!counts(&c[i]))
			continue;
		if (c[i].deadline_ns <= t)
			demand_ns += c[i].service_ns * (c[i].burst_pkts + (t - c[i].deadline_ns) / c[i].period_ns);
		else if (c[i].service_ns > block_ns) {
			block_ns = c[i].service_ns;
			blocker = i;
		}
	}
	demand_ns += block_ns;
	if ((int64_t)(t - demand_ns) >= out->slack_ns)
		return;
	out->slack_ns = (int64_t)(t - demand_ns);
	out->tightest_ns = t;
	out->demand_ns = demand_ns;
	out->tightest_class = class;
	out->blocker = blocker;
}

void feasible_check(const struct feasible_class *c, uint32_t n, struct feasible *out)
{
	uint64_t next_ns[MAX_CLASSES];

	memset(out, 0, sizeof(*out));
	out->slack_ns = INT64_MAX;
	out->blocker = n;
	out->load_ppm = load_ppm(c, n);
	out->verdict = VERDICT_OVERLOAD;
	if (out->load_ppm > 1000000)
		return;
	out->verdict = VERDICT_OPEN;
	out->busy_ns = busy_period_ns(c, n);
	for (uint32_t i = 0; i < n; i++)
		next_ns[i] = has_deadline(&c[i]) ? c[i].deadline_ns : NO_BOUND;
	for (; out->points < MOST_POINTS; out->points++) {
		uint32_t first = 0;

		for (uint32_t i = 1; i < n; i++)
			first = next_ns[i] < next_ns[first] ? i : first;
		if (n == 0 || next_ns[first] == NO_BOUND || (out->busy_ns && next_ns[first] > out->busy_ns)) {
			/* past the busy period; what is due later than it ends is done by then */
			out->verdict = out->slack_ns < 0 ? VERDICT_MISSES : VERDICT_FITS;
			return;
		}
		look_at(c, n, next_ns[first], first, out);
		next_ns[first] += c[first].period_ns;
	}
	if (out->slack_ns < 0)
		out->verdict = VERDICT_MISSES;
}

uint64_t feasible_share(struct feasible_class *c, uint32_t n, uint32_t n_workers)
{
	uint64_t longest_ns = 0, sooner_ns;

	if (n_workers <= 1)
		return 0;
	for (uint32_t i = 0; i < n; i++)
		if (counts(&c[i]) && c[i].service_ns > longest_ns)
			longest_ns = c[i].service_ns;
	sooner_ns = 2 * longest_ns - longest_ns / n_workers;
	for (uint32_t i = 0; i < n; i++) {
		c[i].service_ns = (c[i].service_ns + n_workers - 1) / n_workers;
		if (c[i].deadline_ns != NO_BOUND)
			c[i].deadline_ns = c[i].deadline_ns > sooner_ns ? c[i].deadline_ns - sooner_ns : 1;
	}
	return sooner_ns;
}

static int fits(const struct feasible_class *c, uint32_t n)
{
	struct feasible f;

	feasible_check(c, n, &f);
	return f.verdict == VERDICT_FITS;
}

/* The smallest value of one field with which all fits; fitting is monotonic in it. */
static uint64_t least_ns(struct feasible_class *c, uint32_t n, uint64_t *field)
{
	uint64_t low = 0, high = LONGEST_NS; /* low does not fit, high does */

	*field = high;
	if (!fits(c, n))
		return NO_BOUND;
	while (high - low > 1 + high / 100000) {
		*field = low + (high - low) / 2;
		if (fits(c, n))
			high = *field;
		else
			low = *field;
	}
	return high;
}

uint64_t feasible_response_ns(const struct feasible_class *c, uint32_t n, uint32_t class)
{
	struct feasible_class changed[MAX_CLASSES];

	memcpy(changed, c, n * sizeof(*c));
	return least_ns(changed, n, &changed[class].deadline_ns);
}

uint64_t feasible_period_ns(const struct feasible_class *c, uint32_t n, uint32_t class)
{
	struct feasible_class changed[MAX_CLASSES];

	memcpy(changed, c, n * sizeof(*c));
	return least_ns(changed, n, &changed[class].period_ns);
}

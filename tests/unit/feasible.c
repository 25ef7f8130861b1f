/*
 * feasible.c - the verdict against what happens: earliest deadline first, simulated, on the worst and on random
 * arrivals.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"
#include "check/feasible.h"
#include "suites.h"

#define US 1000ULL
#define MS 1000000ULL
#define MOST_PKTS 20000u
#define N_CONFIGS 1500
#define MOST_DRAWN_WORKERS 8
#define N_RANDOM 3 /* arrival patterns per config that fits */

static uint64_t random_state;

static uint64_t random_below(uint64_t n)
{
	return (random_next(&random_state) >> 20) % n;
}

/* Arrivals of one class, sorted. */
struct arrivals {
	uint64_t at_ns[MOST_PKTS];
	uint32_t n, next; /* next: to be served */
};

static struct arrivals arrivals[MAX_CLASSES];

/*
 * The worst: one packet of the blocker, and at the next nanosecond all that the others may send, as early as they may.
 */
static void arrive_at_worst(const struct feasible_class *c, uint32_t n, uint32_t blocker, uint64_t until_ns)
{
	for (uint32_t i = 0; i < n; i++) {
		struct arrivals *a = &arrivals[i];

		a->n = a->next = 0;
		if (c[i].period_ns == 0)
			continue;
		if (i == blocker) {
			a->at_ns[a->n++] = 0; /* it has had its turn; the others' work is what counts */
			continue;
		}
		for (uint32_t k = 0; k < c[i].burst_pkts && a->n < MOST_PKTS; k++)
			a->at_ns[a->n++] = 1;
		for (uint64_t t = 1 + c[i].period_ns; t <= until_ns && a->n < MOST_PKTS; t += c[i].period_ns)
			a->at_ns[a->n++] = t;
	}
}

/* Anything within burst and rate: a token bucket, spent at random. */
static void arrive_at_random(const struct feasible_class *c, uint32_t n, uint64_t until_ns)
{
	for (uint32_t i = 0; i < n; i++) {
		struct arrivals *a = &arrivals[i];
		uint64_t full_at_ns = 0, t = random_below(2 * MS); /* full_at: when the bucket would be full again */

		a->n = a->next = 0;
		while (c[i].period_ns && t <= until_ns && a->n < MOST_PKTS) {
			uint64_t most_ns = (uint64_t)(c[i].burst_pkts - 1) * c[i].period_ns;

			if (full_at_ns > t + most_ns) /* no token: not before then */
				t = full_at_ns - most_ns;
			a->at_ns[a->n++] = t;
			full_at_ns = (full_at_ns > t ? full_at_ns : t) + c[i].period_ns;
			if (random_below(3) == 0)
				t += random_below(4 * c[i].period_ns);
		}
	}
}

/* Serve all arrivals, earliest deadline first, ties to the higher class. Returns how many were late. */
static uint32_t serve(const struct feasible_class *c, uint32_t n)
{
	uint64_t now = 0;
	uint32_t late = 0;

	for (;;) {
		uint64_t soonest_ns = NO_BOUND, best_ns = NO_BOUND;
		int best = -1;

		for (uint32_t i = 0; i < n; i++) {
			const struct arrivals *a = &arrivals[i];
			uint64_t deadline_ns;

			if (a->next == a->n)
				continue;
			if (a->at_ns[a->next] < soonest_ns)
				soonest_ns = a->at_ns[a->next];
			if (a->at_ns[a->next] > now)
				continue;
			deadline_ns = c[i].deadline_ns == NO_BOUND ? NO_BOUND : a->at_ns[a->next] + c[i].deadline_ns;
			if (best < 0 || deadline_ns < best_ns) {
				best = (int)i;
				best_ns = deadline_ns;
			}
		}
		if (soonest_ns == NO_BOUND)
			return late;
		if (best < 0) {
			now = soonest_ns;
			continue;
		}
		now += c[best].service_ns;
		arrivals[best].next++;
		late += now > best_ns;
	}
}

/* Likewise by several workers. Nothing goes on before all that came before it in its class. */
static uint32_t serve_by(const struct feasible_class *c, uint32_t n, uint32_t n_workers)
{
	uint64_t free_ns[MOST_DRAWN_WORKERS] = { 0 }, gone_ns[MAX_CLASSES] = { 0 };
	uint32_t late = 0;

	for (;;) {
		uint64_t now = NO_BOUND, best_ns = NO_BOUND, soonest_ns = NO_BOUND, done_ns;
		uint32_t worker = 0;
		int best = -1;

		for (uint32_t k = 1; k < n_workers; k++)
			worker = free_ns[k] < free_ns[worker] ? k : worker;
		for (uint32_t i = 0; i < n; i++)
			if (arrivals[i].next < arrivals[i].n && arrivals[i].at_ns[arrivals[i].next] < soonest_ns)
				soonest_ns = arrivals[i].at_ns[arrivals[i].next];
		if (soonest_ns == NO_BOUND)
			return late;
		now = free_ns[worker] > soonest_ns ? free_ns[worker] : soonest_ns;
		for (uint32_t i = 0; i < n; i++) {
			const struct arrivals *a = &arrivals[i];
			uint64_t deadline_ns;

			if (a->next == a->n || a->at_ns[a->next] > now)
				continue;
			deadline_ns = c[i].deadline_ns == NO_BOUND ? NO_BOUND : a->at_ns[a->next] + c[i].deadline_ns;
			if (best >= 0 && deadline_ns >= best_ns)
				continue;
			best = (int)i;
			best_ns = deadline_ns;
		}
		done_ns = free_ns[worker] = now + c[best].service_ns;
		gone_ns[best] = done_ns > gone_ns[best] ? done_ns : gone_ns[best];
		arrivals[best].next++;
		late += gone_ns[best] > best_ns;
	}
}

static uint32_t make_classes(struct feasible_class *c)
{
	uint32_t n = 1 + (uint32_t)random_below(5);
	uint64_t load_permille = 300 + random_below(700);

	for (uint32_t i = 0; i < n; i++) {
		c[i].period_ns = 300 * US + random_below(20 * MS);
		c[i].service_ns = 1 + c[i].period_ns * load_permille / 1000 / n * (50 + random_below(100)) / 100;
		c[i].burst_pkts = 1 + (uint32_t)random_below(4);
		c[i].deadline_ns =
			random_below(12) == 0 ? NO_BOUND : c[i].service_ns + random_below(4 * c[i].period_ns + 4 * MS);
	}
	return n;
}

static void no_config_that_fits_misses_and_most_that_do_not_are_seen_to(void)
{
	uint32_t fit = 0, missing = 0, confirmed = 0, wrong = 0;

	random_state = 0x2545f4914f6cdd1d;
	for (int k = 0; k < N_CONFIGS; k++) {
		struct feasible_class c[MAX_CLASSES];
		uint32_t n = make_classes(c);
		struct feasible f;

		feasible_check(c, n, &f);
		if (f.verdict == VERDICT_FITS) {
			fit++;
			for (uint32_t blocker = 0; blocker <= n; blocker++) {
				arrive_at_worst(c, n, blocker, 200 * MS);
				wrong += serve(c, n) > 0;
			}
			for (int r = 0; r < N_RANDOM; r++) {
				arrive_at_random(c, n, 200 * MS);
				wrong += serve(c, n) > 0;
			}
		} else if (f.verdict == VERDICT_MISSES) {
			missing++;
			arrive_at_worst(c, n, f.blocker, f.tightest_ns + 1);
			confirmed += serve(c, n) > 0;
		}
	}
	printf("      %u fit, none of them missed; of %u that do not, the worst arrivals show a miss in %u (%.1f %%)\n",
	       fit, missing, confirmed, 100.0 * confirmed / missing);
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT(fit > 300 && missing > 300);
	CU_ASSERT(confirmed * 100 > missing * 90);
}

static void what_fits_as_shared_fits_with_so_many_workers(void)
{
	uint32_t fit = 0, wrong = 0;

	random_state = 0x9e3779b97f4a7c15;
	for (int k = 0; k < N_CONFIGS; k++) {
		uint32_t n_workers = 2 + (uint32_t)random_below(MOST_DRAWN_WORKERS - 1);
		struct feasible_class c[MAX_CLASSES], shared[MAX_CLASSES];
		uint32_t n = make_classes(c);
		struct feasible f;

		for (uint32_t i = 0; i < n; i++)
			c[i].service_ns *= n_workers; /* the load of one, times so many */
		memcpy(shared, c, sizeof(shared));
		feasible_share(shared, n, n_workers);
		feasible_check(shared, n, &f);
		if (f.verdict != VERDICT_FITS)
			continue;
		fit++;
		for (uint32_t blocker = 0; blocker <= n; blocker++) {
			arrive_at_worst(c, n, blocker, 100 * MS);
			wrong += serve_by(c, n, n_workers) > 0;
		}
		for (int r = 0; r < N_RANDOM; r++) {
			arrive_at_random(c, n, 100 * MS);
			wrong += serve_by(c, n, n_workers) > 0;
		}
	}
	printf("      %u of %d are shown to fit with 2 to %d workers, none of them missed\n", fit, N_CONFIGS,
	       MOST_DRAWN_WORKERS);
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT(fit > 50);
}

static void classes_are_shared_as_one_worker_has_them(void)
{
	struct feasible_class c[] = { { 400 * US, 2 * MS, 5 * MS, 1 },
				      { 300 * US, 1 * MS, NO_BOUND, 1 },
				      { 100 * US, 1 * MS, 600 * US, 1 },
				      { 9 * MS, 0, 1 * MS, 1 } }; /* none come: it is nobody's longest */

	CU_ASSERT_EQUAL(feasible_share(c, 4, 1), 0);
	CU_ASSERT_EQUAL(c[0].service_ns, 400 * US);
	CU_ASSERT_EQUAL(feasible_share(c, 4, 4), 700 * US);
	CU_ASSERT_EQUAL(c[0].service_ns, 100 * US);
	CU_ASSERT_EQUAL(c[0].deadline_ns, 4300 * US);
	CU_ASSERT_EQUAL(c[1].deadline_ns, NO_BOUND);
	CU_ASSERT_EQUAL(c[2].deadline_ns, 1); /* never in time, as far as can be shown */
}

static void a_case_by_hand_is_tight_to_the_nanosecond(void)
{
	/* high: 400 us every 2 ms; a packet of low, 300 us, may have begun */
	struct feasible_class c[] = { { 400 * US, 2 * MS, 700 * US, 1 }, { 300 * US, 1 * MS, 50 * MS, 1 } };
	struct feasible f;

	feasible_check(c, 2, &f);
	CU_ASSERT_EQUAL(f.verdict, VERDICT_FITS);
	CU_ASSERT_EQUAL(f.slack_ns, 0);
	CU_ASSERT_EQUAL(f.tightest_ns, 700 * US);
	CU_ASSERT_EQUAL(f.tightest_class, 0);
	CU_ASSERT_EQUAL(f.blocker, 1);
	CU_ASSERT_EQUAL(f.load_ppm, 500000);
	c[1].service_ns++;
	feasible_check(c, 2, &f);
	CU_ASSERT_EQUAL(f.verdict, VERDICT_MISSES);
	CU_ASSERT_EQUAL(f.slack_ns, -1);
}

static void a_class_without_a_deadline_only_blocks(void)
{
	struct feasible_class c[] = { { 100 * US, 1 * MS, 500 * US, 1 }, { 400 * US, 1, NO_BOUND, 1 } };
	struct feasible f;

	feasible_check(c, 2, &f);
	CU_ASSERT_EQUAL(f.verdict, VERDICT_FITS);
	CU_ASSERT_EQUAL(f.load_ppm, 100000);
	c[1].service_ns = 401 * US;
	feasible_check(c, 2, &f);
	CU_ASSERT_EQUAL(f.verdict, VERDICT_MISSES);
	c[1].period_ns = 0; /* none come */
	feasible_check(c, 2, &f);
	CU_ASSERT_EQUAL(f.verdict, VERDICT_FITS);
}

static void more_work_than_time_never_fits(void)
{
	struct feasible_class c[] = { { 600 * US, 1 * MS, 3600000 * MS, 1 }, { 401 * US, 1 * MS, 3600000 * MS, 1 } };
	struct feasible f;

	feasible_check(c, 2, &f);
	CU_ASSERT_EQUAL(f.verdict, VERDICT_OVERLOAD);
	CU_ASSERT_EQUAL(feasible_response_ns(c, 2, 0), NO_BOUND);
	CU_ASSERT(feasible_period_ns(c, 2, 0) > 1 * MS);
	feasible_check(c, 0, &f);
	CU_ASSERT_EQUAL(f.verdict, VERDICT_FITS);
}

static void a_load_of_one_is_left_open_unless_a_miss_is_found(void)
{
	struct feasible_class c[] = { { 500 * US, 1 * MS, 100 * MS, 1 }, { 500 * US, 1 * MS, 100 * MS, 1 } };
	struct feasible f;

	feasible_check(c, 2, &f);
	CU_ASSERT_EQUAL(f.verdict, VERDICT_OPEN);
	c[0].deadline_ns = 900 * US; /* while the other's may have begun: 1 ms */
	feasible_check(c, 2, &f);
	CU_ASSERT_EQUAL(f.verdict, VERDICT_MISSES);
	c[0] = (struct feasible_class){ 999999, 1 * MS, 100 * MS, 4000000 }; /* busy for more than an hour */
	feasible_check(c, 1, &f);
	CU_ASSERT_NOT_EQUAL(f.verdict, VERDICT_FITS);
}

static void a_class_without_work_counts_for_nothing(void)
{
	struct feasible_class c[] = { { 0, 1, 1, 1 }, { 100 * US, 1 * MS, 200 * US, 1 }, { 500 * US, 0, 1, 1 } };
	struct feasible f;

	feasible_check(c, 3, &f);
	CU_ASSERT_EQUAL(f.verdict, VERDICT_FITS);
	CU_ASSERT_EQUAL(f.busy_ns, 200 * US); /* behind one that had begun */
	CU_ASSERT_EQUAL(f.slack_ns, 100 * US); /* the last one has work, but no packets: it does not block */
	c[1].deadline_ns = 100 * US;
	feasible_check(c, 3, &f);
	CU_ASSERT_EQUAL(f.slack_ns, 0);
	CU_ASSERT_EQUAL(f.tightest_class, 1);
	c[1].period_ns = 0;
	feasible_check(c, 3, &f);
	CU_ASSERT_EQUAL(f.verdict, VERDICT_FITS);
	CU_ASSERT_EQUAL(f.busy_ns, 0);
}

static void the_bounds_are_where_the_verdict_turns(void)
{
	struct feasible_class c[] = { { 400 * US, 2 * MS, 1 * MS, 2 }, { 300 * US, 1 * MS, 50 * MS, 3 } };
	uint64_t response_ns = feasible_response_ns(c, 2, 0), period_ns;
	struct feasible f;

	CU_ASSERT(response_ns >= 1100 * US && response_ns < 1101 * US); /* two of its own and one of the other */
	c[0].deadline_ns = 1100 * US;
	feasible_check(c, 2, &f);
	CU_ASSERT_EQUAL(f.verdict, VERDICT_FITS);
	c[0].deadline_ns--;
	feasible_check(c, 2, &f);
	CU_ASSERT_EQUAL(f.verdict, VERDICT_MISSES);
	c[0].deadline_ns = 2 * MS;
	period_ns = feasible_period_ns(c, 2, 0);
	c[0].period_ns = period_ns;
	feasible_check(c, 2, &f);
	CU_ASSERT_EQUAL(f.verdict, VERDICT_FITS);
	c[0].period_ns = period_ns - period_ns / 10000;
	feasible_check(c, 2, &f);
	CU_ASSERT_NOT_EQUAL(f.verdict, VERDICT_FITS);
}

SUITE(feasible, TEST(no_config_that_fits_misses_and_most_that_do_not_are_seen_to),
      TEST(what_fits_as_shared_fits_with_so_many_workers), TEST(classes_are_shared_as_one_worker_has_them),

      TEST(a_case_by_hand_is_tight_to_the_nanosecond), TEST(a_class_without_a_deadline_only_blocks),
      TEST(more_work_than_time_never_fits), TEST(a_load_of_one_is_left_open_unless_a_miss_is_found),
      TEST(a_class_without_work_counts_for_nothing), TEST(the_bounds_are_where_the_verdict_turns))

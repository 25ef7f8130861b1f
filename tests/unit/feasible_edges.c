/* feasible_edges.c - the verdict where numbers are rounded, and where two are the same. */
#include "check/feasible.h"
#include "suites.h"

#define MS 1000000ULL

static void what_is_shared_is_rounded_so_that_it_still_fits(void)
{
	struct feasible_class c[] = { { 5, 2 * MS, 18, 1 }, { 9, 2 * MS, 15, 1 }, { 9, 2 * MS, 15, 1 } };
	struct feasible_class none = { 9, 0, 100, 1 };

	CU_ASSERT_EQUAL(feasible_share(c, 2, 2), 2 * 9 - 4);
	CU_ASSERT_EQUAL(c[0].service_ns, 3);
	CU_ASSERT_EQUAL(c[0].deadline_ns, 4);
	CU_ASSERT_EQUAL(c[1].service_ns, 5);
	CU_ASSERT_EQUAL(c[1].deadline_ns, 1);
	CU_ASSERT_EQUAL(c[2].service_ns, 9); /* which is not asked for */
	c[0] = (struct feasible_class){ 9, 2 * MS, 16, 1 };
	CU_ASSERT_EQUAL(feasible_share(c, 1, 4), 16);
	CU_ASSERT_EQUAL(c[0].deadline_ns, 1);
	CU_ASSERT_EQUAL(feasible_share(&none, 1, 2), 0);
}

static void of_what_is_as_tight_the_first_is_told(void)
{
	struct feasible_class same[] = { { 1 * MS, 9 * MS, 2 * MS, 1 }, { 1 * MS, 9 * MS, 2 * MS, 1 } };
	struct feasible_class blocked[] = { { 1 * MS, 9 * MS, 2 * MS, 1 },
					    { 1 * MS, 90 * MS, 80 * MS, 1 },
					    { 1 * MS, 90 * MS, 80 * MS, 1 } };
	struct feasible_class always = { 1 * MS, 1 * MS, 1 * MS, 1 };
	struct feasible f;

	feasible_check(same, 2, &f);
	CU_ASSERT_EQUAL(f.tightest_class, 0);
	CU_ASSERT_EQUAL(f.demand_ns, 2 * MS);
	CU_ASSERT_EQUAL(f.blocker, 2); /* none */
	feasible_check(blocked, 3, &f);
	CU_ASSERT_EQUAL(f.blocker, 1);
	feasible_check(&always, 1, &f);
	CU_ASSERT_EQUAL(f.verdict, VERDICT_OPEN);
	CU_ASSERT_EQUAL(f.slack_ns, 0);
	CU_ASSERT_EQUAL(f.tightest_ns, 1 * MS);
	always = (struct feasible_class){ 1000001000, 1000 * MS, 3600000 * MS, 1 }; /* a millionth too much */
	feasible_check(&always, 1, &f);
	CU_ASSERT_EQUAL(f.verdict, VERDICT_OVERLOAD);
	CU_ASSERT_EQUAL(f.blocker, 1);
}

/* 1 ns of 999,999 is more than a millionth. */
static void the_load_is_rounded_up(void)
{
	struct feasible_class c[] = { { 1, 999999, 1 * MS, 1 }, { 1, 500000, 1 * MS, 1 } };
	struct feasible f;

	feasible_check(c, 1, &f);
	CU_ASSERT_EQUAL(f.load_ppm, 2);
	feasible_check(c, 2, &f);
	CU_ASSERT_EQUAL(f.load_ppm, 2 + 2);
}

SUITE(feasible_edges, TEST(what_is_shared_is_rounded_so_that_it_still_fits),
      TEST(of_what_is_as_tight_the_first_is_told), TEST(the_load_is_rounded_up))

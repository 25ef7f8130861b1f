/* after.c - the estimate of what a packet needs after edf: steps, their direction, and the ends. */
#include "egress/after.h"
#include "suites.h"

#define AT(ns) ((uint64_t)(ns) << AFTER_SHIFT)

static void a_step_is_a_1024th_towards_what_it_took(void)
{
	CU_ASSERT_EQUAL(after_learn(AT(1024 * 1024), 1024 * 1024 + 1), AT(1025 * 1024));
	CU_ASSERT_EQUAL(after_learn(AT(1024 * 1024), 1024 * 1024), AT(1023 * 1024));
	CU_ASSERT_EQUAL(after_learn(AT(1024 * 1024), 0), AT(1023 * 1024));
	CU_ASSERT_EQUAL(after_learn(AT(1024 * 1024), UINT64_MAX), AT(1025 * 1024));
}

static void it_stays_between_a_microsecond_and_a_second(void)
{
	CU_ASSERT_EQUAL(after_learn(AT(AFTER_MOST_NS) - 1, UINT64_MAX), AT(1000000000));
	CU_ASSERT_EQUAL(after_learn(AT(AFTER_MOST_NS), UINT64_MAX), AT(1000000000));
	CU_ASSERT_EQUAL(after_learn(AT(AFTER_LEAST_NS) + 1, 0), AT(1000));
	CU_ASSERT_EQUAL(after_learn(AT(AFTER_LEAST_NS), 0), AT(1000));
}

static void a_tenfold_change_is_followed_in_2400_packets(void)
{
	uint64_t estimate = AT(100000);
	uint32_t n = 0;

	for (; estimate >> AFTER_SHIFT < 1000000; n++)
		estimate = after_learn(estimate, 1000000);
	CU_ASSERT(n > 2300 && n <= 2400);
	for (n = 0; estimate >> AFTER_SHIFT > 100000; n++)
		estimate = after_learn(estimate, 100000);
	CU_ASSERT(n > 2300 && n <= 2400);
}

SUITE(after, TEST(a_step_is_a_1024th_towards_what_it_took), TEST(it_stays_between_a_microsecond_and_a_second),
      TEST(a_tenfold_change_is_followed_in_2400_packets))

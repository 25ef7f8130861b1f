/* test_supervise.c - how long the supervisor waits before a stage is started again. */
#include "../run/supervise_row.h"
#include "suites.h"

#define SHORT_NS 1000000

static void a_life_that_passed_packets_ends_a_row(void)
{
	CU_ASSERT_EQUAL(row_after_death(17, SHORT_NS, 1), 0);
	CU_ASSERT_EQUAL(row_pause_ns(row_after_death(17, SHORT_NS, 1)), 0);
}

static void a_life_of_a_second_ends_a_row(void)
{
	CU_ASSERT_EQUAL(row_after_death(17, ROW_LIFE_NS, 0), 0);
	CU_ASSERT_EQUAL(row_after_death(17, ROW_LIFE_NS - 1, 0), 18);
}

static void the_first_successors_of_a_row_start_at_once(void)
{
	for (uint32_t row = 0; row <= ROW_FREE_STARTS; row++)
		CU_ASSERT_EQUAL(row_pause_ns(row), 0);
	CU_ASSERT_EQUAL(row_pause_ns(ROW_FREE_STARTS + 1), ROW_FIRST_PAUSE_NS);
}

static void pauses_grow_to_a_second_and_no_stage_is_given_up(void)
{
	uint64_t last_ns = 0;

	for (uint32_t row = 0; row < 1000; row++) {
		CU_ASSERT(row_pause_ns(row) >= last_ns && row_pause_ns(row) <= ROW_LONGEST_PAUSE_NS);
		last_ns = row_pause_ns(row);
	}
	CU_ASSERT_EQUAL(last_ns, ROW_LONGEST_PAUSE_NS);
	CU_ASSERT_EQUAL(row_pause_ns(UINT32_MAX), ROW_LONGEST_PAUSE_NS);
	CU_ASSERT_EQUAL(row_after_death(UINT32_MAX, 0, 0), UINT32_MAX);
}

SUITE(supervise, TEST(a_life_that_passed_packets_ends_a_row), TEST(a_life_of_a_second_ends_a_row),
      TEST(the_first_successors_of_a_row_start_at_once), TEST(pauses_grow_to_a_second_and_no_stage_is_given_up))

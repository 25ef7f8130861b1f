/* supervise.c - how long the supervisor waits before a stage is started again, and what it takes for a hang. */
#include "supervise/hang.h"
#include "hold/row.h"
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

static void a_row_is_said_once(void)
{
	struct row r = { 0 };

	for (uint32_t i = 0; i < ROW_FREE_STARTS; i++)
		CU_ASSERT_EQUAL(row_count(&r, SHORT_NS), ROW_ENDED_WELL);
	CU_ASSERT_EQUAL(row_count(&r, SHORT_NS), ROW_BEGINS);
	CU_ASSERT_EQUAL(row_count(&r, SHORT_NS), ROW_GOES_ON);
	CU_ASSERT_EQUAL(row_count(&r, ROW_LIFE_NS), ROW_ENDED_WELL);
	CU_ASSERT_EQUAL(r.deaths, 0);
	CU_ASSERT_EQUAL(r.has_told, 0);
}

#define HUNG_NS (2 * ROW_LIFE_NS)

static void one_that_sleeps_or_runs_and_does_not_move_hangs(void)
{
	CU_ASSERT_EQUAL(hang_is_starved(500, 0, HUNG_NS), 0);
	CU_ASSERT_EQUAL(hang_is_starved(500, 249, HUNG_NS), 0);
	CU_ASSERT_EQUAL(hang_is_starved(0, 0, HUNG_NS), 0);
}

static void one_that_waits_for_its_cpu_does_not_hang_for_that(void)
{
	CU_ASSERT_EQUAL(hang_is_starved(500, 250, HUNG_NS), 1);
	CU_ASSERT_EQUAL(hang_is_starved(3600 * ROW_LIFE_NS, 3600 * ROW_LIFE_NS, HUNG_NS), 1);
}

static void one_that_loops_hangs_however_busy_its_cpu_is(void)
{
	/* It gets a tenth of the CPU. */
	CU_ASSERT_EQUAL(hang_is_starved(19 * ROW_LIFE_NS, 19 * ROW_LIFE_NS / 10 * 9, HUNG_NS), 1);
	CU_ASSERT_EQUAL(hang_is_starved(20 * ROW_LIFE_NS, 20 * ROW_LIFE_NS / 10 * 9, HUNG_NS), 0);
}

SUITE(supervise, TEST(one_that_sleeps_or_runs_and_does_not_move_hangs),
      TEST(one_that_waits_for_its_cpu_does_not_hang_for_that), TEST(one_that_loops_hangs_however_busy_its_cpu_is),
      TEST(a_life_that_passed_packets_ends_a_row), TEST(a_life_of_a_second_ends_a_row), TEST(a_row_is_said_once),
      TEST(the_first_successors_of_a_row_start_at_once), TEST(pauses_grow_to_a_second_and_no_stage_is_given_up))

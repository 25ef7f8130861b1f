/* change.c - what happened between two looks: rates, shares, percentiles. */
#include "look/change.h"

#include "looks.h"
#include "units.h"
#include "suites.h"

static struct view before, now;

static struct class_change change_of(uint32_t i)
{
	struct class_change c;

	class_change(&now.classes[i], &before.classes[i], now.at_ns - before.at_ns, &c);
	return c;
}

static void what_is_dropped_or_late_is_not_on_time_and_what_waits_is_undecided(void)
{
	struct account *a = &now.classes[0].account;

	take_looks(&before, &now, 1);
	CU_ASSERT_DOUBLE_EQUAL(change_of(0).on_time, 1.0, 0);
	a->received_pkts += 5000; /* all of them wait */
	a->held_pkts = 5000;
	CU_ASSERT_DOUBLE_EQUAL(change_of(0).on_time, 1.0, 0);
	a->sent_late_pkts = 100;
	CU_ASSERT_DOUBLE_EQUAL(change_of(0).on_time, 0.9, 1e-9);
	a->dropped_pkts[DROP_KERNEL] = 1000;
	CU_ASSERT_DOUBLE_EQUAL(change_of(0).on_time, 0.45, 1e-9);
	now.classes[0].account.budget_ns = BUDGET_NONE;
	CU_ASSERT(change_of(0).on_time < 0);
	take_looks(&before, &now, 1);
	now.classes[0].account = before.classes[0].account;
	CU_ASSERT(change_of(0).on_time < 0);
}

static void a_rate_is_the_difference_over_the_time_between(void)
{
	take_looks(&before, &now, 1);
	now.at_ns = before.at_ns + NS_PER_S / 2;
	now.classes[0].account.dropped_pkts[DROP_OVERSIZE] = 7;
	CU_ASSERT_DOUBLE_EQUAL(change_of(0).received_pps, 2000, 1e-9);
	CU_ASSERT_DOUBLE_EQUAL(change_of(0).reason_pps[DROP_OVERSIZE], 14, 1e-9);
	CU_ASSERT_DOUBLE_EQUAL(change_of(0).dropped_pps, 14, 1e-9);
	CU_ASSERT_DOUBLE_EQUAL(change_of(0).span_share[SPAN_EDF_WAIT], 0.75, 1e-9);
	CU_ASSERT_EQUAL(change_of(0).mean_ns, 90000);
}

static void percentiles_are_of_the_interval_and_never_above_its_longest(void)
{
	take_looks(&before, &now, 1);
	CU_ASSERT_EQUAL(change_of(0).percentile_ns[P50], 100000); /* the bucket ends above, but the record bounds it */
	CU_ASSERT_EQUAL(change_of(0).percentile_ns[PMAX], 100000);
	/* 50 ms were the longest before this interval: they do not show in it. */
	before.classes[0].account.latency[histogram_bucket(50000000)] = 9;
	now.classes[0].account.latency[histogram_bucket(50000000)] = 9;
	before.classes[0].account.latency_max_ns = now.classes[0].account.latency_max_ns = 50000000;
	CU_ASSERT_EQUAL(change_of(0).percentile_ns[PMAX], histogram_edge(histogram_bucket(100000) + 1));
}

static void the_cpu_of_a_new_process_counts_from_its_start(void)
{
	struct stage_view old = { .pid = 1, .starts = 1, .cpu_ns = 5 * NS_PER_S };
	struct stage_view new = { .pid = 2, .starts = 2, .cpu_ns = NS_PER_S / 20, .up_ns = NS_PER_S / 10 };
	struct stage_change c;

	stage_change(&new, &old, NS_PER_S, &c);
	CU_ASSERT(c.is_new);
	CU_ASSERT_DOUBLE_EQUAL(c.cpu, 0.5, 1e-9);
	old.pid = 2;
	old.cpu_ns = 0;
	stage_change(&new, &old, NS_PER_S, &c);
	CU_ASSERT(!c.is_new);
	CU_ASSERT_DOUBLE_EQUAL(c.cpu, 0.05, 1e-9);
}

/* edf waits 0.9 s of a second: 0.5 s of that egress runs, so for 0.4 s others have the CPU. */
static void a_stage_is_starved_by_others_than_stages(void)
{
	static struct view was, is;
	struct stage_change c[N_STAGES];

	for (int i = 0; i < N_STAGES; i++)
		was.stages[i] = is.stages[i] =
			(struct stage_view){ .pid = 1, .starts = 1, .cpu_ns = 7, .queued_ns = 5 };
	is.stages[STAGE_EDF].queued_ns += 9 * NS_PER_S / 10;
	is.stages[STAGE_EDF].cpu_ns += NS_PER_S / 10;
	is.stages[STAGE_EGRESS].cpu_ns += NS_PER_S / 2;
	is.stages[STAGE_EGRESS].queued_ns += NS_PER_S / 20;
	stages_change(&is, &was, NS_PER_S, c);
	CU_ASSERT_DOUBLE_EQUAL(c[STAGE_EDF].starved, 0.4, 1e-9);
	CU_ASSERT_DOUBLE_EQUAL(c[STAGE_EGRESS].starved, 0, 1e-9);
	CU_ASSERT_DOUBLE_EQUAL(c[STAGE_INGRESS].starved, 0, 1e-9);
	is = was;
	is.stages[STAGE_INGRESS].is_ready = 1; /* a wait that has not ended is in no count */
	stages_change(&is, &was, NS_PER_S, c);
	CU_ASSERT_DOUBLE_EQUAL(c[STAGE_INGRESS].starved, 1, 1e-9);
}

SUITE(change, TEST(what_is_dropped_or_late_is_not_on_time_and_what_waits_is_undecided),
      TEST(a_rate_is_the_difference_over_the_time_between),
      TEST(percentiles_are_of_the_interval_and_never_above_its_longest),
      TEST(the_cpu_of_a_new_process_counts_from_its_start), TEST(a_stage_is_starved_by_others_than_stages))

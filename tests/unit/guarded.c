/* guarded.c - the guarded policy against the rule as it is written, and at its edges. */
#include "queues.h"

static void the_earliest_deadline_goes_while_those_above_can_wait(void)
{
	/* high keeps exactly half of its budget after 300 us of low */
	struct edf_queue q[] = { head(1 * MS, 200 * US, 800 * US), head(100 * MS, 300 * US, 100 * US) };

	check(q, 2, 1, DROP_NONE);
	q[0].deadline_ns--;
	check(q, 2, 0, DROP_NONE);
}

static void the_last_packet_of_a_class_above_is_protected_like_its_first(void)
{
	struct edf_queue q[] = { head(10 * MS, 200 * US, 9 * MS), head(100 * MS, 300 * US, 100 * US) };

	q[0].waiting_pkts = 20;
	q[0].work_ns = 20 * 200 * US;
	q[0].last_deadline_ns = NOW + 4 * MS + 5 * MS + 300 * US;
	check(q, 2, 1, DROP_NONE);
	q[0].last_deadline_ns--;
	check(q, 2, 0, DROP_NONE);
}

static void work_above_a_class_counts_for_its_last_packet(void)
{
	struct edf_queue q[] = { head(100 * MS, 200 * US, 99 * MS), head(10 * MS, 200 * US, 9 * MS),
				 head(100 * MS, 300 * US, 100 * US) };

	q[1].last_deadline_ns = NOW + 3 * MS + 200 * US + 5 * MS + 300 * US;
	q[0].work_ns = 3 * MS;
	check(q, 3, 2, DROP_NONE);
	q[0].work_ns++;
	check(q, 3, 1, DROP_NONE);
}

static void a_packet_that_would_be_late_with_its_margin_is_dropped(void)
{
	struct edf_queue q = head(10 * MS, 200 * US, 50 * US);

	q.margin_ns = 50 * US;
	check_rules(&late_drops, &q, 1, 0, DROP_NONE);
	q.margin_ns++;
	check_rules(&late_drops, &q, 1, 0, DROP_LATE);
}

static void a_class_over_its_share_ranks_below_all_others(void)
{
	struct edf_queue q[] = { head(1 * MS, 300 * US, 100 * US), head(10 * MS, 300 * US, 5 * MS) };

	check(q, 2, 0, DROP_NONE); /* the earliest, and the highest */
	q[0].over_share = 1;
	check(q, 2, 1, DROP_NONE); /* it would cost the other more than half of its budget */
	q[1].deadline_ns = q[1].last_deadline_ns = NOW + 9 * MS;
	check(q, 2, 0, DROP_NONE); /* nobody is endangered */
}

static void a_class_without_a_deadline_is_last_and_endangers_nobody(void)
{
	struct edf_queue q[] = { head(10 * MS, 300 * US, 9 * MS), head(0, 300 * US, 0) };

	q[1].deadline_ns = q[1].last_deadline_ns = NO_DEADLINE;
	check(q, 2, 0, DROP_NONE);
	q[0].waiting_pkts = 0;
	check(q, 2, 1, DROP_NONE);
}

static void no_room_means_wait_or_drop(void)
{
	struct edf_queue q[] = { head(1 * MS, 200 * US, 300 * US), head(10 * MS, 200 * US, 5 * MS) };

	q[0].room_pkts = 0;
	check(q, 2, 1, DROP_NONE);
	check_rules(&full_drops, q, 2, 0, DROP_EGRESS_FULL);
	q[1].room_pkts = 0;
	check(q, 2, -1, DROP_NONE);
	check(q, 0, -1, DROP_NONE);
}

/* The rule as it is written: take the earliest; if somebody above cannot wait for it, only those above are left. */
static int by_the_rule(const struct edf_queue *q, uint32_t n)
{
	int order[MAX_CLASSES] = { 0 }, n_order = 0;

	for (uint32_t over = 0; over < 2; over++)
		for (uint32_t i = 0; i < n; i++)
			if (q[i].waiting_pkts && q[i].over_share == over && q[i].room_pkts)
				order[n_order++] = (int)i;
	while (n_order > 0) {
		int best = 0, all_can_wait = 1;
		uint64_t work_ns = 0;

		for (int r = 1; r < n_order; r++)
			if (q[order[r]].deadline_ns < q[order[best]].deadline_ns)
				best = r;
		for (int r = 0; r < best; r++) {
			const struct edf_queue *above = &q[order[r]];
			uint64_t done_ns = NOW + q[order[best]].service_ns;

			work_ns += above->work_ns;
			if (above->deadline_ns != NO_DEADLINE &&
			    (done_ns + above->service_ns + above->budget_ns / 2 > above->deadline_ns ||
			     done_ns + work_ns + above->budget_ns / 2 > above->last_deadline_ns))
				all_can_wait = 0;
		}
		if (all_can_wait)
			return order[best];
		n_order = best;
	}
	return -1;
}

static void random_queues_are_served_by_the_rule(void)
{
	uint32_t not_the_earliest = 0;

	random_state = 0x9e3779b97f4a7c15;
	for (int round = 0; round < 300000; round++) {
		uint32_t n = 1 + random_below(MAX_CLASSES), earliest = 0;
		struct edf_queue q[MAX_CLASSES];
		struct edf_choice choice;

		for (uint32_t i = 0; i < n; i++) {
			q[i] = head((1 + random_below(20)) * MS, random_below(400) * US, random_below(20) * MS / 2);
			q[i].waiting_pkts = random_below(4);
			q[i].work_ns += random_below(5) * MS / 4;
			q[i].last_deadline_ns += random_below(10) * MS;
			q[i].room_pkts = random_below(8);
			q[i].over_share = random_below(3) == 0;
			if (random_below(8) == 0)
				q[i].deadline_ns = q[i].last_deadline_ns = NO_DEADLINE;
		}
		choice = edf_choose(&guarded, NOW, q, n);
		CU_ASSERT_EQUAL_FATAL(choice.drop, DROP_NONE);
		CU_ASSERT_EQUAL_FATAL(choice.class, by_the_rule(q, n));
		for (uint32_t i = 1; i < n; i++)
			earliest = q[i].deadline_ns < q[earliest].deadline_ns ? i : earliest;
		not_the_earliest += choice.class >= 0 && choice.class != (int)earliest;
	}
	CU_ASSERT(not_the_earliest > 50000);
}

static void a_queue_is_too_long_when_the_newest_would_be_late(void)
{
	struct edf_queue q[] = { head(1 * MS, 300 * US, 0), head(10 * MS, 300 * US, 0), head(100 * MS, 300 * US, 0) };

	q[1].work_ns = 5 * MS;
	CU_ASSERT_EQUAL(edf_is_too_long(q, 3, 1, EVICT_NEWEST, NOW, 300 * US, NOW + 5600 * US), 0);
	CU_ASSERT_EQUAL(edf_is_too_long(q, 3, 1, EVICT_NEWEST, NOW, 300 * US, NOW + 5600 * US - 1), 1);
	q[0].over_share = 1; /* then it does not rank above */
	CU_ASSERT_EQUAL(edf_is_too_long(q, 3, 1, EVICT_NEWEST, NOW, 300 * US, NOW + 5300 * US), 0);
	CU_ASSERT_EQUAL(edf_is_too_long(q, 3, 1, EVICT_NEWEST, NOW, 300 * US, NO_DEADLINE), 0);
	q[0].over_share = 0;
	q[0].deadline_ns = NO_DEADLINE; /* it waits for all that have one */
	CU_ASSERT_EQUAL(edf_is_too_long(q, 3, 1, EVICT_NEWEST, NOW, 300 * US, NOW + 5300 * US), 0);
}

static void load_above_stretches_the_wait_where_the_largest_goes(void)
{
	struct edf_queue q[] = { head(1 * MS, 0, 0), head(10 * MS, 300 * US, 0) };

	q[0].waiting_pkts = 0;
	q[0].load_permille = 200;
	q[1].work_ns = 4 * MS;
	CU_ASSERT_EQUAL(edf_is_too_long(q, 2, 1, EVICT_NEWEST, NOW, 0, NOW + 4 * MS), 0);
	CU_ASSERT_EQUAL(edf_is_too_long(q, 2, 1, EVICT_LARGEST, NOW, 0, NOW + 5 * MS), 0);
	CU_ASSERT_EQUAL(edf_is_too_long(q, 2, 1, EVICT_LARGEST, NOW, 0, NOW + 5 * MS - 1), 1);
	q[0].load_permille = 900; /* no more than half is taken for granted */
	CU_ASSERT_EQUAL(edf_is_too_long(q, 2, 1, EVICT_LARGEST, NOW, 0, NOW + 8 * MS), 0);
}

static void the_loads_of_all_above_stretch_the_wait(void)
{
	struct edf_queue q[] = { head(1 * MS, 0, 0), head(1 * MS, 0, 0), head(10 * MS, 4 * MS, 0) };

	q[0].load_permille = q[1].load_permille = 100;
	CU_ASSERT_EQUAL(edf_is_too_long(q, 3, 2, EVICT_LARGEST, NOW, 0, NOW + 5 * MS), 0);
	CU_ASSERT_EQUAL(edf_is_too_long(q, 3, 2, EVICT_LARGEST, NOW, 0, NOW + 5 * MS - 1), 1);
}

static void a_packet_above_interrupts_only_what_would_make_it_late(void)
{
	struct edf_queue q[] = { head(1 * MS, 200 * US, 250 * US), head(10 * MS, 300 * US, 9 * MS),
				 head(1 * MS, 0, 0) };

	q[0].margin_ns = 50 * US;
	interrupts(q, 200 * US, POLICY_GUARDED, -1, DROP_NONE);
	interrupts(q, 200 * US + 1, POLICY_GUARDED, 0, DROP_NONE);
	interrupts(q, 200 * US + 1, POLICY_EDF_DROP, -1, DROP_NONE); /* margins are guarded's */
	interrupts(q, 250 * US + 1, POLICY_EDF_DROP, 0, DROP_NONE);
	interrupts(q, 250 * US + 1, POLICY_EDF, 0, DROP_NONE);
	q[0].started = 1; /* it waits further down the stack */
	interrupts(q, 250 * US + 1, POLICY_EDF, -1, DROP_NONE);
	q[0].started = 0;
	q[0].room_pkts = 0;
	interrupts(q, 1 * MS, POLICY_GUARDED, -1, DROP_NONE);
	q[0].room_pkts = 1;
	q[0].waiting_pkts = 0;
	interrupts(q, 1 * MS, POLICY_GUARDED, -1, DROP_NONE);
	q[0].waiting_pkts = 1;
	q[0].over_share = 1; /* it ranks below what it would interrupt; so does the class behind it */
	interrupts(q, 1 * MS, POLICY_GUARDED, -1, DROP_NONE);
	q[0].over_share = 0;
	q[0].deadline_ns = q[0].fresh_deadline_ns = NO_DEADLINE;
	interrupts(q, 1 * MS, POLICY_GUARDED, -1, DROP_NONE);
}

static void the_newest_of_a_class_above_interrupts_too(void)
{
	struct edf_queue q[] = { head(10 * MS, 200 * US, 9 * MS), head(10 * MS, 300 * US, 9 * MS), head(1 * MS, 0, 0) };

	q[0].waiting_pkts = 20;
	q[0].work_ns = 20 * 200 * US;
	q[0].last_deadline_ns = NOW + 4 * MS + 100 * US;
	interrupts(q, 100 * US, POLICY_GUARDED, -1, DROP_NONE);
	interrupts(q, 100 * US + 1, POLICY_GUARDED, 0, DROP_NONE);
	q[0].margin_ns = 30 * US; /* it needs that afterwards */
	interrupts(q, 70 * US, POLICY_GUARDED, -1, DROP_NONE);
	interrupts(q, 70 * US + 1, POLICY_GUARDED, 0, DROP_NONE);
	q[0].late_ns = 10 * US; /* and does not wait for those that are late */
	interrupts(q, 80 * US, POLICY_GUARDED, -1, DROP_NONE);
	interrupts(q, 80 * US + 1, POLICY_GUARDED, 0, DROP_NONE);
}

static void the_first_of_a_class_above_interrupts_for_its_own_sake(void)
{
	struct edf_queue q[] = { head(10 * MS, 200 * US, 250 * US), head(10 * MS, 300 * US, 9 * MS),
				 head(1 * MS, 0, 0) };

	q[0].waiting_pkts = 2;
	q[0].last_deadline_ns = NOW + 100 * MS;
	interrupts(q, 250 * US, POLICY_GUARDED, -1, DROP_NONE);
	interrupts(q, 250 * US + 1, POLICY_GUARDED, 0, DROP_NONE);
}

/* It ranks above the class at work, and would be late, but is none of them. */
static void what_lies_behind_the_last_class_is_not_looked_at(void)
{
	struct edf_queue q[] = { head(10 * MS, 200 * US, 9 * MS), head(10 * MS, 300 * US, 9 * MS),
				 head(1 * MS, 5 * MS, 0) };

	q[0].waiting_pkts = 0;
	q[1].over_share = 1;
	CU_ASSERT_EQUAL(edf_interrupt(&guarded, NOW, q, 3, 1, 1 * MS).class, 2);
	CU_ASSERT_EQUAL(edf_interrupt(&guarded, NOW, q, 2, 1, 1 * MS).class, -1);
	CU_ASSERT_EQUAL(edf_is_too_long(q, 3, 1, EVICT_NEWEST, NOW, 0, NOW + 5 * MS), 1);
	CU_ASSERT_EQUAL(edf_is_too_long(q, 2, 1, EVICT_NEWEST, NOW, 0, NOW + 5 * MS), 0);
}

SUITE(guarded, TEST(the_earliest_deadline_goes_while_those_above_can_wait),
      TEST(the_last_packet_of_a_class_above_is_protected_like_its_first),
      TEST(work_above_a_class_counts_for_its_last_packet), TEST(a_packet_that_would_be_late_with_its_margin_is_dropped),
      TEST(a_class_over_its_share_ranks_below_all_others),
      TEST(a_class_without_a_deadline_is_last_and_endangers_nobody), TEST(no_room_means_wait_or_drop),
      TEST(random_queues_are_served_by_the_rule), TEST(a_queue_is_too_long_when_the_newest_would_be_late),
      TEST(load_above_stretches_the_wait_where_the_largest_goes),
      TEST(a_packet_above_interrupts_only_what_would_make_it_late), TEST(the_newest_of_a_class_above_interrupts_too),
      TEST(the_first_of_a_class_above_interrupts_for_its_own_sake), TEST(the_loads_of_all_above_stretch_the_wait),
      TEST(what_lies_behind_the_last_class_is_not_looked_at))

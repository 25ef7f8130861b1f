/* guarded.c - the guarded policy against the rule as it is written, and at its edges. */
#include "random.h"
#include "edf/policy.h"
#include "suites.h"

#define NOW 1000000000ULL
#define MS 1000000ULL
#define US 1000ULL

static uint64_t random_state;

static uint32_t random_below(uint32_t n)
{
	return (uint32_t)((random_next(&random_state) >> 32) % n);
}

/* A class with one packet waiting: `slack_ns` is left until its deadline when it is finished at once. */
static struct edf_queue head(uint64_t budget_ns, uint64_t service_ns, uint64_t slack_ns)
{
	return (struct edf_queue){ .deadline_ns = NOW + service_ns + slack_ns,
				   .last_deadline_ns = NOW + service_ns + slack_ns,
				   .fresh_deadline_ns = NOW + service_ns + slack_ns,
				   .service_ns = service_ns,
				   .fresh_service_ns = service_ns,
				   .begin_by_ns = (int64_t)(NOW + slack_ns),
				   .cost_ns = service_ns,
				   .work_ns = service_ns,
				   .budget_ns = budget_ns,
				   .waiting_pkts = 1,
				   .room_pkts = 1 };
}

static const struct edf_rules guarded = { .policy = POLICY_GUARDED, .full = FULL_WAIT, .late = LATE_SEND };
static const struct edf_rules full_drops = { .policy = POLICY_GUARDED, .full = FULL_DROP, .late = LATE_SEND };
static const struct edf_rules late_drops = { .policy = POLICY_GUARDED, .full = FULL_WAIT, .late = LATE_DROP };

static void check_rules(const struct edf_rules *rules, const struct edf_queue *q, uint32_t n, int class,
			enum drop_reason drop)
{
	struct edf_choice choice = edf_choose(rules, NOW, q, n);

	CU_ASSERT_EQUAL(choice.class, class);
	if (class >= 0)
		CU_ASSERT_EQUAL(choice.drop, drop);
}

static void check(const struct edf_queue *q, uint32_t n, int class, enum drop_reason drop)
{
	check_rules(&guarded, q, n, class, drop);
}

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

static void interrupts(const struct edf_queue *q, uint64_t remaining_ns, enum policy policy, int class,
		       enum drop_reason drop)
{
	const struct edf_rules rules = { .policy = policy, .full = FULL_WAIT, .late = LATE_SEND };
	struct edf_choice choice = edf_interrupt(&rules, NOW, q, 3, 1, remaining_ns);

	CU_ASSERT_EQUAL(choice.class, class);
	if (class >= 0)
		CU_ASSERT_EQUAL(choice.drop, drop);
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
}

/* Of a class that has nothing but a lost head. */
static struct edf_queue lost_head(uint64_t budget_ns, uint64_t service_ns, enum drop_reason why)
{
	struct edf_queue q = head(budget_ns, service_ns, 0);

	q.deadline_ns = NOW;
	q.fresh_deadline_ns = NO_DEADLINE;
	q.begin_by_ns = INT64_MAX;
	q.lost = why;
	q.late_ns = q.work_ns;
	return q;
}

static void a_late_packet_that_costs_nothing_goes_on(void)
{
	struct edf_queue q[] = { lost_head(1 * MS, 0, DROP_LATE), head(10 * MS, 200 * US, 0) };

	q[1].load_permille = 5000; /* whatever there is to do */
	check(q, 2, 0, DROP_NONE);
	q[0].lost = DROP_EVICTED;
	check(q, 2, 0, DROP_NONE);
	q[0].lost = DROP_NONE; /* it is told by its deadline too */
	q[0].deadline_ns--;
	check(q, 2, 0, DROP_NONE);
	check_rules(&late_drops, q, 2, 0, DROP_LATE);
	q[0].cost_ns = 1 * MS;
	check(q, 2, 0, DROP_LATE);
}

static void a_late_packet_goes_on_while_all_that_wait_are_in_time_all_the_same(void)
{
	struct edf_queue q[] = { lost_head(1 * MS, 200 * US, DROP_LATE), head(10 * MS, 300 * US, 250 * US),
				 head(100 * MS, 300 * US, 550 * US) };

	q[1].margin_ns = 50 * US;
	check(q, 3, 0, DROP_NONE);
	q[1].margin_ns++;
	check(q, 3, 0, DROP_LATE);
	q[1].margin_ns--;
	q[2].margin_ns = 50 * US; /* behind the 300 us of the one above */
	check(q, 3, 0, DROP_NONE);
	q[2].begin_by_ns--;
	check(q, 3, 0, DROP_LATE);
	q[2].over_share = q[1].over_share = 1; /* in the same order */
	check(q, 3, 0, DROP_LATE);
	q[1].over_share = 0;
	q[2].waiting_pkts = 0;
	check(q, 3, 0, DROP_NONE);
}

static void those_behind_a_late_packet_count_too(void)
{
	struct edf_queue q = lost_head(1 * MS, 200 * US, DROP_LATE);

	q.waiting_pkts = 4;
	q.begin_by_ns = NOW + 200 * US;
	check(&q, 1, 0, DROP_NONE);
	q.begin_by_ns--;
	check(&q, 1, 0, DROP_LATE);
}

static void a_late_packet_leaves_half_of_a_budget_for_those_that_may_come(void)
{
	struct edf_queue q[] = { head(1 * MS, 0, 0), lost_head(10 * MS, 300 * US, DROP_LATE), head(0, 100 * US, 0) };

	q[0].waiting_pkts = 0;
	q[2].deadline_ns = q[2].fresh_deadline_ns = NO_DEADLINE;
	q[2].begin_by_ns = INT64_MAX;
	check(q, 3, 1, DROP_NONE); /* nobody has seen the first class lately */
	q[2].load_permille = 940; /* 300 us put off what comes for 5 ms */
	check(q, 3, 1, DROP_NONE);
	q[2].load_permille++;
	check(q, 3, 1, DROP_LATE);
	q[2].load_permille = 390;
	q[0].load_permille = 10; /* for 500 us */
	check(q, 3, 1, DROP_NONE);
	q[0].load_permille++;
	check(q, 3, 1, DROP_LATE);
	q[2].load_permille = 999; /* overload */
	check(q, 3, 1, DROP_LATE);
}

static void those_above_that_are_in_a_hurry_go_before_a_late_packet(void)
{
	struct edf_queue q[] = { head(1 * MS, 200 * US, 600 * US), lost_head(10 * MS, 200 * US, DROP_EVICTED) };

	check(q, 2, 0, DROP_NONE);
	q[0] = head(1 * MS, 200 * US, 700 * US);
	check(q, 2, 1, DROP_NONE);
	q[1].room_pkts = 0; /* it waits for room */
	check(q, 2, 0, DROP_NONE);
	check_rules(&full_drops, q, 2, 1, DROP_EGRESS_FULL);
}

static void an_evicted_packet_goes_on_in_time_whatever_late_means(void)
{
	struct edf_queue q = lost_head(1 * MS, 200 * US, DROP_EVICTED);

	check_rules(&late_drops, &q, 1, 0, DROP_EVICTED);
	q.deadline_ns = NOW + 200 * US;
	check_rules(&late_drops, &q, 1, 0, DROP_NONE);
	q.cost_ns = 1 * MS;
	check_rules(&late_drops, &q, 1, 0, DROP_EVICTED);
}

static void what_is_lost_and_cannot_go_on_interrupts_only_to_be_dropped(void)
{
	struct edf_queue q[] = { head(1 * MS, 200 * US, 0), head(10 * MS, 300 * US, 9 * MS), head(1 * MS, 0, 0) };

	q[2].waiting_pkts = 0;
	q[0].deadline_ns--;
	q[0].fresh_deadline_ns--;
	interrupts(q, 100 * US, POLICY_EDF_DROP, 0, DROP_LATE);
	interrupts(q, 100 * US, POLICY_EDF, -1, DROP_NONE);
	q[0] = lost_head(1 * MS, 200 * US, DROP_LATE);
	interrupts(q, 100 * US, POLICY_GUARDED, -1, DROP_NONE); /* it waits: nobody behind it is in a hurry */
	q[1].load_permille = 601;
	interrupts(q, 100 * US, POLICY_GUARDED, 0, DROP_LATE);
	q[1].load_permille = 0;
	q[0].fresh_deadline_ns = NOW + 400 * US;
	q[0].last_deadline_ns = NOW + 1 * MS;
	q[0].fresh_service_ns = 200 * US;
	q[0].begin_by_ns = NOW + 200 * US;
	q[0].work_ns += 200 * US;
	interrupts(q, 200 * US, POLICY_GUARDED, -1, DROP_NONE);
	interrupts(q, 200 * US + 1, POLICY_GUARDED, 0, DROP_NONE);
	q[0].begin_by_ns--; /* then the one behind it would be late: out of its way */
	interrupts(q, 200 * US, POLICY_GUARDED, 0, DROP_LATE);
}

SUITE(guarded, TEST(the_earliest_deadline_goes_while_those_above_can_wait),
      TEST(the_last_packet_of_a_class_above_is_protected_like_its_first),
      TEST(work_above_a_class_counts_for_its_last_packet), TEST(a_packet_that_would_be_late_with_its_margin_is_dropped),
      TEST(a_class_over_its_share_ranks_below_all_others),
      TEST(a_class_without_a_deadline_is_last_and_endangers_nobody), TEST(no_room_means_wait_or_drop),
      TEST(random_queues_are_served_by_the_rule), TEST(a_queue_is_too_long_when_the_newest_would_be_late),
      TEST(load_above_stretches_the_wait_where_the_largest_goes),
      TEST(a_packet_above_interrupts_only_what_would_make_it_late), TEST(the_newest_of_a_class_above_interrupts_too),
      TEST(a_late_packet_that_costs_nothing_goes_on),
      TEST(a_late_packet_goes_on_while_all_that_wait_are_in_time_all_the_same),
      TEST(those_behind_a_late_packet_count_too), TEST(a_late_packet_leaves_half_of_a_budget_for_those_that_may_come),
      TEST(those_above_that_are_in_a_hurry_go_before_a_late_packet),
      TEST(an_evicted_packet_goes_on_in_time_whatever_late_means),
      TEST(what_is_lost_and_cannot_go_on_interrupts_only_to_be_dropped))

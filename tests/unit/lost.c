/* lost.c - packets that were given up: when the guarded policy sends them all the same. */
#include "queues.h"

/* Of a class that has nothing but a lost head. */
static struct edf_queue lost_head(uint64_t budget_ns, uint64_t service_ns, enum drop_reason why)
{
	struct edf_queue q = head(budget_ns, service_ns, 0);

	q.deadline_ns = NOW;
	q.fresh_deadline_ns = NO_DEADLINE;
	q.begin_by_ns = INT64_MAX;
	q.lost = (uint16_t)why;
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

SUITE(lost, TEST(a_late_packet_that_costs_nothing_goes_on),
      TEST(a_late_packet_goes_on_while_all_that_wait_are_in_time_all_the_same),
      TEST(those_behind_a_late_packet_count_too), TEST(a_late_packet_leaves_half_of_a_budget_for_those_that_may_come),
      TEST(those_above_that_are_in_a_hurry_go_before_a_late_packet),
      TEST(an_evicted_packet_goes_on_in_time_whatever_late_means),
      TEST(what_is_lost_and_cannot_go_on_interrupts_only_to_be_dropped))

/* afford.c - what a lost head may take from all others before it is dropped, to the nanosecond. */
#include "queues.h"

/* It was evicted, and nothing of its class waits that can be in time. */
static struct edf_queue evicted(void)
{
	struct edf_queue q = head(1000 * MS, 200 * US, 900 * MS);

	q.lost = DROP_EVICTED;
	q.begin_by_ns = INT64_MAX;
	q.fresh_deadline_ns = NO_DEADLINE;
	return q;
}

/*
 * Of queues whose first head is lost: it goes on while it takes most_ns from the others; with one more it is dropped.
 */
static void may_take(struct edf_queue *q, uint32_t n, uint64_t most_ns)
{
	q[0].cost_ns = most_ns;
	check(q, n, 0, DROP_NONE);
	q[0].cost_ns++;
	check(q, n, 0, DROP_EVICTED);
}

static void a_lost_head_takes_what_those_that_wait_can_spare(void)
{
	struct edf_queue q[] = { evicted(), head(1000 * MS, 200 * US, 3 * MS), head(1000 * MS, 700 * US, 2900 * US) };

	may_take(q, 2, 3 * MS);
	q[1].margin_ns = 100 * US;
	may_take(q, 2, 2900 * US);
	q[1].margin_ns = 0;
	may_take(q, 3, 2700 * US); /* the lower waits for the work of the higher */
	q[1].late_ns = 50 * US; /* but not for that on late ones */
	may_take(q, 3, 2750 * US);
	q[1].late_ns = 0;
	q[1].over_share = 1; /* now it ranks below: 3000 - 700 */
	may_take(q, 3, 2300 * US);
	q[1].over_share = 0;
	q[1].begin_by_ns = INT64_MAX; /* it has no deadline, and comes last */
	may_take(q, 3, 2900 * US);
	q[1].begin_by_ns = 0;
	q[1].waiting_pkts = 0;
	may_take(q, 3, 2900 * US);
}

static void a_lost_head_takes_nothing_from_those_that_have_nothing_to_spare(void)
{
	struct edf_queue q[] = { evicted(), head(1000 * MS, 200 * US, 0) };

	may_take(q, 2, 0);
	q[1].begin_by_ns--;
	may_take(q, 2, 0);
	q[1].begin_by_ns++;
	q[1].begin_by_ns++;
	may_take(q, 2, 1);
}

static void a_lost_head_takes_half_of_the_budget_of_a_class_in_use(void)
{
	struct edf_queue q[] = { evicted(), head(4 * MS, 0, 900 * MS) };

	may_take(q, 2, 2 * MS); /* it is in use: a packet waits */
	q[1].begin_by_ns = (int64_t)(NOW + 1900 * US); /* which has less to spare than that */
	may_take(q, 2, 1900 * US);
	q[1].waiting_pkts = 0;
	may_take(q, 2, 500 * MS);
	q[1].load_permille = 1; /* or came lately */
	may_take(q, 2, 1998 * US);
	q[1].budget_ns = BUDGET_NONE;
	may_take(q, 2, 499500 * US);
}

static void what_a_lost_head_takes_is_stretched_by_the_load(void)
{
	struct edf_queue q[] = { evicted(), head(1000 * MS, 0, 10 * MS), head(1000 * MS, 0, 10 * MS) };

	q[0].load_permille = 100;
	q[1].load_permille = 200;
	q[2].load_permille = 300;
	may_take(q, 3, 4 * MS);
	q[2].load_permille = 700; /* nothing is left */
	may_take(q, 3, 0);
	q[2].load_permille = 701;
	may_take(q, 3, 0);
	q[2].load_permille = 900;
	may_take(q, 3, 0);
}

static void alone_a_lost_head_takes_11_days_at_most(void)
{
	struct edf_queue q[] = { evicted() };

	q[0].budget_ns = BUDGET_NONE;
	may_take(q, 1, 1000000000 * MS);
}

/* It costs nobody anything, but those above go first if it would leave them less than half of their budget. */
static void a_lost_head_goes_on_when_those_above_can_wait_for_it(void)
{
	struct edf_queue q[] = { head(10 * MS, 200 * US, 9 * MS), evicted() };

	q[1].cost_ns = 4 * MS;
	check(q, 2, 1, DROP_NONE);
	q[1].cost_ns++;
	check(q, 2, 0, DROP_NONE);
	q[1].cost_ns = 5 * MS + 1;
	check(q, 2, 1, DROP_EVICTED);
	q[1].lost = DROP_NONE;
	q[1].deadline_ns = NOW; /* it is late */
	check(q, 2, 1, DROP_LATE);
	q[1].cost_ns = 4 * MS;
	check(q, 2, 1, DROP_NONE);
	check_rules(&late_drops, q, 2, 1, DROP_LATE);
	q[1].deadline_ns = NOW + 900 * MS; /* it was evicted, and could be in time */
	q[1].lost = DROP_EVICTED;
	check_rules(&late_drops, q, 2, 1, DROP_NONE);
}

static void what_a_lost_head_may_take_is_asked_before_it_interrupts_too(void)
{
	struct edf_queue q[] = { evicted(), head(1000 * MS, 300 * US, 3 * MS), head(1000 * MS, 0, 900 * MS) };

	q[0].cost_ns = 3 * MS;
	interrupts(q, 1 * MS, POLICY_GUARDED, -1, DROP_NONE); /* it can go later as well */
	interrupts(q, 1 * MS, POLICY_EDF, 0, DROP_EVICTED); /* that is guarded's alone */
	q[0].cost_ns++;
	interrupts(q, 1 * MS, POLICY_GUARDED, 0, DROP_EVICTED);
}

SUITE(afford, TEST(a_lost_head_takes_what_those_that_wait_can_spare),
      TEST(a_lost_head_takes_nothing_from_those_that_have_nothing_to_spare),
      TEST(a_lost_head_takes_half_of_the_budget_of_a_class_in_use),
      TEST(what_a_lost_head_takes_is_stretched_by_the_load), TEST(alone_a_lost_head_takes_11_days_at_most),
      TEST(a_lost_head_goes_on_when_those_above_can_wait_for_it),
      TEST(what_a_lost_head_may_take_is_asked_before_it_interrupts_too))

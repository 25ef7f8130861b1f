/* cost.c - what a packet costs a plain relay, and how long the worst one waits. */
#include "check/cost.h"
#include "suites.h"

#define US 1000ULL
#define MS 1000000ULL

static void a_burst_waits_for_all_of_itself(void)
{
	struct cost c = { 3 * US, 0, 0 };

	CU_ASSERT_EQUAL(cost_worst_ns(&c, 0, 100), 300 * US);
	CU_ASSERT_EQUAL(cost_worst_ns(&c, 5000, 1), 3045); /* 3 us / 0.985 */
	c.wake_ns = 100 * US;
	CU_ASSERT_EQUAL(cost_worst_ns(&c, 0, 100), 400 * US);
}

/* The longest busy period of a fluid queue: what came in it is what was done in it. */
static void the_bound_is_the_busy_period(void)
{
	struct cost c = { 4 * US, 0, 0 };

	for (double pps = 1000; pps < 249000; pps += 1000) {
		double busy_ns = (double)cost_worst_ns(&c, pps, 50), done = busy_ns / (double)c.packet_ns;

		CU_ASSERT_DOUBLE_EQUAL(done, 50 + pps * busy_ns / 1e9, 0.01);
	}
}

static void more_than_the_relay_can_carry_has_no_bound(void)
{
	struct cost c = { 4 * US, 0, 0 };

	CU_ASSERT_EQUAL(cost_worst_ns(&c, 250000, 1), UINT64_MAX);
	CU_ASSERT_EQUAL(cost_worst_ns(&c, 300000, 1), UINT64_MAX);
	CU_ASSERT_DOUBLE_EQUAL(cost_load(&c, 300000), 1.2, 1e-9);
	c.packet_ns = UINT32_MAX;
	CU_ASSERT_EQUAL(cost_worst_ns(&c, 0.2328306, UINT32_MAX), UINT64_MAX);
}

/* A double holds both exactly. */
static void a_bound_of_1e18_ns_is_none(void)
{
	struct cost c = { 4 * US, 1000000000000000000, 0 };

	CU_ASSERT_EQUAL(cost_worst_ns(&c, 0, 0), UINT64_MAX);
	c.wake_ns -= 1024;
	CU_ASSERT_EQUAL(cost_worst_ns(&c, 0, 0), 1000000000000000000 - 1024);
}

static void nothing_seen_is_the_default(void)
{
	CU_ASSERT_EQUAL(cost_of(NULL).packet_ns, COST_PACKET_NS);
	CU_ASSERT(!cost_of(NULL).is_measured);
}

/* The CPU time of packets that come one by one is that of wake-ups, and says nothing of a busy relay. */
static void a_busy_instance_is_measured_and_a_sleepy_one_is_not(void)
{
	struct cost_seen seen = { 100000, 200 * MS, 25000 };

	CU_ASSERT(cost_of(&seen).is_measured);
	CU_ASSERT_EQUAL(cost_of(&seen).packet_ns, 2 * US + 1);
	seen.parks++;
	CU_ASSERT(!cost_of(&seen).is_measured);
	CU_ASSERT_EQUAL(cost_of(&seen).packet_ns, COST_PACKET_NS);
	seen = (struct cost_seen){ COST_LEAST_PKTS - 1, MS, 0 };
	CU_ASSERT(!cost_of(&seen).is_measured);
	seen.sent_pkts++;
	CU_ASSERT(cost_of(&seen).is_measured);
	seen = (struct cost_seen){ 100000, 0, 0 }; /* a stage was restarted */
	CU_ASSERT(!cost_of(&seen).is_measured);
}

static void each_further_copy_costs_and_a_measured_packet_has_its_copies(void)
{
	struct cost by_default = cost_of(NULL), measured = { 8 * US, 0, 1 };

	CU_ASSERT_DOUBLE_EQUAL(cost_with_copies(&by_default, 1), 1, 1e-9);
	CU_ASSERT_DOUBLE_EQUAL(cost_with_copies(&by_default, 4), 1 + 3.0 * COST_COPY_NS / COST_PACKET_NS, 1e-9);
	CU_ASSERT_DOUBLE_EQUAL(cost_with_copies(&measured, 4), 1, 1e-9);
}

SUITE(cost, TEST(a_burst_waits_for_all_of_itself), TEST(the_bound_is_the_busy_period),
      TEST(more_than_the_relay_can_carry_has_no_bound), TEST(a_bound_of_1e18_ns_is_none),
      TEST(nothing_seen_is_the_default), TEST(a_busy_instance_is_measured_and_a_sleepy_one_is_not),
      TEST(each_further_copy_costs_and_a_measured_packet_has_its_copies))

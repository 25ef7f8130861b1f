/* softnet.c - the queue to this machine's own sockets: how it is read, and when egress waits for it. */
#include "egress/unread.h"
#include "softnet.h"
#include "suites.h"

static void old_kernels_leave_the_queue_to_a_thread(void)
{
	CU_ASSERT(softnet_is_old("6.1.0-50-amd64"));
	CU_ASSERT(softnet_is_old("5.10.0-38-amd64"));
	CU_ASSERT(softnet_is_old("6.4.16"));
	CU_ASSERT(!softnet_is_old("6.5.0"));
	CU_ASSERT(!softnet_is_old("6.12.117+deb13-amd64"));
	CU_ASSERT(!softnet_is_old("7.0-rc1"));
	CU_ASSERT(!softnet_is_old("unknown"));
	CU_ASSERT(!softnet_is_old(""));
}

static void a_row_says_its_cpu_and_how_many_wait(void)
{
	unsigned int cpu = 0, waiting = 0;

	CU_ASSERT(softnet_parse(
		"00002749 00000017 0000000f 00000000 00000000 00000000 00000000 00000000 00000000 00000000 "
		"00000000 000003e8 00000001\n",
		&cpu, &waiting));
	CU_ASSERT_EQUAL(cpu, 1);
	CU_ASSERT_EQUAL(waiting, 1000);
	CU_ASSERT(softnet_parse(
		"00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 "
		"00000000 00000000 0000007f 00000000 00000000\n",
		&cpu, &waiting)); /* as of 6.10 */
	CU_ASSERT_EQUAL(cpu, 127);
	CU_ASSERT_EQUAL(waiting, 0);
}

static void a_row_without_these_is_none(void)
{
	unsigned int cpu = 7, waiting = 7;

	CU_ASSERT(!softnet_parse(
		"00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 "
		"00000000\n",
		&cpu, &waiting)); /* 4.19 */
	CU_ASSERT(!softnet_parse("", &cpu, &waiting));
	CU_ASSERT(!softnet_parse("nonsense", &cpu, &waiting));
	CU_ASSERT_EQUAL(cpu, 7);
	CU_ASSERT_EQUAL(waiting, 7);
}

static void a_look_comes_after_a_quarter_of_the_queue(void)
{
	struct unread u = { .sent_pkts = UNREAD_LOOK_PKTS - 1 };

	CU_ASSERT(!unread_is_due(&u, 1));
	u.sent_pkts++;
	CU_ASSERT(unread_is_due(&u, 1));
	CU_ASSERT(!unread_look(&u, UNREAD_FULL_PKTS - 1, 1));
	CU_ASSERT(!unread_is_due(&u, 1));
	CU_ASSERT_EQUAL(u.until_ns, 0);
}

static void a_queue_half_full_is_waited_for_until_it_is_not(void)
{
	struct unread u = { .sent_pkts = UNREAD_LOOK_PKTS };
	uint64_t now = 1000;

	for (int i = 0; i < 10; i++) {
		CU_ASSERT(unread_is_due(&u, now));
		CU_ASSERT(unread_look(&u, UNREAD_FULL_PKTS, now));
		CU_ASSERT(!unread_is_due(&u, now));
		CU_ASSERT(u.until_ns > now);
		now = u.until_ns;
	}
	CU_ASSERT(!unread_look(&u, 0, now));
	CU_ASSERT(!unread_is_due(&u, now));
}

static void a_queue_that_stays_full_is_not_waited_for_for_ever(void)
{
	struct unread u = { .sent_pkts = UNREAD_LOOK_PKTS };
	uint64_t now = 1000, began = now;

	while (unread_look(&u, 1000, now))
		now = u.until_ns;
	CU_ASSERT(now - began >= UNREAD_MOST_NS);
	CU_ASSERT(now - began <= UNREAD_MOST_NS + UNREAD_PAUSE_NS);
	CU_ASSERT_EQUAL(u.sent_pkts, 0); /* and the next look is after as many again */
	CU_ASSERT_EQUAL(u.since_ns, 0);
}

SUITE(softnet, TEST(old_kernels_leave_the_queue_to_a_thread), TEST(a_row_says_its_cpu_and_how_many_wait),
      TEST(a_row_without_these_is_none), TEST(a_look_comes_after_a_quarter_of_the_queue),
      TEST(a_queue_half_full_is_waited_for_until_it_is_not), TEST(a_queue_that_stays_full_is_not_waited_for_for_ever))

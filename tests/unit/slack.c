/* slack.c - how long those that wait can be put off, against the whole queue looked through at once. */
#include "plans.h"
#include "edf/slack.h"

/* With all the work in front of it, and its own by one worker. */
static int64_t expected_ns(const struct plan_class *c)
{
	int64_t least_ns = INT64_MAX, work_ns = 0;

	for (uint64_t k = c->fresh; k < c->last; k++) {
		const struct plan_entry *e = &c->entries[k & c->mask];
		int64_t begin_ns;

		if (e->refused)
			continue;
		work_ns += e->service_ns;
		if (e->deadline_ns == NO_DEADLINE)
			continue;
		begin_ns = (int64_t)e->deadline_ns - work_ns - (int64_t)((c->n_workers - 1) * e->service_ns);
		least_ns = begin_ns < least_ns ? begin_ns : least_ns;
	}
	return least_ns;
}

static void arrive_at_random(uint64_t now, uint32_t n)
{
	for (uint32_t i = 0; i < n && plan_waiting_pkts(&plan, 0) < SLOTS; i++) {
		uint64_t deadline_ns = random_below(9) ? now + random_below(300) * MS : NO_DEADLINE;

		plan_arrive(&plan, 0, now, deadline_ns, random_below(1500), random_below(20) == 0);
	}
}

/* Asked after each packet, or after many rings of them; the numbers of the packets go past 32 bits. */
static void what_can_be_put_off_is_the_least_of_all_that_wait(void)
{
	uint32_t n_wrong = 0, n_known = 0, n_lost = 0;

	random_state = 0x853c49e6748fea9b;
	for (uint32_t round = 0; round < 24; round++) {
		struct config c = make_config(POLICY_GUARDED, EVICT_NEWEST);
		struct plan_class *class = &plan.classes[0];
		uint64_t now = NOW;

		open_plan(&c);
		plan_set_workers(&plan, 1 + round % 4);
		teach();
		class->first = class->fresh = class->last = (1ULL << 32) - 1000;
		for (uint32_t step = 0; step < 600; step++) {
			now += random_below(20) ? random_below(4) * MS / 4 : 400 * MS;
			arrive_at_random(now, random_below(round % 8 < 4 ? 5 : 60));
			for (uint32_t n = random_below(round % 8 < 4 ? 5 : 60); n && plan_waiting_pkts(&plan, 0); n--)
				plan_take(&plan, 0);
			if (random_below(round < 12 ? 2 : 100))
				continue;
			plan_choose(&plan, now, rooms);
			n_wrong += slack_begin_by_ns(class) != expected_ns(class);
			n_wrong += slack_begin_by_ns(class) != expected_ns(class); /* asking changes nothing */
			n_known += expected_ns(class) != INT64_MAX;
			n_lost += class->fresh != class->first;
		}
	}
	CU_ASSERT_EQUAL(n_wrong, 0);
	CU_ASSERT(n_known > 1000 && n_lost > 500);
}

SUITE(slack, TEST(what_can_be_put_off_is_the_least_of_all_that_wait))

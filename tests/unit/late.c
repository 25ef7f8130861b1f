/*
 * late.c - what becomes of late packets: they go on where that makes nothing late, and a stall sheds nothing without
 * need.
 */
#include "plans.h"

/* At 1 Mbit/s a packet of 77 bytes and 48 of headers takes 1 ms; there is room for 9 before the limit of 256. */
static void a_shaped_way_out_makes_a_late_packet_cost_something(void)
{
	static const uint32_t empty[MAX_CLASSES] = { 256, 256, 256, 256 };
	static const uint32_t backlog[MAX_CLASSES] = { 256, 256, 253, 256 };
	struct config c = make_config(POLICY_GUARDED, EVICT_NEWEST);

	c.rate_bits_per_s = 1000000;
	open_plan(&c);
	plan_arrive(&plan, 2, NOW, NOW - 1, 77, 0);
	plan_arrive(&plan, 1, NOW, NOW + 3 * MS, 77, 0);
	CU_ASSERT_EQUAL(plan_choose(&plan, NOW, empty).drop, DROP_NONE);
	CU_ASSERT_EQUAL(plan.queues[2].cost_ns, 1 * MS);
	CU_ASSERT_EQUAL(plan_choose(&plan, NOW, backlog).drop, DROP_EVICTED); /* 4 ms */
	CU_ASSERT_EQUAL(plan.queues[2].cost_ns, 4 * MS);
}

/* One packet is not enough to know how long work takes, and none means that there is none. */
static void what_a_late_packet_costs_is_not_guessed(void)
{
	struct config c = make_config(POLICY_GUARDED, EVICT_NEWEST);

	open_plan(&c);
	plan_arrive(&plan, 1, NOW, NOW - 1, 77, 0);
	CU_ASSERT_EQUAL(plan_choose(&plan, NOW, rooms).drop, DROP_NONE);
	plan_learn(&plan, 1, NOW - 100 * MS, 77, 1);
	CU_ASSERT_EQUAL(plan_choose(&plan, NOW, rooms).drop, DROP_EVICTED);
	for (int i = 1; i < 8; i++)
		plan_learn(&plan, 1, NOW - 100 * MS, 77, 1);
	CU_ASSERT_EQUAL(plan_choose(&plan, NOW, rooms).drop, DROP_NONE);
}

/* Medium's first packet is evicted, because of High's work, and its second is not; then High's work is done. */
static void evict_the_first_of_two(void)
{
	struct config c = make_config(POLICY_GUARDED, EVICT_NEWEST);

	open_plan(&c);
	teach();
	for (int i = 0; i < 60; i++) /* 12 ms */
		plan_arrive(&plan, 0, NOW, NOW + 100 * MS, 0, 0);
	plan_arrive(&plan, 1, NOW, NOW + 10 * MS, 0, 0);
	while (plan_waiting_pkts(&plan, 0))
		plan_take(&plan, 0);
	plan_arrive(&plan, 1, NOW, NOW + 20 * MS, 0, 0);
	CU_ASSERT_EQUAL(plan.classes[1].entries[0].lost, DROP_EVICTED);
	CU_ASSERT_EQUAL(plan.queues[1].work_ns, 200 * US);
}

static void an_evicted_packet_that_goes_after_all_counts_as_predicted_now(void)
{
	uint64_t predicted_ns;

	evict_the_first_of_two();
	for (int i = 0; i < 40; i++)
		plan_learn(&plan, 1, NOW, 0, 300 * US);
	plan_arrive(&plan, 1, NOW, NOW + 30 * MS, 0, 1); /* dropped before: no work */
	predicted_ns = plan_start(&plan, 1);
	CU_ASSERT(predicted_ns > 250 * US);
	CU_ASSERT_EQUAL(plan.classes[1].entries[0].service_ns, predicted_ns);
	CU_ASSERT_EQUAL(plan.classes[1].entries[0].lost, DROP_NONE);
	CU_ASSERT_EQUAL(plan.queues[1].work_ns, predicted_ns + 200 * US);
	plan_take(&plan, 1);
	CU_ASSERT_EQUAL(plan.queues[1].work_ns, 200 * US);
}

/* It was passed over, so what can be put off was reckoned from the second packet on. */
static void an_evicted_packet_that_goes_after_all_is_the_first_again(void)
{
	int64_t before_ns;

	evict_the_first_of_two();
	plan_arrive(&plan, 2, NOW, NOW - 1, 0, 0); /* lost: for its sake it is asked what can be put off */
	plan_choose(&plan, NOW, rooms);
	CU_ASSERT_EQUAL(plan.queues[1].fresh_deadline_ns, NOW + 20 * MS);
	before_ns = plan.queues[1].begin_by_ns;
	plan_start(&plan, 1);
	plan_interrupt(&plan, 1, NOW, rooms);
	CU_ASSERT_EQUAL(plan.queues[1].fresh_deadline_ns, NOW + 10 * MS);
	CU_ASSERT_EQUAL(plan.queues[1].begin_by_ns, before_ns - (int64_t)(200 * US));
}

/* Takes all there is to do at that time, with work that takes as long as predicted; returns the time then. */
static uint64_t work_off(uint64_t now, uint32_t served[MAX_CLASSES], uint32_t dropped[MAX_CLASSES])
{
	for (;;) {
		struct edf_choice choice = plan_choose(&plan, now, rooms);
		uint64_t took_ns;

		if (choice.class < 0)
			return now;
		(choice.drop ? dropped : served)[choice.class]++;
		took_ns = choice.drop ? 0 : plan_start(&plan, (uint32_t)choice.class);
		now += took_ns;
		if (took_ns)
			plan_learn(&plan, (uint32_t)choice.class, now, 0, took_ns);
		plan_take(&plan, (uint32_t)choice.class);
	}
}

/*
 * Ten seconds of four classes, each with a packet every 500 us; all the time the stage stands still for stall_ns, and
 * then the plan is told of all that came. Returns how many were dropped.
 */
static uint32_t dropped_with_stalls(const struct config *c, uint64_t service_ns, uint64_t stall_ns)
{
	uint32_t served[MAX_CLASSES] = { 0 }, dropped[MAX_CLASSES] = { 0 }, offered = 0;
	uint64_t now = NOW, next_ns = NOW;

	open_plan(c);
	for (uint32_t i = 0; service_ns && i < 80; i++)
		plan_learn(&plan, i % 4, NOW - 1000 * MS, 0, service_ns);
	while (now < NOW + 10000 * MS) {
		now += 100 * US;
		if (now / (100 * MS) != (now - 100 * US) / (100 * MS))
			now += stall_ns;
		for (; next_ns <= now; next_ns += 500 * US, offered++)
			for (uint32_t i = 0; i < 4; i++) {
				uint64_t budget_ns = c->classes[i].budget_ns;

				plan_arrive(&plan, i, now, budget_ns ? next_ns + budget_ns : NO_DEADLINE, 0, 0);
			}
		now = work_off(now, served, dropped);
	}
	for (uint32_t i = 0; i < 4; i++)
		CU_ASSERT_EQUAL(served[i] + dropped[i], offered);
	return dropped[0] + dropped[1] + dropped[2] + dropped[3];
}

static void a_stall_of_a_stage_without_work_sheds_nothing(void)
{
	struct config c = make_config(POLICY_GUARDED, EVICT_NEWEST);

	c.classes[0].margin_ns = 50 * US;
	CU_ASSERT_EQUAL(dropped_with_stalls(&c, 0, 10 * MS), 0);
	CU_ASSERT_EQUAL(dropped_with_stalls(&c, 0, 80 * MS), 0);
	c.evict = EVICT_LARGEST;
	CU_ASSERT_EQUAL(dropped_with_stalls(&c, 0, 10 * MS), 0);
}

/* Four times 2,000 packets a second, 5 us each: 4 % of the time. */
static void a_stall_without_overload_sheds_next_to_nothing(void)
{
	struct config c = make_config(POLICY_GUARDED, EVICT_NEWEST);
	uint32_t n_late = 100 * 20 / 2; /* of High alone: 19 in each of 100 stalls are late */

	CU_ASSERT(dropped_with_stalls(&c, 5 * US, 10 * MS) < n_late / 5);
	c.late = LATE_DROP;
	CU_ASSERT(dropped_with_stalls(&c, 5 * US, 10 * MS) > n_late);
}

/*
 * The plan's own prediction, packet by packet: how many of those that wait and are not lost will be late if something
 * else takes delay_ns first? By rank, each class in order.
 */
static uint32_t predicted_late(uint64_t now, uint64_t delay_ns)
{
	uint64_t done_ns = now + delay_ns;
	uint32_t late = 0;

	for (uint32_t over = 0; over < 2; over++)
		for (uint32_t i = 0; i < 4; i++) {
			const struct plan_class *c = &plan.classes[i];
			const struct edf_queue *q = &plan.queues[i];
			uint64_t before_ns = done_ns;

			if ((q->over_share != 0) != (over != 0))
				continue;
			for (uint64_t k = c->first; k < c->last; k++) {
				const struct plan_entry *e = &c->entries[k & c->mask];

				if (e->lost || e->gone)
					continue;
				done_ns += e->service_ns;
				late += e->deadline_ns != NO_DEADLINE && done_ns + q->margin_ns > e->deadline_ns;
			}
			if (c->first == c->last || c->entries[(c->last - 1) & c->mask].deadline_ns == NO_DEADLINE)
				done_ns = before_ns; /* it waits for all that have one */
		}
	return late;
}

/* With no arrivals any more: how many of those that are not lost will be late, by the plan's own choices? */
static uint32_t late_in_the_end(uint64_t now)
{
	static struct plan_entry saved[4][SLOTS];
	struct plan before = plan;
	uint32_t late = 0;

	for (uint32_t i = 0; i < 4; i++)
		memcpy(saved[i], plan.classes[i].entries, sizeof(saved[i]));
	for (;;) {
		struct edf_choice choice = plan_choose(&plan, now, rooms);
		const struct plan_class *c = &plan.classes[choice.class < 0 ? 0 : choice.class];
		const struct plan_entry *e = &c->entries[c->first & c->mask];
		uint8_t was_lost;

		if (choice.class < 0)
			break;
		was_lost = e->lost;
		if (choice.drop == DROP_NONE)
			now += plan_start(&plan, (uint32_t)choice.class);
		late += !was_lost && choice.drop == DROP_NONE && e->deadline_ns != NO_DEADLINE && now > e->deadline_ns;
		plan_take(&plan, (uint32_t)choice.class);
	}
	plan = before;
	for (uint32_t i = 0; i < 4; i++)
		memcpy(plan.classes[i].entries, saved[i], sizeof(saved[i]));
	return late;
}

/* Random arrivals, in fits and starts, and the stage stands still now and then. */
static uint64_t random_step(const struct config *c, uint64_t now)
{
	uint32_t class = random_below(4), n = random_below(4);

	now += random_below(30) == 0 ? random_below(20) * MS : random_below(600) * US;
	for (uint32_t i = 0; i < n && plan_waiting_pkts(&plan, class) < SLOTS; i++) {
		uint64_t budget_ns = c->classes[class].budget_ns, age_ns = random_below(1500) * US;

		plan_arrive(&plan, class, now, budget_ns ? now - age_ns + budget_ns : NO_DEADLINE, random_below(1500),
			    random_below(50) == 0);
	}
	return now;
}

/* The whole queue at once, without books: when must work on those that are not lost begin? */
static int64_t expected_begin_by_ns(uint32_t class)
{
	const struct plan_class *c = &plan.classes[class];
	const struct plan_entry *fresh = &c->entries[c->fresh & c->mask];
	int64_t least_ns = INT64_MAX;

	for (uint64_t k = c->fresh; k < c->last; k++) {
		const struct plan_entry *e = &c->entries[k & c->mask];
		int64_t begin_ns = (int64_t)(e->deadline_ns - e->total_ns + fresh->total_ns - fresh->service_ns);

		if (!e->refused && e->deadline_ns != NO_DEADLINE && begin_ns < least_ns)
			least_ns = begin_ns;
	}
	return least_ns;
}

static void check_lost(uint64_t now, struct edf_choice choice)
{
	if (plan.queues[choice.class].cost_ns == 0) /* it takes nothing */
		return;
	for (uint32_t i = 0; i < 4; i++)
		CU_ASSERT_EQUAL_FATAL(plan.queues[i].begin_by_ns, expected_begin_by_ns(i));
	if (choice.drop != DROP_NONE)
		return;
	CU_ASSERT_EQUAL_FATAL(predicted_late(now, plan.queues[choice.class].cost_ns), 0);
	CU_ASSERT_EQUAL(late_in_the_end(now), 0);
}

/*
 * Whenever something goes on that is lost, nothing that waits and can be in time is late for it. In half of the worlds
 * work appears only after a second.
 */
static void what_goes_on_late_makes_nothing_late(void)
{
	uint32_t went_on = 0, dropped = 0;

	random_state = 0x853c49e6748fea9b;
	for (uint32_t kind = 0; kind < 16; kind++) {
		struct config c = make_config(POLICY_GUARDED, kind & 1 ? EVICT_LARGEST : EVICT_NEWEST);
		uint64_t now = NOW, works_at_ns = kind & 8 ? NOW + 1000 * MS : NOW;

		c.classes[0].budget_ns = 2 * MS;
		c.classes[1].share_percent = kind & 2 ? 30 : 0;
		c.classes[2].margin_ns = kind & 4 ? 300 * US : 0;
		open_plan(&c);
		if (now >= works_at_ns)
			teach();
		while (now < NOW + 4000 * MS) {
			struct edf_choice choice = plan_choose(&plan, now, rooms);
			struct plan_class *pc = &plan.classes[choice.class < 0 ? 0 : choice.class];
			const struct plan_entry *e = &pc->entries[pc->first & pc->mask];

			if (choice.class < 0) {
				now = random_step(&c, now);
				continue;
			}
			dropped += e->lost && choice.drop != DROP_NONE;
			went_on += e->lost && choice.drop == DROP_NONE;
			if (e->lost)
				check_lost(now, choice);
			if (choice.drop == DROP_NONE) {
				uint64_t took_ns = plan_start(&plan, (uint32_t)choice.class);

				now = random_step(&c, now);
				now += took_ns;
				if (now >= works_at_ns)
					plan_learn(&plan, (uint32_t)choice.class, now, e->bytes,
						   200 * US + 100 * e->bytes);
			}
			plan_take(&plan, (uint32_t)choice.class);
		}
	}
	CU_ASSERT(went_on > 200 && dropped > 200);
}

/*
 * Nobody had asked how much is to spare while there was no work; and after billions of packets it is told all the same.
 */
static void what_is_to_spare_is_known_as_soon_as_work_is(void)
{
	struct config c = make_config(POLICY_GUARDED, EVICT_NEWEST);

	open_plan(&c);
	for (uint64_t now = NOW; now <= NOW + 10 * MS; now += 10 * MS) {
		plan_arrive(&plan, 0, now, now + 5 * MS, 100, 0);
		plan_arrive(&plan, 0, now, now + 1 * MS, 100, 0);
		plan_arrive(&plan, 2, now, now - 1, 1000, 0);
		teach(); /* 300 us for 1000 bytes */
		plan_take(&plan, 2);
		plan_arrive(&plan, 2, now, now - 1, 1000, 0);
		CU_ASSERT_EQUAL(plan_choose(&plan, now + 100 * US, rooms).drop, DROP_NONE);
		CU_ASSERT_EQUAL(plan.queues[0].begin_by_ns, expected_begin_by_ns(0));
		CU_ASSERT_EQUAL(plan_choose(&plan, now + 800 * US, rooms).class, 2);
		CU_ASSERT_NOT_EQUAL(plan_choose(&plan, now + 800 * US, rooms).drop, DROP_NONE);
		CU_ASSERT_EQUAL(plan.queues[2].cost_ns / US, 300);
		for (uint32_t i = 0; i < 4; i++)
			while (plan_waiting_pkts(&plan, i))
				plan_take(&plan, i);
		plan.classes[0].first = plan.classes[0].fresh = plan.classes[0].last += (3ULL << 30) + 7;
	}
}

SUITE(late, TEST(what_is_to_spare_is_known_as_soon_as_work_is),
      TEST(a_shaped_way_out_makes_a_late_packet_cost_something), TEST(what_a_late_packet_costs_is_not_guessed),
      TEST(an_evicted_packet_that_goes_after_all_counts_as_predicted_now),
      TEST(an_evicted_packet_that_goes_after_all_is_the_first_again),
      TEST(a_stall_of_a_stage_without_work_sheds_nothing), TEST(a_stall_without_overload_sheds_next_to_nothing),
      TEST(what_goes_on_late_makes_nothing_late))

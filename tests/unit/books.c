/* books.c - what a plan adds up packet by packet, against a look through all that wait. */
#include "plans.h"

static const enum evict evicts[] = { EVICT_NEWEST, EVICT_LARGEST };

static uint32_t is_listed(const struct plan_entry *e)
{
	return !e->lost && !e->gone && !e->started;
}

/* The lists by size: those that can be evicted, each once, the newest first. */
static uint32_t count_listed(struct plan_class *c)
{
	uint32_t n = 0;

	for (uint32_t size = 0; size < PLAN_SIZES; size++) {
		uint32_t at = c->newest[size], newer = UINT32_MAX;

		if (!(c->sizes >> size & 1))
			continue;
		while (at != UINT32_MAX && n <= SLOTS) {
			const struct plan_entry *e = &c->entries[at];

			CU_ASSERT_FATAL(is_listed(e) && e->size == size && e->newer == newer);
			newer = at;
			at = e->older;
			n++;
		}
	}
	return n;
}

static void check_books(uint32_t class, enum evict evict)
{
	struct plan_class *c = &plan.classes[class];
	const struct edf_queue *q = &plan.queues[class];
	uint64_t work_ns = 0, late_ns = 0;
	uint32_t listed = 0;

	for (uint64_t k = c->first; k < c->last; k++) {
		const struct plan_entry *e = plan_entry(c, k);

		work_ns += e->lost == DROP_EVICTED ? 0 : e->service_ns;
		late_ns += e->lost == DROP_LATE ? e->service_ns : 0;
		listed += is_listed(e);
	}
	CU_ASSERT_EQUAL_FATAL(q->waiting_pkts, c->last - c->first);
	CU_ASSERT_EQUAL_FATAL(q->work_ns, work_ns);
	CU_ASSERT_EQUAL_FATAL(q->late_ns, late_ns);
	if (evict == EVICT_LARGEST)
		CU_ASSERT_EQUAL_FATAL(count_listed(c), listed);
}

/* Work in slices, and the time then. What interrupts is worked on at once, or passed on. */
static uint64_t work(uint32_t class, uint64_t now, const struct config *c)
{
	uint64_t left_ns = plan_start(&plan, class);

	while (left_ns > 0) {
		uint64_t slice_ns = left_ns < 100 * US ? left_ns : 100 * US;
		struct edf_choice choice;

		now += slice_ns;
		left_ns -= slice_ns;
		plan_progress(&plan, class, left_ns);
		if (plan_waiting_pkts(&plan, 0) < SLOTS / 2)
			plan_arrive(&plan, 0, now, now + c->classes[0].budget_ns, random_below(1500), 0);
		choice = plan_interrupt(&plan, class, now, rooms);
		check_books(class, c->evict);
		if (choice.class < 0)
			continue;
		if (choice.drop == DROP_NONE)
			now += plan_start(&plan, (uint32_t)choice.class);
		plan_take(&plan, (uint32_t)choice.class);
	}
	return now;
}

static void the_sums_are_those_of_all_that_wait(void)
{
	uint32_t dropped = 0, served = 0;

	random_state = 0x9e3779b97f4a7c15;
	for (uint32_t kind = 0; kind < 8; kind++) {
		struct config c = make_config(kind & 2 ? POLICY_EDF_DROP : POLICY_GUARDED, evicts[kind & 1]);

		c.classes[1].share_percent = kind & 4 ? 30 : 0;
		open_plan(&c);
		teach();
		for (uint64_t now = NOW; now < NOW + 500 * MS; now += random_below(300) * US) {
			uint32_t class = random_below(3);
			struct edf_choice choice;

			for (uint32_t n = random_below(4); n && plan_waiting_pkts(&plan, class) < SLOTS / 2; n--)
				plan_arrive(&plan, class, now, now + c.classes[class].budget_ns, random_below(1500),
					    random_below(30) == 0);
			choice = plan_choose(&plan, now, rooms);
			if (choice.class >= 0) {
				if (choice.drop == DROP_NONE)
					now = work((uint32_t)choice.class, now, &c);
				plan_take(&plan, (uint32_t)choice.class);
				served += choice.drop == DROP_NONE;
				dropped += choice.drop != DROP_NONE;
			}
			for (uint32_t i = 0; i < 4; i++)
				check_books(i, c.evict);
		}
	}
	CU_ASSERT(served > 1000 && dropped > 1000);
}

/* None that stays is larger than one that goes, nor of its size and newer. */
static void of_the_largest_the_newest_goes(void)
{
	struct config c = make_config(POLICY_GUARDED, EVICT_LARGEST);
	struct plan_class *class = &plan.classes[1];
	uint32_t evicted = 0, n_wrong = 0;

	open_plan(&c);
	teach();
	random_state = 42;
	for (uint32_t round = 0; round < 3000; round++) {
		uint64_t had = class->last - class->first;
		uint8_t before[SLOTS];

		for (uint64_t i = 0; i < had; i++)
			before[i] = plan_entry(class, class->first + i)->lost;
		plan_arrive(&plan, 1, NOW, NOW + 10 * MS, random_below(1500), 0);
		before[had] = DROP_NONE;
		for (uint64_t v = 0; v <= had; v++) {
			const struct plan_entry *victim = plan_entry(class, class->first + v);

			if (before[v] || !victim->lost)
				continue;
			evicted++;
			for (uint64_t i = 0; i <= had; i++) {
				const struct plan_entry *e = plan_entry(class, class->first + i);

				n_wrong +=
					is_listed(e) && (e->size > victim->size || (e->size == victim->size && i > v));
			}
		}
		while (had > 60 || (had && random_below(3) == 0)) {
			plan_take(&plan, 1);
			had = class->last - class->first;
		}
	}
	CU_ASSERT_EQUAL(n_wrong, 0);
	CU_ASSERT(evicted > 300);
}

/* By 64ths of the longest that the config allows. */
static void a_packet_is_listed_by_its_size(void)
{
	struct config c = make_config(POLICY_GUARDED, EVICT_LARGEST);
	static const uint32_t sizes[][2] = { { 0, 0 },	  { 15, 0 },	{ 16, 1 },    { 985, 62 },
					     { 986, 63 }, { 1000, 63 }, { 1001, 63 }, { 65535, 63 } };

	c.payload_bytes = 1000;
	open_plan(&c);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		plan_arrive(&plan, 1, NOW, NOW + 10 * MS, sizes[i][0], 0);
		CU_ASSERT_EQUAL(plan_entry(&plan.classes[1], i)->size, sizes[i][1]);
	}
}

static uint32_t load_at(uint64_t now)
{
	plan_arrive(&plan, 1, now, NO_DEADLINE, 0, 0);
	return plan.queues[0].load_permille;
}

/*
 * Of what was served in 10 ms, half is left after 10 ms and a third after 20, until it is forgotten after ten seconds.
 */
static void what_was_served_fades(void)
{
	struct config c = make_config(POLICY_GUARDED, EVICT_LARGEST);

	open_plan(&c);
	plan_learn(&plan, 0, NOW, 100, 6 * MS);
	CU_ASSERT_EQUAL(load_at(NOW), 600);
	CU_ASSERT_EQUAL(load_at(NOW + 10 * MS), 300);
	CU_ASSERT_EQUAL(load_at(NOW + 20 * MS), 200);
	plan_learn(&plan, 0, NOW + 20 * MS, 100, 3 * MS);
	CU_ASSERT_EQUAL(load_at(NOW + 20 * MS), 500);
	open_plan(&c);
	plan_learn(&plan, 0, NOW, 100, 1000 * MS);
	CU_ASSERT_EQUAL(load_at(NOW + 10000 * MS), 99);
	CU_ASSERT_EQUAL(load_at(NOW + 10000 * MS + 1), 0);
	plan_set_workers(&plan, 2); /* work on one packet is half of the time of two */
	plan_learn(&plan, 0, NOW + 20000 * MS, 100, 6 * MS);
	CU_ASSERT_EQUAL(load_at(NOW + 20000 * MS), 300);
}

/* 20 % of 50 ms is 10 ms. */
static void a_share_is_a_bucket_of_50_ms_of_its_rate(void)
{
	struct config c = make_config(POLICY_GUARDED, EVICT_NEWEST);
	const int64_t *tokens_ns = &plan.classes[1].tokens_ns;

	c.classes[1].share_percent = 20;
	open_plan(&c);
	plan_choose(&plan, NOW, rooms);
	CU_ASSERT_EQUAL(*tokens_ns, 10 * MS);
	CU_ASSERT_EQUAL(plan.queues[1].over_share, 0);
	CU_ASSERT_EQUAL(plan.queues[0].over_share, 1); /* nothing is its own */
	plan_learn(&plan, 1, NOW, 100, 4 * MS);
	plan_choose(&plan, NOW + 5 * MS, rooms);
	CU_ASSERT_EQUAL(*tokens_ns, 7 * MS);
	plan_choose(&plan, NOW + 25 * MS, rooms);
	CU_ASSERT_EQUAL(*tokens_ns, 10 * MS);
	plan_learn(&plan, 1, NOW + 25 * MS, 100, 10 * MS);
	plan_choose(&plan, NOW + 25 * MS, rooms);
	CU_ASSERT_EQUAL(*tokens_ns, 0);
	CU_ASSERT_EQUAL(plan.queues[1].over_share, 1);
	plan_choose(&plan, NOW + 25 * MS + 5, rooms);
	CU_ASSERT_EQUAL(*tokens_ns, 1);
	CU_ASSERT_EQUAL(plan.queues[1].over_share, 0);
	plan_learn(&plan, 1, NOW + 25 * MS + 5, 100, 100 * MS); /* while nobody else wanted it */
	plan_choose(&plan, NOW + 25 * MS + 5, rooms);
	CU_ASSERT_EQUAL(*tokens_ns, -10 * (int64_t)MS);
	plan_choose(&plan, NOW + 10000 * MS, rooms);
	CU_ASSERT_EQUAL(*tokens_ns, 0);
}

/* What was learned aside, a reloaded plan is a new one. */
static void a_reload_leaves_nothing_of_what_waited(void)
{
	struct config c = make_config(POLICY_GUARDED, EVICT_LARGEST);
	static struct plan reloaded;

	c.classes[1].share_percent = 20;
	open_plan(&c);
	teach();
	for (uint32_t i = 0; i < 50; i++)
		plan_arrive(&plan, i % 4, NOW, NOW + i * 100 * US, 20 * i, 0);
	for (int i = 0; i < 10; i++)
		plan_take(&plan, (uint32_t)plan_choose(&plan, NOW + 1 * MS, rooms).class);
	c = make_config(POLICY_EDF_DROP, EVICT_NEWEST);
	c.full = FULL_DROP;
	c.late = LATE_DROP;
	c.rate_bits_per_s = 1000000;
	c.payload_bytes = 999;
	c.n_classes = 3;
	c.classes[2].budget_ns = 77 * MS;
	c.classes[2].margin_ns = 33 * US;
	plan_reload(&plan, &c);
	reloaded = plan;
	open_plan(&c);
	CU_ASSERT_EQUAL(memcmp(&reloaded.rules, &plan.rules, sizeof(plan.rules)), 0);
	CU_ASSERT_EQUAL(reloaded.evict, plan.evict);
	CU_ASSERT_EQUAL(reloaded.rate_bits_per_s, 1000000);
	CU_ASSERT_EQUAL(reloaded.n_classes, 3);
	CU_ASSERT_EQUAL(reloaded.payload_bytes, 999);
	CU_ASSERT_EQUAL(reloaded.has_shares, 0);
	CU_ASSERT_EQUAL(reloaded.loads_at_ns, 0);
	CU_ASSERT_EQUAL(memcmp(reloaded.sound_until_ns, plan.sound_until_ns, 3 * sizeof(plan.sound_until_ns[0])), 0);
	for (uint32_t i = 0; i < 3; i++) {
		const struct plan_class *was = &reloaded.classes[i], *is = &plan.classes[i];

		CU_ASSERT_EQUAL(memcmp(&reloaded.queues[i], &plan.queues[i], sizeof(plan.queues[i])), 0);
		CU_ASSERT_EQUAL(was->share_percent, 0);
		CU_ASSERT_EQUAL(was->edf_to_egress_pkts, is->edf_to_egress_pkts);
		CU_ASSERT(was->first == 0 && was->fresh == 0 && was->last == 0);
		CU_ASSERT(was->tight_first == 0 && was->tight_last == 0 && was->tight_told == 0);
		CU_ASSERT(was->sizes == 0 && was->tokens_ns == 0);
	}
}

/* At 1 Mbit/s a byte takes 8 us. What waits of all classes goes first: 1, 2 and 3 packets. */
static void a_lost_head_costs_its_service_and_the_wait_for_the_wire(void)
{
	static const uint32_t backlog[MAX_CLASSES] = { 255, 254, 253, 300 };
	struct config c = make_config(POLICY_GUARDED, EVICT_NEWEST);

	c.rate_bits_per_s = 1000000;
	open_plan(&c);
	plan_set_workers(&plan, 2);
	teach();
	plan_arrive(&plan, 2, NOW, NOW - 1, 52, 0); /* 205.2 us of work */
	plan_arrive(&plan, 1, NOW, NOW - 1, 152, 0);
	plan_choose(&plan, NOW, backlog);
	CU_ASSERT_EQUAL((plan.queues[2].cost_ns + 50) / 100, (7 * 100 * 8 * US + 102600) / 100);
	CU_ASSERT_EQUAL((plan.queues[1].cost_ns + 50) / 100, (7 * 200 * 8 * US + 107600) / 100);
}

/* The first cannot be in time, and the second is of another size. */
static void of_the_oldest_not_lost_its_own_work_is_predicted(void)
{
	struct config c = make_config(POLICY_GUARDED, EVICT_NEWEST);

	open_plan(&c);
	teach();
	plan_arrive(&plan, 1, NOW, NOW + 1, 100, 0);
	plan_arrive(&plan, 1, NOW, NOW + 100 * MS, 1000, 0);
	plan_choose(&plan, NOW, rooms);
	CU_ASSERT_EQUAL(plan.queues[1].fresh_deadline_ns, NOW + 100 * MS);
	CU_ASSERT_EQUAL(plan.queues[1].fresh_service_ns, plan_predict_ns(&plan, 1, 1000));
	CU_ASSERT_EQUAL(plan.queues[1].last_deadline_ns, NOW + 100 * MS);
}

/* 300 us, and 250 are left: that work got shorter meanwhile is known of the next. */
static void a_head_is_lost_by_what_was_predicted_when_it_became_the_head(void)
{
	struct config c = make_config(POLICY_GUARDED, EVICT_NEWEST);

	open_plan(&c);
	teach();
	plan_arrive(&plan, 1, NOW, NOW + 300 * US + 2, 1000, 0);
	for (int i = 0; i < 100; i++)
		plan_learn(&plan, 1, NOW, 1000, 50 * US);
	plan_choose(&plan, NOW + 300 * US + 2 - plan.queues[1].service_ns, rooms);
	CU_ASSERT_EQUAL(plan_entry(&plan.classes[1], 0)->lost, DROP_NONE);
	plan_choose(&plan, NOW + 300 * US + 3 - plan.queues[1].service_ns, rooms);
	CU_ASSERT(plan_predict_ns(&plan, 1, 1000) < 200 * US);
	CU_ASSERT_EQUAL(plan_entry(&plan.classes[1], 0)->lost, DROP_LATE);
}

/* High can wait for 200 us. */
static void the_rest_of_the_work_decides_whether_it_is_interrupted(void)
{
	struct config c = make_config(POLICY_GUARDED, EVICT_NEWEST);

	open_plan(&c);
	teach();
	plan_arrive(&plan, 2, NOW, NOW + 1000 * MS, 1000, 0);
	plan_start(&plan, 2);
	plan_arrive(&plan, 0, NOW, NOW + plan_predict_ns(&plan, 0, 0) + 200 * US, 0, 0);
	plan_progress(&plan, 2, 200 * US);
	CU_ASSERT_EQUAL(plan_interrupt(&plan, 2, NOW, rooms).class, -1);
	plan_progress(&plan, 2, 200 * US + 1);
	CU_ASSERT_EQUAL(plan_interrupt(&plan, 2, NOW, rooms).class, 0);
	plan_start(&plan, 0);
	plan_take(&plan, 0);
	plan_arrive(&plan, 0, NOW, NOW + plan_predict_ns(&plan, 0, 0) + 200 * US, 0, 0); /* so does the next of them */
	CU_ASSERT_EQUAL(plan_interrupt(&plan, 2, NOW, rooms).class, 0);
	plan_progress(&plan, 2, UINT32_MAX + 5ULL); /* absurd, but whole */
	CU_ASSERT_EQUAL(plan.queues[2].work_ns, UINT32_MAX);
}

/* While something is lost it is known of each class when work on it must begin. */
static void what_is_done_and_what_came_changes_when_work_must_begin(void)
{
	struct config c = make_config(POLICY_GUARDED, EVICT_NEWEST);
	int64_t before_ns, whole_ns;

	open_plan(&c);
	teach();
	plan_arrive(&plan, 2, NOW, NOW - 1, 1000, 0); /* lost */
	plan_arrive(&plan, 1, NOW, NOW + 50 * MS, 1000, 0);
	plan_arrive(&plan, 1, NOW, NOW + 60 * MS, 1000, 0);
	whole_ns = plan_entry(&plan.classes[1], 0)->service_ns;
	plan_start(&plan, 1);
	plan_interrupt(&plan, 1, NOW, rooms);
	before_ns = plan.queues[1].begin_by_ns;
	CU_ASSERT_EQUAL(before_ns, (int64_t)(NOW + 50 * MS) - whole_ns);
	plan_arrive(&plan, 3, NOW, NOW + 70 * MS, 1000, 0);
	plan_progress(&plan, 1, 100 * US);
	plan_interrupt(&plan, 1, NOW, rooms);
	CU_ASSERT_EQUAL(plan.queues[1].begin_by_ns, before_ns + whole_ns - (int64_t)(100 * US));
	CU_ASSERT_EQUAL(plan.queues[3].begin_by_ns, (int64_t)(NOW + 70 * MS) - whole_ns);
	plan_take(&plan, 1);
	plan_choose(&plan, NOW, rooms);
	CU_ASSERT_EQUAL(plan.queues[1].begin_by_ns, (int64_t)(NOW + 60 * MS) - whole_ns);
}

/* It would be late if it waited, and could be in time; but it was given up. */
static void for_an_evicted_packet_nothing_is_interrupted(void)
{
	struct config c = make_config(POLICY_GUARDED, EVICT_NEWEST);

	open_plan(&c);
	teach();
	for (int i = 0; i < 60; i++) /* 12 ms */
		plan_arrive(&plan, 0, NOW, NOW + 100 * MS, 0, 0);
	plan_arrive(&plan, 1, NOW, NOW + 10 * MS, 0, 0);
	while (plan_waiting_pkts(&plan, 0))
		plan_take(&plan, 0);
	CU_ASSERT_EQUAL(plan_entry(&plan.classes[1], 0)->lost, DROP_EVICTED);
	plan_arrive(&plan, 2, NOW, NOW + 1000 * MS, 0, 0);
	plan_start(&plan, 2);
	plan_progress(&plan, 2, 20 * MS);
	CU_ASSERT_EQUAL(plan_interrupt(&plan, 2, NOW, rooms).class, -1);
}

SUITE(books, TEST(the_rest_of_the_work_decides_whether_it_is_interrupted),
      TEST(what_is_done_and_what_came_changes_when_work_must_begin),
      TEST(of_the_oldest_not_lost_its_own_work_is_predicted), TEST(for_an_evicted_packet_nothing_is_interrupted),
      TEST(a_head_is_lost_by_what_was_predicted_when_it_became_the_head), TEST(the_sums_are_those_of_all_that_wait),
      TEST(of_the_largest_the_newest_goes), TEST(a_packet_is_listed_by_its_size), TEST(what_was_served_fades),
      TEST(a_share_is_a_bucket_of_50_ms_of_its_rate), TEST(a_reload_leaves_nothing_of_what_waited),
      TEST(a_lost_head_costs_its_service_and_the_wait_for_the_wire))

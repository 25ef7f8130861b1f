/* plan.c - what the plan knows stays true: order, work that waits, predictions, who goes, shares. */
#include "plans.h"

static void a_line_is_learned_exactly(void)
{
	struct config c = make_config(POLICY_GUARDED, EVICT_NEWEST);

	open_plan(&c);
	CU_ASSERT_EQUAL(plan_predict_ns(&plan, 0, 500), 0);
	teach();
	for (uint32_t bytes = 0; bytes <= 1500; bytes += 50) {
		uint64_t exact_ns = 200 * US + 100 * bytes, got_ns = plan_predict_ns(&plan, 1, bytes);

		CU_ASSERT(got_ns + 2 >= exact_ns && got_ns <= exact_ns + 2);
	}
}

static void a_class_without_samples_goes_by_the_others(void)
{
	struct config c = make_config(POLICY_GUARDED, EVICT_NEWEST);

	open_plan(&c);
	for (int i = 0; i < 20; i++)
		plan_learn(&plan, 0, NOW, 100, 250 * US);
	CU_ASSERT_EQUAL(plan_predict_ns(&plan, 2, 100), 250 * US);
	for (int i = 0; i < 20; i++)
		plan_learn(&plan, 2, NOW, 100, 50 * US);
	CU_ASSERT_EQUAL(plan_predict_ns(&plan, 2, 100), 50 * US);
	CU_ASSERT_EQUAL(plan_predict_ns(&plan, 0, 100), 250 * US);
}

static void a_stall_of_the_machine_does_not_spoil_the_prediction(void)
{
	struct config c = make_config(POLICY_GUARDED, EVICT_NEWEST);

	open_plan(&c);
	for (int i = 0; i < 200; i++)
		plan_learn(&plan, 0, NOW, 100, 100 * US);
	plan_learn(&plan, 0, NOW, 100, 500 * MS);
	CU_ASSERT(plan_predict_ns(&plan, 0, 100) < 106 * US);
	for (int i = 0; i < 500; i++) /* but work that got longer for good is followed */
		plan_learn(&plan, 0, NOW, 100, 300 * US);
	CU_ASSERT(plan_predict_ns(&plan, 0, 100) > 290 * US);
}

static void within_a_class_first_in_is_first_out(void)
{
	struct config c = make_config(POLICY_EDF, EVICT_NEWEST);

	open_plan(&c);
	for (uint64_t i = 0; i < 5000; i++) {
		plan_arrive(&plan, 1, NOW, NOW + i, 10, 0);
		if (i % 3 == 2)
			for (uint64_t k = i - 2; k <= i; k++) {
				CU_ASSERT_EQUAL(plan.queues[1].deadline_ns, NOW + k);
				CU_ASSERT_EQUAL(plan_choose(&plan, NOW, rooms).class, 1);
				plan_take(&plan, 1);
			}
	}
	CU_ASSERT_EQUAL(plan_waiting_pkts(&plan, 1), 2);
}

static void a_packet_dropped_before_is_only_passed_on(void)
{
	struct config c = make_config(POLICY_GUARDED, EVICT_LARGEST);

	open_plan(&c);
	teach();
	plan_arrive(&plan, 0, NOW, NOW, 1500, 1);
	CU_ASSERT_EQUAL(plan.queues[0].work_ns, 0);
	CU_ASSERT_EQUAL(plan_choose(&plan, NOW, rooms).class, 0);
	CU_ASSERT_EQUAL(plan_choose(&plan, NOW, rooms).drop, DROP_EVICTED);
	plan_take(&plan, 0);
	CU_ASSERT_EQUAL(plan_choose(&plan, NOW, rooms).class, -1);
}

/* What a plan sheds of forty packets of 300 us that are due in 6.1 ms, with that many workers. */
static uint32_t shed_of_forty(uint32_t n_workers)
{
	struct config c = make_config(POLICY_GUARDED, EVICT_NEWEST);
	uint32_t shed = 0;

	open_plan(&c);
	plan_set_workers(&plan, n_workers);
	teach();
	for (uint64_t i = 0; i < 40; i++)
		plan_arrive(&plan, 1, NOW, NOW + 6100 * US, 1000, 0);
	for (uint64_t i = 0; i < 40; i++)
		shed += plan_entry(&plan.classes[1], i)->lost != DROP_NONE;
	return shed;
}

static void what_waits_drains_as_fast_as_there_are_workers(void)
{
	CU_ASSERT_EQUAL(shed_of_forty(1), 40 - 20);
	/* before the last lie 39 shares of 150 us, and it takes its whole 300 us */
	CU_ASSERT_EQUAL(shed_of_forty(2), 1);
	CU_ASSERT_EQUAL(plan.queues[1].service_ns / (10 * US), 30); /* no packet is done sooner */
	CU_ASSERT_EQUAL((plan.queues[1].work_ns + US) / (150 * US), 39);
	CU_ASSERT_EQUAL(shed_of_forty(4), 0);
}

static void the_newest_goes_from_a_queue_too_long_in_time(void)
{
	struct config c = make_config(POLICY_GUARDED, EVICT_NEWEST);

	open_plan(&c);
	teach();
	/* 1 ms of budget holds five packets of 200 us; the sixth and seventh go */
	for (int i = 0; i < 7; i++)
		plan_arrive(&plan, 0, NOW, NOW + 1 * MS + 100, 0, 0);
	CU_ASSERT_EQUAL(plan_waiting_pkts(&plan, 0), 7);
	for (uint64_t i = 0; i < 7; i++) {
		struct edf_choice choice;

		plan_learn(&plan, 0, NOW + i * 200 * US, 0, 200 * US);
		if (i == 5) /* there is always more */
			plan_arrive(&plan, 0, NOW + 1 * MS, NOW + 1200 * US, 0, 0);
		choice = plan_choose(&plan, NOW + (i < 5 ? i * 200 * US : 1 * MS), rooms);
		CU_ASSERT_EQUAL(choice.drop, i < 5 ? DROP_NONE : DROP_EVICTED);
		plan_take(&plan, 0);
	}
	plan_take(&plan, 0);
	CU_ASSERT_EQUAL(plan.queues[0].work_ns, 0);
}

static void the_largest_goes_where_that_is_asked_for(void)
{
	struct config c = make_config(POLICY_GUARDED, EVICT_LARGEST);
	static const uint32_t sizes[] = { 100, 1500, 200, 1400, 100 };

	open_plan(&c);
	teach();
	for (int i = 0; i < 5; i++) /* 220 + 350 + 220 us fit into 1 ms; then 340 and 210 more do not */
		plan_arrive(&plan, 0, NOW, NOW + 1 * MS, sizes[i], 0);
	for (int i = 0; i < 5; i++) {
		CU_ASSERT_EQUAL(plan_choose(&plan, NOW, rooms).drop, sizes[i] == 1500 ? DROP_EVICTED : DROP_NONE);
		plan_take(&plan, 0);
	}
}

/* The plan's work and lists against a plain list of what waits. */
static void the_work_that_waits_is_always_the_sum(void)
{
	static const enum evict evicts[] = { EVICT_NEWEST, EVICT_LARGEST, EVICT_SOURCE };

	for (int kind = 0; kind < 3; kind++) {
		struct config c = make_config(POLICY_GUARDED, evicts[kind]);
		uint32_t evicted = 0, served = 0;

		open_plan(&c);
		teach();
		random_state = 88172645463325252;
		for (uint64_t now = NOW; now < NOW + 3000 * MS; now += 100 * US) {
			uint32_t class = random_below(3);
			struct edf_choice choice;

			if (plan_waiting_pkts(&plan, class) < SLOTS)
				plan_arrive_from(&plan, class, now, now + c.classes[class].budget_ns,
						 random_below(1500), random_below(50) == 0, random_below(9));
			for (uint32_t i = 0; i < 3; i++) {
				const struct plan_class *pc = &plan.classes[i];
				uint64_t sum = 0;

				for (uint64_t k = pc->first; k < pc->last; k++)
					sum += pc->entries[k & pc->mask].lost == DROP_EVICTED
						       ? 0
						       : pc->entries[k & pc->mask].service_ns;
				CU_ASSERT_EQUAL_FATAL(plan.queues[i].work_ns, sum);
			}
			if (random_below(3) == 0)
				continue;
			choice = plan_choose(&plan, now, rooms);
			if (choice.class < 0)
				continue;
			evicted += choice.drop == DROP_EVICTED;
			served += choice.drop == DROP_NONE;
			plan_take(&plan, (uint32_t)choice.class);
		}
		CU_ASSERT(evicted > 100 && served > 500);
	}
}

/* Floods of one class beside a second that stays within its share: how much of that is in time, in percent. */
static uint32_t in_time_beside_a_flood(uint32_t share_percent)
{
	struct config c = make_config(POLICY_GUARDED, EVICT_NEWEST);
	uint64_t now = NOW, next_ns = NOW;
	uint32_t served = 0, offered = 0;

	c.classes[0].share_percent = c.classes[1].share_percent = share_percent;
	open_plan(&c);
	teach();
	while (now < NOW + 5000 * MS) {
		struct edf_choice choice;

		for (; next_ns <= now; next_ns += 2 * MS) { /* 200 us every 2 ms: a tenth of the time */
			plan_arrive(&plan, 1, now, next_ns + 10 * MS, 0, 0);
			offered++;
		}
		while (plan_waiting_pkts(&plan, 0) < 50)
			plan_arrive(&plan, 0, now, now + 1 * MS, 0, 0);
		choice = plan_choose(&plan, now, rooms);
		if (choice.drop == DROP_NONE) {
			now += 200 * US;
			served += choice.class == 1;
			plan_learn(&plan, (uint32_t)choice.class, now, 0, 200 * US);
		}
		plan_take(&plan, (uint32_t)choice.class);
	}
	return served * 100 / offered;
}

static void a_share_holds_beside_a_flood_of_a_higher_class(void)
{
	CU_ASSERT(in_time_beside_a_flood(0) < 5);
	CU_ASSERT(in_time_beside_a_flood(20) >= 99);
}

static void a_class_that_cannot_be_in_time_at_all_goes_as_a_whole(void)
{
	struct config c = make_config(POLICY_GUARDED, EVICT_LARGEST);

	open_plan(&c);
	teach();
	for (int i = 0; i < 3; i++)
		plan_arrive(&plan, 1, NOW, NOW + 10 * MS, 500, 0);
	for (int i = 0; i < 60; i++) /* 12 ms of work above it */
		plan_arrive(&plan, 0, NOW, NOW + 100 * MS, 0, 0);
	plan_arrive(&plan, 1, NOW, NOW + 10 * MS, 100, 0);
	CU_ASSERT_EQUAL(plan.queues[1].work_ns, 0);
	CU_ASSERT_EQUAL(plan_waiting_pkts(&plan, 1), 4);
}

static void absurd_times_and_sizes_do_no_harm(void)
{
	struct config c = make_config(POLICY_GUARDED, EVICT_LARGEST);

	open_plan(&c);
	for (int i = 0; i < 10; i++)
		plan_learn(&plan, 0, NOW, 100, 3600ULL * 1000 * MS);
	CU_ASSERT_EQUAL(plan_predict_ns(&plan, 0, 100), UINT32_MAX);
	plan_arrive(&plan, 1, NOW, NOW + 10 * MS, 65535, 0); /* longer than payload_bytes */
	CU_ASSERT_EQUAL(plan.queues[0].load_permille, 100000 + 900 * 1000);
	plan_arrive(&plan, 1, NOW + 60000 * MS, NOW + 60010 * MS, 100, 0); /* a minute later that is forgotten */
	CU_ASSERT_EQUAL(plan.queues[0].load_permille, 0);
	CU_ASSERT_EQUAL(plan.queues[1].work_ns, 0); /* nothing that takes an hour fits */
}

static void a_reload_keeps_what_was_learned(void)
{
	struct config c = make_config(POLICY_EDF, EVICT_NEWEST);

	open_plan(&c);
	teach();
	plan_arrive(&plan, 0, NOW, NOW + 1 * MS, 100, 0);
	c.policy = POLICY_GUARDED;
	plan_reload(&plan, &c);
	CU_ASSERT_EQUAL(plan_choose(&plan, NOW, rooms).class, -1);
	CU_ASSERT(plan_predict_ns(&plan, 0, 100) > 200 * US);
	plan_arrive(&plan, 0, NOW, NOW, 100, 0);
	plan_take(&plan, 0);
	CU_ASSERT_EQUAL(plan.queues[0].work_ns, 0);
}

/* Low is at work when High comes: its own packets are all it can lose, and what is done already counts no more. */
static void a_packet_at_work_is_interrupted_and_not_evicted(void)
{
	struct config c = make_config(POLICY_GUARDED, EVICT_LARGEST);
	struct edf_choice choice;

	open_plan(&c);
	teach();
	plan_arrive(&plan, 2, NOW, NOW + 100 * MS, 1000, 0); /* 300 us */
	CU_ASSERT_EQUAL(plan_choose(&plan, NOW, rooms).class, 2);
	CU_ASSERT_EQUAL(plan_start(&plan, 2) / US, 300);
	plan_progress(&plan, 2, 250 * US);
	CU_ASSERT_EQUAL(plan.queues[2].work_ns, 250 * US);
	CU_ASSERT_EQUAL(plan_interrupt(&plan, 2, NOW + 50 * US, rooms).class, -1);
	plan_arrive(&plan, 0, NOW + 50 * US, NOW + 550 * US, 1000, 0); /* 550 us: it must start before 250 us */
	choice = plan_interrupt(&plan, 2, NOW + 50 * US, rooms);
	CU_ASSERT_EQUAL(choice.class, 0);
	CU_ASSERT_EQUAL(choice.drop, DROP_NONE);
	plan_start(&plan, 0);
	for (int i = 0; i < 400; i++) /* more than fits into Low's 100 ms: the largest go, but for the one at work */
		plan_arrive(&plan, 2, NOW + 100 * US, NOW + 100 * MS, 1000, 0);
	plan_take(&plan, 0);
	CU_ASSERT_EQUAL(plan.classes[2].entries[0].lost, DROP_NONE);
	plan_progress(&plan, 2, (uint64_t)UINT32_MAX + 5); /* absurd, but whole */
	plan_progress(&plan, 2, 0);
	plan_take(&plan, 2);
	while (plan_waiting_pkts(&plan, 2))
		plan_take(&plan, 2);
	CU_ASSERT_EQUAL(plan.queues[2].work_ns, 0);
	CU_ASSERT_EQUAL(plan.classes[2].sizes, 0);
}

static void what_was_evicted_meanwhile_is_passed_on_between_slices(void)
{
	struct config c = make_config(POLICY_GUARDED, EVICT_NEWEST);
	struct edf_choice choice;

	open_plan(&c);
	teach();
	plan_arrive(&plan, 2, NOW, NOW + 100 * MS, 1000, 0);
	plan_start(&plan, 2);
	plan_arrive(&plan, 1, NOW, NOW + 10 * US, 1000, 0);
	CU_ASSERT_EQUAL(plan_interrupt(&plan, 2, NOW, rooms).class, -1); /* it may go on later */
	for (int i = 0; i < 40; i++) /* but with that much to do nothing late does */
		plan_learn(&plan, 2, NOW, 1000, 300 * US);
	choice = plan_interrupt(&plan, 2, NOW, rooms);
	CU_ASSERT_EQUAL(choice.class, 1);
	CU_ASSERT_EQUAL(choice.drop, DROP_EVICTED);
}

/*
 * High has used up its share, so Medium may interrupt it; meanwhile High's credit comes back. Its head is at work
 * already, further down the stack: to begin with it once more would finish it twice.
 */
static void a_packet_at_work_is_not_begun_again(void)
{
	struct config c = make_config(POLICY_EDF_DROP, EVICT_NEWEST);
	struct edf_choice choice;

	c.classes[0].share_percent = c.classes[1].share_percent = 20;
	open_plan(&c);
	teach();
	plan_arrive(&plan, 0, NOW, NOW + 350 * US, 0, 0);
	CU_ASSERT_EQUAL(plan_choose(&plan, NOW, rooms).class, 0);
	plan_start(&plan, 0);
	plan.classes[0].tokens_ns = -1;
	plan.classes[1].tokens_ns = 1 * MS;
	plan_arrive(&plan, 1, NOW, NOW + 300 * US, 0, 0);
	choice = plan_interrupt(&plan, 0, NOW, rooms);
	CU_ASSERT_EQUAL(choice.class, 1);
	CU_ASSERT_EQUAL(choice.drop, DROP_NONE);
	plan_start(&plan, 1);
	plan_progress(&plan, 1, 150 * US);
	CU_ASSERT_EQUAL(plan_interrupt(&plan, 1, NOW + 100 * US, rooms).class, -1); /* in time only if it went now */
	plan_arrive(&plan, 0, NOW, NOW + 100 * MS, 0, 0);
	CU_ASSERT_EQUAL(plan_interrupt(&plan, 1, NOW + 100 * US, rooms).class, -1); /* nor with one behind it */
	CU_ASSERT_EQUAL(plan_interrupt(&plan, 1, NOW + 300 * US, rooms).class, -1); /* late */
	CU_ASSERT_EQUAL(plan.queues[0].over_share, 0);
}

static void of_a_packet_at_work_only_the_rest_is_still_to_be_done(void)
{
	struct config c = make_config(POLICY_GUARDED, EVICT_NEWEST);

	open_plan(&c);
	teach();
	plan_arrive(&plan, 2, NOW, NOW + 100 * MS, 1000, 0);
	CU_ASSERT_EQUAL(plan_choose(&plan, NOW, rooms).class, 2);
	CU_ASSERT_EQUAL(plan.queues[2].fresh_service_ns / US, 300);
	plan_start(&plan, 2);
	plan_progress(&plan, 2, 50 * US);
	plan_arrive(&plan, 2, NOW, NOW + 100 * MS, 1000, 0); /* behind it */
	plan_interrupt(&plan, 2, NOW, rooms);
	CU_ASSERT_EQUAL(plan.queues[2].fresh_service_ns, 50 * US);
}

static void a_packet_dropped_before_is_passed_on_between_slices_too(void)
{
	struct config c = make_config(POLICY_GUARDED, EVICT_NEWEST);

	open_plan(&c);
	teach();
	plan_arrive(&plan, 2, NOW, NOW + 100 * MS, 1000, 0);
	plan_start(&plan, 2);
	plan_arrive(&plan, 3, NOW, NO_DEADLINE, 2000, 1);
	CU_ASSERT_EQUAL(plan_interrupt(&plan, 2, NOW, rooms).class, 3);
	plan_take(&plan, 3);
	plan_arrive(&plan, 0, NOW, NO_DEADLINE, 2000, 1);
	CU_ASSERT_EQUAL(plan_interrupt(&plan, 2, NOW, rooms).class, 0);
	CU_ASSERT_EQUAL(plan_interrupt(&plan, 2, NOW, rooms).drop, DROP_EVICTED);
}

SUITE(plan, TEST(a_line_is_learned_exactly), TEST(a_class_without_samples_goes_by_the_others),
      TEST(a_stall_of_the_machine_does_not_spoil_the_prediction), TEST(within_a_class_first_in_is_first_out),
      TEST(a_packet_dropped_before_is_only_passed_on), TEST(what_waits_drains_as_fast_as_there_are_workers),
      TEST(the_newest_goes_from_a_queue_too_long_in_time), TEST(the_largest_goes_where_that_is_asked_for),
      TEST(the_work_that_waits_is_always_the_sum), TEST(a_share_holds_beside_a_flood_of_a_higher_class),
      TEST(a_class_that_cannot_be_in_time_at_all_goes_as_a_whole), TEST(absurd_times_and_sizes_do_no_harm),
      TEST(a_reload_keeps_what_was_learned), TEST(a_packet_at_work_is_interrupted_and_not_evicted),
      TEST(what_was_evicted_meanwhile_is_passed_on_between_slices), TEST(a_packet_at_work_is_not_begun_again),
      TEST(of_a_packet_at_work_only_the_rest_is_still_to_be_done),
      TEST(a_packet_dropped_before_is_passed_on_between_slices_too))

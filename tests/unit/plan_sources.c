/* plan_sources.c - a queue that is too long in time: it is taken from the source that has most waiting. */
#include "plans.h"
#include "units.h"

static void the_newest_of_the_source_that_has_most_goes_where_that_is_asked_for(void)
{
	struct config c = make_config(POLICY_GUARDED, EVICT_SOURCE);
	static const uint32_t sources[] = { 7, 5, 7, 7, 9 };

	open_plan(&c);
	teach();
	for (int i = 0; i < 5; i++) /* four of 210 us fit into 1 ms; the fifth costs the third of source 7 its place */
		plan_arrive_from(&plan, 0, NOW, NOW + 1 * MS, 100, 0, sources[i]);
	for (uint64_t i = 0; i < 5; i++)
		CU_ASSERT_EQUAL(plan_entry(&plan.classes[0], i)->lost, i == 3 ? DROP_EVICTED : DROP_NONE);
}

static void a_fair_class_takes_from_who_has_most(void)
{
	struct config c = make_config(POLICY_GUARDED, EVICT_NEWEST);
	uint32_t lost[3] = { 0 };

	c.classes[1].fair = 8;
	open_plan(&c);
	teach();
	for (int i = 0; i < 40; i++) /* one of source 1 for three of source 2; 6 ms hold 30 of 200 us */
		plan_arrive_from(&plan, 1, NOW, NOW + 6 * MS + 100, 0, 0, i % 4 ? 2 : 1);
	for (uint64_t i = 0; i < 40; i++)
		lost[i % 4 ? 2 : 1] += plan_entry(&plan.classes[1], i)->lost != DROP_NONE;
	CU_ASSERT_EQUAL(lost[1], 0);
	CU_ASSERT_EQUAL(lost[2], 10);
}

/* One from a full bucket that waited longer than its budget, between those of others. */
static void for_one_that_is_late_anyway_no_other_goes(void)
{
	struct config c = make_config(POLICY_GUARDED, EVICT_NEWEST);

	c.classes[1].fair = 8;
	open_plan(&c);
	teach();
	for (uint32_t i = 0; i < 4; i++)
		plan_arrive_from(&plan, 1, NOW, NOW + 6 * MS, 100, 0, i);
	plan_arrive_from(&plan, 1, NOW, NOW - 1, 100, 0, 9);
	for (uint64_t i = 0; i < 5; i++)
		CU_ASSERT_EQUAL(plan_entry(&plan.classes[1], i)->lost, i == 4 ? DROP_EVICTED : DROP_NONE);
}

static void a_prediction_is_never_less_than_nothing_nor_more_than_an_entry_holds(void)
{
	struct config c = make_config(POLICY_GUARDED, EVICT_NEWEST);

	open_plan(&c);
	for (int i = 0; i < PREDICT_ENOUGH; i++) /* it grows by 0.77 ms for each byte */
		plan_learn(&plan, 0, NOW, i % 2 ? 1400 : 100, i % 2 ? NS_PER_S : NS_PER_MS);
	CU_ASSERT_EQUAL(plan_predict_ns(&plan, 0, 0), 0);
	CU_ASSERT_EQUAL(plan_predict_ns(&plan, 0, 60000), UINT32_MAX);
}

SUITE(plan_sources, TEST(the_newest_of_the_source_that_has_most_goes_where_that_is_asked_for),
      TEST(a_fair_class_takes_from_who_has_most), TEST(for_one_that_is_late_anyway_no_other_goes),
      TEST(a_prediction_is_never_less_than_nothing_nor_more_than_an_entry_holds))

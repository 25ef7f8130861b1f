/* queues.h - queues as the guarded policy sees them, for the tests of it. */
#ifndef ONTIME_TESTS_QUEUES_H
#define ONTIME_TESTS_QUEUES_H

#include "random.h"
#include "edf/policy.h"
#include "suites.h"

#define NOW 1000000000ULL
#define MS 1000000ULL
#define US 1000ULL

static uint64_t random_state;

static inline uint32_t random_below(uint32_t n)
{
	return (uint32_t)((random_next(&random_state) >> 32) % n);
}

/* A class with one packet waiting: `slack_ns` is left until its deadline when it is finished at once. */
static inline struct edf_queue head(uint64_t budget_ns, uint64_t service_ns, uint64_t slack_ns)
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

static inline void check_rules(const struct edf_rules *rules, const struct edf_queue *q, uint32_t n, int class,
			       enum drop_reason drop)
{
	struct edf_choice choice = edf_choose(rules, NOW, q, n);

	CU_ASSERT_EQUAL(choice.class, class);
	if (class >= 0)
		CU_ASSERT_EQUAL(choice.drop, drop);
}

static inline void check(const struct edf_queue *q, uint32_t n, int class, enum drop_reason drop)
{
	check_rules(&guarded, q, n, class, drop);
}

static inline void interrupts(const struct edf_queue *q, uint64_t remaining_ns, enum policy policy, int class,
			      enum drop_reason drop)
{
	const struct edf_rules rules = { .policy = policy, .full = FULL_WAIT, .late = LATE_SEND };
	struct edf_choice choice = edf_interrupt(&rules, NOW, q, 3, 1, remaining_ns);

	CU_ASSERT_EQUAL(choice.class, class);
	if (class >= 0)
		CU_ASSERT_EQUAL(choice.drop, drop);
}

#endif

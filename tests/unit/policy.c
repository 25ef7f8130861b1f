/* policy.c - the policies: against a reference that is written the other way round, and against every order. */
#include <CUnit/CUnit.h>

#include "edf/policy.h"
#include "random.h"
#include "suites.h"

#define NOW 1000000ULL

static uint64_t random_state;

static uint32_t random_below(uint32_t n)
{
	return (uint32_t)((random_next(&random_state) >> 32) % n);
}

/* A class with one packet waiting and room for one. */
static struct edf_queue head(uint64_t deadline_ns, uint64_t service_ns)
{
	return (struct edf_queue){
		.deadline_ns = deadline_ns, .service_ns = service_ns, .waiting_pkts = 1, .room_pkts = 1
	};
}

/* As the policy alone says: late packets are not dropped for their own sake. */
static struct edf_choice choose(enum policy policy, enum full full, uint64_t now, const struct edf_queue *queues,
				uint32_t n)
{
	const struct edf_rules rules = { .policy = policy, .full = full, .late = LATE_SEND };

	return edf_choose(&rules, now, queues, n);
}

static void check(struct edf_choice got, int class, enum drop_reason drop)
{
	CU_ASSERT_EQUAL(got.class, class);
	CU_ASSERT_EQUAL(got.drop, drop);
}

/* chosen - whatever the policy and whatever full means, this class is worked on. */
static void chosen(const struct edf_queue *queues, uint32_t n, int class)
{
	for (int i = 0; i < 4; i++)
		check(choose((enum policy)(i & 1), (enum full)(i >> 1), NOW, queues, n), class, DROP_NONE);
}

static void nothing_is_chosen_when_all_classes_are_empty(void)
{
	struct edf_queue q[MAX_CLASSES] = { 0 };

	chosen(q, 0, -1);
	for (uint32_t i = 0; i < MAX_CLASSES; i++) { /* what an empty class has in its other fields means nothing */
		q[i] = head(i % 2 ? NOW - 1 : NOW + 100, 10);
		q[i].waiting_pkts = 0;
		q[i].room_pkts = i % 3 ? 1 : 0;
	}
	for (uint32_t n = 1; n <= MAX_CLASSES; n++)
		chosen(q, n, -1);
}

static void the_earliest_deadline_is_first_in_whatever_class_it_is(void)
{
	for (uint32_t n = 1; n <= MAX_CLASSES; n++)
		for (uint32_t first = 0; first < n; first++) {
			struct edf_queue q[MAX_CLASSES];

			for (uint32_t i = 0; i < n; i++)
				q[i] = head(NOW + 101 + (i * 7 + 3) % n, 10);
			q[first].deadline_ns = NOW + 100;
			chosen(q, n, (int)first);
			q[first].waiting_pkts = 0; /* then it has no say */
			CU_ASSERT_NOT_EQUAL(choose(POLICY_EDF, FULL_WAIT, NOW, q, n).class, (int)first);
		}
}

static void a_tie_goes_to_the_higher_class(void)
{
	for (uint32_t a = 0; a < MAX_CLASSES; a++)
		for (uint32_t b = a + 1; b < MAX_CLASSES; b++) {
			struct edf_queue q[MAX_CLASSES];

			for (uint32_t i = 0; i < MAX_CLASSES; i++)
				q[i] = head(NOW + 101, 10);
			q[a].deadline_ns = q[b].deadline_ns = NOW + 100;
			chosen(q, MAX_CLASSES, (int)a);
			q[b].deadline_ns--; /* one ns decides */
			chosen(q, MAX_CLASSES, (int)b);
		}
}

static void a_class_without_deadline_comes_last_and_the_higher_of_two_first(void)
{
	struct edf_queue q[] = { head(NO_DEADLINE, 10), head(NO_DEADLINE, 10), head(NO_DEADLINE - 1, 10) };

	chosen(q, 3, 2);
	q[2].waiting_pkts = 0;
	chosen(q, 3, 0);
	q[0].waiting_pkts = 0;
	chosen(q, 3, 1);
}

static void a_class_without_deadline_is_never_late(void)
{
	struct edf_queue q = head(NO_DEADLINE, UINT64_MAX / 2);

	check(choose(POLICY_EDF_DROP, FULL_WAIT, UINT64_MAX / 2 + 100, &q, 1), 0, DROP_NONE);
	q.service_ns = 3;
	check(choose(POLICY_EDF_DROP, FULL_WAIT, NO_DEADLINE - 2, &q, 1), 0, DROP_NONE);
}

static void edf_serves_a_late_packet_and_the_latest_first(void)
{
	struct edf_queue q[] = { head(NOW + 5, 1), head(NOW - 10, 1), head(1, 500), head(NOW, 1) };

	check(choose(POLICY_EDF, FULL_WAIT, NOW, q, 4), 2, DROP_NONE);
	q[2].waiting_pkts = 0;
	check(choose(POLICY_EDF, FULL_DROP, NOW, q, 4), 1, DROP_NONE);
}

static void edf_drop_drops_what_would_finish_one_ns_after_its_deadline(void)
{
	static const uint64_t services[] = { 0, 1, 999, 50000000 };

	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		struct edf_queue q = head(NOW + services[i], services[i]);

		check(choose(POLICY_EDF_DROP, FULL_WAIT, NOW, &q, 1), 0, DROP_NONE); /* done exactly in time */
		check(choose(POLICY_EDF_DROP, FULL_WAIT, NOW + 1, &q, 1), 0, DROP_LATE);
		check(choose(POLICY_EDF, FULL_WAIT, NOW + 1, &q, 1), 0, DROP_NONE);
		q.service_ns++;
		check(choose(POLICY_EDF_DROP, FULL_WAIT, NOW, &q, 1), 0, DROP_LATE);
		q.deadline_ns++;
		check(choose(POLICY_EDF_DROP, FULL_WAIT, NOW, &q, 1), 0, DROP_NONE);
	}
}

static void late_drop_makes_edf_drop_what_is_late(void)
{
	static const struct edf_rules rules = { .policy = POLICY_EDF, .full = FULL_WAIT, .late = LATE_DROP };
	struct edf_queue q[] = { head(NOW + 9, 10), head(NOW + 10, 10) };

	check(edf_choose(&rules, NOW, q, 2), 0, DROP_LATE);
	q[0].waiting_pkts = 0;
	check(edf_choose(&rules, NOW, q, 2), 1, DROP_NONE);
}

/* A drop takes no time: it goes before any work, wherever it is, and needs no room. */
static void a_late_packet_is_dropped_before_an_earlier_deadline_is_served(void)
{
	struct edf_queue q[] = { head(NOW + 10, 1), head(NOW + 20, 21), head(NOW - 1, 1) };

	check(choose(POLICY_EDF_DROP, FULL_WAIT, NOW, q, 3), 1, DROP_LATE);
	q[1].room_pkts = 0;
	check(choose(POLICY_EDF_DROP, FULL_WAIT, NOW, q, 3), 1, DROP_LATE);
	check(choose(POLICY_EDF_DROP, FULL_DROP, NOW, q, 3), 1, DROP_LATE);
	check(choose(POLICY_EDF, FULL_DROP, NOW, q, 3), 1, DROP_EGRESS_FULL);
	q[1].waiting_pkts = 0;
	check(choose(POLICY_EDF_DROP, FULL_WAIT, NOW, q, 3), 2, DROP_LATE);
	q[2].waiting_pkts = 0;
	check(choose(POLICY_EDF_DROP, FULL_WAIT, NOW, q, 3), 0, DROP_NONE);
}

static void without_room_a_class_waits_and_does_not_hold_up_the_others(void)
{
	struct edf_queue q[] = { head(NOW + 100, 1), head(NOW + 200, 1), head(NO_DEADLINE, 1) };

	for (int p = POLICY_EDF; p <= POLICY_EDF_DROP; p++)
		for (uint32_t without = 0; without < 8; without++) {
			for (uint32_t i = 0; i < 3; i++)
				q[i].room_pkts = without >> i & 1 ? 0 : 1;
			check(choose((enum policy)p, FULL_WAIT, NOW, q, 3), without == 7 ? -1 : __builtin_ctz(~without),
			      DROP_NONE);
		}
}

static void without_room_full_drop_drops_the_head(void)
{
	struct edf_queue q[] = { head(NOW + 100, 1), head(NOW + 200, 1), head(NO_DEADLINE, 1) };

	for (int p = POLICY_EDF; p <= POLICY_EDF_DROP; p++)
		for (uint32_t without = 1; without < 8; without++) {
			for (uint32_t i = 0; i < 3; i++)
				q[i].room_pkts = without >> i & 1 ? 0 : 1;
			check(choose((enum policy)p, FULL_DROP, NOW, q, 3), __builtin_ctz(without), DROP_EGRESS_FULL);
		}
	q[0].room_pkts = 0;
	q[0].waiting_pkts = q[1].waiting_pkts = q[2].waiting_pkts = 0; /* nothing waits: nothing to drop */
	check(choose(POLICY_EDF_DROP, FULL_DROP, NOW, q, 3), -1, DROP_NONE);
}

/* verdict - what the header says about one class alone: -1 leave it, else the drop reason, DROP_NONE to serve. */
static int verdict(const struct edf_rules *rules, uint64_t now, const struct edf_queue *q)
{
	int late = q->deadline_ns != NO_DEADLINE && (q->deadline_ns < now || q->service_ns > q->deadline_ns - now);

	if (!q->waiting_pkts)
		return -1;
	if (late && (rules->policy == POLICY_EDF_DROP || rules->late == LATE_DROP))
		return DROP_LATE;
	if (q->room_pkts)
		return DROP_NONE;
	return rules->full == FULL_DROP ? DROP_EGRESS_FULL : -1;
}

/* reference - any drop goes first, by class; else the class that no other beats: pair by pair, not a running least. */
static struct edf_choice reference(const struct edf_rules *rules, uint64_t now, const struct edf_queue *q, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (verdict(rules, now, &q[i]) > DROP_NONE)
			return (struct edf_choice){ (int)i, (enum drop_reason)verdict(rules, now, &q[i]) };
	for (uint32_t i = 0; i < n; i++) {
		int beaten = verdict(rules, now, &q[i]) != DROP_NONE;

		for (uint32_t j = 0; j < n; j++)
			if (verdict(rules, now, &q[j]) == DROP_NONE)
				beaten |= q[j].deadline_ns < q[i].deadline_ns ||
					  (j < i && q[j].deadline_ns == q[i].deadline_ns);
		if (!beaten)
			return (struct edf_choice){ (int)i, DROP_NONE };
	}
	return (struct edf_choice){ -1, DROP_NONE };
}

static void every_choice_is_that_of_the_reference(void)
{
	uint32_t n_seen[N_DROP_REASONS] = { 0 }, n_none = 0, n_different = 0;

	random_state = 0x9e3779b97f4a7c15;
	for (int round = 0; round < 500000; round++) {
		const struct edf_rules rules = { (enum policy)random_below(2), (enum full)random_below(2),
						 (enum late)random_below(2) };
		uint32_t n = 1 + random_below(round % 2 ? 4 : MAX_CLASSES), common = 1 + random_below(8);
		struct edf_queue q[MAX_CLASSES];
		struct edf_choice got, expected;

		for (uint32_t i = 0; i < n; i++) { /* few different numbers, so that ties and boundaries are frequent */
			q[i] = head(NOW - 2 + random_below(16), random_below(4));
			q[i].deadline_ns = random_below(6) ? q[i].deadline_ns : NO_DEADLINE;
			q[i].waiting_pkts = random_below(1 + common);
			q[i].room_pkts = random_below(common) ? random_below(3) * 100 : 2;
		}
		got = edf_choose(&rules, NOW, q, n);
		expected = reference(&rules, NOW, q, n);
		n_different += got.class != expected.class || got.drop != expected.drop;
		n_seen[got.drop]++;
		n_none += got.class < 0;
	}
	CU_ASSERT_EQUAL(n_different, 0);
	CU_ASSERT(n_seen[DROP_NONE] > 10000 && n_seen[DROP_LATE] > 10000 && n_seen[DROP_EGRESS_FULL] > 10000);
	CU_ASSERT(n_none > 10000);
}

#define MOST_HEADS 6

/* least_lateness - brute force: the greatest lateness of the best of all orders, from `at` on. */
static int64_t least_lateness(const struct edf_queue *q, uint32_t n, uint32_t left, uint64_t at)
{
	int64_t best = left ? INT64_MAX : INT64_MIN;

	for (uint32_t i = 0; i < n; i++) {
		uint64_t done = at + q[i].service_ns;
		int64_t worst, late = (int64_t)(done - q[i].deadline_ns);

		if (!(left >> i & 1))
			continue;
		worst = least_lateness(q, n, left & ~(1U << i), done);
		worst = late > worst ? late : worst;
		best = worst < best ? worst : best;
	}
	return best;
}

/* Jackson's rule, 1955: for packets that are all there, no order has a smaller greatest lateness. */
static void no_order_has_a_smaller_greatest_lateness(void)
{
	random_state = 0x2545f4914f6cdd1d;
	for (int round = 0; round < 2000; round++) {
		uint32_t n = 1 + random_below(MOST_HEADS);
		struct edf_queue q[MOST_HEADS], all[MOST_HEADS];
		int64_t worst = INT64_MIN;
		uint64_t now = NOW;

		for (uint32_t i = 0; i < n; i++)
			all[i] = q[i] = head(NOW + random_below(300), 1 + random_below(100));
		for (uint32_t i = 0; i < n; i++) {
			int class = choose(POLICY_EDF, FULL_WAIT, now, q, n).class;

			CU_ASSERT_FATAL(class >= 0);
			now += q[class].service_ns;
			q[class].waiting_pkts = 0;
			if ((int64_t)(now - q[class].deadline_ns) > worst)
				worst = (int64_t)(now - q[class].deadline_ns);
		}
		CU_ASSERT_EQUAL_FATAL(worst, least_lateness(all, n, (1U << n) - 1, NOW));
	}
}

/* A simulation to the end: packets come and go, and what edf-drop serves is done by its deadline. */
static void what_edf_drop_serves_is_in_time(void)
{
	uint32_t n_served = 0, n_dropped = 0;
	uint64_t done, now = NOW;

	random_state = 42;
	for (int round = 0; round < 20000; round++) {
		struct edf_queue q[4];

		for (uint32_t i = 0; i < 4; i++)
			q[i] = head(now + random_below(300), 1 + random_below(100));
		for (int left = 4; left; left--) {
			struct edf_choice c = choose(POLICY_EDF_DROP, FULL_WAIT, now, q, 4);

			CU_ASSERT_FATAL(c.class >= 0);
			q[c.class].waiting_pkts = 0;
			done = now + q[c.class].service_ns;
			CU_ASSERT_EQUAL_FATAL(c.drop, done > q[c.class].deadline_ns ? DROP_LATE : DROP_NONE);
			now = c.drop ? now : done;
			n_served += c.drop == DROP_NONE;
			n_dropped += c.drop != DROP_NONE;
		}
	}
	CU_ASSERT(n_served > 10000 && n_dropped > 10000);
}

/* When it would finish after its deadline, by the rule: counted up one by one. */
static uint64_t first_too_late(uint64_t deadline_ns, uint64_t needs_ns)
{
	uint64_t at_ns = 0;

	while (at_ns + needs_ns <= deadline_ns)
		at_ns++;
	return at_ns;
}

static void check_instant(const struct edf_rules *rules, uint64_t deadline_ns, uint64_t service_ns)
{
	struct edf_queue q = head(deadline_ns, service_ns);
	uint64_t at_ns, needs_ns = service_ns + (rules->policy == POLICY_GUARDED ? 30 : 0);

	q.margin_ns = 30; /* which is guarded's alone */
	at_ns = edf_hopeless_from(rules, &q, deadline_ns, service_ns);
	if (deadline_ns == NO_DEADLINE || (rules->policy == POLICY_EDF && rules->late == LATE_SEND)) {
		CU_ASSERT_EQUAL(at_ns, UINT64_MAX);
		CU_ASSERT(!edf_is_hopeless(rules, &q, 1ULL << 62, deadline_ns, service_ns));
		return;
	}
	CU_ASSERT_EQUAL(at_ns, first_too_late(deadline_ns, needs_ns));
	CU_ASSERT(edf_is_hopeless(rules, &q, at_ns, deadline_ns, service_ns));
	CU_ASSERT(at_ns == 0 || !edf_is_hopeless(rules, &q, at_ns - 1, deadline_ns, service_ns));
}

static void a_packet_becomes_hopeless_at_one_instant(void)
{
	static const uint64_t deadlines_ns[] = { 0, 5, 40, 100, 10000, NO_DEADLINE };

	for (int policy = POLICY_EDF; policy <= POLICY_GUARDED; policy++)
		for (int late = 0; late < 2; late++)
			for (size_t i = 0; i < sizeof(deadlines_ns) / sizeof(deadlines_ns[0]); i++)
				for (uint64_t service_ns = 0; service_ns <= 120; service_ns += 40)
					check_instant(&(struct edf_rules){ .policy = (enum policy)policy,
									   .late = late ? LATE_DROP : LATE_SEND },
						      deadlines_ns[i], service_ns);
}

SUITE(edf, TEST(a_packet_becomes_hopeless_at_one_instant), TEST(nothing_is_chosen_when_all_classes_are_empty),
      TEST(the_earliest_deadline_is_first_in_whatever_class_it_is), TEST(a_tie_goes_to_the_higher_class),
      TEST(a_class_without_deadline_comes_last_and_the_higher_of_two_first),
      TEST(a_class_without_deadline_is_never_late), TEST(edf_serves_a_late_packet_and_the_latest_first),
      TEST(edf_drop_drops_what_would_finish_one_ns_after_its_deadline), TEST(late_drop_makes_edf_drop_what_is_late),
      TEST(a_late_packet_is_dropped_before_an_earlier_deadline_is_served),
      TEST(without_room_a_class_waits_and_does_not_hold_up_the_others), TEST(without_room_full_drop_drops_the_head),
      TEST(every_choice_is_that_of_the_reference), TEST(no_order_has_a_smaller_greatest_lateness),
      TEST(what_edf_drop_serves_is_in_time))

/* twins.c - packets taken as one decision are those that would be chosen one after the other. */
#include "edf/twins.h"
#include "plans.h"

#define MOST_PKTS 64u
#define ROUNDS 3000

struct side {
	struct plan plan;
	uint32_t rooms[MAX_CLASSES];
	uint16_t done[MOST_PKTS]; /* class and drop of each packet, in order */
	uint32_t n_done;
};

static struct side alone, together;
static uint32_t most_at_once;

static void open_sides(const struct config *c)
{
	static struct plan_entry entries[2][4][SLOTS];
	uint32_t slots[MAX_CLASSES] = { SLOTS, SLOTS, SLOTS, SLOTS };

	for (int side = 0; side < 2; side++) {
		struct plan_entry *each[MAX_CLASSES] = { entries[side][0], entries[side][1], entries[side][2],
							 entries[side][3] };

		plan_init(side ? &together.plan : &alone.plan, c, each, slots);
	}
	most_at_once = 0;
}

static void arrive(uint64_t now)
{
	uint32_t class = random_below(4), n = 1 + random_below(6);
	uint64_t deadline_ns = now - 20 + random_below(60);

	if (plan_waiting_pkts(&alone.plan, class) + n > SLOTS / 2)
		return;
	for (uint32_t k = 0; k < n; k++) {
		int gone = random_below(16) == 0;

		plan_arrive(&alone.plan, class, now, deadline_ns, 100, gone);
		plan_arrive(&together.plan, class, now, deadline_ns, 100, gone);
	}
}

/* As the stage does without work. */
static void serve(struct side *s, uint64_t now, int at_once)
{
	for (s->n_done = 0; s->n_done < MOST_PKTS;) {
		struct edf_choice choice = plan_choose(&s->plan, now, s->rooms);
		uint32_t class = (uint32_t)choice.class, n = 1;

		if (choice.class < 0)
			return;
		if (at_once && choice.drop == DROP_NONE)
			n = twins_pkts(&s->plan, class, MOST_PKTS - s->n_done);
		if (n == 1 && choice.drop == DROP_NONE)
			plan_start(&s->plan, class);
		for (uint32_t k = 0; k < n; k++)
			s->done[s->n_done++] = (uint16_t)(class << 8 | choice.drop);
		s->rooms[class] -= s->rooms[class] < n ? s->rooms[class] : n;
		most_at_once = n > most_at_once ? n : most_at_once;
		if (n > 1)
			twins_take(&s->plan, class, n);
		else
			plan_take(&s->plan, class);
	}
}

static int is_same(void)
{
	return alone.n_done == together.n_done &&
	       memcmp(alone.done, together.done, alone.n_done * sizeof(alone.done[0])) == 0 &&
	       memcmp(alone.rooms, together.rooms, sizeof(alone.rooms)) == 0;
}

static void they_go_as_if_each_had_been_chosen_alone(void)
{
	static const struct {
		enum policy policy;
		enum late late;
		enum full full;
	} kinds[] = { { POLICY_EDF, LATE_SEND, FULL_WAIT },
		      { POLICY_EDF, LATE_DROP, FULL_DROP },
		      { POLICY_EDF_DROP, LATE_SEND, FULL_WAIT },
		      { POLICY_GUARDED, LATE_SEND, FULL_WAIT },
		      { POLICY_GUARDED, LATE_DROP, FULL_DROP } };

	for (uint32_t kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++) {
		struct config c = make_config(kinds[kind].policy, EVICT_NEWEST);
		uint64_t now = NOW, wrong = 0;

		c.late = kinds[kind].late;
		c.full = kinds[kind].full;
		random_state = kind + 1;
		open_sides(&c);
		for (int round = 0; round < ROUNDS; round++) {
			for (uint32_t n = random_below(8); n > 0; n--)
				arrive(now);
			for (uint32_t i = 0; i < 4; i++)
				alone.rooms[i] = together.rooms[i] = random_below(8);
			serve(&alone, now, 0);
			serve(&together, now, 1);
			wrong += !is_same();
			now += random_below(8);
		}
		CU_ASSERT_EQUAL(wrong, 0);
		CU_ASSERT(most_at_once > 4);
	}
}

/* Two of one deadline, where something else depends on how many are taken. */
static uint32_t of_two(const struct config *c, uint32_t n_workers, int has_learned)
{
	uint32_t n;

	open_plan(c);
	plan_set_workers(&plan, n_workers);
	if (has_learned)
		teach();
	plan_arrive(&plan, 0, NOW, NOW + 10 * MS, 100, 0);
	plan_arrive(&plan, 0, NOW, NOW + 10 * MS, 100, 0);
	CU_ASSERT_EQUAL(plan_choose(&plan, NOW, rooms).class, 0);
	n = twins_pkts(&plan, 0, 64);
	twins_take(&plan, 0, n);
	CU_ASSERT_EQUAL(plan_waiting_pkts(&plan, 0), 2 - n);
	return n;
}

static void where_more_depends_on_them_each_is_chosen_alone(void)
{
	struct config c = make_config(POLICY_EDF, EVICT_NEWEST);

	CU_ASSERT_EQUAL(of_two(&c, 1, 0), 2);
	CU_ASSERT_EQUAL(of_two(&c, 1, 1), 1);
	CU_ASSERT_EQUAL(of_two(&c, 2, 0), 1);
	c.rate_bits_per_s = 1000000;
	CU_ASSERT_EQUAL(of_two(&c, 1, 0), 1);
	c = make_config(POLICY_EDF, EVICT_SOURCE);
	CU_ASSERT_EQUAL(of_two(&c, 1, 0), 1);
	c = make_config(POLICY_EDF, EVICT_NEWEST);
	c.classes[0].fair = 4;
	CU_ASSERT_EQUAL(of_two(&c, 1, 0), 1);
	c = make_config(POLICY_EDF, EVICT_LARGEST);
	CU_ASSERT_EQUAL(of_two(&c, 1, 0), 1);
}

SUITE(twins, TEST(they_go_as_if_each_had_been_chosen_alone), TEST(where_more_depends_on_them_each_is_chosen_alone))

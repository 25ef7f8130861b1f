/* drr.c - shares by the byte: the fairness bound at every step, deficits forfeited, debts kept and paid back. */
#include <CUnit/CUnit.h>
#include <stdlib.h>
#include <string.h>

#include "drr.h"
#include "random.h"
#include "suites.h"

static uint64_t random_state;

static uint32_t random_below(uint32_t n)
{
	return (uint32_t)((random_next(&random_state) >> 32) % n);
}

/* One packet a pick, or as egress: as many as the allowance holds, or as ingress: lengths are known only afterwards. */
enum serving { ONE_PACKET, ITS_ALLOWANCE, UNSEEN };

#define MOST_FLOWS 8

/* All flows backlogged for a run. `least`, `most`: of S_i/f_i - S_j/f_j, times Q_min * Q_i * Q_j to stay whole. */
struct run {
	struct drr drr;
	enum serving serving;
	uint32_t n_lengths, lengths[MOST_FLOWS]; /* drawn from these */
	int by_flow; /* instead: flow i sends lengths[i] only */
	uint32_t oldest_bytes[MOST_FLOWS];
	int64_t served_bytes[MOST_FLOWS];
	int64_t least[MOST_FLOWS][MOST_FLOWS], most[MOST_FLOWS][MOST_FLOWS];
};

static uint32_t draw_length(const struct run *r, uint32_t flow)
{
	return r->lengths[r->by_flow ? flow : random_below(r->n_lengths)];
}

static void serve_packet(struct run *r, uint32_t flow)
{
	drr_charge(&r->drr, (int)flow, r->oldest_bytes[flow]);
	r->served_bytes[flow] += r->oldest_bytes[flow];
	r->oldest_bytes[flow] = draw_length(r, flow);
}

static void note_differences(struct run *r, uint32_t i)
{
	const uint32_t *q = r->drr.quantum_bytes;

	for (uint32_t j = 0; j < r->drr.n_flows; j++) {
		int64_t difference = r->served_bytes[i] * q[j] - r->served_bytes[j] * q[i];

		r->most[i][j] = difference > r->most[i][j] ? difference : r->most[i][j];
		r->least[i][j] = difference < r->least[i][j] ? difference : r->least[i][j];
	}
}

static int serve_once(struct run *r)
{
	static const uint32_t unseen[MOST_FLOWS] = { 1, 1, 1, 1, 1, 1, 1, 1 };
	int flow = drr_pick(&r->drr, r->serving == UNSEEN ? unseen : r->oldest_bytes);

	CU_ASSERT_FATAL(flow >= 0);
	do
		serve_packet(r, (uint32_t)flow);
	while (r->serving == ITS_ALLOWANCE && drr_allowance_bytes(&r->drr, flow) >= r->oldest_bytes[flow]);
	for (uint32_t j = 0; j < r->drr.n_flows; j++)
		note_differences(r, j);
	return flow;
}

/* run_backlogged - serve `picks` times, and hold the bound between any two instants: most - least <= bound. */
static void run_backlogged(struct run *r, uint32_t n_flows, const uint32_t *quanta, uint32_t picks)
{
	uint32_t longest = 0, least_quantum = UINT32_MAX, n_broken = 0;

	drr_init(&r->drr, n_flows, quanta);
	for (uint32_t i = 0; i < n_flows; i++) {
		least_quantum = quanta[i] < least_quantum ? quanta[i] : least_quantum;
		r->oldest_bytes[i] = draw_length(r, i);
	}
	for (uint32_t i = 0; i < r->n_lengths; i++)
		longest = r->lengths[i] > longest ? r->lengths[i] : longest;
	for (uint32_t pick = 0; pick < picks; pick++) {
		int flow = serve_once(r);

		for (uint32_t j = 0; j < n_flows; j++) {
			int64_t spread = r->most[flow][j] - r->least[flow][j];
			int64_t bound = (int64_t)(least_quantum + 2 * longest) * quanta[flow] * quanta[j];

			n_broken += spread * least_quantum > bound;
		}
	}
	CU_ASSERT_EQUAL(n_broken, 0);
}

static void backlogged_flows_differ_by_no_more_than_the_bound_at_every_step(void)
{
	random_state = 0x9e3779b97f4a7c15;
	for (uint32_t round = 0; round < 60; round++) {
		uint32_t quanta[MOST_FLOWS], n_flows = 2 + random_below(MOST_FLOWS - 1);
		struct run r = { .serving = (enum serving)(round % 3), .n_lengths = MOST_FLOWS };

		for (uint32_t i = 0; i < MOST_FLOWS; i++) {
			r.lengths[i] = 1 + random_below(1500);
			quanta[i] = 1500 + random_below(round % 2 ? 64000 : 1500);
		}
		run_backlogged(&r, n_flows, quanta, 4000);
	}
}

/* Debts longer than a quantum: one charge is a batch of many datagrams. */
static void the_bound_holds_when_a_charge_is_many_quanta(void)
{
	static const uint32_t quanta[] = { 2000, 8000, 1500, 64 };
	struct run r = { .serving = UNSEEN, .n_lengths = 4, .lengths = { 90000, 64, 4096, 33333 } };

	random_state = 0x2545f4914f6cdd1d;
	run_backlogged(&r, 4, quanta, 50000);
}

static void check_shares(const struct run *r)
{
	int64_t total_bytes = 0, total_quanta = 0;

	for (uint32_t i = 0; i < r->drr.n_flows; i++) {
		total_bytes += r->served_bytes[i];
		total_quanta += r->drr.quantum_bytes[i];
	}
	for (uint32_t i = 0; i < r->drr.n_flows; i++) {
		int64_t got = r->served_bytes[i] * total_quanta, due = r->drr.quantum_bytes[i] * total_bytes;

		CU_ASSERT(llabs(got - due) <= due / 100);
	}
}

/* 16:4:1, packets of 64, 700 and 1400 bytes in every assignment, and mixed: plain round robin would share packets. */
static void shares_are_by_quantum_within_1_percent_whatever_the_lengths(void)
{
	static const uint32_t quanta[] = { 24000, 6000, 1500 };
	static const uint32_t orders[][3] = { { 64, 700, 1400 }, { 64, 1400, 700 }, { 700, 64, 1400 },
					      { 700, 1400, 64 }, { 1400, 64, 700 }, { 1400, 700, 64 } };

	random_state = 88172645463325252;
	for (uint32_t i = 0; i < 24; i++) {
		struct run r = { .serving = (enum serving)(i % 3), .n_lengths = 3, .by_flow = i < 18 };

		memcpy(r.lengths, orders[i / 3 % 6], sizeof(orders[0]));
		run_backlogged(&r, 3, quanta, r.serving == ITS_ALLOWANCE ? 3000 : 200000);
		check_shares(&r);
	}
}

/* Quantum 1000 and 500, packets of 400 and 300: worked out by hand. The third turn of flow 0 uses up all of 1200. */
static void a_flow_keeps_its_turn_until_its_deficit_is_less_than_its_oldest_packet(void)
{
	static const uint32_t quanta[] = { 1000, 500 }, oldest[] = { 400, 300 };
	static const int flows[] = { 0, 0, 1, 0, 0, 0, 1, 1, 0, 0, 1, 1, 0 };
	static const int64_t left[] = { 600, 200, 200, 800, 400, 0, 400, 100, 600, 200, 300, 0, 800 };
	struct drr d;

	drr_init(&d, 2, quanta);
	for (size_t i = 0; i < sizeof(flows) / sizeof(flows[0]); i++) {
		CU_ASSERT_EQUAL_FATAL(drr_pick(&d, oldest), flows[i]);
		drr_charge(&d, flows[i], oldest[flows[i]]);
		CU_ASSERT_EQUAL(d.deficit_bytes[flows[i]], left[i]);
	}
}

/* serve - this flow is picked, with this allowance, and charged. */
static void serve(struct drr *d, const uint32_t *oldest, int flow, uint32_t allowance_bytes, uint32_t bytes)
{
	CU_ASSERT_EQUAL_FATAL(drr_pick(d, oldest), flow);
	CU_ASSERT_EQUAL(drr_allowance_bytes(d, flow), allowance_bytes);
	drr_charge(d, flow, bytes);
}

static void an_empty_flow_forfeits_its_deficit(void)
{
	static const uint32_t quanta[] = { 5000, 1500 };
	uint32_t oldest[] = { 100, 1500 };
	struct drr d;

	drr_init(&d, 2, quanta);
	serve(&d, oldest, 0, 5000, 100);
	oldest[0] = 0; /* in its own turn */
	serve(&d, oldest, 1, 1500, 1500);
	CU_ASSERT_EQUAL(d.deficit_bytes[0], 0);
	oldest[0] = 4999;
	serve(&d, oldest, 0, 5000, 1);
	oldest[0] = 5000; /* the rest does not fit now: it is carried over ... */
	serve(&d, oldest, 1, 1500, 1500);
	CU_ASSERT_EQUAL(d.deficit_bytes[0], 4999);
	oldest[0] = 0; /* ... until its next turn finds it empty */
	serve(&d, oldest, 1, 1500, 1500);
	CU_ASSERT_EQUAL(d.deficit_bytes[0], 0);
}

/* Flow 0 owes 9000 bytes and has nothing to send: each turn it does not take pays back 2000, and no credit is left. */
static void a_debt_outlives_emptiness_and_is_paid_back_by_the_turns_not_taken(void)
{
	static const uint32_t quanta[] = { 2000, 1500 }, both[] = { 1, 1500 }, second[] = { 0, 1500 };
	static const int64_t owed[] = { -9000, -7000, -5000, -3000, -1000, 0, 0, 0 };
	struct drr d;

	drr_init(&d, 2, quanta);
	serve(&d, both, 0, 2000, 11000);
	for (size_t i = 0; i < sizeof(owed) / sizeof(owed[0]); i++) {
		serve(&d, second, 1, 1500, 1500);
		CU_ASSERT_EQUAL(d.deficit_bytes[0], owed[i]);
	}
	serve(&d, both, 0, 2000, 11000);
	for (int turn = 0; turn < 5; turn++) /* gone for two turns, back in debt for three: -9000 + 4 * 2000 < 1 */
		serve(&d, turn < 2 ? second : both, 1, 1500, 1500);
	serve(&d, both, 0, 1000, 1);
}

/* The textbook loop: one flow at a time, however many rounds it takes. Not all flows are empty. */
static int step_by_step(struct drr *d, const uint32_t *oldest)
{
	for (;; d->turn = (d->turn + 1) % d->n_flows, d->fresh = 1) {
		int64_t *deficit = &d->deficit_bytes[d->turn];

		if ((oldest[d->turn] || *deficit < 0) && d->fresh)
			*deficit += d->quantum_bytes[d->turn];
		if (oldest[d->turn] == 0 && *deficit > 0)
			*deficit = 0;
		d->fresh = 0;
		if (oldest[d->turn] && *deficit >= (int64_t)oldest[d->turn])
			return (int)d->turn;
	}
}

static void a_pick_is_the_same_as_stepping_through_every_round(void)
{
	random_state = 0xdeadbeefcafe;
	for (int round = 0; round < 300; round++) {
		uint32_t quanta[MOST_FLOWS], oldest[MOST_FLOWS], n = 1 + random_below(MOST_FLOWS);
		struct drr d, model;

		for (uint32_t i = 0; i < n; i++)
			quanta[i] = 1 + random_below(round % 2 ? 100 : 3000);
		drr_init(&d, n, quanta);
		model = d;
		for (int pick = 0; pick < 200; pick++) {
			uint32_t bytes = random_below(8) ? random_below(1500) : random_below(100000);
			int flow;

			for (uint32_t i = 0; i < n; i++) /* packets longer than the quantum as well */
				oldest[i] = random_below(3) ? 1 + random_below(1500) : 0;
			oldest[random_below(n)] = 1 + random_below(1500);
			flow = drr_pick(&d, oldest);
			CU_ASSERT_EQUAL_FATAL(flow, step_by_step(&model, oldest));
			CU_ASSERT_EQUAL_FATAL(drr_pick(&d, oldest), flow); /* looking again changes nothing */
			CU_ASSERT_EQUAL_FATAL(memcmp(&d, &model, sizeof(d)), 0);
			CU_ASSERT_FATAL(oldest[flow] > 0 && drr_allowance_bytes(&d, flow) >= oldest[flow]);
			drr_charge(&d, flow, bytes);
			drr_charge(&model, flow, bytes);
		}
	}
}

/* Debts of 2^39 bytes: stepping would take 2^32 rounds. Flow 1 pays back twice as fast. */
static void a_backlogged_flow_is_found_however_large_the_debts(void)
{
	static const uint32_t quanta[] = { 64, 128, 1 }, oldest[] = { 64, 65, 0 };
	struct drr d;

	drr_init(&d, 3, quanta);
	for (int flow = 0; flow < 3; flow++)
		for (int i = 0; i < 256; i++)
			drr_charge(&d, flow, 1U << 31);
	drr_charge(&d, 0, (1U << 31) - 1);
	CU_ASSERT_EQUAL(drr_pick(&d, oldest), 1);
	CU_ASSERT_EQUAL(d.deficit_bytes[1], 128); /* after 2^32 + 1 rounds: one less leaves 0, less than 65 */
	CU_ASSERT_EQUAL(d.deficit_bytes[0], -(256LL << 31) - ((1LL << 31) - 1) + 64 * ((1LL << 32) + 1));
	CU_ASSERT_EQUAL(d.deficit_bytes[2], -(256LL << 31) + (1LL << 32)); /* its turn comes after flow 1 */
}

static void a_single_flow_is_always_served(void)
{
	static const uint32_t quantum = 1500;
	struct run r = { .n_lengths = 3, .lengths = { 64, 700, 1400 } };

	random_state = 7;
	run_backlogged(&r, 1, &quantum, 10000);
	CU_ASSERT(r.drr.deficit_bytes[0] >= 0 && r.drr.deficit_bytes[0] < 1500 + 1400);
	CU_ASSERT(r.served_bytes[0] > 10000 * 64);
}

static void nothing_is_picked_when_all_flows_are_empty(void)
{
	uint32_t quanta[DRR_FLOWS], oldest[DRR_FLOWS] = { 0 };
	struct drr d;

	for (uint32_t n = 1; n <= DRR_FLOWS; n++) {
		quanta[n - 1] = 1500;
		drr_init(&d, n, quanta);
		d.deficit_bytes[n / 2] = 1000;
		CU_ASSERT_EQUAL(drr_pick(&d, oldest), -1);
		CU_ASSERT_EQUAL(d.deficit_bytes[n / 2], 0);
		oldest[n - 1] = 1500; /* and the last flow is found afterwards */
		CU_ASSERT_EQUAL(drr_pick(&d, oldest), (int)n - 1);
		oldest[n - 1] = 0;
	}
}

/* Two rounds and two turns: of the flows that are passed each pays back its quantum, and no more. */
static void a_pick_that_finds_nothing_passes_every_turn_twice(void)
{
	static const uint32_t quanta[] = { 1000, 1500, 2000 }, none[] = { 0, 0, 0 };
	struct drr d;

	drr_init(&d, 3, quanta);
	for (int flow = 0; flow < 3; flow++)
		drr_charge(&d, flow, 100000);
	CU_ASSERT_EQUAL(drr_pick(&d, none), -1);
	CU_ASSERT_EQUAL(d.deficit_bytes[0], -100000 + 3 * 1000);
	CU_ASSERT_EQUAL(d.deficit_bytes[1], -100000 + 3 * 1500);
	CU_ASSERT_EQUAL(d.deficit_bytes[2], -100000 + 2 * 2000);
	CU_ASSERT_EQUAL(d.turn, 2);
}

static void the_allowance_is_the_deficit_as_far_as_32_bits_go(void)
{
	static const int64_t deficits[] = { 0, 1, -1, INT64_MIN, UINT32_MAX, UINT32_MAX + 1LL, INT64_MAX };
	static const uint32_t allowances[] = { 0, 1, 0, 0, UINT32_MAX, UINT32_MAX, UINT32_MAX };
	struct drr d = { .n_flows = 2 };

	for (size_t i = 0; i < sizeof(deficits) / sizeof(deficits[0]); i++) {
		d.deficit_bytes[1] = deficits[i];
		CU_ASSERT_EQUAL(drr_allowance_bytes(&d, 1), allowances[i]);
	}
}

SUITE(drr, TEST(backlogged_flows_differ_by_no_more_than_the_bound_at_every_step),
      TEST(the_bound_holds_when_a_charge_is_many_quanta),
      TEST(shares_are_by_quantum_within_1_percent_whatever_the_lengths),
      TEST(a_flow_keeps_its_turn_until_its_deficit_is_less_than_its_oldest_packet),
      TEST(an_empty_flow_forfeits_its_deficit), TEST(a_debt_outlives_emptiness_and_is_paid_back_by_the_turns_not_taken),
      TEST(a_pick_is_the_same_as_stepping_through_every_round),
      TEST(a_backlogged_flow_is_found_however_large_the_debts), TEST(a_single_flow_is_always_served),
      TEST(nothing_is_picked_when_all_flows_are_empty), TEST(a_pick_that_finds_nothing_passes_every_turn_twice),
      TEST(the_allowance_is_the_deficit_as_far_as_32_bits_go))

/*
 * decide.c - what a packet costs in the plan: told of its arrival, chosen, taken off, and learned from.
 *
 * usage: bench_decide [PACKETS]      4000000, for each line; fewer under a tool that counts instructions
 *
 * All classes are backlogged all the time, with deadlines that make the guarded policy look at each. CPU nanoseconds.
 */
#include <stdio.h>
#include <stdlib.h>

#include "edf/plan.h"
#include "clock.h"
#include "random.h"

#define SLOTS 1024u
#define BACKLOG_PKTS 8

static struct plan_entry entries[MAX_CLASSES][SLOTS];

static void arrive(struct plan *p, uint32_t class, uint64_t now, uint64_t *random)
{
	uint64_t budget_ns = (1 + class) * 10 * NS_PER_MS;

	plan_arrive(p, class, now, now + budget_ns, (uint32_t)(random_next(random) % 1400), 0);
}

static void measure(uint32_t n_pkts, uint32_t n_classes, enum policy policy, enum evict evict)
{
	struct config c = { .policy = policy, .evict = evict, .n_classes = n_classes, .payload_bytes = 1536 };
	struct plan_entry *each[MAX_CLASSES];
	uint32_t slots[MAX_CLASSES], rooms[MAX_CLASSES], chosen = 0;
	uint64_t random = 7, now = NS_PER_S, began_ns, choose_ns;
	static struct plan p;

	for (uint32_t i = 0; i < n_classes; i++) {
		c.classes[i].budget_ns = (1 + i) * 10 * NS_PER_MS;
		each[i] = entries[i];
		slots[i] = SLOTS;
		rooms[i] = 100;
	}
	plan_init(&p, &c, each, slots);
	for (uint32_t k = 0; k < BACKLOG_PKTS; k++)
		for (uint32_t i = 0; i < n_classes; i++)
			arrive(&p, i, now, &random);
	began_ns = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID);
	for (uint32_t k = 0; k < n_pkts; k++) {
		struct edf_choice choice = plan_choose(&p, now, rooms);
		uint32_t class = (uint32_t)choice.class;

		now += 1000;
		if (choice.drop == DROP_NONE)
			plan_learn(&p, class, now, 100, 1000);
		plan_take(&p, class);
		arrive(&p, class, now, &random);
	}
	began_ns = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID) - began_ns;
	choose_ns = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID);
	for (uint32_t k = 0; k < n_pkts; k++)
		chosen += (uint32_t)plan_choose(&p, now, rooms).class;
	choose_ns = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID) - choose_ns;
	printf("%-10s %-8s %2u classes: %6.1f ns a decision, %6.1f ns with arrival, removal and learning%s\n",
	       policy_name(policy), evict == EVICT_LARGEST ? "largest" : "newest", n_classes,
	       (double)choose_ns / n_pkts, (double)began_ns / n_pkts, chosen == 1 ? "." : "");
}

int main(int argc, char **argv)
{
	uint32_t n_pkts = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 4000000;

	for (int policy = 0; policy < N_POLICIES; policy++)
		for (uint32_t n = 4; n <= MAX_CLASSES; n *= 4)
			measure(n_pkts, n, (enum policy)policy, EVICT_NEWEST);
	measure(n_pkts, 4, POLICY_GUARDED, EVICT_LARGEST);
	measure(n_pkts, 16, POLICY_GUARDED, EVICT_LARGEST);
	return 0;
}

/*
 * plans.h - a plan for the tests of it: four classes, their entries, and what they have learned. Each file has its own.
 */
#ifndef ONTIME_TESTS_PLANS_H
#define ONTIME_TESTS_PLANS_H

#include <stdlib.h>
#include <string.h>

#include "random.h"
#include "edf/plan.h"
#include "suites.h"

#define SLOTS 1024u
#define MS 1000000ULL
#define US 1000ULL
#define NOW 1000000000ULL

static struct plan plan;
static uint64_t random_state;
static const uint32_t rooms[MAX_CLASSES] = { 9, 9, 9, 9 };

static inline uint32_t random_below(uint32_t n)
{
	return (uint32_t)((random_next(&random_state) >> 32) % n);
}

static inline struct config make_config(enum policy policy, enum evict evict)
{
	struct config c;

	config_defaults(&c);
	c.policy = policy;
	c.evict = evict;
	for (uint32_t i = 0; i < c.n_classes; i++)
		c.classes[i].margin_ns = 0;
	return c;
}

static inline void open_plan(const struct config *c)
{
	static struct plan_entry entries[4][SLOTS];
	struct plan_entry *each[MAX_CLASSES] = { entries[0], entries[1], entries[2], entries[3] };
	uint32_t slots[MAX_CLASSES] = { SLOTS, SLOTS, SLOTS, SLOTS };

	plan_init(&plan, c, each, slots);
}

/* Every class learns that a byte takes 100 ns, and a packet 200 us. */
static inline void teach(void)
{
	for (uint32_t i = 0; i < 4; i++)
		for (uint32_t bytes = 0; bytes < 200; bytes += 10)
			plan_learn(&plan, i, NOW - 100 * MS, bytes, 200 * US + 100 * bytes);
}

#endif

/*
 * flaps.c - destinations that go down and come up again, as a scout says it (run/scout/): in worlds whose classes have
 * `health`.
 *
 * Rules:   nothing leaves for one that was down when egress began its step; while none is up its class is not served,
 *          and what that costs is named no_destination. When faults are over all are up.
 */
#include <string.h>

#include "shm/bell.h"
#include "shm/destination.h"
#include "sim.h"

static uint64_t changed_at_ns[MAX_CLASSES];
static uint64_t down_since_ns[MAX_CLASSES][MAX_DESTS]; /* 0: it is up */

int flaps_has(uint32_t class)
{
	return sim.config.classes[class].alive.kind != ALIVE_OFF;
}

void flaps_open(void)
{
	memset(down_since_ns, 0, sizeof(down_since_ns));
	memset(changed_at_ns, 0, sizeof(changed_at_ns));
}

static void say(uint32_t class, uint32_t i, uint64_t since_ns)
{
	struct destinations *all = sim.seg.views[class].destinations;
	struct destination_state s = { .is = since_ns ? DESTINATION_DOWN : DESTINATION_UP, .since_ns = since_ns };

	memcpy(&s.address, &sim.config.classes[class].dests[i].at, sizeof(s.address));
	down_since_ns[class][i] = since_ns;
	changed_at_ns[class] = sim_now_ns();
	destination_write(&all->all[i], &s);
	destination_raise(all);
	bell_ring_hard(&sim.seg.shared->stages[STAGE_EGRESS].parked);
}

void flaps_strike(uint64_t now)
{
	uint32_t class = sim_below(&sim.random, sim.config.n_classes), i;

	if (!flaps_has(class))
		return;
	i = sim_below(&sim.random, sim.config.classes[class].n_dests);
	say(class, i, down_since_ns[class][i] ? 0 : now);
}

void flaps_end(void)
{
	for (uint32_t class = 0; class < sim.config.n_classes; class++)
		for (uint32_t i = 0; flaps_has(class) && i < sim.config.classes[class].n_dests; i++)
			if (down_since_ns[class][i])
				say(class, i, 0);
}

int flaps_none_is_up(uint32_t class)
{
	for (uint32_t i = 0; i < sim.config.classes[class].n_dests; i++)
		if (!down_since_ns[class][i])
			return 0;
	return flaps_has(class);
}

int flaps_hold(uint32_t class, uint64_t since_ns)
{
	return flaps_none_is_up(class) || (flaps_has(class) && changed_at_ns[class] > since_ns);
}

void flaps_check(uint32_t class, uint32_t dest)
{
	uint64_t since_ns = down_since_ns[class][dest];

	if (since_ns && since_ns < sim_step_ns(STAGE_EGRESS))
		sim_complain("class %u: a packet left for destination %u, which is down", class, dest);
}

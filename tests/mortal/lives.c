/* lives.c - from the start of a stage to the store at which it dies. */
#include "lives.h"

#include <poll.h>
#include <stdlib.h>

#include "log.h"
#include "trap.h"

#define MOST_STEPS 200

struct lives lives;

void lives_open(enum stage_id id)
{
	if (mortal_open(id, lives.n_arguments, lives.arguments)) {
		log_error("%s does not open", stage_name(id));
		exit(1);
	}
}

static void work(enum stage_id id)
{
	for (int steps = 0; lives.has_work(id); steps++) {
		if (steps == MOST_STEPS) {
			trap_disarm();
			lives.never_ends();
			exit(1);
		}
		mortal_step(id);
	}
}

/* One life, which is the call of act(): 1 if it died before that store, and it is counted. */
static int live(enum stage_id id, uint32_t store, void (*act)(enum stage_id id), uint64_t *deaths)
{
	if (sigsetjmp(trap.death, 1)) {
		mortal_die(id);
		++*deaths;
		return 1;
	}
	trap_arm(store);
	act(id);
	trap_disarm();
	return 0;
}

int lives_step_until(enum stage_id id, uint32_t store)
{
	return live(id, store, work, &lives.deaths);
}

int lives_open_until(enum stage_id id, uint32_t store)
{
	return live(id, store, lives_open, &lives.recovery_deaths);
}

void lives_work_before(enum stage_id id)
{
	for (enum stage_id before = 0; before < id; before++)
		work(before);
}

int lives_turn(void)
{
	for (int id = 0; id < N_STAGES; id++)
		if (lives.has_work((enum stage_id)id))
			return id;
	return -1;
}

int lives_waits_in_lane(const struct lane *l, enum stage_id id)
{
	return id == STAGE_EGRESS ? lane_distance_pkts(lane_processed(l), lane_sent(l)) > 0
				  : id == STAGE_EDF && lane_distance_pkts(lane_received(l), lane_processed(l)) > 0;
}

int lives_is_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

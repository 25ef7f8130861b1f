/*
 * screen.h - the monitor's screen, drawn from two looks into a grid.
 *
 * Rules:   pure. Parts that do not fit are left out in this order, and the screen says so: columns by their rank, the
 *          queues, classes (they scroll). Useful from 60 x 15 on; 80 x 24 shows four classes with everything that
 *          happens to them.
 */
#ifndef ONTIME_STAT_SCREEN_H
#define ONTIME_STAT_SCREEN_H

#include "grid.h"
#include "look/health.h"
#include "look/view.h"

enum screen_part { PART_ALL, PART_LATENCY, PART_QUEUES, PART_LOST, N_PARTS };

struct screen {
	const char *instance;
	const char *clock; /* local time of the look */
	const struct view *now; /* at_ns 0: nothing was seen yet */
	const struct view *before; /* when `now` does not follow it: the screen shows all since launch */
	const struct health *health; /* as of `now` */
	const char *trouble; /* NULL, or why there is nothing to show now */
	uint32_t marks; /* the classes that mark ECN, a bit each */
	int is_absent; /* the trouble is that it does not run */
	int since_launch, paused, help;
	enum screen_part part;
	uint32_t first_class;
};

/* screen_draw - g has its size. Returns the first class shown: first_class, or less at the end of the list. */
uint32_t screen_draw(const struct screen *s, struct grid *g);

#endif

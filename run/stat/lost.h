/*
 * lost.h - the monitor's two lists: what was dropped, by reason, and what was sent late, by where it lost its time.
 *
 * Rules:   pure. Side by side from 78 columns on, else one below the other. When not all fits, what grows now comes
 *          first, and the last place says how much is left out.
 */
#ifndef ONTIME_STAT_LOST_H
#define ONTIME_STAT_LOST_H

#include "look/change.h"
#include "grid.h"

#define MAX_LOST (MAX_CLASSES * (N_DROP_REASONS + SEND_ERRNOS + N_SKIP_REASONS + 2))

/* One line of a list. */
struct lost {
	const char *class;
	char what[CELL_BYTES];
	double per_s;
	uint64_t total;
	enum style style; /* when it grows */
};

struct lost_lists {
	struct lost dropped[MAX_LOST], late[MAX_CLASSES * N_SPANS];
	int n_dropped, n_late;
};

/* lost_collect - from class `first` on. */
void lost_collect(struct lost_lists *l, const struct view *now, const struct class_change *changes, uint32_t first);

/* lost_rows - how many rows it takes to show all. */
int lost_rows(const struct lost_lists *l, int cols);

/* lost_draw - into rows [row, row + rows). */
void lost_draw(const struct lost_lists *l, struct grid *g, int row, int rows);

#endif

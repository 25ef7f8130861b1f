/*
 * columns.h - the columns of the monitor's tables: rates and latency, queues and time, stages.
 *
 * Rules:   pure. `!` before a figure: over the class's budget, or a stage that is another process than before.
 */
#ifndef ONTIME_STAT_COLUMNS_H
#define ONTIME_STAT_COLUMNS_H

#include "look/change.h"
#include "grid.h"

struct class_row {
	const struct class_view *now;
	const struct class_change *change;
};

struct stage_row {
	const char *name;
	const struct stage_view *now;
	const struct stage_change *change;
};

/*
 * fit_latency_table, fit_queue_table - of struct class_row; longest: characters of the longest class name. any_marks: a
 * class marks ECN.
 */
void fit_latency_table(struct table *t, int longest, int cols, int any_marks);
void fit_queue_table(struct table *t, int longest, int cols);

/* fit_stage_table - of struct stage_row. */
void fit_stage_table(struct table *t, int cols);

#endif

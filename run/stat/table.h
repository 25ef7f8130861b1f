/*
 * table.h - the account of an instance as a plain table, for scripts and logs: `stat --once`.
 *
 * Rules:   all figures are since launch. The last line is `balanced`, or `NOT balanced:` and which classes by how much;
 *          before it, what else is wrong, each cause in a line that begins with `NOT well:`.
 */
#ifndef ONTIME_STAT_TABLE_H
#define ONTIME_STAT_TABLE_H

#include <stdio.h>

#include "look/health.h"
#include "look/view.h"

/* marks: the classes that mark ECN (look/in_force.h), a bit each. */
void stat_table(FILE *out, const struct view *v, const struct health *h, uint32_t marks);

#endif

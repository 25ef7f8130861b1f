/*
 * feed.h - what the dashboard knows: one look at the instance per interval, and the lines of the last looks.
 *
 * Memory:  struct feed is large (two views). A line is shared by all who send it and freed with its last user, so
 *          memory is bounded by FEED_LINES lines and one per stream; clients cannot raise that.
 * Rules:   one thread. However many clients there are, the segment is read once per interval.
 */
#ifndef ONTIME_DASH_FEED_H
#define ONTIME_DASH_FEED_H

#include <stdio.h>

#include "look/in_force.h"
#include "look/health.h"
#include "look/view.h"
#include "shm/instances.h"

#define FEED_LINES 600 /* ten minutes at one look a second: what a page that is loaded anew can show */

/*
 * One look as a server-sent event: "id: N\ndata: {...}\n\n", with keys beside those of look/json.h:
 *   "others":["stress"]     instances that run beside it
 *   "policy":"guarded"      of the configuration in force; absent when that is not known
 *   "reloaded":["policy: guarded -> edf"]   what a reload has changed since the look before; absent when none has
 */
struct feed_line {
	uint32_t users;
	uint64_t id; /* Unix time of the look, ms; grows */
	size_t len;
	char *text;
};

struct feed {
	struct viewer viewer;
	struct view now, before;
	struct health health; /* as of `now` */
	struct in_force in_force; /* likewise */
	const struct instances *others; /* instances that run beside it */
	int runs; /* the last look succeeded, and is in `now` */
	char why[WHY_BYTES]; /* if not: why */
	uint64_t n_looks;
	uint64_t n_lines; /* ever made; the last FEED_LINES of them are kept, line i at i % FEED_LINES */
	struct feed_line *lines[FEED_LINES];
};

/* feed_open - others: kept up by the caller. */
void feed_open(struct feed *f, const char *instance, const struct instances *others);

/* feed_look - read the instance and add a line. -ENOMEM when there is no memory for the line: it is left out. */
int feed_look(struct feed *f);

/* feed_take - line i for a while; it must be one of those kept. feed_drop gives it back. */
struct feed_line *feed_take(struct feed *f, uint64_t i);
void feed_drop(struct feed_line *line);

/* feed_first - the oldest line kept. */
uint64_t feed_first(const struct feed *f);

/* feed_after - the first line kept whose id is above this one. */
uint64_t feed_after(const struct feed *f, uint64_t id);

/* feed_is_healthy - does the instance run, and is nothing wrong with it (run/look/health.h)? */
int feed_is_healthy(const struct feed *f);

/* feed_print_health - 1: it is, and "ok"; 0: it is not, and each cause in a line of its own. */
int feed_print_health(const struct feed *f, FILE *out);

void feed_close(struct feed *f);

#endif

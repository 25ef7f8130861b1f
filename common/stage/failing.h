/*
 * failing.h - system calls that must work and do not: counted, said once, tried again after a pause.
 *
 * Memory:  a row per call that has failed lately, private to the stage; the stage block tells observers: failed_calls,
 *          failing_since_ns (of the oldest row; 0: none) and failing_errno.
 * Rules:   a row begins with a failure and ends when the call has worked for a second: one that fails now and then is
 *          failing.
 *          The pause doubles from 1 to 10 ms, so a stage that cannot sleep still looks for work 100 times a second.
 *          The pause is owed until the step ends: taken at once, other stages would wait for a ring that long.
 *          A few interrupts in a row are none of this: signals, SIGCONT and debuggers make them.
 */
#ifndef ONTIME_FAILING_H
#define ONTIME_FAILING_H

#include <stdint.h>

#include "shm/layout.h"

#define FAILING_ROWS 6 /* different calls that may fail at one time */

struct failing_row {
	const char *name; /* NULL: a free place */
	uint64_t since_ns, last_ns; /* its first failure of this row and its last */
	uint64_t failures, interrupts;
	uint64_t pause_ns; /* before the next try */
	int works; /* it has succeeded since last_ns */
};

struct failing {
	uint32_t n_rows;
	uint64_t owed_pause_ns; /* the longest that a failure since the last pause asks for */
	struct failing_row rows[FAILING_ROWS];
};

/* failing_note - the call of that name (a literal) failed with err. */
void failing_note(struct failing *f, struct stage_block *self, const char *name, int err);

/* failing_pause - take the pause that is owed; a signal ends it. */
void failing_pause(struct failing *f);

/* failing_works - it succeeded. */
void failing_works(struct failing *f, const char *name);

/* failing_beat - now and then: rows that are over end. */
void failing_beat(struct failing *f, struct stage_block *self, uint64_t now);

#endif

/*
 * stop.h - the instance is stopped in order, by its supervisor: nothing that was accepted is lost.
 *
 * Memory:  private to the supervisor, but for one word of the segment: a supervisor that takes over meanwhile goes on
 *          with it.
 * Rules:   ingress reads its sockets empty and ends; edf and egress pass on what is in the lanes; then edf, then egress
 *          ends; then the dashboard, the holder and the stand-bys. Until a stage's turn comes it is kept alive as ever.
 *          Each step has a bounded time, so that a stop takes STOP_MOST_MS at the most: a stage that does not end is
 *          killed, and what is left in the lanes is counted and said.
 *          At the end the names of the instance go: segment, pins of the histograms, files of the run directory but the
 *          log.
 */
#ifndef ONTIME_SUPERVISE_STOP_H
#define ONTIME_SUPERVISE_STOP_H

#include <stdint.h>

#include "shm/segment.h"

#define STOP_STAGE_NS (3 * NS_PER_S) /* for a stage to end */
#define STOP_DRAIN_NS (5 * NS_PER_S) /* for the lanes to become empty */

enum stop_step { STOP_NOT_ASKED, STOP_INGRESS, STOP_LANES, STOP_EDF, STOP_EGRESS, STOP_DONE };

struct stopping {
	enum stop_step step;
	uint64_t due_ns; /* the end of this step's time */
	uint64_t left_pkts; /* in the lanes, when their time was over */
	uint32_t down; /* bit per stage that did not run then, and would have sent them */
};

struct supervisor;

/* stop_begin - unless it has begun. */
void stop_begin(struct supervisor *s, uint64_t now);

/* stop_go_on - with what a supervisor before this one has begun. */
void stop_go_on(struct supervisor *s, uint64_t now);

/* stop_tend - often from then on. Returns 1 when all stages have ended. */
int stop_tend(struct supervisor *s, uint64_t now);

/* stop_remove - what the instance has made. */
void stop_remove(struct supervisor *s);

/* stop_describe - how it ended, as one sentence. */
void stop_describe(const struct supervisor *s, char *text, size_t bytes);

#endif

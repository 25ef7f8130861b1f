/*
 * loop.h - the edf stage: packets of all lanes, in the order that the plan chooses, are worked on or dropped, and
 * passed on.
 *
 * Memory:  one per process, static in main.c; tests have theirs. `stage` is its first member, and stands for all of it
 *          (stage/run.h).
 */
#ifndef ONTIME_EDF_LOOP_H
#define ONTIME_EDF_LOOP_H

#include <assert.h>
#include <stddef.h>

#include "plan.h"
#include "stage/run.h"
#include "work.h"
#include "workers.h"

struct edf_loop {
	struct stage stage;
	struct work work;
	uint64_t word[MAX_CLASSES]; /* own commit words */
	uint32_t pending[MAX_CLASSES]; /* finished, not committed yet */
	/* With workers, behind the pending ones: given to one, or finished while one before it is not. */
	uint32_t out[MAX_CLASSES];
	struct workers workers; /* n = 0: the stage works by itself */
	/* with workers, for each slot: 0, or that it is, and why it was dropped; hand_out.c */
	uint8_t *finished[MAX_CLASSES];
	struct task again[MOST_WORKERS]; /* whose workers have died: they go first */
	uint32_t n_again;
	struct edf_tally tally[MAX_CLASSES];
	struct plan plan;
	uint64_t told[MAX_CLASSES]; /* of ingress's commit words: what the plan knows of */
	uint32_t room_pkts[MAX_CLASSES]; /* before the edf_to_egress limit */
	uint32_t unrung_pkts, unrung_choices; /* passed on, and chosen, since the neighbours were last rung for */
	struct at_work {
		uint32_t class;
		uint64_t word; /* of the packet, for the poison rule */
		uint64_t predicted_ns;
	} at_work; /* the packet that is worked on */
};

static_assert(offsetof(struct edf_loop, stage) == 0, "stage_run() hands the loop its stage only");

extern const struct stage_ops edf_ops;

#endif

/*
 * loop.h - the egress stage: finished packets of all lanes to the kernel, in the shares and at the rate that shaper.h
 * allows.
 *
 * Memory:  one per process, static in main.c; tests have theirs. `stage` is its first member, and stands for all of it
 *          (stage/run.h).
 */
#ifndef ONTIME_EGRESS_LOOP_H
#define ONTIME_EGRESS_LOOP_H

#include <assert.h>
#include <stddef.h>

#include "limits.h"
#include "send.h"
#include "stage/run.h"

struct egress_loop {
	struct stage stage;
	struct drr drr; /* whose turn it is */
	struct limit limit; /* of the pipeline's rate */
	struct sender sender;
	uint32_t head_bytes[MAX_CLASSES]; /* ready_head_bytes() as of this step */
	/* likewise: when the rate of the class, or of a destination, allows it */
	uint64_t limited_until_ns[MAX_CLASSES];
	uint32_t gso; /* the option, as it was before a reload */
};

static_assert(offsetof(struct egress_loop, stage) == 0, "stage_run() hands the loop its stage only");

extern const struct stage_ops egress_ops;
extern const struct calls egress_calls;

#endif

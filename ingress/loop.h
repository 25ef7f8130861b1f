/*
 * loop.h - the ingress stage: datagrams from its sockets into the lanes, class by class as pick.h chooses.
 *
 * Memory:  one per process, static in main.c; tests have theirs. `stage` is its first member, and stands for all of it
 *          (stage/run.h).
 */
#ifndef ONTIME_INGRESS_LOOP_H
#define ONTIME_INGRESS_LOOP_H

#include <assert.h>
#include <stddef.h>

#include "inputs.h"
#include "pick.h"
#include "receive.h"
#include "stage/run.h"

struct ingress_loop {
	struct stage stage;
	struct ingress ingress;
	struct receiver receiver;
	struct inputs inputs;
	uint32_t room_pkts[MAX_CLASSES];
	uint64_t muted; /* bit per flow: not polled, since its lane is full */
	uint64_t drain_until_ns; /* when a drain ends, even if more arrives; 0: none has begun */
	uint64_t drops_due_ns; /* when to ask the sockets for their drops again */
	uint32_t unrung_pkts; /* published since edf was last rung for */
	/* read since epoll last said which sockets have datagrams, and some more for each call (MOST_CALLS) */
	uint32_t unlooked_pkts;
	int epoll_fd; /* 0: not opened yet */
};

static_assert(offsetof(struct ingress_loop, stage) == 0, "stage_run() hands the loop its stage only");

extern const struct stage_ops ingress_ops;
extern const struct calls ingress_calls;

#endif

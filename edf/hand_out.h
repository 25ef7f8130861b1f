/*
 * hand_out.h - packets are given to workers in the order that the plan chooses, and passed on in the order of their
 * class.
 *
 * Memory:  in struct edf_loop; a byte for each slot.
 * Rules:   a packet leaves the plan when it is given out. It goes on when it is finished, and so are all before it in
 *          its class: the three counts of a lane stay the only order there is. What a worker died with goes to the next
 *          one that has nothing to do, before all others; after CRASHES_UNTIL_POISON of them it is dropped as poison.
 *          Counters count what goes on, so that each is counted once, whoever dies.
 * Crash:   nothing of it is durable: a successor begins with all packets that were not passed on.
 */
#ifndef ONTIME_EDF_HAND_OUT_H
#define ONTIME_EDF_HAND_OUT_H

#include "loop.h"

/* hand_out_open - workers, and what is known of their packets. 0, or the exit status after one line. */
int hand_out_open(struct edf_loop *l);

void hand_out_close(struct edf_loop *l);

/* hand_out_collect - what workers have done is finished. Returns how many packets that were. */
uint32_t hand_out_collect(struct edf_loop *l, uint64_t now);

/* hand_out - as long as a worker has nothing to do, and the plan a packet for it, or one to drop. Returns how many. */
uint32_t hand_out(struct edf_loop *l, uint64_t now);

/* hand_out_join - after a commit: what was too much for it is pending. Returns how many. */
uint32_t hand_out_join(struct edf_loop *l);

/* hand_out_waits - is any packet out? */
int hand_out_waits(const struct edf_loop *l);

#endif

/*
 * bell.h - futex doorbell: one per stage, however many lanes it serves.
 *
 * Memory:  one word in the stage's block of the segment: AWAKE, PARKED or PARKED_FOR_SPACE.
 * Rules:   a stage parks, looks once more, then sleeps; a ringer publishes, then rings. Every park is bounded.
 * Order:   sleeper                       ringer
 *            parked = PARKED               count = n
 *            full fence                    full fence
 *            look at the counts            look at parked
 *          Edge "bell": without both fences both can miss, and the sleeper sleeps on a full lane.
 * Crash:   a ringer killed between its store and its wake costs the sleeper one bounded park;
 *          every stage that starts rings all bells, so usually not even that.
 * Source:  the store-buffering litmus test; futex(2).
 */
#ifndef ONTIME_BELL_H
#define ONTIME_BELL_H

#include <stdatomic.h>
#include <stdint.h>

/* bell_announce - say that this stage is about to sleep; then look at the counts once more. how: PARKED*. */
void bell_announce(_Atomic uint32_t *parked, uint32_t how);

/*
 * bell_sleep - sleep until rung, at most timeout_ns. Call between bell_announce() and bell_awake().
 * Returns 0 when it slept or was rung; else the negative errno of a futex that does not let it sleep: who calls it
 * again and again would spin.
 */
int bell_sleep(_Atomic uint32_t *parked, uint32_t how, uint64_t timeout_ns);

/* bell_awake - take the announcement back. */
void bell_awake(_Atomic uint32_t *parked);

/*
 * bell_take - called by a ringer after it published: is a wake owed? At least `how` must be announced: PARKED
 * for input, PARKED_FOR_SPACE when room was made. Returns 1 for exactly one of several ringers; it must wake.
 */
int bell_take(_Atomic uint32_t *parked, uint32_t how);

/* bell_ring - bell_take() and wake a stage that sleeps in bell_sleep(). Returns 1 if it cost a system call. */
int bell_ring(_Atomic uint32_t *parked, uint32_t how);

/* bell_ring_hard - wake unconditionally: a predecessor may have died owing a wake. */
void bell_ring_hard(_Atomic uint32_t *parked);

#endif

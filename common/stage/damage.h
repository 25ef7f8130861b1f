/*
 * damage.h - a segment that no stage can have written: the stage ends before it acts on that.
 *
 * Rules:   what another process wrote is read once (shm/once.h), and checked before it is used as an index or a length.
 *          A stage that finds it
 *          damaged aborts after one line, as its successor does, until the instance is launched anew.
 */
#ifndef ONTIME_STAGE_DAMAGE_H
#define ONTIME_STAGE_DAMAGE_H

#include <stdint.h>

struct stage;

/*
 * stage_check_counts - a count of another stage is ahead_pkts ahead of one's own: abort if the lane does not hold as
 * many.
 */
void stage_check_counts(const struct stage *s, uint32_t class, uint64_t ahead_pkts);

/* stage_check_length - abort if a packet of that length, with the header before it, does not fit its slot. */
void stage_check_length(const struct stage *s, uint32_t class, uint64_t bytes);

#endif

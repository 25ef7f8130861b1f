/*
 * row.h - pure: how long to wait before a stage is started again.
 *
 * Rules:   a life that passed packets on, or lasted a second, ends a row of deaths: its successor starts at once. In a
 *          row of lives that did neither the first three successors start at once too, then each waits twice as long as
 *          the one before, from 10 ms to 1 s. It goes on for ever: what is wrong may be put right at any time.
 */
#ifndef ONTIME_HOLD_ROW_H
#define ONTIME_HOLD_ROW_H

#include <stdint.h>

#include "units.h"

#define ROW_LIFE_NS NS_PER_S
#define ROW_FREE_STARTS 3
#define ROW_FIRST_PAUSE_NS (10 * NS_PER_MS)
#define ROW_LONGEST_PAUSE_NS NS_PER_S

/* row_after_death - deaths in a row, this one included; 0: it ended a good life. */
static inline uint32_t row_after_death(uint32_t row, uint64_t lived_ns, int passed_packets)
{
	if (passed_packets || lived_ns >= ROW_LIFE_NS)
		return 0;
	return row < UINT32_MAX ? row + 1 : row;
}

/* row_pause_ns - before the next start. */
static inline uint64_t row_pause_ns(uint32_t row)
{
	uint32_t doublings = row > ROW_FREE_STARTS ? row - ROW_FREE_STARTS - 1 : 0;

	if (row <= ROW_FREE_STARTS)
		return 0;
	return doublings >= 7 ? ROW_LONGEST_PAUSE_NS : ROW_FIRST_PAUSE_NS << doublings;
}

#endif

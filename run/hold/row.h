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

/* A row of deaths, and whether it was said that it is one. */
struct row {
	uint32_t deaths;
	int has_told;
};

enum row_news { ROW_ENDED_WELL, ROW_BEGINS, ROW_GOES_ON };

/*
 * row_count - one more death: is it one that a successor at once makes good, the first that makes the next start wait,
 * which is to be said, or one of those, of which all is said?
 */
static inline enum row_news row_count(struct row *r, uint64_t lived_ns)
{
	int had_told = r->has_told;

	r->deaths = row_after_death(r->deaths, lived_ns, 0);
	r->has_told = row_pause_ns(r->deaths) > 0;
	return !r->has_told ? ROW_ENDED_WELL : had_told ? ROW_GOES_ON : ROW_BEGINS;
}

#endif

/*
 * random.h - the same numbers in every run, from a seed: for load, simulation and tests.
 *
 * Source:  xorshift64, G. Marsaglia, "Xorshift RNGs", 2003.
 */
#ifndef ONTIME_RANDOM_H
#define ONTIME_RANDOM_H

#include <stdint.h>

/* random_next - the next number; *state must not start as 0. */
static inline uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

#endif

/*
 * simulated.h - pure: how long `work = simulate` takes for a packet; for the stage, and for programs that forecast it.
 */
#ifndef ONTIME_EDF_SIMULATED_H
#define ONTIME_EDF_SIMULATED_H

#include <stdint.h>

#include "units.h"

#define SIMULATE_BASE_NS (200 * NS_PER_US)
#define SIMULATE_FULL_BYTES 1400

/* work_simulated_ns - for a payload. */
static inline uint64_t work_simulated_ns(uint32_t bytes)
{
	uint32_t counted = bytes < SIMULATE_FULL_BYTES ? bytes : SIMULATE_FULL_BYTES;

	return SIMULATE_BASE_NS + SIMULATE_BASE_NS * counted / SIMULATE_FULL_BYTES;
}

#endif

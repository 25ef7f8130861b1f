/*
 * clock.h - the time, in nanoseconds: the only place that reads a clock.
 *
 * Rules:   every instant in ontime is CLOCK_MONOTONIC; CLOCK_REALTIME is read only to convert the
 *          kernel's receive stamps (receive.c).
 */
#ifndef ONTIME_CLOCK_H
#define ONTIME_CLOCK_H

#include <stdint.h>
#include <time.h>

#include "units.h"

static inline uint64_t clock_read_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static inline uint64_t now_ns(void)
{
	return clock_read_ns(CLOCK_MONOTONIC);
}

static inline uint64_t real_ns(void)
{
	return clock_read_ns(CLOCK_REALTIME);
}

#endif

/*
 * clocks.h - two clocks at one instant, so that the kernel's receive time becomes one of CLOCK_MONOTONIC.
 */
#ifndef ONTIME_INGRESS_CLOCKS_H
#define ONTIME_INGRESS_CLOCKS_H

#include <stdint.h>

struct clocks {
	uint64_t read_at_ns, real_ns; /* CLOCK_MONOTONIC and CLOCK_REALTIME */
	uint64_t not_before_ns; /* the socket was empty then */
};

/* clocks_read - both now. */
struct clocks clocks_read(uint64_t not_before_ns);

/* clocks_monotonic - what CLOCK_MONOTONIC said when CLOCK_REALTIME said stamp_ns; 0: as of the reading. */
uint64_t clocks_monotonic(uint64_t stamp_ns, const struct clocks *t);

#endif

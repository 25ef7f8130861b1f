/* calls.h - the clock of the stages, which skips what nobody would wait for. */
#ifndef ONTIME_TESTS_REPLIES_CALLS_H
#define ONTIME_TESTS_REPLIES_CALLS_H

#include <stdint.h>

extern uint64_t calls_skipped_ns; /* whole seconds that CLOCK_MONOTONIC is ahead */

#endif

/*
 * scheduling.h - the policy, the nice value and the slice of this process.
 *
 * Rules:   the main thread's: a signal handler may run in whatever thread of a plugin. A child begins as an ordinary
 *          process.
 * Source:  sched_setattr(2); struct sched_attr of the kernel, which older C libraries do not let stand beside sched.h.
 */
#ifndef ONTIME_SCHEDULING_H
#define ONTIME_SCHEDULING_H

#include <stdint.h>

/* scheduling_set - 0 or -errno; async-signal-safe. A slice is ignored before Linux 6.12. */
int scheduling_set(uint32_t policy, int nice_value, int priority, uint64_t slice_ns);

/* scheduling_has_slice - does this kernel keep what was asked for? */
int scheduling_has_slice(uint64_t slice_ns);

/* scheduling_raise_limits - such a priority of SCHED_FIFO and nice value are allowed without a right. 0 or -errno. */
int scheduling_raise_limits(int priority, int nice_value);

#endif

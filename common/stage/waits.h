/*
 * waits.h - how long a process was ready to run while another one had its CPU.
 *
 * Rules:   any process may be asked about. The kernel adds up a wait when it ends, so one that goes on for seconds
 *          shows only in a process that is ready and has not run: waits_between() counts that too.
 * Source:  the kernel's Documentation/scheduler/sched-stats.rst, proc(5).
 */
#ifndef ONTIME_WAITS_H
#define ONTIME_WAITS_H

#include <stdint.h>

struct waits {
	uint64_t cpu_ns; /* on a CPU */
	uint64_t queued_ns; /* ready, and not on a CPU */
	int is_ready; /* 1: on a CPU or waiting for one at this moment */
};

/* waits_read - of the main thread of that process; 0, or -errno, and then all is 0. */
int waits_read(uint32_t pid, struct waits *out);

/*
 * waits_open - a descriptor by which this process, or one that it forks, asks about this one's main thread; -1: none.
 */
int waits_open(void);

/* waits_read_own - as waits_read(), by such a descriptor; is_ready: 0. */
int waits_read_own(int fd, struct waits *out);

/* waits_between - ns of waiting in the took_ns between two readings of the same process. */
uint64_t waits_between(const struct waits *before, const struct waits *now, uint64_t took_ns);

/* waits_parse - what /proc/PID/schedstat says; -EPROTO if it is something else. */
int waits_parse(const char *schedstat, struct waits *out);

#endif

/*
 * cpu.h - CPU time a thread has used: what load itself costs the machine it measures.
 */
#ifndef ONTIME_LOAD_CPU_H
#define ONTIME_LOAD_CPU_H

#include <stdint.h>
#include <sys/resource.h>

#include "clock.h"

struct cpu_use {
	uint64_t user_ns, system_ns;
};

static inline uint64_t cpu_timeval_ns(const struct timeval *t)
{
	return (uint64_t)t->tv_sec * NS_PER_S + (uint64_t)t->tv_usec * NS_PER_US;
}

/* cpu_of_thread - the calling thread's, since it began. */
static inline struct cpu_use cpu_of_thread(void)
{
	struct rusage u = { 0 };

	getrusage(RUSAGE_THREAD, &u);
	return (struct cpu_use){ cpu_timeval_ns(&u.ru_utime), cpu_timeval_ns(&u.ru_stime) };
}

#endif

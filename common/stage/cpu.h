/*
 * cpu.h - the CPU that the stages of a shard get with `cpus = auto`.
 *
 * Rules:   a wake across cores costs ten times one on the same core: so all stages of one of several shards have
 *          one CPU together, a CPU for each shard while there are enough. Of an instance with one shard likewise, but
 *          on four CPUs or more the kernel knows better.
 */
#ifndef ONTIME_STAGE_CPU_H
#define ONTIME_STAGE_CPU_H

#include <sched.h>

#define CPU_AUTO (-2) /* config.h */

/* cpu_choose - of those allowed, counted from the last; -1: not pinned. shard: -1, there is one. */
int cpu_choose(const cpu_set_t *allowed, int shard);

#endif

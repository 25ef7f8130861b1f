/* cpu.c - the CPU that the stages of a shard get. */
#include "cpu.h"

int cpu_choose(const cpu_set_t *allowed, int shard)
{
	int n = CPU_COUNT(allowed), left = n ? (shard < 0 ? 0 : shard % n) : 0;

	if (shard < 0 && n >= 4)
		return -1;
	for (int cpu = CPU_SETSIZE - 1; cpu >= 0; cpu--)
		if (CPU_ISSET((size_t)cpu, allowed) && left-- == 0)
			return cpu;
	return -1;
}

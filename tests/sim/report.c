/* report.c - what became of a simulated world, in two lines. */
#include "report.h"

#include <stdio.h>

double report_calls_per_packet(const struct sim_result *r)
{
	return (double)r->calls / (double)(r->came_pkts ? r->came_pkts : 1);
}

void report_print(const struct sim_setup *setup, const struct sim_result *r, uint64_t took_ns)
{
	double lasted_s = (double)(r->ended_at_ns - SIM_BEGIN_NS) / 1e9, took_s = (double)took_ns / 1e9;
	uint64_t came_pkts = r->came_pkts ? r->came_pkts : 1;

	printf("     seed %llu: %llu packets came, %llu left, %llu lost in sockets, %llu deaths, %llu of them in "
	       "recovery\n",
	       (unsigned long long)setup->seed, (unsigned long long)r->came_pkts, (unsigned long long)r->left_pkts,
	       (unsigned long long)r->kernel_pkts, (unsigned long long)r->deaths,
	       (unsigned long long)r->recovery_deaths);
	printf("     %.1f simulated seconds took %.2f s: %.0f ns per packet; %.2f system calls for each; digest "
	       "%016llx, %llu "
	       "violations\n",
	       lasted_s, took_s, took_s * 1e9 / (double)came_pkts, report_calls_per_packet(r),
	       (unsigned long long)r->digest, (unsigned long long)r->violations);
}

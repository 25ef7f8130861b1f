/* cost.c - pure: what a packet costs a relay that does no work on it. */
#include "cost.h"

#include <stddef.h>

struct cost cost_of(const struct cost_seen *seen)
{
	struct cost c = { COST_PACKET_NS, COST_WAKE_NS, 0 };

	if (!seen || seen->cpu_ns == 0 || seen->sent_pkts < COST_LEAST_PKTS ||
	    seen->sent_pkts < COST_LEAST_BATCH * seen->parks)
		return c;
	c.packet_ns = seen->cpu_ns / seen->sent_pkts + 1;
	c.is_measured = 1;
	return c;
}

double cost_with_copies(const struct cost *c, uint32_t n)
{
	return c->is_measured ? 1 : 1 + (double)(n - 1) * COST_COPY_NS / (double)c->packet_ns;
}

double cost_load(const struct cost *c, double all_pps)
{
	return all_pps * (double)c->packet_ns / 1e9;
}

uint64_t cost_worst_ns(const struct cost *c, double all_pps, uint64_t all_burst_pkts)
{
	double load = cost_load(c, all_pps), worst_ns;

	if (load >= 1)
		return UINT64_MAX;
	worst_ns = (double)c->wake_ns + (double)(all_burst_pkts * c->packet_ns) / (1 - load);
	return worst_ns < 1e18 ? (uint64_t)worst_ns : UINT64_MAX;
}

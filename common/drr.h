/*
 * drr.h - pure: deficit round robin over bytes, used by ingress (over sockets) and egress (over classes).
 *
 * Memory:  a plain struct of its owner; not shared, not durable: after a restart all deficits are 0.
 * Rules:   a flow that empties forfeits its deficit. A flow may be charged more than its deficit (a socket does not
 *          tell lengths beforehand): the debt stays with it, also when it empties, until rounds have paid it back.
 * Bound:   where each quantum is at least the longest packet, a pick looks at each flow at most once; longer packets,
 *          and debts, cost rounds, which are skipped at once. For two flows that stay backlogged
 *          |S_i/f_i - S_j/f_j| <= Q_min + 2 * Max (S: bytes served, f: quantum / Q_min, Max: longest charge).
 * Source:  Shreedhar & Varghese, "Efficient Fair Queuing using Deficit Round-Robin", 1995; the debt is surplus round
 *          robin, Adiseshu, Parulkar & Varghese, 1996.
 */
#ifndef ONTIME_DRR_H
#define ONTIME_DRR_H

#include <stdint.h>

#define DRR_FLOWS 64

struct drr {
	uint32_t n_flows;
	uint32_t turn; /* the flow whose turn it is */
	uint32_t fresh; /* 1: its turn has just begun, its quantum is not granted yet */
	uint32_t quantum_bytes[DRR_FLOWS];
	int64_t deficit_bytes[DRR_FLOWS];
};

/* drr_init - n_flows <= DRR_FLOWS flows, all quanta > 0, no deficits. */
void drr_init(struct drr *d, uint32_t n_flows, const uint32_t *quantum_bytes);

/*
 * drr_pick - choose the flow to serve next.
 *
 * oldest_bytes[n_flows]: length of each flow's oldest packet (1 where unknown), 0 if the flow is empty.
 * Returns the flow, or -1 if all are empty. The flow may be served for drr_allowance_bytes().
 */
int drr_pick(struct drr *d, const uint32_t *oldest_bytes);

/* drr_allowance_bytes - how much of its turn the flow has left; 0 when in debt. */
static inline uint32_t drr_allowance_bytes(const struct drr *d, int flow)
{
	int64_t left = d->deficit_bytes[flow];

	return left <= 0 ? 0 : left > UINT32_MAX ? UINT32_MAX : (uint32_t)left;
}

/* drr_charge - the flow was served this much. */
void drr_charge(struct drr *d, int flow, uint32_t bytes);

#endif

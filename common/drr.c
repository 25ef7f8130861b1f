/* drr.c - pure: deficit round robin. */
#include "drr.h"

#include <assert.h>
#include <string.h>

void drr_init(struct drr *d, uint32_t n_flows, const uint32_t *quantum_bytes)
{
	assert(n_flows <= DRR_FLOWS);
	memset(d, 0, sizeof(*d));
	d->n_flows = n_flows;
	d->fresh = 1;
	for (uint32_t i = 0; i < n_flows; i++) {
		assert(quantum_bytes[i] > 0);
		d->quantum_bytes[i] = quantum_bytes[i];
	}
}

static void next_turn(struct drr *d)
{
	d->turn = d->turn + 1 < d->n_flows ? d->turn + 1 : 0;
	d->fresh = 1;
}

/* Rounds in which every backlogged flow is still in debt change nothing but debts: take them all at once. */
static void skip_idle_rounds(struct drr *d, const uint32_t *oldest_bytes)
{
	int64_t least = INT64_MAX;

	for (uint32_t i = 0; i < d->n_flows; i++) {
		int64_t missing = (int64_t)oldest_bytes[i] - d->deficit_bytes[i]; /* more than 0, or it is empty */
		int64_t rounds = (missing - 1) / d->quantum_bytes[i];

		if (oldest_bytes[i] && rounds < least)
			least = rounds;
	}
	if (least == INT64_MAX)
		return;
	for (uint32_t i = 0; i < d->n_flows; i++) {
		int64_t left = d->deficit_bytes[i] + least * d->quantum_bytes[i];

		d->deficit_bytes[i] = oldest_bytes[i] || left < 0 ? left : 0;
	}
}

/* An empty flow keeps no credit; a debt is paid back by the turns it does not take. */
static void pass_empty(struct drr *d, uint32_t flow)
{
	int64_t left = d->deficit_bytes[flow] + (d->fresh ? d->quantum_bytes[flow] : 0);

	d->deficit_bytes[flow] = left < 0 ? left : 0;
}

int drr_pick(struct drr *d, const uint32_t *oldest_bytes)
{
	for (uint32_t looks = 0; looks <= 2 * d->n_flows + 1; looks++) {
		uint32_t flow = d->turn;

		if (looks == d->n_flows + 1)
			skip_idle_rounds(d, oldest_bytes);
		if (oldest_bytes[flow] == 0) {
			pass_empty(d, flow);
			next_turn(d);
			continue;
		}
		if (d->fresh) {
			d->deficit_bytes[flow] += d->quantum_bytes[flow];
			d->fresh = 0;
		}
		if (d->deficit_bytes[flow] >= (int64_t)oldest_bytes[flow])
			return (int)flow;
		next_turn(d);
	}
	return -1;
}

void drr_charge(struct drr *d, int flow, uint32_t bytes)
{
	d->deficit_bytes[flow] -= bytes;
}

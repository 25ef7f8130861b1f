/* pass_on.c - packets that need no work and go one after the other. */
#include "pass_on.h"

#include "twins.h"

void pass_on(struct edf_loop *l, uint32_t class, uint32_t n, uint64_t now)
{
	const struct lane_view *v = &l->stage.seg.views[class];
	uint64_t bytes = 0, worked = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t index = lane_index(v, l->word[class], l->pending[class] + i);
		struct result result = { .started_at_ns = now,
					 .done_at_ns = now,
					 .len_bytes = once(v->arrivals[index].len_bytes),
					 .drop = once(v->arrivals[index].drop) };

		if (result.drop == DROP_NONE) {
			stage_check_length(&l->stage, class, (uint64_t)result.len_bytes + lane_skip_bytes(v, index));
			bytes += result.len_bytes;
			worked++;
		}
		v->results[index] = result;
	}
	l->tally[class].worked_pkts += worked;
	l->tally[class].worked_bytes += bytes;
	l->pending[class] += n;
	l->room_pkts[class] -= n;
	twins_take(&l->plan, class, n);
}

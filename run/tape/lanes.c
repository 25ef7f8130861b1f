/* lanes.c - the lanes of a recording, one after the other. */
#include "lanes.h"

#include "clock.h"
#include "packet.h"
#include "shm/once.h"

#define ROUND_PKTS 256 /* of one lane, then the next one has its turn */

/* Into the file. 0, or the recording ends. */
static int keep(void *arg, const uint8_t *block, size_t bytes)
{
	struct record *r = arg;
	uint32_t type, interface;
	int err;

	if (r->ending != GOES_ON)
		return -1;
	err = file_put(&r->file, block, bytes);
	if (err) {
		r->ending = record_cannot_write(r, err);
		return -1;
	}
	block_read(block, &type, &interface);
	r->tallies[interface].captured_pkts++;
	if (++r->captured_pkts == r->options->n_packets)
		r->ending = ENDED_BY_COUNT;
	return 0;
}

/* 0, or the recording ends, without this packet. */
static int take(struct record *r, const struct taken *p)
{
	const struct segment *seg = viewer_part(&r->viewer, p->shard);
	struct tally *tally = &r->tallies[r->interface_of[p->class]];
	struct fate fate;
	size_t bytes;

	/* relaxed: a limit that stands alone */
	fate_read(&fate, &p->copy->arrival, &p->copy->result, &p->copy->departure,
		  atomic_load_explicit(&seg->views[p->class].lane->budget_ns, memory_order_relaxed));
	if (!packet_is_wanted(r->options, &fate)) {
		bytes = r->options->before_ns ? packet_block(r, p, &fate, tally->untold_pkts) : 0;
		tally->untold_pkts = bytes ? 0 : tally->untold_pkts;
		before_put(&r->before, p->copy->arrival.arrived_at_ns, r->interface_of[p->class], r->block, bytes);
		return 0;
	}
	if (before_take(&r->before, p->copy->arrival.arrived_at_ns, keep, r))
		return -1;
	bytes = packet_block(r, p, &fate, tally->untold_pkts);
	if (keep(r, r->block, bytes))
		return -1;
	tally->untold_pkts = 0;
	return 0;
}

/* Some of what waits in a lane. Returns whether there is more. */
static int follow_lane(struct record *r, uint32_t shard, uint32_t class)
{
	const struct segment *seg = viewer_part(&r->viewer, shard);
	const struct lane_view *v = &seg->views[class];
	struct place *place = &r->places[shard][class];
	struct tally *tally = &r->tallies[r->interface_of[class]];
	struct place was;

	if (!options_take_class(r->options, tally->name)) {
		uint64_t n = follow_skip(place, v);

		tally->released_pkts += n;
		tally->filtered_pkts += n;
		return 0;
	}
	for (uint32_t n = 1, done = 0; n && done < ROUND_PKTS && r->ending == GOES_ON; done += n) {
		uint32_t first, i;

		was = *place;
		n = follow_next(&r->follower, place, v, follow_ahead_pkts(seg, class), &first);
		tally->missed_pkts += place->missed_pkts - was.missed_pkts;
		tally->untold_pkts += place->missed_pkts - was.missed_pkts;
		for (i = first; i < n; i++) {
			uint64_t number = (place->word >> COUNT_SHIFT) - n + i + 1;

			if (take(r, &(struct taken){ &r->follower.copies[i], shard, class, number }))
				break;
		}
		follow_return(place, n - i);
		tally->released_pkts += place->released_pkts - was.released_pkts;
	}
	return follow_waiting(place, v) > v->slots / 8;
}

/* When the oldest packet came that is still in a lane: none that is asked for later came before. */
static uint64_t oldest_ns(const struct record *r)
{
	uint64_t oldest = now_ns();

	for (uint32_t k = 0; k < r->viewer.n_shards; k++)
		for (uint32_t i = 0; i < r->viewer.seg.n_classes; i++) {
			const struct lane_view *v = &viewer_part(&r->viewer, k)->views[i];
			uint64_t word = r->places[k][i].word, came;

			if (lane_distance_pkts(lane_received(v->lane), word) == 0)
				continue;
			came = once(v->arrivals[lane_index(v, word, 0)].arrived_at_ns);
			oldest = came < oldest ? came : oldest;
		}
	return oldest;
}

int lanes_follow(struct record *r)
{
	int has_more = 0;

	r->to_wall_ns = real_ns() - now_ns();
	for (uint32_t k = 0; k < r->viewer.n_shards; k++)
		for (uint32_t i = 0; i < r->viewer.seg.n_classes && r->ending == GOES_ON; i++)
			has_more |= follow_lane(r, k, i);
	before_expire(&r->before, oldest_ns(r));
	return has_more;
}

static int waits(const struct record *r)
{
	for (uint32_t k = 0; k < r->viewer.n_shards; k++)
		for (uint32_t i = 0; i < r->viewer.seg.n_classes; i++)
			if (follow_waiting(&r->places[k][i], &viewer_part(&r->viewer, k)->views[i]))
				return 1;
	return 0;
}

void lanes_follow_to_end(struct record *r)
{
	for (int rounds = 0; r->viewer.n_shards && waits(r) && r->ending == GOES_ON && rounds < 4096; rounds++)
		lanes_follow(r);
}

void lanes_give_up(struct record *r)
{
	for (uint32_t k = 0; k < r->viewer.n_shards; k++)
		for (uint32_t i = 0; i < r->viewer.seg.n_classes; i++) {
			struct tally *t = &r->tallies[r->interface_of[i]];
			uint64_t n = follow_skip(&r->places[k][i], &viewer_part(&r->viewer, k)->views[i]);

			t->released_pkts += n;
			*(options_take_class(r->options, t->name) ? &t->missed_pkts : &t->filtered_pkts) += n;
		}
}

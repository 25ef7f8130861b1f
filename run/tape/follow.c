/* follow.c - behind egress in one lane. */
#include "follow.h"

#include <errno.h>
#include <stdlib.h>

int follow_open(struct follower *f, uint32_t payload_bytes)
{
	*f = (struct follower){ .payload_bytes = payload_bytes };
	if (payload_bytes == 0)
		return 0;
	f->room = malloc((size_t)payload_bytes * FOLLOW_PKTS);
	if (!f->room)
		return -ENOMEM;
	for (uint32_t i = 0; i < FOLLOW_PKTS; i++)
		f->copies[i].payload = f->room + (size_t)i * payload_bytes;
	return 0;
}

void follow_close(struct follower *f)
{
	free(f->room);
	*f = (struct follower){ 0 };
}

void place_begin(struct place *p, const struct lane_view *v)
{
	*p = (struct place){ .word = lane_sent(v->lane) };
}

uint64_t follow_waiting(const struct place *p, const struct lane_view *v)
{
	return lane_distance_pkts(lane_sent(v->lane), p->word);
}

static void move_on(struct place *p, uint64_t n)
{
	p->word += n << COUNT_SHIFT;
	p->released_pkts += n;
}

uint64_t follow_skip(struct place *p, const struct lane_view *v)
{
	uint64_t n = follow_waiting(p, v);

	move_on(p, n);
	return n;
}

void follow_return(struct place *p, uint32_t n)
{
	p->word -= (uint64_t)n << COUNT_SHIFT;
	p->released_pkts -= n;
}

uint32_t follow_ahead_pkts(const struct segment *seg, uint32_t class)
{
	/* relaxed: a limit that stands alone */
	uint32_t limit = atomic_load_explicit(&seg->views[class].lane->ingress_to_edf_pkts, memory_order_relaxed);

	return seg->header.scratch_offset && limit > BATCH ? limit : BATCH;
}

static void copy_slot(const struct follower *f, struct copy *to, const struct lane_view *v, uint32_t index)
{
	uint32_t skip = lane_skip_bytes(v, index), len;

	once_copy(&to->arrival, &v->arrivals[index], sizeof(to->arrival));
	once_copy(&to->result, &v->results[index], sizeof(to->result));
	once_copy(&to->departure, &v->departures[index], sizeof(to->departure));
	if (v->origins)
		once_copy(&to->origin, &v->origins[index], sizeof(to->origin));
	skip = skip < f->payload_bytes ? skip : f->payload_bytes;
	len = f->payload_bytes - skip;
	to->payload_bytes = to->arrival.len_bytes < len ? to->arrival.len_bytes : len;
	if (to->payload_bytes)
		once_copy(to->payload, lane_payload(v, index) + skip, to->payload_bytes);
}

/* How many packets from the next one on may lie in slots that ingress has begun to use again. */
static uint64_t lapped_pkts(const struct place *p, const struct lane_view *v, uint32_t ahead_pkts)
{
	uint64_t held;

	/*
	 * acquire: pairs with the release in lane_publish(). The copies, then how far ingress is: whoever saw a byte of
	 * a later packet sees the count that was stored before that byte.
	 */
	atomic_thread_fence(memory_order_acquire);
	held = lane_distance_pkts(lane_received(v->lane), p->word) + ahead_pkts;
	return held > v->slots ? held - v->slots : 0;
}

uint32_t follow_next(struct follower *f, struct place *p, const struct lane_view *v, uint32_t ahead_pkts,
		     uint32_t *first)
{
	uint64_t waiting = follow_waiting(p, v), lapped = waiting > v->slots ? waiting - v->slots : 0;
	uint32_t n;

	move_on(p, lapped); /* these are gone for certain */
	p->missed_pkts += lapped;
	waiting -= lapped;
	n = waiting < FOLLOW_PKTS ? (uint32_t)waiting : FOLLOW_PKTS;
	for (uint32_t i = 0; i < n; i++)
		copy_slot(f, &f->copies[i], v, lane_index(v, p->word, i));
	lapped = n ? lapped_pkts(p, v, ahead_pkts) : 0;
	*first = lapped < n ? (uint32_t)lapped : n;
	p->missed_pkts += *first;
	move_on(p, n);
	return n;
}

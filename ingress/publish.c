/* publish.c - what was read becomes packets of a lane. */
#include "publish.h"

#include "beside.h"
#include "clock.h"
#include "drops.h"
#include "mutant.h"
#include "origin.h"
#include "shm/journal.h"
#include "train.h"

/* Both the queue limit and the ring set a bound. */
uint32_t publish_most_pkts(const struct receiver *r, uint32_t class)
{
	const struct lane_view *v = &r->stage->seg.views[class];
	const struct config *c = &r->stage->config;
	uint64_t waiting = lane_distance_pkts(r->word[class], lane_processed(v->lane));
	uint64_t held = lane_distance_pkts(r->word[class], lane_sent(v->lane));
	uint64_t limit = c->classes[class].ingress_to_edf_pkts;
	/* With full = drop a batch of slots stays free to read into, so that there is a name for what is dropped. */
	uint64_t ring = v->slots - (c->full == FULL_DROP && v->slots > BATCH ? BATCH : 0);

	stage_check_counts(r->stage, class, waiting);
	stage_check_counts(r->stage, class, held);
	limit = waiting < limit ? limit - waiting : 0;
	ring = held < ring ? ring - held : 0;
	return (uint32_t)(limit < ring ? limit : ring);
}

/* The address that a reply came to says whose it is. */
static void note_reply(struct receiver *r, uint32_t class, uint32_t i, const struct sockaddr_in6 *from,
		       const struct beside *b, struct arrival *a)
{
	int k = sessions_find_back(r->back[class], b->local, b->local_port, from);

	a->source = k < 0 ? 0 : (uint16_t)k;
	if (k < 0 && a->drop == DROP_NONE)
		a->drop = DROP_NO_SESSION;
	if (k >= 0)
		sessions_note_back(r->back[class], (uint32_t)k, (r->word[class] >> COUNT_SHIFT) + i + 1, a->read_at_ns);
}

/* Whose it is; a sender for whom no session is free is told apart from all others. */
static void note_session(struct receiver *r, const struct ingress *in, int flow, uint32_t i,
			 const struct sockaddr_in6 *sender, const struct beside *b, struct arrival *a)
{
	uint32_t class = in->class_of[flow];
	uint64_t count = (r->word[class] >> COUNT_SHIFT) + i + 1;
	const struct sender_address from = { sender, b->local, in->listen_of[flow], b->is_v4_local, b->local_scope };
	int k;

	if (receive_is_one_socket(r, class)) {
		note_reply(r, class, i, sender, b, a);
		return;
	}
	if (r->back[class]) {
		a->source = (uint16_t)r->session;
		sessions_note_back(r->back[class], r->session, count, a->read_at_ns);
		return;
	}
	a->source = 0;
	if (a->drop != DROP_NONE)
		return;
	/* A sender without a port cannot be answered. It is at the same place in both families. */
	k = from.from->sin6_port ? sessions_find(r->forth[class], &from, count, a->read_at_ns) : -1;
	if (k < 0) {
		a->drop = DROP_NO_SESSION;
		return;
	}
	a->source = (uint16_t)k;
	sessions_note_forth(r->forth[class], (uint32_t)k, count, a->read_at_ns);
}

/* For its destination, where there are several; or for edf, which takes from the source that has most waiting. */
static uint16_t source_of(const struct receiver *r, uint32_t class, const struct sockaddr_in6 *from)
{
	const struct class_config *c = &r->stage->config.classes[class];

	if (c->n_dests > 1)
		return origin_hash(from);
	return c->fair || r->stage->config.evict == EVICT_SOURCE ? quota_hash(c->source_bits, from) : 0;
}

/* A datagram is forwarded whole, or not at all. */
static uint8_t judge_length(const struct receiver *r, const struct batch *b, const struct piece *p)
{
	int is_cut = b->journal->msgs[p->message].msg_hdr.msg_flags & MSG_TRUNC;

	return is_cut || p->len_bytes > r->stage->config.payload_bytes ? DROP_OVERSIZE : DROP_NONE;
}

/* The packet i places ahead. Returns what is noted of it. */
static struct arrival note_arrival(struct receiver *r, const struct ingress *in, const struct batch *b, uint32_t i,
				   const struct piece *p, const struct beside *beside)
{
	uint32_t class = b->class;
	const struct lane_view *v = &r->stage->seg.views[class];
	/* made apart: what lies in the slot may be changed by others */
	struct arrival a = { .arrived_at_ns = clocks_monotonic(beside->stamp_ns, &b->clocks),
			     .read_at_ns = b->clocks.read_at_ns,
			     .len_bytes = p->len_bytes,
			     .tos = beside->tos };
	struct sockaddr_in6 from;
	struct origin_ends ends;

	once_copy(&from, &b->journal->names[p->message], sizeof(from));
	a.drop = judge_length(r, b, p);
	if (v->origins)
		ends = origin_find(r, in, b->flow, i, &from, beside, &a);
	if (r->quota[class].sources && a.drop == DROP_NONE &&
	    !quota_passes(&r->quota[class], v->origins ? &ends.from : &from, r->word[class], a.arrived_at_ns,
			  a.read_at_ns))
		a.drop = DROP_LIMITED;
	if (!r->forth[class] && !r->back[class])
		a.source = source_of(r, class, v->origins ? &ends.from : &from);
	else
		note_session(r, in, b->flow, i, &from, beside, &a);
	if (v->origins)
		origin_write(r, class, i, a.source, &ends);
	v->arrivals[lane_index(v, r->word[class], i)] = a;
	r->tally[class].oversize_pkts += a.drop == DROP_OVERSIZE;
	r->tally[class].bad_proxy_pkts += a.drop == DROP_BAD_PROXY;
	r->tally[class].limited_pkts += a.drop == DROP_LIMITED;
	r->tally[class].no_session_pkts += a.drop == DROP_NO_SESSION;
	return a;
}

/* One more datagram of the same train: *a is what was noted of the one before, and only its length is its own. */
static void note_next(struct receiver *r, const struct batch *b, uint32_t i, const struct piece *p, struct arrival *a)
{
	a->len_bytes = p->len_bytes;
	a->drop = judge_length(r, b, p);
	r->stage->seg.views[b->class].arrivals[lane_index(&r->stage->seg.views[b->class], r->word[b->class], i)] = *a;
	r->tally[b->class].oversize_pkts += a->drop == DROP_OVERSIZE;
}

/*
 * Does all of a train have the same place to go? Where there are sessions, headers, or limits, each datagram is looked
 * at.
 */
static int trains_are_plain(const struct receiver *r, uint32_t class)
{
	return !r->stage->seg.views[class].origins && !r->forth[class] && !r->back[class] && !r->quota[class].sources;
}

/* Of builds that break rules (mutant.h): where the newest packets lie is stored when they are published already. */
static void hint_late(struct receiver *r, uint32_t class, uint64_t word, uint32_t n)
{
	const struct lane_view *v = &r->stage->seg.views[class];

	for (uint32_t i = 0; i < n; i++) {
		const struct arrival *a = &v->arrivals[lane_index(v, word, i)];

		if (r->back[class])
			r->back[class]->all[a->source].last_back = (word >> COUNT_SHIFT) + i + 1;
		else if (r->forth[class] && a->drop == DROP_NONE)
			r->forth[class]->all[a->source].last_forth = (word >> COUNT_SHIFT) + i + 1;
	}
}

/* How much of what is left of a batch is published now. */
static uint32_t fitting_pkts(const struct receiver *r, const struct batch *b)
{
	uint32_t left_pkts = b->n_pkts - b->done_pkts, room_pkts;

	/* With full = wait no more was read than fits; that a reload lowered the limit since must not drop it. */
	if (!b->is_whole && !batch_has_trains(b))
		return left_pkts;
	/* One look: between two the stages behind may make room, and the second would offer slots nobody filled. */
	room_pkts = publish_most_pkts(r, b->class);
	return room_pkts < left_pkts ? room_pkts : left_pkts;
}

/* The next datagram of the batch, and what the kernel says beside it, which is the same for all of a train. */
static struct piece take(struct receiver *r, const struct ingress *in, struct batch *b, struct beside *beside)
{
	uint32_t message = b->message;
	struct piece p = batch_next(b);

	if (!p.is_first && beside->stamp_ns)
		return p;
	*beside = (struct beside){ .socket_drops = drops_seen(r, in, b->flow) };
	beside_read(b->journal, message, beside);
	drops_note(r, in, b->flow, (uint32_t)beside->socket_drops);
	return p;
}

/* Put the next n packets of a batch into their slots; returns their bytes. */
static uint32_t fill_slots(struct receiver *r, const struct ingress *in, struct batch *b, uint32_t n,
			   struct beside *beside)
{
	const struct lane_view *v = &r->stage->seg.views[b->class];
	struct ingress_tally *tally = &r->tally[b->class];
	struct arrival noted = { 0 };
	uint64_t was_ns = 0;
	uint32_t bytes = 0, twins = 0;
	int plain = trains_are_plain(r, b->class);

	for (uint32_t i = 0; i < n; i++) {
		struct piece p = take(r, in, b, beside);

		batch_place(b, &p, v, lane_index(v, r->word[b->class], i), r->stage->config.payload_bytes);
		if (i && plain && !p.is_first)
			note_next(r, b, i, &p, &noted);
		else
			noted = note_arrival(r, in, b, i, &p, beside);
		bytes += p.len_bytes;
		tally->train_pkts += (uint64_t)p.is_train;
		twins += p.is_first && was_ns && beside->stamp_ns == was_ns;
		was_ns = beside->stamp_ns;
	}
	train_vote(r, b->flow, n, twins);
	return bytes;
}

/* With full = drop: what is left of a batch does not fit. */
static uint32_t drop_rest(struct receiver *r, const struct ingress *in, struct batch *b, uint32_t done_pkts,
			  struct beside *beside)
{
	struct ingress_tally *tally = &r->tally[b->class];
	uint32_t bytes = 0, n = b->n_pkts - done_pkts;

	for (uint32_t i = 0; i < n; i++) {
		struct piece p = take(r, in, b, beside);

		bytes += p.len_bytes;
		tally->train_pkts += (uint64_t)p.is_train;
	}
	tally->ingress_full_pkts += n;
	return bytes;
}

static void stamp_published(struct receiver *r, uint32_t class, uint32_t n)
{
	const struct lane_view *v = &r->stage->seg.views[class];
	uint64_t published_at_ns = now_ns();

	for (uint32_t i = 0; i < n; i++)
		v->arrivals[lane_index(v, r->word[class], i)].published_at_ns = published_at_ns;
	if (n)
		probe_commit(&r->stage->probes, class, r->word[class], n, published_at_ns);
}

uint32_t publish_batch(struct receiver *r, const struct ingress *in, struct batch *b, uint32_t *bytes)
{
	uint32_t class = b->class, fits = fitting_pkts(r, b), n = b->is_whole ? b->n_pkts : fits;
	struct beside beside = { 0 };
	uint64_t word = r->word[class];

	*bytes = 0;
	r->journal = b->journal;
	r->session = b->session;
	if (n == 0)
		return 0;
	if (b->done_pkts == 0)
		batch_stage(b, &r->stage->seg.views[class], word, r->stage->config.payload_bytes);
	*bytes = fill_slots(r, in, b, fits, &beside);
	if (b->is_whole)
		*bytes += drop_rest(r, in, b, fits, &beside);
	stamp_published(r, class, fits);
	r->tally[class].read_pkts += n;
	r->tally[class].read_bytes += *bytes;
	receive_publish(r, class, fits);
	if (mutant_is("hint-after-commit"))
		hint_late(r, class, word, fits);
	if (mutant_is("limit-after-commit"))
		quota_store_late();
	b->done_pkts += n;
	if (!batch_waits(b))
		journal_close(&b->journal->word);
	if (r->touched_pkts[class] < r->stage->seg.views[class].slots)
		r->touched_pkts[class] += fits;
	return n;
}

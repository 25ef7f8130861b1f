/* train.c - which sockets take trains of datagrams in one piece. */
#include "train.h"

#include <netinet/udp.h>
#include <stdlib.h>

#include "config/port.h"
#include "log.h"
#include "shm/segment.h"

#define MOST_TRAIN_PKTS 128 /* that a sender can make: UDP_MAX_SEGMENTS of the kernel */
/*
 * A vector for each slot costs the kernel some 20 ns, and a copy from scratch to slot less than that while it is short:
 * tests/bench/README.md has the figures.
 */
#define LEAST_SCATTERED_BYTES 1024
#define EVEN 2 /* batches before the next one is believed to be like them: a wrong guess copies all of it twice */
#define LEAST_VOTE_PKTS 8
#define VOTES 4 /* batches in a row before a socket begins: some 250 datagrams */
#define DRY 16 /* batches in a row before trains are no longer expected */

static int takes_trains(int fd)
{
	int on = 0;
	socklen_t len = sizeof(on);

	return getsockopt(fd, SOL_UDP, UDP_GRO, &on, &len) == 0 && on;
}

/* Could the socket of a flow take trains at all? */
static int may_take(const struct receiver *r, const struct ingress *in, uint32_t flow)
{
	const struct config *c = &r->stage->config;
	const struct class_config *class = &c->classes[in->class_of[flow]];
	struct port port;

	if (!r->stage->seg.scratch || c->gro == GRO_OFF || flow >= in->n_inputs)
		return 0;
	if (c->gro == GRO_AUTO && (!r->stage->seg.scratch_locked || class->ingress_to_edf_pkts < MOST_TRAIN_PKTS))
		return 0;
	port_of(c, &class->listen[in->listen_of[flow]], &port);
	return port.n == 1 && !class->fair;
}

/* Refused: then it takes none, as before. */
static void begin(struct receiver *r, int flow)
{
	int on = 1;

	r->trains[flow].may = 0;
	r->trains[flow].is_on = setsockopt(r->fd[flow], SOL_UDP, UDP_GRO, &on, sizeof(on)) == 0;
}

void train_open(struct receiver *r, const struct ingress *in)
{
	for (uint32_t flow = 0; flow < in->n_inputs; flow++) {
		struct train_state *t = &r->trains[flow];

		t->class = in->class_of[flow];
		t->most_pkts = 1;
		t->dry = DRY;
		t->is_on = (uint8_t)(r->stage->seg.scratch && takes_trains(r->fd[flow]));
		t->may = (uint8_t)(!t->is_on && may_take(r, in, flow));
		if (t->may && r->stage->config.gro == GRO_ON)
			begin(r, (int)flow);
	}
}

static int class_takes_trains(const struct receiver *r, uint32_t class)
{
	for (int flow = 0; flow < MAX_FLOWS; flow++)
		if (r->trains[flow].is_on && r->trains[flow].class == class)
			return 1;
	return 0;
}

/* The second batch is to be free again after its call, wherever a lane can hold a train at all. */
uint32_t train_room_pkts(const struct receiver *r, uint32_t class, uint32_t room_pkts)
{
	if (!batch_waits(&r->batches[0]) || room_pkts >= MOST_TRAIN_PKTS ||
	    r->stage->config.classes[class].ingress_to_edf_pkts < MOST_TRAIN_PKTS || !class_takes_trains(r, class))
		return room_pkts;
	return 0;
}

static uint32_t between(uint32_t n, uint32_t least, uint32_t most)
{
	n = n < most ? n : most;
	return n > least ? n : least;
}

/* Is it known where each datagram of the next trains will lie in them, and does it pay to aim at slots? */
static int may_scatter(const struct receiver *r, const struct train_state *t)
{
	return t->even >= EVEN && t->aim.bytes >= LEAST_SCATTERED_BYTES &&
	       t->aim.bytes <= r->stage->config.payload_bytes && t->aim.pieces <= MOST_SCATTERED_PKTS &&
	       (uint64_t)t->aim.pieces * t->aim.bytes <= TRAIN_BYTES;
}

enum train_shape train_shape(const struct receiver *r, int flow, const struct batch *b, uint32_t *n)
{
	const struct train_state *t = &r->trains[flow];

	if (!t->is_on)
		return SHAPE_PLAIN;
	if (b == &r->batches[1]) {
		*n = between(*n / MOST_TRAIN_PKTS, 1, ASIDE_MESSAGES);
		return SHAPE_STAGED;
	}
	if (t->dry >= DRY)
		return SHAPE_SLOTS;
	*n = between(*n / t->most_pkts, 1, MOST_STAGED);
	return may_scatter(r, t) ? SHAPE_SCATTERED : SHAPE_STAGED;
}

/* As of slots: a fault inside the kernel's copy with SIGKILL pending would lose the message. */
void train_touch(const struct receiver *r, struct batch *b, uint32_t n)
{
	for (uint32_t i = r->stage->seg.scratch_locked ? b->touched : 0; i < n; i++)
		segment_touch(b->scratch[i], TRAIN_BYTES);
	b->touched = b->touched > n ? b->touched : n;
}

/* The slot of the packet that is `ahead` behind the count may be written to. */
static uint8_t *aimed_slot(const struct receiver *r, uint32_t class, uint32_t ahead)
{
	const struct lane_view *v = &r->stage->seg.views[class];
	uint8_t *payload = lane_payload(v, lane_index(v, r->word[class], ahead));

	/* A fault inside the kernel's copy with SIGKILL pending would lose the datagram: fault here. */
	if (!r->stage->seg.locked || r->touched_pkts[class] + ahead < v->slots)
		segment_touch(payload, r->stage->config.payload_bytes);
	return payload;
}

static void aim_at_slot(struct receiver *r, struct batch *b, uint32_t i, enum train_shape shape)
{
	struct iovec *v = &b->journal->vectors[shape == SHAPE_SLOTS ? 2 * i : i];
	uint32_t payload_bytes = r->stage->config.payload_bytes;

	b->journal->msgs[i].msg_hdr.msg_iov = v;
	b->journal->msgs[i].msg_hdr.msg_iovlen = shape == SHAPE_SLOTS ? 2 : 1;
	v[0] = (struct iovec){ .iov_base = aimed_slot(r, b->class, i), .iov_len = payload_bytes };
	if (shape == SHAPE_SLOTS)
		v[1] = (struct iovec){ .iov_base = b->scratch[i] + payload_bytes,
				       .iov_len = TRAIN_BYTES - payload_bytes };
}

static void aim_at_scratch(struct batch *b, uint32_t i)
{
	b->journal->vectors[i] = (struct iovec){ .iov_base = b->scratch[i], .iov_len = TRAIN_BYTES };
	b->journal->msgs[i].msg_hdr.msg_iov = &b->journal->vectors[i];
	b->journal->msgs[i].msg_hdr.msg_iovlen = 1;
}

static void scatter(struct receiver *r, struct batch *b, uint32_t i, const struct aim *aim)
{
	struct iovec *v = r->scattered[i];
	uint32_t k;

	for (k = 0; k < aim->pieces && i * aim->pieces + k < aim->slots; k++)
		v[k] = (struct iovec){ .iov_base = aimed_slot(r, b->class, i * aim->pieces + k),
				       .iov_len = aim->bytes };
	v[k] = (struct iovec){ .iov_base = b->scratch[i] + k * aim->bytes, .iov_len = TRAIN_BYTES - k * aim->bytes };
	b->journal->msgs[i].msg_hdr.msg_iov = v;
	b->journal->msgs[i].msg_hdr.msg_iovlen = k + 1;
}

/* No more slots than are free, whatever the queue's limit: what is not published yet may lie there too. */
static uint32_t free_slots(const struct receiver *r, uint32_t class)
{
	const struct lane_view *v = &r->stage->seg.views[class];
	uint64_t held = lane_distance_pkts(r->word[class], lane_sent(v->lane));

	stage_check_counts(r->stage, class, held);
	return v->slots - (uint32_t)held;
}

void train_aim(struct receiver *r, struct batch *b, uint32_t n, enum train_shape shape)
{
	struct ingress_journal *j = b->journal;
	struct aim aim = { .pieces = 1, .bytes = r->stage->config.payload_bytes, .slots = n };

	if (shape == SHAPE_STAGED)
		aim = (struct aim){ 0 };
	if (shape == SHAPE_SCATTERED) {
		aim = r->trains[b->flow].aim;
		aim.slots = free_slots(r, b->class);
	}
	for (uint32_t i = 0; i < n; i++) {
		if (shape == SHAPE_STAGED)
			aim_at_scratch(b, i);
		else if (shape == SHAPE_SCATTERED)
			scatter(r, b, i, &aim);
		else
			aim_at_slot(r, b, i, shape);
	}
	j->aim = aim;
	atomic_store_explicit(&j->staged_from, shape == SHAPE_STAGED ? 0 : n,
			      memory_order_relaxed); /* relaxed: before the journal word */
}

/* Was every message like the first train, but for the last one, which may be shorter? Then the next may be, too. */
static void learn_aim(struct train_state *t, const struct batch *b)
{
	struct aim aim = { .pieces = batch_pieces_of(b, 0), .bytes = b->piece_bytes[0] };
	int is_even = aim.pieces > 1;

	for (uint32_t i = 1; i < b->n_msgs && is_even; i++) {
		uint32_t n = batch_pieces_of(b, i);

		is_even = n == aim.pieces || (i == b->n_msgs - 1 && n < aim.pieces);
		is_even &= n > 1 ? b->piece_bytes[i] == aim.bytes : b->len_bytes[i] <= aim.bytes;
	}
	if (!is_even)
		t->even = 0;
	else if (aim.pieces == t->aim.pieces && aim.bytes == t->aim.bytes)
		t->even = (uint8_t)between(t->even + 1u, 0, EVEN);
	else
		t->even = 0;
	t->aim = aim;
}

void train_learn(struct receiver *r, const struct batch *b)
{
	struct train_state *t = &r->trains[b->flow];
	uint32_t each_pkts = (b->n_pkts + b->n_msgs - 1) / b->n_msgs;

	if (!t->is_on)
		return;
	if (!batch_has_trains(b)) {
		t->dry = (uint8_t)between(t->dry + 1u, 0, DRY);
		return;
	}
	t->dry = 0;
	learn_aim(t, b);
	/* At once up, slowly down: a batch that has to wait costs more than a short one. */
	t->most_pkts = each_pkts > t->most_pkts ? each_pkts : t->most_pkts - (t->most_pkts - each_pkts + 7) / 8;
}

void train_vote(struct receiver *r, int flow, uint32_t n, uint32_t twins)
{
	struct train_state *t = &r->trains[flow];

	if (!t->may || n < LEAST_VOTE_PKTS)
		return;
	t->votes = 2 * twins >= n ? (uint8_t)(t->votes + 1) : 0;
	if (t->votes == VOTES)
		begin(r, flow);
}

/*
 * batch.h - what one recvmmsg call read: its messages, the datagrams in them, and how far these are published.
 *
 *   a message is one datagram, or a train: datagrams of one sender, of equal length but for the last, that lie one
 *   behind the other (UDP_GRO). How long they are the kernel tells beside the message.
 *
 * Memory:  the messages, and what the kernel says beside them, lie in a journal (layout.h); payload lies in slots, and
 *          where trains may come in the scratch of the segment. The handle is private, and follows from the journal.
 * Rules:   a message that may be a train has room for TRAIN_BYTES: in its place in the scratch as a whole (staged), or
 *          in the slots that it was aimed at (struct aim) and, past these, in the scratch: the one slot that it has if
 *          no train comes before it, or one for each datagram of the train that is expected. Where what came lies in
 *          the slots that its datagrams are published in, nothing is copied. From the first message on that does not,
 *          all are staged first: the slots that they lie in are to hold other packets.
 *          What lies in slots and finds no room in the queue waits there, behind the count.
 *          Packets are published in order, as far as the lane has room; the journal stays open until all are.
 * Order:   edge "staged": a message lies in the scratch as a whole before the word that says so, and that word is
 *          stored before a slot is written to.
 * Crash:   the base of the journal word says how many packets of the call are published, since each commit counts on
 *          from it: a successor skips these and cuts the rest again. With full = drop one commit settles the whole
 *          call, and the base says whether it came. What is staged and what is not yet is the same either way: copies
 *          go from what stays as it is to what nobody has been offered.
 */
#ifndef ONTIME_INGRESS_BATCH_H
#define ONTIME_INGRESS_BATCH_H

#include "clocks.h"
#include "shm/lane.h"

struct batch {
	struct ingress_journal *journal;
	uint8_t (*scratch)[TRAIN_BYTES]; /* one for each message that may be a train; NULL: none */
	uint32_t most_trains; /* messages that it has room for; 0: without scratch */
	uint32_t touched; /* of these places, this process has written to so many */
	uint32_t class;
	int flow;
	uint32_t session;
	uint32_t n_msgs, n_pkts, done_pkts; /* read; in them; published */
	uint32_t message, piece; /* what comes next: of which message, and which datagram of it */
	uint32_t len_bytes[BATCH]; /* of each message; as in the journal when the call had returned */
	uint32_t piece_bytes[BATCH]; /* of each message; 0: it is one datagram */
	struct aim aim; /* where its messages were aimed at; as in the journal */
	int is_whole; /* one commit settles all of the call; as in the journal */
	struct clocks clocks; /* as of the call */
	int emptied; /* the call got all there were */
};

/* A datagram of it. */
struct piece {
	uint32_t message;
	uint32_t at_bytes, len_bytes; /* in its message */
	int is_first; /* of its message */
	int is_train;
};

/* batch_waits - is something of it to be published? */
static inline int batch_waits(const struct batch *b)
{
	return b->done_pkts < b->n_pkts;
}

static inline uint32_t batch_least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* batch_pieces_of - how many datagrams are in message i. */
static inline uint32_t batch_pieces_of(const struct batch *b, uint32_t i)
{
	uint32_t len = b->len_bytes[i], bytes = b->piece_bytes[i];

	return bytes && len ? (len - 1) / bytes + 1 : 1;
}

/* batch_begin - n messages were read; is_plain: no train can be among them. */
void batch_begin(struct batch *b, uint32_t n, int is_plain);

/* batch_skip - n packets are published, by a predecessor. */
void batch_skip(struct batch *b, uint32_t n);

/* batch_has_trains - must packets be moved to their slots? */
static inline int batch_has_trains(const struct batch *b)
{
	return b->n_pkts > b->n_msgs;
}

/* batch_stage - before its first packet is placed; word: the commit word. */
void batch_stage(struct batch *b, const struct lane_view *v, uint64_t word, uint32_t payload_bytes);

/* batch_next - the next datagram, and step on. */
static inline struct piece batch_next(struct batch *b)
{
	uint32_t i = b->message, bytes = b->piece_bytes[i], len = b->len_bytes[i];
	struct piece p = { .message = i, .len_bytes = len, .is_first = b->piece == 0, .is_train = bytes != 0 };

	if (bytes) {
		p.at_bytes = b->piece * bytes;
		p.len_bytes = batch_least(len - p.at_bytes, bytes);
	}
	if (p.at_bytes + p.len_bytes < len) {
		b->piece++;
	} else {
		b->piece = 0;
		b->message++;
	}
	return p;
}

/* batch_staged_from - from this message on the payload lies in the scratch as a whole. */
static inline uint64_t batch_staged_from(const struct batch *b)
{
	/*
	 * ORDER staged: acquire; pairs with the release in batch_stage(). A successor finds whole what the word says is
	 * whole.
	 */
	return atomic_load_explicit(&b->journal->staged_from, memory_order_acquire);
}

/* batch_place - its payload lies in the slot at `index` afterwards. */
static inline void batch_place(const struct batch *b, const struct piece *p, const struct lane_view *v, uint32_t index,
			       uint32_t payload_bytes)
{
	if (p->message >= b->most_trains || p->message < batch_staged_from(b))
		return;
	memcpy(lane_payload(v, index), b->scratch[p->message] + p->at_bytes, batch_least(p->len_bytes, payload_bytes));
}

#endif

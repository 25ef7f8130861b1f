/* batch.c - what one recvmmsg call read, cut into datagrams. */
#include "batch.h"

#include "beside.h"
#include "mutant.h"

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t pieces_of(const struct batch *b, uint32_t i)
{
	uint32_t len = b->len_bytes[i], bytes = b->piece_bytes[i];

	return bytes && len ? (len - 1) / bytes + 1 : 1;
}

/* A length that no message has is of a damaged segment: it is one datagram, and oversize. */
static uint32_t piece_bytes_of(const struct batch *b, uint32_t i)
{
	struct beside beside = { 0 };

	beside_read(b->journal, i, &beside);
	return i < b->most_trains && b->len_bytes[i] <= TRAIN_BYTES ? beside.piece_bytes : 0;
}

void batch_begin(struct batch *b, uint32_t n, int is_plain)
{
	b->n_msgs = n;
	b->n_pkts = n;
	for (uint32_t i = 0; i < n; i++)
		b->len_bytes[i] = once(b->journal->msgs[i].msg_len);
	b->is_whole = once(b->journal->is_whole) != 0;
	b->done_pkts = b->message = b->piece = 0;
	memset(b->piece_bytes, 0, n * sizeof(b->piece_bytes[0]));
	for (uint32_t i = 0; i < n && !is_plain; i++) {
		b->piece_bytes[i] = piece_bytes_of(b, i);
		b->n_pkts += pieces_of(b, i) - 1;
	}
}

struct piece batch_next(struct batch *b)
{
	uint32_t i = b->message, bytes = b->piece_bytes[i], len = b->len_bytes[i];
	struct piece p = { .message = i, .len_bytes = len, .is_first = b->piece == 0, .is_train = bytes != 0 };

	if (bytes) {
		p.at_bytes = b->piece * bytes;
		p.len_bytes = least(len - p.at_bytes, bytes);
	}
	if (p.at_bytes + p.len_bytes < len) {
		b->piece++;
	} else {
		b->piece = 0;
		b->message++;
	}
	return p;
}

void batch_skip(struct batch *b, uint32_t n)
{
	for (b->done_pkts = 0; b->done_pkts < n; b->done_pkts++)
		batch_next(b);
}

static uint64_t staged_from(const struct batch *b)
{
	/*
	 * ORDER staged: acquire; pairs with the release in batch_stage(). A successor finds whole what the word says is
	 * whole.
	 */
	return atomic_load_explicit(&b->journal->staged_from, memory_order_acquire);
}

void batch_stage(struct batch *b, const struct lane_view *v, uint64_t word, uint32_t payload_bytes)
{
	uint64_t staged = staged_from(b);
	uint32_t first = 0;

	while (first < b->n_msgs && b->piece_bytes[first] == 0)
		first++;
	if (first == b->n_msgs || (first >= staged && !(mutant_is("stage-again") && staged > 0)))
		return;
	for (uint32_t i = first; i < least(b->n_msgs, b->most_trains); i++)
		memcpy(b->scratch[i], lane_payload(v, lane_index(v, word, i - b->done_pkts)),
		       least(b->len_bytes[i], payload_bytes));
	/* ORDER staged: release; pairs with the acquire in staged_from(). The copies, then the word; then the slots. */
	atomic_store_explicit(&b->journal->staged_from, first, memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
}

void batch_place(const struct batch *b, const struct piece *p, const struct lane_view *v, uint32_t index,
		 uint32_t payload_bytes)
{
	if (p->message >= b->most_trains || p->message < staged_from(b))
		return;
	memcpy(lane_payload(v, index), b->scratch[p->message] + p->at_bytes, least(p->len_bytes, payload_bytes));
}

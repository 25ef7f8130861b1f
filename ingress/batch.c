/* batch.c - what one recvmmsg call read, cut into datagrams. */
#include "batch.h"

#include "beside.h"
#include "mutant.h"

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
	once_copy(&b->aim, &b->journal->aim, sizeof(b->aim));
	b->done_pkts = b->message = b->piece = 0;
	memset(b->piece_bytes, 0, n * sizeof(b->piece_bytes[0]));
	for (uint32_t i = 0; i < n && !is_plain; i++) {
		b->piece_bytes[i] = piece_bytes_of(b, i);
		b->n_pkts += batch_pieces_of(b, i) - 1;
	}
}

void batch_skip(struct batch *b, uint32_t n)
{
	for (b->done_pkts = 0; b->done_pkts < n; b->done_pkts++)
		batch_next(b);
}

/* Of message i: how many slots were aimed at. */
static uint32_t aimed_slots(const struct batch *b, uint32_t i)
{
	uint32_t before = i * b->aim.pieces;

	return before < b->aim.slots ? batch_least(b->aim.pieces, b->aim.slots - before) : 0;
}

/*
 * Message i, which begins `at` datagrams behind the first: does each of its datagrams lie in the slot that it is for?
 */
static int lies_in_its_slots(const struct batch *b, uint32_t i, uint32_t at)
{
	uint32_t n = batch_pieces_of(b, i);

	if (at != i * b->aim.pieces || n > aimed_slots(b, i))
		return 0;
	if (n == 1) /* where each message has one slot only, what is longer is oversize */
		return b->len_bytes[i] <= b->aim.bytes || b->aim.pieces == 1;
	return b->piece_bytes[i] == b->aim.bytes;
}

/* The first message that lies elsewhere than in its slots. */
static uint32_t first_elsewhere(const struct batch *b)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < b->n_msgs; i++) {
		if (!lies_in_its_slots(b, i, at))
			return i;
		at += batch_pieces_of(b, i);
	}
	return b->n_msgs;
}

/* What of message i lies in slots comes before the rest in the scratch. Slots and rest stay as they are. */
static void gather(const struct batch *b, uint32_t i, const struct lane_view *v, uint64_t word, uint32_t payload_bytes)
{
	uint32_t left = batch_least(b->len_bytes[i], TRAIN_BYTES), each = batch_least(b->aim.bytes, payload_bytes);
	uint8_t *to = b->scratch[i];

	for (uint32_t k = 0; k < aimed_slots(b, i) && left && each; k++) {
		uint32_t bytes = batch_least(left, each);

		memcpy(to, lane_payload(v, lane_index(v, word, i * b->aim.pieces + k)), bytes);
		to += bytes;
		left -= bytes;
	}
}

void batch_stage(struct batch *b, const struct lane_view *v, uint64_t word, uint32_t payload_bytes)
{
	uint64_t staged;
	uint32_t first;

	if (!batch_has_trains(b) && b->aim.pieces == 1) /* each in its slot */
		return;
	staged = batch_staged_from(b);
	first = first_elsewhere(b);
	if (first == b->n_msgs || (first >= staged && !(mutant_is("stage-again") && staged > 0)))
		return;
	for (uint32_t i = first; i < batch_least(b->n_msgs, b->most_trains); i++)
		gather(b, i, v, word, payload_bytes);
	/* ORDER staged: release; pairs with the acquire in batch_staged_from(). The copies, then the word; then the
	   slots. */
	atomic_store_explicit(&b->journal->staged_from, first, memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
}

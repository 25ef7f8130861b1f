/*
 * lane.h - one class's ring of packets: filled by ingress, worked on by edf, emptied by egress.
 *
 * Memory:  the lane lies in the shared segment (layout.h); struct lane_view is a private handle with
 *          this process's addresses, made by segment_create() and segment_attach(), so a restarted process has a new
 *          one.
 * Rules:   three counts, one writer each; nobody waits here. The payload never moves: what travels is the
 *          right to touch it. A stage owns the slots between its own count and the one before it.
 * Order:   ingress                     edf                          egress
 *            write slot, arrival
 *            received (release) -----> received (acquire)
 *                                      write result
 *                                      processed (release) -------> processed (acquire)
 *                                                                   send
 *            sent (acquire) <--------------------------------------- sent (release)
 *            reuse slot
 *          edge "tally": the counters in a bank against an observer that reads the other one.
 * Crash:   a stage that dies before it stores its count leaves the packets with that stage.
 */
#ifndef ONTIME_LANE_H
#define ONTIME_LANE_H

#include <string.h>

#include "layout.h"
#include "once.h"

#define COUNT_SHIFT 16 /* of a commit word (layout.h): where its count begins */

struct lane_view {
	struct lane *lane;
	struct arrival *arrivals;
	struct result *results;
	struct departure *departures;
	struct session *sessions;
	struct origin *origins; /* NULL: the class needs none */
	struct guard *guard; /* NULL: the class needs none */
	struct session_ports *ports; /* NULL: a class without replies */
	struct destinations *destinations; /* NULL: a way back */
	uint32_t n_destinations;
	struct copies *copies; /* NULL: a class that does not copy */
	uint8_t *payload;
	uint32_t n_sessions;
	uint32_t n_copies;
	uint32_t slots;
	uint32_t mask; /* slots - 1 */
	uint32_t stride_bytes, second_offset;
};

/* lane_distance_pkts - packets from the earlier commit word to the later one; right past the wrap too. */
static inline uint64_t lane_distance_pkts(uint64_t later, uint64_t earlier)
{
	return ((later >> COUNT_SHIFT) - (earlier >> COUNT_SHIFT)) & (UINT64_MAX >> COUNT_SHIFT);
}

/* lane_index - the slot of the packet `ahead` places after a commit word. */
static inline uint32_t lane_index(const struct lane_view *v, uint64_t word, uint32_t ahead)
{
	return ((uint32_t)(word >> COUNT_SHIFT) + ahead) & v->mask;
}

static inline uint8_t *lane_payload(const struct lane_view *v, uint32_t index)
{
	return v->payload + (size_t)index * v->stride_bytes;
}

/* lane_skip_bytes - of the header that the packet in a slot came with; 0: without. */
static inline uint32_t lane_skip_bytes(const struct lane_view *v, uint32_t index)
{
	return v->origins ? once(v->origins[index].skip_bytes) : 0;
}

/* lane_header_bytes - of the header that the packet in a slot leaves with; 0: without. */
static inline uint32_t lane_header_bytes(const struct lane_view *v, uint32_t index)
{
	uint32_t n = v->origins ? once(v->origins[index].header_bytes) : 0;

	return n <= PROXY_MOST_BYTES ? n : 0; /* whatever the segment says */
}

/* lane_next_word - the commit word after passing on n more packets, with the other bank. */
static inline uint64_t lane_next_word(uint64_t word, uint32_t n)
{
	uint64_t count = (word >> COUNT_SHIFT) + n;

	return count << COUNT_SHIFT | ((word + 1) & ((1u << COUNT_SHIFT) - 1));
}

/* lane_write_bank - store a tally in the bank that nobody reads: the spare one of `word`. */
static inline void lane_write_bank(_Atomic uint64_t *banks, uint64_t word, const void *tally, size_t bank_words,
				   size_t n_words)
{
	_Atomic uint64_t *bank = banks + ((word & 1) ? 0 : bank_words);
	const uint64_t *from = tally;

	/* ORDER tally: release; pairs with the acquire in lane_read_bank(). The previous commit is visible before this
	   bank, which it freed, is overwritten. */
	atomic_thread_fence(memory_order_release);
	for (size_t i = 0; i < n_words; i++) /* relaxed: published by the commit word */
		atomic_store_explicit(&bank[i], from[i], memory_order_relaxed);
}

/*
 * lane_read_bank - copy the committed bank that belongs to *count; the word it belongs to is stored in *word.
 * Returns 0, or -1 when a commit came in between: try again.
 */
static inline int lane_read_bank(const _Atomic uint64_t *count, const _Atomic uint64_t *banks, void *tally,
				 size_t bank_words, uint64_t *word)
{
	const _Atomic uint64_t *bank;
	uint64_t *to = tally;

	*word = atomic_load_explicit(count, memory_order_acquire);
	bank = banks + ((*word & 1) ? bank_words : 0);
	for (size_t i = 0; i < bank_words; i++) /* relaxed: checked by reading the word again */
		to[i] = atomic_load_explicit(&bank[i], memory_order_relaxed);
	/*
	 * ORDER tally: acquire; pairs with the release in lane_write_bank(). Whoever saw a newer counter sees a newer
	 * word.
	 */
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(count, memory_order_relaxed) == *word ? 0 : -1;
}

/* lane_received - how far ingress is; called by edf and observers. */
static inline uint64_t lane_received(const struct lane *l)
{
	/* ORDER received: acquire; pairs with the release in lane_publish(). The slots up to it are readable. */
	return atomic_load_explicit(&l->received, memory_order_acquire);
}

/* lane_publish - ingress offers n more packets and commits its tally; returns the new word. */
static inline uint64_t lane_publish(struct lane *l, uint64_t word, uint32_t n, const struct ingress_tally *tally)
{
	uint64_t next = lane_next_word(word, n);

	lane_write_bank(l->ingress[0], word, tally, TALLY_WORDS(*tally), TALLY_WORDS(*tally));
	/* ORDER received: release; pairs with the acquire in lane_received(). Bytes first, then the count. */
	atomic_store_explicit(&l->received, next, memory_order_release);
	return next;
}

/* lane_processed - how far edf is; called by egress, ingress (for its queue limit) and observers. */
static inline uint64_t lane_processed(const struct lane *l)
{
	/* ORDER processed: acquire; pairs with the release in lane_pass(). The results up to it are readable. */
	return atomic_load_explicit(&l->processed, memory_order_acquire);
}

/* lane_pass - edf hands n more packets to egress and commits its tally; returns the new word. */
static inline uint64_t lane_pass(struct lane *l, uint64_t word, uint32_t n, const struct edf_tally *tally)
{
	uint64_t next = lane_next_word(word, n);

	lane_write_bank(l->edf[0], word, tally, TALLY_WORDS(*tally), TALLY_WORDS(*tally));
	/* ORDER processed: release; pairs with the acquire in lane_processed(). Result first, then the count. */
	atomic_store_explicit(&l->processed, next, memory_order_release);
	return next;
}

/* lane_sent - how far egress is; called by ingress, edf (for its queue limit) and observers. */
static inline uint64_t lane_sent(const struct lane *l)
{
	/* ORDER sent: acquire; pairs with the release in lane_release(). The slots before it are free. */
	return atomic_load_explicit(&l->sent, memory_order_acquire);
}

/* lane_release - egress frees n slots and commits its tally; returns the new word. */
static inline uint64_t lane_release(struct lane *l, uint64_t word, uint32_t n, const struct egress_tally *tally)
{
	uint64_t next = lane_next_word(word, n);

	lane_write_bank(l->egress[0], word, tally, TALLY_WORDS(*tally), TALLY_WORDS(*tally) - BATCH + tally->n_updates);
	/* ORDER sent: release; pairs with the acquire in lane_sent(). A slot's last read, then the count. */
	atomic_store_explicit(&l->sent, next, memory_order_release);
	return next;
}

#endif

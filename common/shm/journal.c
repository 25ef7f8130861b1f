/* journal.c - what a batch system call did, told to the successor of a killed stage. */
#include "journal.h"

#include "lane.h"
#include "mutant.h"

#define OWNER_SHIFT 58
#define COUNT_BITS_SHIFT 51
#define BASE_MASK ((1ULL << COUNT_BITS_SHIFT) - 1)

uint64_t journal_pack(uint32_t owner, uint32_t n, uint64_t commit_word)
{
	return (uint64_t)owner << OWNER_SHIFT | (uint64_t)n << COUNT_BITS_SHIFT | (commit_word & BASE_MASK);
}

void journal_open(_Atomic uint64_t *word, struct mmsghdr *msgs, uint32_t owner, uint32_t n, uint64_t commit_word)
{
	uint32_t sentinel = mutant_is("zero-sentinel") ? 0 : SENTINEL;

	for (uint32_t i = 0; i < n; i++)
		msgs[i].msg_len = sentinel;
	/* ORDER journal: release; pairs with the acquire of a successor in journal_read(). The sentinels, then the word
	   that vouches for them. */
	atomic_store_explicit(word, journal_pack(owner, n, commit_word), memory_order_release);
	atomic_signal_fence(memory_order_seq_cst); /* the call comes after the word */
}

void journal_close(_Atomic uint64_t *word)
{
	/*
	 * ORDER journal: release; pairs with the acquire of a successor in journal_read(). The commit, then the
	 * clearing.
	 */
	atomic_store_explicit(word, 0, memory_order_release);
}

uint64_t journal_read(const _Atomic uint64_t *word)
{
	/* ORDER journal: acquire; pairs with the release in journal_open() and in journal_close(). */
	return atomic_load_explicit(word, memory_order_acquire);
}

uint32_t journal_count_done(const struct mmsghdr *msgs, uint32_t n)
{
	uint32_t sentinel = mutant_is("zero-sentinel") ? 0 : SENTINEL, done = 0;

	while (done < n && msgs[done].msg_len != sentinel)
		done++;
	return done;
}

uint32_t journal_owner(uint64_t word)
{
	return (uint32_t)(word >> OWNER_SHIFT);
}

uint32_t journal_messages(uint64_t word)
{
	uint32_t n = (uint32_t)(word >> COUNT_BITS_SHIFT) & 0x7f;

	return n <= BATCH ? n : 0;
}

uint64_t journal_passed(uint64_t word, uint64_t commit_word)
{
	uint64_t base = (word & BASE_MASK) >> COUNT_SHIFT, count = (commit_word & BASE_MASK) >> COUNT_SHIFT;

	return mutant_is("no-base") ? 0 : (count - base) & (BASE_MASK >> COUNT_SHIFT);
}

int journal_is_open(uint64_t word, uint64_t commit_word)
{
	if (word == 0)
		return 0;
	return mutant_is("no-base") || (word & BASE_MASK) == (commit_word & BASE_MASK);
}

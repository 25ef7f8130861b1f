/* journal.c - a batch call's traces, as every kind of death leaves them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/journal.h"
#include "shm/lane.h"
#include "shm/layout.h"
#include "suites.h"

static struct mmsghdr msgs[BATCH];

static void a_word_gives_back_what_it_was_made_of(void)
{
	uint64_t base = 0x00abcdef12345678ULL;

	for (uint32_t owner = 0; owner < 64; owner += 7)
		for (uint32_t n = 1; n <= BATCH; n += 9) {
			uint64_t word = journal_pack(owner, n, base);

			CU_ASSERT_EQUAL(journal_owner(word), owner);
			CU_ASSERT_EQUAL(journal_messages(word), n);
			CU_ASSERT_EQUAL(journal_is_open(word, base), 1);
			CU_ASSERT_EQUAL(journal_is_open(word, base + 1), 0);
			CU_ASSERT_EQUAL(journal_is_open(word, base + 256), 0);
		}
}

static void a_word_that_tells_of_more_than_a_vector_has_tells_of_none(void)
{
	for (uint32_t n = BATCH + 1; n < 2 * BATCH; n++)
		CU_ASSERT_EQUAL(journal_messages(journal_pack(3, n, 512)), 0);
}

static void no_word_is_zero_so_zero_means_none(void)
{
	CU_ASSERT_NOT_EQUAL(journal_pack(0, 1, 0), 0);
	CU_ASSERT_EQUAL(journal_is_open(0, 0), 0);
}

static void the_bytes_of_a_long_count_still_tell_one_commit_from_the_next(void)
{
	uint64_t base = UINT64_MAX - 5;

	for (uint64_t i = 0; i < 10; i++, base++) /* past the wrap of all 64 bits */
		CU_ASSERT(journal_is_open(journal_pack(63, BATCH, base), base) &&
			  !journal_is_open(journal_pack(63, BATCH, base), base + 1));
}

static void a_word_tells_how_many_were_committed_since(void)
{
	uint64_t base = (UINT64_MAX - 2) << COUNT_SHIFT | 7; /* the count wraps after three */

	for (uint64_t n = 0; n < 6; n++) /* each commit moves the lower bits too */
		CU_ASSERT_EQUAL(journal_passed(journal_pack(63, BATCH, base), base + (n << COUNT_SHIFT) + n), n);
}

static void what_the_kernel_did_not_touch_is_not_done(void)
{
	_Atomic uint64_t word = 0;

	for (uint32_t n = 1; n <= BATCH; n++) {
		journal_open(&word, msgs, 3, n, 512);
		CU_ASSERT_EQUAL(journal_read(&word), journal_pack(3, n, 512));
		CU_ASSERT_EQUAL(journal_count_done(msgs, n), 0);
		for (uint32_t done = 0; done < n; done++) {
			msgs[done].msg_len = done % 3 ? 1472 : 0; /* an empty datagram is done too */
			CU_ASSERT_EQUAL(journal_count_done(msgs, n), done + 1);
		}
		journal_close(&word);
		CU_ASSERT_EQUAL(journal_read(&word), 0);
	}
}

static void a_message_beyond_the_vector_is_never_counted(void)
{
	_Atomic uint64_t word = 0;

	memset(msgs, 0, sizeof(msgs)); /* lengths of an earlier, longer call: all "done" */
	journal_open(&word, msgs, 0, 5, 0);
	for (uint32_t i = 0; i < 5; i++)
		msgs[i].msg_len = 1;
	CU_ASSERT_EQUAL(journal_count_done(msgs, 5), 5);
	CU_ASSERT_EQUAL(msgs[5].msg_len, 0); /* nor written to */
}

/* The promise the whole protocol rests on, asked of the running kernel: msg_len is stored for what was done, only. */
static void the_kernel_marks_exactly_the_datagrams_it_moved(void)
{
	int pair[2];
	char byte[BATCH] = { 0 };
	struct iovec vectors[BATCH];
	_Atomic uint64_t word = 0;

	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair), 0);
	memset(msgs, 0, sizeof(msgs));
	for (uint32_t i = 0; i < BATCH; i++) {
		vectors[i] = (struct iovec){ .iov_base = &byte[i], .iov_len = i % 2 };
		msgs[i].msg_hdr = (struct msghdr){ .msg_iov = &vectors[i], .msg_iovlen = 1 };
	}
	journal_open(&word, msgs, 0, BATCH, 0);
	int sent = sendmmsg(pair[0], msgs, BATCH, MSG_DONTWAIT); /* the queue takes fewer */

	CU_ASSERT(sent > 0);
	CU_ASSERT_EQUAL(journal_count_done(msgs, BATCH), (uint32_t)sent);
	journal_open(&word, msgs, 0, BATCH, 0);
	CU_ASSERT_EQUAL(recvmmsg(pair[1], msgs, BATCH, MSG_DONTWAIT, NULL), sent);
	CU_ASSERT_EQUAL(journal_count_done(msgs, BATCH), (uint32_t)sent);
	journal_open(&word, msgs, 0, BATCH, 0);
	CU_ASSERT_EQUAL(recvmmsg(pair[1], msgs, BATCH, MSG_DONTWAIT, NULL), -1);
	CU_ASSERT_EQUAL(journal_count_done(msgs, BATCH), 0);
	close(pair[0]);
	close(pair[1]);
}

SUITE(journal, TEST(a_word_gives_back_what_it_was_made_of),
      TEST(a_word_that_tells_of_more_than_a_vector_has_tells_of_none), TEST(no_word_is_zero_so_zero_means_none),
      TEST(the_bytes_of_a_long_count_still_tell_one_commit_from_the_next),
      TEST(a_word_tells_how_many_were_committed_since), TEST(what_the_kernel_did_not_touch_is_not_done),
      TEST(a_message_beyond_the_vector_is_never_counted), TEST(the_kernel_marks_exactly_the_datagrams_it_moved))

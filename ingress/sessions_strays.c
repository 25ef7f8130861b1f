/* sessions_strays.c - what lies in the socket of a session that is nobody's is dropped, and counted once. */
#include <errno.h>

#include "sessions.h"
#include "shm/journal.h"
#include "shm/lane.h"

#define MOST_ERRORS 16 /* taken out of a socket in a row: one is stored, and more may come as fast */

/* The count as a commit word, for the journal: a call that was counted started from another one. */
static uint64_t word_of(const struct lane *lane)
{
	return atomic_load_explicit(&lane->stray_pkts, memory_order_relaxed) << COUNT_SHIFT; /* relaxed: its own word */
}

static void count_one(struct lane *lane)
{
	atomic_fetch_add_explicit(&lane->stray_pkts, 1, memory_order_relaxed); /* relaxed: for observers */
}

/* An error is taken before the datagrams. Nothing of a datagram is wanted but that it was there. */
void sessions_drop_strays(struct sessions *x, uint32_t k)
{
	struct stray_journal *j = &x->stage->seg.shared->stray_journal;
	struct lane *lane = x->stage->seg.views[x->forth].lane;
	uint8_t byte = 0; /* an emulator takes no message for which there is no room at all */
	struct iovec room = { .iov_base = &byte, .iov_len = sizeof(byte) };

	for (int errors = 0; errors < MOST_ERRORS;) {
		j->msg.msg_hdr = (struct msghdr){ .msg_iov = &room, .msg_iovlen = 1 };
		journal_open(&j->word, &j->msg, x->forth, 1, word_of(lane));
		if (recvmmsg(x->first_fd + (int)k, &j->msg, 1, MSG_DONTWAIT | MSG_TRUNC, NULL) == 1)
			count_one(lane);
		else if (errno == EAGAIN)
			break;
		else
			errors++;
	}
	journal_close(&j->word);
}

void sessions_count_stray(struct stage *s)
{
	struct stray_journal *j = &s->seg.shared->stray_journal;
	uint64_t word = journal_read(&j->word);
	uint32_t class = journal_owner(word);

	if (class < s->config.n_classes && journal_is_open(word, word_of(s->seg.views[class].lane)) &&
	    journal_count_done(&j->msg, 1))
		count_one(s->seg.views[class].lane);
	journal_close(&j->word);
}

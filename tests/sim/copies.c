/*
 * copies.c - of a class that copies: every packet to every destination once, in order, unchanged, and what the class
 * says of each of them.
 */
#include "ledger.h"

static void must_equal(const char *what, uint32_t class, uint32_t dest, uint64_t is, uint64_t should)
{
	if (is != should)
		sim_complain("class %u, destination %u: %s: %llu, not %llu", class, dest, what, (unsigned long long)is,
			     (unsigned long long)should);
}

struct record *copies_leave(struct ledger *l, const struct check_left *left,
			    int (*has_payload)(const struct record *r, const struct check_left *left))
{
	uint64_t n = l->copied_at[left->dest];

	for (n = n > l->sent ? n : l->sent; n < l->processed; n++) {
		struct record *r = record_at(l, n);

		if (!has_payload(r, left))
			continue;
		l->copied_at[left->dest] = n + 1;
		l->copied_pkts[left->dest]++;
		l->copied_bytes[left->dest] += left->payload->iov_len;
		if (l->left_at < n + 1)
			l->left_at = n + 1;
		return r;
	}
	sim_complain("class %u, destination %u: %zu bytes left that are not the next packet's: twice, out of order, or "
		     "changed",
		     left->class, left->dest, left->payload->iov_len);
	return NULL;
}

static uint64_t skipped_pkts(const struct copied *c)
{
	uint64_t sum = 0;

	for (int r = 0; r < N_SKIP_REASONS; r++)
		sum += c->skipped_pkts[r];
	return sum;
}

static uint64_t send_errors(const struct egress_tally *t)
{
	uint64_t sum = 0;

	for (int i = 0; i < SEND_ERRNOS; i++)
		sum += t->send_errno_pkts[i];
	return sum;
}

/* Where the next copy of a destination may be, once those before it are settled. */
static uint64_t settled_slots(const struct copies_tally *t, uint32_t dest)
{
	return dest < t->destination ? t->batch_slots : dest == t->destination ? t->done_slots : 0;
}

void copies_check(uint32_t class, struct ledger *l, uint64_t n)
{
	const struct lane_view *v = &sim.seg.views[class];
	struct copies_tally t;
	uint64_t word;

	for (uint64_t i = 0; i < n; i++) {
		const struct record *r = record_at(l, l->sent + i);

		l->left_pkts += r->has_left;
		l->marked_pkts += r->is_marked;
		l->left_bytes += r->has_left ? r->d.len_bytes : 0;
	}
	lane_read_bank(&v->lane->sent, v->copies->banks[0], &t, TALLY_WORDS(t), &word);
	l->failed_pkts = 0;
	for (uint32_t d = 0; d < v->n_copies; d++) {
		const struct copied *done = &t.to[d].released, *now = &t.to[d].batch;

		must_equal("sent", class, d, done->sent_pkts + now->sent_pkts, l->copied_pkts[d]);
		must_equal("sent bytes", class, d, done->sent_bytes + now->sent_bytes, l->copied_bytes[d]);
		must_equal("released", class, d, done->sent_pkts + done->error_pkts + skipped_pkts(done),
			   l->egress.sent_pkts + send_errors(&l->egress));
		if (l->sent + n + settled_slots(&t, d) > l->copied_at[d])
			l->copied_at[d] = l->sent + n + settled_slots(&t, d);
		l->failed_pkts += done->error_pkts;
		for (int r = 0; r < N_SKIP_REASONS; r++)
			l->skipped_pkts[r] = (d ? l->skipped_pkts[r] : 0) + done->skipped_pkts[r];
	}
}

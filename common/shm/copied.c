/* copied.c - what each destination has of a class that copies. */
#include "copied.h"

#include <assert.h>

#include "config/address.h"

static_assert(COPY_NAME_BYTES == ADDRESS_BYTES && DESTINATION_BYTES == ADDRESS_BYTES, "an address as text");

/* It goes to terminals and into files: whatever the segment says, it is printable, and ends. */
static void take_name(const char *from, char name[DESTINATION_BYTES])
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:%[]-_@+";

	once_copy(name, from, DESTINATION_BYTES);
	name[DESTINATION_BYTES - 1] = '\0';
	for (char *at = name; *at; at++)
		if (!strchr(letters, *at))
			*at = '?';
}

void copied_read(const struct lane_view *v, const struct copies_tally *t, struct account *a)
{
	const uint64_t released_pkts = a->sent_pkts + a->dropped_pkts[DROP_SEND_ERROR];

	a->n_copies = v->n_copies;
	for (uint32_t i = 0; i < v->n_copies; i++) {
		const struct copied *had = &t->to[i].released;
		struct account_copy *c = &a->copies[i];

		take_name(v->copies->to[i], c->to);
		c->sent_pkts = had->sent_pkts;
		c->sent_bytes = had->sent_bytes;
		c->error_pkts = had->error_pkts;
		c->last_errno = had->last_errno;
		memcpy(c->skipped_pkts, had->skipped_pkts, sizeof(c->skipped_pkts));
		c->unbalanced_pkts = (int64_t)(released_pkts - c->sent_pkts - c->error_pkts - copied_skipped_pkts(c));
		if (a->unbalanced_pkts == 0)
			a->unbalanced_pkts = c->unbalanced_pkts;
	}
}

void copied_add(struct account *sum, const struct account *a)
{
	sum->n_copies = a->n_copies;
	for (uint32_t i = 0; i < a->n_copies; i++) {
		const struct account_copy *c = &a->copies[i];
		struct account_copy *to = &sum->copies[i];

		memcpy(to->to, c->to, sizeof(to->to));
		to->sent_pkts += c->sent_pkts;
		to->sent_bytes += c->sent_bytes;
		to->error_pkts += c->error_pkts;
		if (c->last_errno)
			to->last_errno = c->last_errno;
		for (int r = 0; r < N_SKIP_REASONS; r++)
			to->skipped_pkts[r] += c->skipped_pkts[r];
		to->unbalanced_pkts += c->unbalanced_pkts;
	}
}

uint64_t copied_skipped_pkts(const struct account_copy *c)
{
	uint64_t sum = 0;

	for (int r = 0; r < N_SKIP_REASONS; r++)
		sum += c->skipped_pkts[r];
	return sum;
}

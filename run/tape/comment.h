/*
 * comment.h - pure: what became of a packet, and where its time went, by what its slot says once it was released; and
 * the same as the text beside it.
 *
 * Rules:   by the rules that egress counts by (count_sent() in egress/settle.c): the same packets are late, and the
 *          same span is to blame. A span is left out where the packet did not come that far.
 */
#ifndef ONTIME_TAPE_COMMENT_H
#define ONTIME_TAPE_COMMENT_H

#include "shm/layout.h"

#define COMMENT_BYTES 512

struct fate {
	const char *name; /* sent, sent_late, or the reason it was dropped for */
	int is_late, is_dropped; /* sent late; dropped */
	uint32_t n_spans; /* that it came through: these, from the first one on */
	uint64_t span_ns[N_SPANS];
	enum span most; /* the one that took most */
	uint64_t total_ns;
	uint64_t budget_ns;
	uint32_t send_errno; /* with DROP_SEND_ERROR */
};

void fate_read(struct fate *f, const struct arrival *a, const struct result *r, const struct departure *d,
	       uint64_t budget_ns);

/* What else its comment says. */
struct comment {
	const char *class;
	uint64_t number; /* which packet of its lane it is */
	uint32_t shard, n_shards;
	const char *note; /* of its addresses; "": nothing */
	uint32_t sent_bytes; /* where that is another number than came; else 0 */
};

/* comment_write - returns text. */
const char *comment_write(char text[COMMENT_BYTES], const struct comment *c, const struct fate *f);

#endif

/*
 * copied.h - of a class that copies: what each destination has of what the class has released, and the identity of
 * that.
 *
 * Rules:   sent + send_error of the class = sent + error + skipped (by reason), for each destination, at any instant
 *          an observer looks: all of it commits in one store (layout.h). What is under copying is in none of these yet.
 */
#ifndef ONTIME_COPIED_H
#define ONTIME_COPIED_H

#include "lane.h"
#include "account.h"

/*
 * copied_read - from what was read of the class's bank, into an account whose packets are counted. A destination that
 * is off makes the class unbalanced, unless that is off by itself.
 */
void copied_read(const struct lane_view *v, const struct copies_tally *t, struct account *a);

/* copied_add - what another shard has sent to the same destinations. */
void copied_add(struct account *sum, const struct account *a);

/* copied_skipped_pkts - for all reasons together. */
uint64_t copied_skipped_pkts(const struct account_copy *c);

#endif

/*
 * account.h - one class's counts, read at one instant, and the identity they satisfy.
 *
 * Rules:   received = sent + dropped (by reason) + held, per class, at any instant an observer looks;
 *          `received` includes what the kernel dropped at our sockets. One writer per counter: the stage that
 *          counter.c names. Counters never go back and outlive their stage. What each field is called, and where it
 *          comes from, is in counter.c.
 * Crash:   a counter commits in the same 64-bit store as the packets it counts (layout.h, "commit word").
 */
#ifndef ONTIME_ACCOUNT_H
#define ONTIME_ACCOUNT_H

#include <stdint.h>

#include "config/ids.h"
#include "fate.h"
#include "histogram.h"

struct segment;

#define DESTINATION_BYTES 64 /* as text */

/* Of a class that copies: what one destination has of what the class has released; copied.h. */
struct account_copy {
	char to[DESTINATION_BYTES]; /* "10.0.0.5:7777" */
	uint64_t sent_pkts, sent_bytes;
	uint64_t error_pkts, last_errno; /* refused by the kernel, the last one with this; 0: none was */
	uint64_t skipped_pkts[N_SKIP_REASONS];
	int64_t unbalanced_pkts; /* sent + send_error of the class, less all of these: 0 unless something is broken */
};

/* One class, read at one instant. */
struct account {
	uint64_t received_pkts; /* reached our sockets */
	uint64_t sent_pkts, sent_bytes, sent_late_pkts;
	uint64_t marked_pkts; /* of those sent: marked CE, congestion experienced, here */
	uint64_t dropped_pkts[N_DROP_REASONS];
	uint64_t held_pkts; /* in the lane */
	uint64_t waiting_edf_pkts, waiting_egress_pkts;
	/* received - sent - dropped - held: 0 unless something is broken; if that is 0, the first of its copies' */
	int64_t unbalanced_pkts;
	uint64_t send_errno[SEND_ERRNOS], send_errno_pkts[SEND_ERRNOS];
	uint64_t refused_events; /* ICMP errors that told of earlier datagrams */
	/* came back though no reply is asked for, for a session that had ended, or not from a destination (via) */
	uint64_t unexpected_reply_pkts;
	uint64_t sessions_open, sessions; /* of a class with replies: senders that have one, and how many may */
	uint64_t send_waits; /* times the kernel had no room to send */
	uint64_t late_span_pkts[N_SPANS]; /* packets sent late, by the span that ate most */
	uint64_t span_sum_ns[N_SPANS]; /* of all packets sent: where their time went */
	uint64_t latency_sum_ns, latency_max_ns;
	uint64_t after_ns; /* what packets need after edf now, as egress measures it; 0: not known */
	uint64_t work_ns;
	uint64_t train_pkts; /* of those received: came in trains (UDP_GRO) */
	uint64_t latency[HISTOGRAM_BUCKETS]; /* arrived -> sent */
	/* What the class is held to now. */
	uint64_t budget_ns; /* BUDGET_NONE: no deadline */
	uint64_t to_edf_limit_pkts, to_egress_limit_pkts, slots;
	uint32_t n_copies; /* destinations that each packet goes to; 0: it goes to one of them */
	struct account_copy copies[MAX_COPIES];
};

/* account_read - the account of one class, consistent, while the stages run. 0, or -EAGAIN if they never held still. */
int account_read(const struct segment *seg, uint32_t class, struct account *a);

/*
 * account_add - what another shard has of the class: counts and latencies add up, and so do limits, each of which is a
 * shard's own; the budget is the same for all.
 */
void account_add(struct account *sum, const struct account *a);

/* account_dropped_pkts - all reasons together. */
uint64_t account_dropped_pkts(const struct account *a);

#endif

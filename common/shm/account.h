/*
 * account.h - where a packet can be dropped, what counts it, and the identity all counts satisfy.
 *
 * Rules:   received = sent + dropped (by reason) + held, per class, at any instant an observer looks;
 *          `received` includes what the kernel dropped at our sockets. One writer per counter:
 *          the stage named below. Counters never go back and outlive their stage.
 * Crash:   a counter commits in the same 64-bit store as the packets it counts (layout.h, "commit word").
 */
#ifndef ONTIME_ACCOUNT_H
#define ONTIME_ACCOUNT_H

#include "config/ids.h"
#include "histogram.h"

enum drop_reason {
	DROP_NONE,
	DROP_KERNEL, /* ingress: the socket's receive buffer was full (SO_RXQ_OVFL) */
	DROP_OVERSIZE, /* ingress: longer than payload_bytes; never forwarded cut */
	DROP_INGRESS_FULL, /* ingress: full = drop and ingress_to_edf packets are waiting */
	DROP_EVICTED, /* edf: a policy gave up a queued packet for others */
	DROP_LATE, /* edf: could not finish before its deadline */
	DROP_POISON, /* edf: the plugin crashed on it, or refused it */
	DROP_EGRESS_FULL, /* edf: full = drop and edf_to_egress packets are waiting */
	DROP_LATE_EGRESS, /* egress: late = drop and its deadline has passed */
	DROP_SEND_ERROR, /* egress: the kernel refused to send it; counted by errno */
	N_DROP_REASONS
};

/* Where a packet's time goes, in the order of its path. */
enum span {
	SPAN_SOCKET, /* arrived in the kernel -> read by ingress */
	SPAN_INGRESS, /* read -> published to edf */
	SPAN_EDF_WAIT, /* published -> work started */
	SPAN_EDF_WORK, /* work started -> done */
	SPAN_EGRESS_WAIT, /* done -> handed to the send call */
	SPAN_EGRESS_SEND, /* in the send call */
	N_SPANS
};

#define SEND_ERRNOS 8 /* errno values told apart per class; the last one takes the rest */

struct segment;

/* One class, read at one instant. */
struct account {
	uint64_t received_pkts; /* reached our sockets */
	uint64_t sent_pkts, sent_bytes, sent_late_pkts;
	uint64_t dropped_pkts[N_DROP_REASONS];
	uint64_t held_pkts; /* in the lane */
	uint64_t waiting_edf_pkts, waiting_egress_pkts;
	int64_t unbalanced_pkts; /* received - sent - dropped - held: 0 unless something is broken */
	uint64_t send_errno[SEND_ERRNOS], send_errno_pkts[SEND_ERRNOS];
	uint64_t refused_events; /* ICMP errors that told of earlier datagrams */
	uint64_t send_waits; /* times the kernel had no room to send */
	uint64_t late_span_pkts[N_SPANS]; /* packets sent late, by the span that ate most */
	uint64_t span_sum_ns[N_SPANS]; /* of all packets sent: where their time went */
	uint64_t latency_sum_ns, latency_max_ns;
	uint64_t work_ns;
	uint64_t latency[HISTOGRAM_BUCKETS]; /* arrived -> sent */
};

/* account_read - the account of one class, consistent, while the stages run. 0, or -EAGAIN if they never held still. */
int account_read(const struct segment *seg, uint32_t class, struct account *a);

/* account_dropped_pkts - all reasons together. */
uint64_t account_dropped_pkts(const struct account *a);

const char *drop_reason_name(enum drop_reason reason);
const char *span_name(enum span span);

#endif

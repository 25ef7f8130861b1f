/* counter.c - what each counter of a class is called, what it counts, and where it lies. */
#include "counter.h"

#include <stdio.h>
#include <string.h>

#include "layout.h"

#define AT(field) .at = offsetof(struct account, field)
#define IN_INGRESS(field) .tally = TALLY_INGRESS, .from = offsetof(struct ingress_tally, field)
#define IN_EDF(field) .tally = TALLY_EDF, .from = offsetof(struct edf_tally, field)
#define IN_EGRESS(field) .tally = TALLY_EGRESS, .from = offsetof(struct egress_tally, field)
#define TO_EDF "queue=\"ingress_to_edf\""
#define TO_EGRESS "queue=\"edf_to_egress\""

static const struct counter counters[] = {
	{ "budget_ns", "ontime_budget_seconds", NULL, "Time a datagram may take; absent without a deadline.",
	  KIND_LIMIT, UNIT_NS, AT(budget_ns) },
	{ "received", "ontime_received_packets", NULL, "Datagrams that reached the sockets of the class.", KIND_COUNT,
	  UNIT_PACKETS, AT(received_pkts) },
	{ "in_trains", "ontime_train_packets", NULL,
	  "Of those received: many at once, in trains of one sender (UDP_GRO).", KIND_COUNT, UNIT_PACKETS,
	  AT(train_pkts), IN_INGRESS(train_pkts) },
	{ "sent", "ontime_sent_packets", NULL, "Datagrams sent on, in time or late.", KIND_COUNT, UNIT_PACKETS,
	  AT(sent_pkts), IN_EGRESS(sent_pkts) },
	{ "sent_bytes", "ontime_sent_bytes", NULL, "Payload sent on.", KIND_COUNT, UNIT_BYTES, AT(sent_bytes),
	  IN_EGRESS(sent_bytes) },
	{ "sent_late", "ontime_sent_late_packets", NULL, "Datagrams sent on after their deadline.", KIND_COUNT,
	  UNIT_PACKETS, AT(sent_late_pkts), IN_EGRESS(sent_late_pkts) },
	{ "marked", "ontime_marked_packets", NULL, "Datagrams sent on with CE set here, since they ran short of time.",
	  KIND_COUNT, UNIT_PACKETS, AT(marked_pkts), IN_EGRESS(marked_pkts) },
	{ "held", "ontime_held_packets", NULL, "Datagrams in the lane now.", KIND_NOW, UNIT_PACKETS, AT(held_pkts) },
	{ "waiting_edf", "ontime_queue_packets", TO_EDF, "Datagrams waiting in the lane, for edf and for egress.",
	  KIND_NOW, UNIT_PACKETS, AT(waiting_edf_pkts) },
	{ "waiting_egress", "ontime_queue_packets", TO_EGRESS, NULL, KIND_NOW, UNIT_PACKETS, AT(waiting_egress_pkts) },
	{ "ingress_to_edf", "ontime_queue_limit_packets", TO_EDF, "Datagrams that may wait there.", KIND_LIMIT,
	  UNIT_PACKETS, AT(to_edf_limit_pkts) },
	{ "edf_to_egress", "ontime_queue_limit_packets", TO_EGRESS, NULL, KIND_LIMIT, UNIT_PACKETS,
	  AT(to_egress_limit_pkts) },
	{ "slots", NULL, NULL, "Datagrams the lane has room for.", KIND_LIMIT, UNIT_PACKETS, AT(slots) },
	{ "unbalanced", "ontime_unbalanced_packets", NULL,
	  "received - sent - dropped - held: 0, or something is broken.", KIND_OFF, UNIT_PACKETS, AT(unbalanced_pkts) },
	{ "refused_events", "ontime_refused_events", NULL, "ICMP errors that told of datagrams sent before.",
	  KIND_COUNT, UNIT_NONE, AT(refused_events), IN_EGRESS(refused_events) },
	{ "unexpected_reply", "ontime_unexpected_reply_packets", NULL,
	  "Datagrams that came back unasked, for a session that had ended, or not from a destination; dropped.",
	  KIND_COUNT, UNIT_PACKETS, AT(unexpected_reply_pkts) },
	{ "sessions_open", "ontime_sessions_open", NULL, "Senders that have a session now, in a class with replies.",
	  KIND_NOW, UNIT_NONE, AT(sessions_open) },
	{ "sessions", "ontime_sessions_limit", NULL, "Senders that may have one at once; 0 without replies.",
	  KIND_LIMIT, UNIT_NONE, AT(sessions) },
	{ "send_waits", "ontime_send_waits", NULL, "Times the kernel had no room to send.", KIND_COUNT, UNIT_NONE,
	  AT(send_waits), IN_EGRESS(send_waits) },
	{ "work_ns", "ontime_work_seconds", NULL, "Time spent in the work on packets.", KIND_COUNT, UNIT_NS,
	  AT(work_ns), IN_EDF(work_ns) },
	{ "dropped", "ontime_dropped_packets", NULL, "Datagrams dropped, by who dropped them and why.", KIND_COUNT,
	  UNIT_PACKETS, .by = BY_REASON, AT(dropped_pkts) },
	{ "send_errors", "ontime_send_errors", NULL, "Datagrams the kernel refused to send, by errno.", KIND_COUNT,
	  UNIT_NONE, .by = BY_ERRNO, AT(send_errno_pkts), IN_EGRESS(send_errno_pkts) },
	{ "late_span", "ontime_late_span_packets", NULL, "Datagrams sent late, by the span that took most.", KIND_COUNT,
	  UNIT_PACKETS, .by = BY_SPAN, AT(late_span_pkts), IN_EGRESS(late_span_pkts) },
	{ "span_ns", "ontime_span_seconds", NULL, "Time the sent datagrams spent, by part of their path.", KIND_COUNT,
	  UNIT_NS, .by = BY_SPAN, AT(span_sum_ns), IN_EGRESS(span_sum_ns) },
	{ "after_ns", "ontime_after_edf_seconds", NULL,
	  "Time that datagrams need after edf now, as measured: a margin of auto.", KIND_NOW, UNIT_NS, AT(after_ns) },
	{ NULL, "ontime_latency_max_seconds", NULL, "Longest time from arrival to sending since launch.", KIND_NOW,
	  UNIT_NS, AT(latency_max_ns), IN_EGRESS(latency_max_ns) },
};

const struct counter *counter_next(const struct counter *c)
{
	c = c ? c + 1 : counters;
	return c < counters + sizeof(counters) / sizeof(counters[0]) ? c : NULL;
}

int counter_values(const struct counter *c)
{
	switch (c->by) {
	case BY_REASON:
		return N_DROP_REASONS - 1;
	case BY_ERRNO:
		return SEND_ERRNOS;
	case BY_SPAN:
		return N_SPANS;
	default:
		return 1;
	}
}

const uint64_t *counter_values_of(const struct counter *c, const struct account *a)
{
	const uint64_t *values = (const uint64_t *)(const void *)((const char *)a + c->at);

	return c->by == BY_REASON ? values + DROP_NONE + 1 : values;
}

int counter_is_absent(const struct counter *c, uint64_t value)
{
	return c->kind == KIND_LIMIT && c->unit == UNIT_NS && value == BUDGET_NONE;
}

const char *send_errno_name(const struct account *a, int i, char text[ERRNO_NAME_BYTES])
{
	const char *name = i + 1 < SEND_ERRNOS ? strerrorname_np((int)a->send_errno[i]) : "others";

	if (name)
		return name;
	snprintf(text, ERRNO_NAME_BYTES, "errno %d", (int)a->send_errno[i]);
	return text;
}

const char *counter_value_name(const struct counter *c, const struct account *a, int i, char text[ERRNO_NAME_BYTES])
{
	switch (c->by) {
	case BY_REASON:
		return drop_reason_name((enum drop_reason)(DROP_NONE + 1 + i));
	case BY_ERRNO:
		return send_errno_name(a, i, text);
	case BY_SPAN:
		return span_name((enum span)i);
	default:
		return "";
	}
}

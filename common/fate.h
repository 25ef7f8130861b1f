/*
 * fate.h - what can become of a packet: the reasons to drop it, and the spans its time goes to.
 *
 * Rules:   knows nothing of the program, so that the segment (shm/layout.h), the stages and the observers can build on
 *          it. A new drop reason is one line in one of the lists below, and the line in its stage that drops for it.
 *          From the lists are made: the enum, the counters in the segment, the account and its identity, JSON, metrics,
 *          table and page. Each list has the reasons that one stage counts, in the order in which a packet can meet
 *          them.
 *
 *          REASON(NAME, name, by, travels, help)
 *            by       who drops the packet: the kernel, or a stage
 *            travels  1: the packet stays in the lane, marked, until egress passes it
 *                     0: it never came into the lane, or egress, which is its end, drops it
 */
#ifndef ONTIME_FATE_H
#define ONTIME_FATE_H

/* clang-format off */
#define INGRESS_DROPS(REASON) \
	REASON(KERNEL, kernel, BY_KERNEL, 0, "the socket's receive buffer was full (SO_RXQ_OVFL)") \
	REASON(DENIED, denied, BY_KERNEL, 0, "its sender is one of `deny`, or none of `allow`") \
	REASON(OVERSIZE, oversize, BY_INGRESS, 1, "longer than payload_bytes; a packet is never forwarded cut") \
	REASON(BAD_PROXY, bad_proxy, BY_INGRESS, 1, \
	       "its sender is one of accept_proxy, and no PROXY v2 header that makes sense is in front of it") \
	REASON(LIMITED, limited, BY_INGRESS, 1, "its source has sent more than source_rate and source_burst allow") \
	REASON(NO_SESSION, no_session, BY_INGRESS, 1, \
	       "replies are asked for, and no session was free for its sender (sessions, sessions_per_source)") \
	REASON(INGRESS_FULL, ingress_full, BY_INGRESS, 0, "full = drop, and the queue to edf was full")

#define EDF_DROPS(REASON) \
	REASON(EVICTED, evicted, BY_EDF, 1, \
	       "the queue of its class was too long in time, and serving it later would have cost others (guarded)") \
	REASON(LATE, late, BY_EDF, 1, \
	       "it could not finish before its deadline (edf-drop, late = drop), or would have cost others (guarded)") \
	REASON(POISON, poison, BY_EDF, 1, "the plugin crashed on it, or ended the stage, three times, or refused it") \
	REASON(EGRESS_FULL, egress_full, BY_EDF, 1, "full = drop, and the queue to egress was full")

#define EGRESS_DROPS(REASON) \
	REASON(LATE_EGRESS, late_egress, BY_EGRESS, 0, "late = drop, and its deadline passed after edf") \
	REASON(NO_DESTINATION, no_destination, BY_EGRESS, 0, \
	       "no destination of its class was up until its deadline, or full = drop")

/* Counted by errno instead of in one counter. */
#define ERRNO_DROPS(REASON) \
	REASON(SEND_ERROR, send_error, BY_EGRESS, 0, "the kernel refused it; counted by errno")

/* Where a packet's time goes, in the order of its path: SPAN(NAME, name, by, title of a narrow column, help). */
#define SPANS(SPAN) \
	SPAN(SOCKET, socket, BY_KERNEL, "sock", "from its arrival in the kernel until ingress read it") \
	SPAN(INGRESS, ingress, BY_INGRESS, "ingr", "until it was published to edf") \
	SPAN(EDF_WAIT, edf_wait, BY_EDF, "wait", "until work on it began") \
	SPAN(EDF_WORK, edf_work, BY_EDF, "work", "until work on it was done") \
	SPAN(EGRESS_WAIT, egress_wait, BY_EGRESS, "outq", "until it was handed to the send call") \
	SPAN(EGRESS_SEND, egress_send, BY_EGRESS, "send", "in the send call")

/* Why a destination had no copy, though others may have: SKIP(NAME, name, help). */
#define SKIPS(SKIP) \
	SKIP(FULL, full, "the kernel had no room for it, for longer than copy_wait") \
	SKIP(RATE, rate, "more than destination_rate") \
	SKIP(DOWN, down, "it was down, by `health`")
/* clang-format on */

#define FATE_ENUM_DROP(NAME, ...) DROP_##NAME,
#define FATE_ENUM_SPAN(NAME, ...) SPAN_##NAME,
#define FATE_ENUM_SKIP(NAME, ...) SKIP_##NAME,
#define FATE_COUNT(...) +1

enum drop_reason {
	DROP_NONE,
	INGRESS_DROPS(FATE_ENUM_DROP) EDF_DROPS(FATE_ENUM_DROP) EGRESS_DROPS(FATE_ENUM_DROP) ERRNO_DROPS(FATE_ENUM_DROP)
		N_DROP_REASONS
};

enum span { SPANS(FATE_ENUM_SPAN) N_SPANS };

enum skip_reason { SKIPS(FATE_ENUM_SKIP) N_SKIP_REASONS };

enum {
	N_INGRESS_DROPS = 0 INGRESS_DROPS(FATE_COUNT),
	N_EDF_DROPS = 0 EDF_DROPS(FATE_COUNT),
	N_EGRESS_DROPS = 0 EGRESS_DROPS(FATE_COUNT)
};

/* The first reason that a stage counts: its counters are in the order of the enum. */
enum {
	FIRST_INGRESS_DROP = DROP_NONE + 1,
	FIRST_EDF_DROP = FIRST_INGRESS_DROP + N_INGRESS_DROPS,
	FIRST_EGRESS_DROP = FIRST_EDF_DROP + N_EDF_DROPS
};

#define SEND_ERRNOS 8 /* errno values told apart per class; the last one takes the rest */

enum drop_by { BY_KERNEL, BY_INGRESS, BY_EDF, BY_EGRESS, N_DROPPERS };

/* drop_reason_name, span_name, drop_by_name - as in JSON and metrics: "ingress_full", "edf_wait", "kernel". */
const char *drop_reason_name(enum drop_reason reason);
const char *span_name(enum span span);
const char *drop_by_name(enum drop_by by);

/* drop_reason_by, span_by - who drops for that reason; where that span's time goes. */
enum drop_by drop_reason_by(enum drop_reason reason);
enum drop_by span_by(enum span span);

/* drop_reason_travels - does a packet dropped for that reason stay in the lane until egress passes it? */
int drop_reason_travels(enum drop_reason reason);

/* drop_reason_help, span_help - what it means, in a line. span_title - at most four characters, for a narrow column. */
const char *drop_reason_help(enum drop_reason reason);
const char *span_help(enum span span);
const char *span_title(enum span span);

/* skip_reason_name, skip_reason_help - likewise. */
const char *skip_reason_name(enum skip_reason reason);
const char *skip_reason_help(enum skip_reason reason);

#endif

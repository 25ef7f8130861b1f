/*
 * layout.h - THE shared segment: every struct, size, writer and static assert.
 *
 *   header | stage blocks | journals | lane 0 | lane 1 | ... each lane followed by its packet arrays and sessions
 *
 * With several shards it is so many parts of one size, each laid out like that: a part is a pipeline of its own, and
 * nothing in it refers to another.
 *
 * Memory:  POSIX shared memory /ontime.<instance>.v<LAYOUT_VERSION>, created by hold, mapped by all.
 * Rules:   fixed-width types, no bool, no enum; no pointers but those inside the mmsghdr vectors, which
 *          mean something to the kernel and to the process that wrote them, never to another.
 *          Every field names its one writer. Sizes, and what must hold of them, are asserted in layout.c: when one of
 *          those fails, the layout is another one and gets a new LAYOUT_VERSION. Builds whose declarations differ
 *          refuse each other's segments under one version too: layout_hash() covers this file's declarations, the
 *          sizes that follow from them, and the names and order of drop reasons, skip reasons and spans. Comments,
 *          blanks and other files do not count.
 *
 * Commit word. Counters stored apart from the count they belong to would drift when a stage is killed
 * between the two stores. So each stage keeps its counters of a class in two banks, writes the spare
 * bank, and then ONE 64-bit store moves the count and switches the bank:
 *
 *   bits 63..16  packets ever passed on, modulo 2^48 (8 years at 1M/s)    bits 15..0  commits; bit 0: the bank
 *
 * A commit that passes no packet leaves the count unchanged; the commit number lets an observer detect that the bank it
 * was copying was rewritten.
 */
#ifndef ONTIME_LAYOUT_H
#define ONTIME_LAYOUT_H

#include <netinet/in.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "config/ids.h"
#include "fate.h"
#include "histogram.h"
#include "proxy.h"

#define LAYOUT_VERSION 7
#define LAYOUT_MAGIC 0x656d69746e6f0001ULL /* "\1\0ontime" in memory, little-endian */
#define LINE 64 /* bytes two writers must keep apart */
#define MAX_SOCKETS (2 * MAX_FLOWS + MAX_FAIR_SOCKETS + MAX_ALL_DESTS)
/*
 * SCM_TIMESTAMPNS (32), SO_RXQ_OVFL (24), UDP_GRO (24), IP_TOS or IPV6_TCLASS (24), and one of IP_PKTINFO (32),
 * IPV6_PKTINFO (40), IP_ORIGDSTADDR (32), IPV6_ORIGDSTADDR (48)
 */
#define RECEIVE_CONTROL_BYTES 152
#define SEND_CONTROL_BYTES 88 /* IP_TOS or IPV6_TCLASS (24), UDP_SEGMENT (24), IP_PKTINFO (32) or IPV6_PKTINFO (40) */
#define CRASHES_UNTIL_POISON 3
#define TRAIN_BYTES 65536 /* longest message there is: 65,535 bytes with its headers */
#define ASIDE_MESSAGES 8 /* of the second journal that may be trains */

#include "layout_copies.h" /* it is of these lines */
#include "layout_destination.h"
#include "layout_guard.h"

/* Written about a packet by ingress. One per slot; writer: ingress, before the packet is published. */
struct arrival {
	uint64_t arrived_at_ns; /* kernel receive time */
	uint64_t read_at_ns;
	uint64_t published_at_ns;
	uint32_t len_bytes; /* as received; past payload_bytes when oversize */
	uint16_t source; /* its session, in a class with replies and on the way back; else a hash of the sender's
			    address, 0 where nobody asks for it */
	uint8_t drop; /* enum drop_reason: DROP_NONE, or one that travels from ingress */
	uint8_t tos; /* its type of service or traffic class; 0 in a class that does not ask for it */
};

/*
 * Likewise, in a class whose datagrams leave or come with a header, or with their sender's address: who it is from. It
 * follows from the datagram and the journal; the payload stays where it is, so that a successor finds both as they
 * came.
 */
struct origin {
	alignas(LINE) union {
		uint8_t header[PROXY_MOST_BYTES];
		struct sockaddr_in6 sender; /* or a sockaddr_in: where a destination sees its address */
	};
	uint8_t header_bytes; /* 0: it leaves without */
	uint8_t spare;
	uint16_t skip_bytes; /* the header that it came with, before its payload; arrival.len_bytes is without */
};

/* Written about it by edf. One per slot; writer: edf, before it passes the packet on. */
struct result {
	uint64_t started_at_ns;
	uint64_t done_at_ns;
	uint32_t len_bytes; /* to send */
	uint8_t drop; /* enum drop_reason; a packet with a reason here is never sent */
	uint8_t second; /* 1: the bytes to send are in the slot's second half */
	uint16_t spare;
};

/* Written about it by egress. One per slot; writer: egress. */
struct departure {
	uint64_t handed_at_ns; /* start of the send call */
	uint8_t drop; /* enum drop_reason: LATE_EGRESS or SEND_ERROR, decided before the call */
	uint8_t marked; /* 1: it leaves with CE, and came without; decided before the call */
	uint16_t is_taken; /* 1: of a class that copies: at least one destination has it */
	union {
		uint32_t send_errno; /* with DROP_SEND_ERROR */
		/*
		 * Of a packet that was sent: until the call returned, at most 4.29 s; for observers. In a class that
		 * copies, with is_taken: until the first destination had it.
		 */
		uint32_t send_ns;
	};
};

/*
 * DROP_COUNTERS - one counter for each reason of a list in fate.h, as a field of its own (late_pkts) and as an array in
 * the order of enum drop_reason.
 */
#define DROP_COUNTER(NAME, name, ...) uint64_t name##_pkts;
#define DROP_COUNTERS(LIST, n)                                                                                         \
	union {                                                                                                        \
		struct {                                                                                               \
			LIST(DROP_COUNTER)                                                                             \
		};                                                                                                     \
		uint64_t dropped_pkts[n];                                                                              \
	}

/* Counters of ingress, per class, private copy; a bank holds the same as words. */
struct ingress_tally {
	uint64_t read_pkts,
		read_bytes; /* all that recvmmsg returned; of a train: as far as it is published or dropped */
	uint64_t train_pkts; /* of those: came in trains (UDP_GRO) */
	uint64_t refused_events; /* ICMP errors that a session's socket told of */
	DROP_COUNTERS(INGRESS_DROPS, N_INGRESS_DROPS);
	union {
		/*
		 * Per listen address, as each socket counts them (a cumulative u32): bits 31..0, its own drops; bits
		 * 63..32, those of the socket for what is denied there.
		 */
		uint64_t socket_drops_seen[MAX_LISTEN];
		/*
		 * On the way back: of the socket of the session that this commit is about. Kept for the session after
		 * the commit, and again by a successor; the same either way.
		 */
		struct {
			uint64_t session; /* its number + 1; 0: about none. With `fair`, of the bucket: drops.h */
			uint64_t session_drops_seen;
		};
	};
};

struct edf_tally {
	uint64_t worked_pkts, worked_bytes, work_ns;
	DROP_COUNTERS(EDF_DROPS, N_EDF_DROPS);
};

struct egress_tally {
	uint64_t sent_pkts, sent_bytes, sent_late_pkts;
	uint64_t marked_pkts; /* of those sent: marked CE here */
	DROP_COUNTERS(EGRESS_DROPS, N_EGRESS_DROPS);
	uint64_t passed_dropped_pkts; /* released without sending: dropped, and counted, by a stage before */
	uint64_t send_errno[SEND_ERRNOS], send_errno_pkts[SEND_ERRNOS];
	uint64_t refused_events, send_waits;
	uint64_t late_span_pkts[N_SPANS];
	uint64_t span_sum_ns[N_SPANS]; /* of all packets sent */
	uint64_t latency_sum_ns, latency_max_ns;
	/* Histogram updates of this commit: bucket << 48 | the bucket's new count. Applied after the commit and again
	   by a successor; the same either way, since the counts are absolute. */
	uint64_t n_updates;
	uint64_t updates[BATCH];
};

/*
 * A bucket of the shaper, for the successor of its writer: when it would be empty of what was sent, at the latest;
 * stored before each shaped call. And the rate that instant was counted with.
 */
struct shaped {
	_Atomic uint64_t until_ns;
	_Atomic uint64_t rate_bits_per_s;
};

/* One class's ring. Counts are commit words; always sent <= processed <= received <= sent + slots. */
struct lane {
	alignas(LINE) _Atomic uint64_t received; /* packets published to edf; writer: ingress */
	_Atomic uint64_t stray_pkts; /* came to a socket that was no session's any more; writer: ingress */
	alignas(LINE) _Atomic uint64_t processed; /* packets passed to egress; writer: edf */
	alignas(LINE) _Atomic uint64_t sent; /* packets released; writer: egress */
	alignas(LINE) _Atomic uint64_t ingress[2][TALLY_WORDS(struct ingress_tally)]; /* writer: ingress */
	alignas(LINE) _Atomic uint64_t edf[2][TALLY_WORDS(struct edf_tally)]; /* writer: edf */
	alignas(LINE) _Atomic uint64_t egress[2][TALLY_WORDS(struct egress_tally)]; /* writer: egress */
	alignas(LINE) _Atomic uint64_t latency[HISTOGRAM_BUCKETS]; /* arrived -> sent; writer: egress */
	/* The limits of the class, for observers; writer: egress, at its start and after a reload. */
	alignas(LINE) _Atomic uint64_t budget_ns; /* BUDGET_NONE: no deadline */
	_Atomic uint32_t ingress_to_edf_pkts, edf_to_egress_pkts;
	_Atomic uint64_t after_ns; /* what its packets need after edf (after.h); 0: not known; writer: egress */
	/*
	 * Datagrams that came back though nobody asked for replies: bits 63..32 of each word, per destination; bits
	 * 31..0: what the socket had counted then. One store, so that neither drifts. Writer: egress.
	 */
	alignas(LINE) _Atomic uint64_t unexpected[MAX_DESTS];
	/* Of the rate of the class, and of that of each destination; writer: egress. */
	alignas(LINE) struct shaped shaped;
	struct shaped shaped_to[MAX_DESTS];
};

enum session_state { SESSION_FREE, SESSION_OPEN, SESSION_CLOSING };

/*
 * A sender, in a class with replies, and the socket that its datagrams leave by and their replies come to. The socket
 * is the same for good, its port is another one for each sender.
 *
 *   FREE      the socket has no port and no destination; nothing of it lies in either lane
 *   OPEN      connected; its sender's datagrams carry its number, and so do the replies
 *   CLOSING   the port is given up, so that nothing can come any more; what has come is read as usual
 *
 * Writer of all but the cookie: ingress, which sees both directions. Egress reads of the sessions whose packets it
 * has; those are not freed before it has released them.
 */
struct session {
	alignas(LINE) _Atomic uint32_t state; /* enum session_state; stored last */
	uint32_t number; /* of the senders that had it, from 1 */
	struct sockaddr_in6 client; /* or a sockaddr_in */
	uint8_t local[16]; /* the address that it wrote to, where `listen` does not tell; else zeros */
	uint8_t listen, destination; /* which of the class's */
	uint8_t is_answered; /* 1: there was a reply */
	uint8_t is_v4_local; /* 1: local is 4 bytes long */
	uint32_t local_scope; /* the interface of `local`, if that is link-local; else 0 */
	_Atomic uint64_t last_ns; /* when its newest datagram was read, either way */
	uint64_t last_forth, last_back; /* count of the lane behind its newest packet: 48 bits, as in a commit word */
	uint64_t freed_at_ns; /* 0: it was never used */
	uint64_t drops_seen; /* by its socket, as of the last commit about it */
	_Atomic uint32_t forth_pkts, back_pkts; /* about: outside the account */
	uint64_t cookie; /* SO_COOKIE of the k-th socket of the class; 0: there is none; writer: hold */
	uint64_t first_forth; /* count of the lane behind its first packet */
};

/*
 * When a session gave up each local port: an answer may still be under way to it. One for all classes, behind the
 * lanes, since several may send to the same destination. By port in the order of the network's bytes;
 * CLOCK_MONOTONIC in seconds, modulo 2^16, and never 0; 0: never.
 */
struct session_ports {
	/* its session ended; writer: ingress. Before the segment was there: hold */
	_Atomic uint16_t ended_s[UINT16_MAX + 1];
	_Atomic uint16_t changed_s[UINT16_MAX + 1]; /* its session got another one on the way; writer: egress */
};

enum stage_state { STATE_ABSENT, STATE_STARTING, STATE_READY, STATE_STOPPED };

#define AWAKE 0u
#define PARKED 1u /* sleeps until there is input */
#define PARKED_FOR_SPACE 2u /* sleeps until there is input, or room downstream */

struct stage_block {
	/* The one word with two writers: its stage stores PARKED*, a ringer exchanges it for AWAKE. See bell.h. */
	alignas(LINE) _Atomic uint32_t parked;
	/* Writer of all below: the stage itself. */
	alignas(LINE) _Atomic uint32_t pid; /* 0 before the first start */
	_Atomic uint32_t generation; /* starts so far */
	_Atomic uint32_t state; /* enum stage_state */
	_Atomic uint32_t has_work; /* 1: at the last beat something was waiting for this stage */
	_Atomic uint64_t started_at_ns; /* of this life; until it is ready, of the first in a row that was not */
	_Atomic uint64_t beat_at_ns; /* progress or an idle look; a busy stage that makes none does not beat */
	_Atomic uint64_t parks, rings; /* system calls spent on sleeping and on waking others */
	_Atomic uint64_t rescued_pkts; /* packets a predecessor had received or sent without counting them */
	_Atomic uint64_t failed_calls; /* system calls that failed in a way that is expected to pass */
	_Atomic uint64_t failing_since_ns; /* since when one of them has failed each time; 0: none does */
	_Atomic uint32_t failing_errno; /* of the last failure; valid while failing_since_ns is not 0 */
	_Atomic uint32_t sched_policy; /* SCHED_FIFO or SCHED_OTHER: what the stage runs at now; place.h */
	_Atomic uint64_t
		remade_sockets; /* times a socket was bound or connected again because an address or route changed */
	_Atomic uint64_t cpu_ns; /* CPU time used by the stage's thread, as of 25 ms ago while it is busy */
	/* Of edf: its workers, those at work now, and those that have died. */
	_Atomic uint64_t workers, workers_busy, workers_died;
	_Atomic uint64_t config_serial; /* of the configuration that the stage goes by; 0: not known */
	/* Writer of these three: the supervisor, rarely, so they may share the line. */
	_Atomic uint64_t wanted_serial; /* of the configuration that is in force: raised when that becomes another */
	/* 1: the instance is being stopped; a supervisor that takes over goes on with it */
	_Atomic uint64_t control_name; /* of a control socket that could have no name in the run directory; 0: none */
	_Atomic uint32_t is_stopping;
};

/*
 * Where the messages of a call were aimed at: message i at the slots from the count in the journal word on, `pieces` of
 * them for each message before it; each takes `bytes` of it, and what is left goes to its place in the scratch, as far
 * behind its start as it lies in the message. No slot is aimed at that is `slots` or more behind that count.
 */
struct aim {
	uint32_t pieces; /* slots for each message; 0: all of it to the scratch */
	uint32_t bytes;
	uint32_t slots;
	uint32_t spare;
};

/* The results of recvmmsg, for the successor. Writers: ingress, and the kernel on its behalf. See journal.h. */
struct ingress_journal {
	alignas(LINE) _Atomic uint64_t word; /* 0: no call under way */
	uint64_t session; /* whose socket is read, on the way back; stored before the word */
	/* From this message on the payload lies in the scratch as a whole; stored before the word, and again when the
	   slots are to hold other packets. Before it, where `aim` says. */
	_Atomic uint64_t staged_from;
	uint64_t is_whole; /* 1: with full = drop; one commit settles all of the call. Stored before the word */
	struct aim aim; /* likewise */
	alignas(LINE) struct mmsghdr msgs[BATCH];
	struct iovec vectors[2 * BATCH]; /* where trains may come two for each message: its slot, then its scratch */
	alignas(LINE) uint8_t control[BATCH][RECEIVE_CONTROL_BYTES];
	struct sockaddr_in6 names[BATCH];
};

/*
 * Where a message of recvmmsg lies that may be a train of datagrams, until all of it is published: one place for each
 * message of the journal, the second journal's behind. At the segment's end, from header.scratch_offset on. Writer:
 * ingress, and the kernel on its behalf.
 */
struct scratch {
	uint8_t message[BATCH + ASIDE_MESSAGES][TRAIN_BYTES];
};

/*
 * Likewise of the call that takes a datagram out of the socket of a session that is nobody's; the word's count is
 * lane.stray_pkts.
 */
struct stray_journal {
	alignas(LINE) _Atomic uint64_t word;
	alignas(LINE) struct mmsghdr msg;
};

/* The results of sendmmsg, for the successor. Writers: egress, and the kernel on its behalf. */
struct egress_journal {
	alignas(LINE) _Atomic uint64_t word;
	struct shaped shaped; /* of the pipeline's rate */
	alignas(LINE) uint16_t released[BATCH]; /* slots released once message i is sent, from the base on */
	struct mmsghdr msgs[BATCH];
	struct iovec vectors[2 * BATCH]; /* with a header two for each packet */
	alignas(LINE) uint8_t control[BATCH][SEND_CONTROL_BYTES];
};

/* Which packet the plugin is working on, for the poison rule. Writer: edf. */
struct edf_journal {
	alignas(LINE) _Atomic uint64_t working; /* journal word of the packet under work; 0: none */
	_Atomic uint64_t crashed_on; /* journal word of the packet of the last crash */
	_Atomic uint32_t crashes; /* in a row, on that packet */
};

struct class_entry {
	char name[CLASS_NAME_BYTES];
	uint32_t slots; /* power of two */
	uint32_t stride_bytes; /* from one slot's payload to the next; no power of two */
	uint64_t lane_offset, arrivals_offset, results_offset, departures_offset, payload_offset;
	uint64_t sessions_offset, origins_offset; /* origins: 0 in a class that needs none */
	uint64_t destinations_offset; /* 0 in a class that sends nowhere of its own */
	uint64_t copies_offset; /* 0: it does not copy */
	uint64_t guard_offset; /* 0: it has none */
	uint32_t n_sessions; /* 0: a class without replies */
	uint32_t n_session_sockets; /* as many, or 1 or 2 for all of them (config/reply.h) */
	uint32_t n_copies; /* destinations that each packet goes to; 0: it goes to one of them */
	uint32_t n_destinations;
	uint32_t spare;
	uint32_t forth; /* of a way back: 1 + the number of the class whose replies it carries; else 0 */
};

/* Writer of all: hold, before `magic`; nothing changes afterwards. */
struct header {
	_Atomic uint64_t magic; /* LAYOUT_MAGIC, stored last */
	uint32_t layout; /* LAYOUT_VERSION */
	uint32_t n_classes;
	uint64_t layout_hash; /* layout_hash() of the build that made the segment */
	uint64_t size_bytes; /* of this part; a multiple of 2 MB where there are several */
	uint64_t config_digest;
	uint64_t created_at_ns;
	uint32_t payload_bytes;
	uint32_t second_offset; /* of the slot's second half from its first; 0: no second half */
	uint32_t n_sockets; /* of this shard; all have as many */
	uint16_t shard, n_shards; /* which part this is, and of how many */
	uint64_t scratch_offset; /* 0: none, as with gro = off */
	uint64_t socket_cookies[MAX_SOCKETS]; /* SO_COOKIE of each socket, in LISTEN_FDS order */
	uint64_t ports_offset; /* 0: no class has replies */
	uint64_t seed; /* of what depends on a sender's address, and nobody is to know beforehand */
	struct class_entry classes[MAX_CLASSES];
	uint64_t checksum; /* of all above but magic */
};

struct shared {
	alignas(LINE) struct header header;
	alignas(LINE) struct stage_block stages[N_STAGES];
	alignas(LINE) struct ingress_journal ingress_journal;
	/* For calls while a train in the first one waits for room in its lane. */
	alignas(LINE) struct ingress_journal ingress_journal_aside;
	alignas(LINE) struct stray_journal stray_journal;
	alignas(LINE) struct edf_journal edf_journal;
	alignas(LINE) struct egress_journal egress_journal;
};

/* layout_hash - tells builds apart whose segments differ in anything that a reader relies on. */
uint64_t layout_hash(void);

/* layout_print - the version and the hash as one word, to stdout: the scripts compare those of two builds. */
void layout_print(void);

#endif

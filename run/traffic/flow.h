/*
 * flow.h - one class's test traffic: its sockets, and what came, came twice, out of order, or changed.
 *
 * Rules:   one sequence per class; loss and duplicates are told by it. Order holds within the class where it has one
 *          way through (a listen address, a destination, a shard), else within each source socket: sequence i is of
 *          source i % n_out.
 *          A datagram too short for a header is told by its size and place (short.h).
 *          Two classes with one destination share its socket; the header says whose a datagram is. What is changed, or
 *          was lost in that socket's buffer, counts for the class that opened it.
 *          A datagram of an earlier run, which came after that run's end, is a stray: neither lost nor twice.
 *          Of a class with replies, each sink answers what comes with the same bytes. A second flow, the way back, has
 *          what comes to the sources: its time is that of the round trip, from the send time of the first.
 * Memory:  a bit per sequence number in a window of 2^20; a duplicate older than that counts as reordered.
 */
#ifndef ONTIME_LOAD_FLOW_H
#define ONTIME_LOAD_FLOW_H

#include <stdatomic.h>
#include <stdint.h>

#include "config/config.h"
#include "content.h"
#include "histogram.h"
#include "packet.h"
#include "short.h"

#define SEEN_WINDOW (1u << 20)
#define HANDED_WINDOW (1u << 16)
#define MAX_SOURCES 1024 /* sockets per class to send from */
#define STREAM_RUN_SHIFT 4 /* MAX_CLASSES fit below */

struct flow {
	char name[CLASS_NAME_BYTES];
	int out_fd[MAX_SOURCES]; /* to the class's inputs, in turn */
	int in_fd[MAX_DESTS]; /* bound to the class's destinations, but for those that a flow before it has bound */
	struct address in_at[MAX_DESTS]; /* where */
	int is_shared; /* one of these sockets receives for another class too */
	struct flow *beside; /* flows opened before this one, with sockets to share; NULL: none */
	uint32_t n_beside;
	uint32_t n_out, n_in, n_orders;
	int copies; /* 1: each datagram comes to all sinks; what comes to the first is judged, the rest thrown away */
	int answers; /* 1: its sinks answer */
	struct flow *back; /* where those answers are counted that come back; NULL: nowhere */
	struct flow *forth; /* of a way back: whose sources it has for sinks; NULL: it has sinks of its own */
	struct packet_sizes sizes;
	uint64_t budget_ns; /* BUDGET_NONE: all is in time */
	struct content *content; /* of datagrams without a header of ours; NULL: they have one */
	uint64_t drops_before; /* of its sink sockets, until this run */

	/* All from here on starts with each run: flow_reset(). */
	uint32_t stream; /* run << 4 | class; run 0: a sink has to learn it, or there is but one run */
	_Atomic uint64_t sent_pkts; /* writer: the source */
	uint64_t sent_timed_pkts; /* long enough for a header, and so for a time; writer: the source */
	uint64_t refused_events; /* ICMP errors: nobody listens there; writer: the source */
	/* writer of all below: the sink */
	_Atomic uint64_t received_pkts; /* whole and unchanged, duplicates not counted */
	_Atomic uint64_t corrupt_pkts;
	uint64_t doubled_pkts, reordered_pkts, stray_pkts;
	uint64_t misled_pkts; /* answers that came to another source than the one that had asked */
	uint64_t timed_pkts,
		on_time_pkts; /* received with a time; of these within the budget of the scheduled send time */
	uint64_t next_sequence, order_next[MAX_SOURCES];
	_Atomic uint64_t last_at_ns; /* when the newest arrived */
	_Atomic uint64_t gap_max_ns; /* longest time between two arrivals; may be set back to 0 by others */
	_Atomic uint64_t gap_end_at_ns; /* when it ended */
	uint64_t latency_max_ns;
	uint64_t latency[HISTOGRAM_BUCKETS];
	uint64_t relay_max_ns;
	uint64_t relay[HISTOGRAM_BUCKETS]; /* as latency, but from when the source handed it to the kernel */
	_Atomic uint64_t handed_at_ns[HANDED_WINDOW]; /* by sequence; writer: the source */
	struct short_window shorts;
	uint8_t seen[SEEN_WINDOW / 8];
};

#define FLOW_SENDS 1u
#define FLOW_RECEIVES 2u

/* flow_open - sockets for one class, n_sources to send from; `beside` is set. 0, or -errno after one line. */
int flow_open(struct flow *f, const struct class_config *class, const struct packet_sizes *sizes, uint32_t n_sources,
	      uint32_t what);

/* flow_open_back - the answers to `forth`, which is open, as that class. */
void flow_open_back(struct flow *f, struct flow *forth, const struct class_config *class);

/* flow_n_in, flow_in - the sockets that its datagrams come to. */
uint32_t flow_n_in(const struct flow *f);
int flow_in(const struct flow *f, uint32_t i);

/* flow_all_drops - by those sockets, ever. */
uint64_t flow_all_drops(const struct flow *f);

/* flow_shared_dest - an address of a that the datagrams of b reach too, or NULL. */
const struct address *flow_shared_dest(const struct class_config *a, const struct class_config *b);

/* flow_reset - a new run begins. Nobody else uses the flow. */
void flow_reset(struct flow *f, uint32_t stream);

/* flow_hand - the source is about to send the datagrams with the next n sequences. */
void flow_hand(struct flow *f, uint32_t n, uint64_t at_ns);

/* flow_note - a datagram came, then. */
void flow_note(struct flow *f, const uint8_t *payload, uint32_t bytes, uint64_t at_ns);

/* flow_note_at - likewise, to its socket i. */
void flow_note_at(struct flow *f, uint32_t i, const uint8_t *payload, uint32_t bytes, uint64_t at_ns);

/* flow_end - nothing more will come. knows_sent: 0 at a sink without a source, which takes the last it saw for all. */
void flow_end(struct flow *f, int knows_sent);

/* flow_lost_pkts - sent but not received; negative when more came than was sent. */
int64_t flow_lost_pkts(const struct flow *f);

/* flow_sink_dropped_pkts - of those lost: what this program was too slow to read. */
uint64_t flow_sink_dropped_pkts(const struct flow *f);

#endif

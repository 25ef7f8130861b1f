/*
 * load_sink.h - the receiving side: counts what came, came twice, late in order, or changed.
 *
 * Rules:   a datagram too short for a header has the place in the sequence where its size is expected next; anywhere else
 *          it is one too many.
 * Memory:  a bit per sequence number in a window of 2^20; a duplicate older than that counts as reordered.
 */
#ifndef ONTIME_LOAD_SINK_H
#define ONTIME_LOAD_SINK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "config.h"
#include "histogram.h"
#include "load_packet.h"

#define SEEN_WINDOW (1u << 20)

struct flow {
	char name[CLASS_NAME_BYTES];
	int out_fd; /* to the class's input */
	int in_fd[MAX_DESTS]; /* bound to the class's destinations */
	uint32_t n_in;
	struct packet_sizes sizes;
	_Atomic uint64_t sent_pkts; /* writer: the source */
	/* writer of all below: the sink */
	_Atomic uint64_t received_pkts; /* whole and unchanged, duplicates not counted */
	uint64_t doubled_pkts, reordered_pkts, corrupt_pkts;
	uint64_t next_sequence;
	uint64_t last_at_ns;
	_Atomic uint64_t gap_max_ns; /* longest time between two arrivals; may be set back to 0 by others */
	uint64_t latency_max_ns;
	uint64_t budget_ns; /* BUDGET_NONE: all is in time */
	uint64_t on_time_pkts; /* received within the budget of the scheduled send time */
	uint64_t latency[HISTOGRAM_BUCKETS];
	uint8_t seen[SEEN_WINDOW / 8];
};

struct sink {
	struct flow *flows;
	uint32_t n_flows;
	_Atomic int stop;
};

/* flow_open - sockets for one class: 0, or -errno after one line. */
int flow_open(struct flow *f, const struct class_config *class, const struct packet_sizes *sizes);

/* flow_lost_pkts - sent but not received; negative when more came than was sent. */
int64_t flow_lost_pkts(const struct flow *f);

void sink_start(struct sink *s, struct flow *flows, uint32_t n_flows, pthread_t *thread);

/* sink_finish - wait until all has come, at most patience_ns after the last arrival; then end the thread. */
void sink_finish(struct sink *s, pthread_t thread, uint64_t patience_ns);

#endif

/*
 * send.h - the sending side: each datagram at its time, as far as the machine lets it, and how far behind it was.
 *
 * Rules:   open loop: a datagram's time is fixed before anything is sent. What is due together goes in one call. A
 *          source that got no CPU for a while catches up at twice the schedule's pace. When it cannot keep up, it stops
 *          shortly after the end all the same and has sent less than was asked.
 */
#ifndef ONTIME_LOAD_SEND_H
#define ONTIME_LOAD_SEND_H

#include <signal.h>
#include <stdint.h>

#include "histogram.h"
#include "traffic/cpu.h"
#include "traffic/flow.h"
#include "options.h"
#include "traffic/trace.h"

#define SEND_BATCH 64

struct source {
	const struct load_options *options;
	const struct trace *trace;
	const volatile sig_atomic_t *stop;
	struct flow *flows;
	uint32_t n_flows;
	uint32_t flow_of[MAX_CLASSES]; /* place in the config -> flow */
	struct schedule schedules[MAX_CLASSES]; /* of each flow */
	uint64_t began_at_ns, until_ns, ended_at_ns;
	uint64_t horizon_ns, horizon_at_ns; /* while it catches up: to where, as of when; else 0 */
	uint64_t lag[HISTOGRAM_BUCKETS], lag_max_ns; /* scheduled -> handed to the kernel */
	struct cpu_use cpu; /* of the run */
	uint8_t payload[SEND_BATCH][MAX_LOAD_BYTES];
	struct mmsghdr msgs[SEND_BATCH];
	struct iovec vectors[SEND_BATCH];
	uint64_t due_at_ns[SEND_BATCH];
};

/* source_fell_behind - whether it ended its schedule late, or not at all. */
int source_fell_behind(const struct source *s);

/* source_run - send it all, from now to until_ns. 0, or -errno after one line. */
int source_run(struct source *s);

#endif

/*
 * load_sink.h - the receiving thread: reads what comes for each flow, and waits for what is still under way.
 */
#ifndef ONTIME_LOAD_SINK_H
#define ONTIME_LOAD_SINK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "load_cpu.h"
#include "load_flow.h"

struct sink {
	struct flow *flows;
	uint32_t n_flows;
	int learns_sent; /* there is no source in this process: the last sequence seen is taken for the last sent */
	struct cpu_use cpu; /* of the thread, once it has ended */
	_Atomic int stop;
};

void sink_start(struct sink *s, struct flow *flows, uint32_t n_flows, pthread_t *thread);

/* sink_finish - wait until all has come, at most patience_ns after the last arrival; then end the thread. */
void sink_finish(struct sink *s, pthread_t thread, uint64_t patience_ns);

#endif

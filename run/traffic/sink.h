/*
 * sink.h - the receiving thread: reads what comes for each flow, and waits for what is still under way.
 *
 * Rules:   what has reached a socket of ours has been delivered, however long this thread waits for a CPU: only the
 *          sink's own look, when all sockets are empty, tells that nothing more has come.
 */
#ifndef ONTIME_LOAD_SINK_H
#define ONTIME_LOAD_SINK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "cpu.h"
#include "flow.h"

struct sink {
	struct flow *flows;
	uint32_t n_flows;
	int epoll_fd;
	int learns_sent; /* there is no source in this process: the last sequence seen is taken for the last sent */
	struct cpu_use cpu; /* of the thread, once it has ended */
	_Atomic uint64_t looked_at_ns; /* all that had come by then has been read; writer: the thread */
	_Atomic int stop;
};

/* sink_start - 0, or -errno after one line. */
int sink_start(struct sink *s, struct flow *flows, uint32_t n_flows, pthread_t *thread);

/* sink_finish - wait until all has come, or nothing has for patience_ns; then end the thread. */
void sink_finish(struct sink *s, pthread_t thread, uint64_t patience_ns);

#endif

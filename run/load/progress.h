/*
 * progress.h - a bar on the terminal while a run lasts; nothing where standard error is none.
 */
#ifndef ONTIME_LOAD_PROGRESS_H
#define ONTIME_LOAD_PROGRESS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "traffic/flow.h"

struct progress {
	const struct flow *flows;
	uint32_t n_flows;
	uint64_t began_at_ns, until_ns; /* until_ns UINT64_MAX: nobody knows */
	int is_shown;
	pthread_t thread;
	_Atomic int stop;
};

void progress_start(struct progress *p, const struct flow *flows, uint32_t n_flows, uint64_t began_at_ns,
		    uint64_t until_ns);

/* progress_finish - take the bar away. */
void progress_finish(struct progress *p);

#endif

/*
 * worker.h - a process that works on packets for edf, and the box between the two: parts of workers.h.
 */
#ifndef ONTIME_EDF_WORKER_H
#define ONTIME_EDF_WORKER_H

#include "workers.h"

enum worker_state { WORKER_OPENING, WORKER_READY, WORKER_REFUSED };

/* One between edf and a worker. */
struct worker_box {
	alignas(LINE) _Atomic uint32_t parked; /* of bell.h, likewise */
	/* Writer: edf, before given. */
	alignas(LINE) _Atomic uint32_t given; /* tasks so far */
	_Atomic uint32_t is_asked_to_end;
	struct task task;
	/* Writer: the worker, before done. */
	alignas(LINE) _Atomic uint32_t done; /* tasks so far */
	_Atomic uint32_t state; /* enum worker_state */
	struct result result;
	struct edf_journal journal; /* the plugin's end is told of by it, as in a stage that works by itself */
};

/* worker_live - be that process: until it is asked to end, or edf dies. k: which one. supervisor: edf's parent. */
_Noreturn void worker_live(const struct stage *s, struct worker_box *box, uint32_t k, pid_t edf, pid_t supervisor);

#endif

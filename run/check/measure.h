/*
 * measure.h - what a running instance does, between two looks: rates, service times, and the relay's own cost.
 */
#ifndef ONTIME_CHECK_MEASURE_H
#define ONTIME_CHECK_MEASURE_H

#include "config/config.h"
#include "look/view.h"
#include "cost.h"

struct measured_class {
	uint64_t received_pkts, worked_pkts, work_ns;
};

struct measured {
	double seconds;
	struct measured_class classes[MAX_CLASSES]; /* of the config; 0 for one that the instance has not */
	struct cost_seen seen;
};

/* measure - for that long. 0, or -errno: not running, restarted or launched anew meanwhile; and `why`. */
int measure(const struct config *c, double seconds, struct measured *m, char why[WHY_BYTES]);

#endif

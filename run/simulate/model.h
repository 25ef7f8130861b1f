/*
 * model.h - a trace, replayed through a policy on a virtual clock.
 *
 * Rules:   the edf stage's own plan (edf/plan.h), service times from the trace. With several workers a free one takes
 *          the packet that the plan chooses, nothing is interrupted, and a packet goes on once all before it in its
 *          class have, as order demands. Packets wait in an
 *          unbounded socket until the class has room (ingress_to_edf). Egress takes no time, so that nothing needs a
 *          margin unless one is asked for. Arrivals during a service are seen when it ends, or after the slice, as in
 *          the stage. Which class a packet is of says the trace, and no rule (`match`) is asked.
 */
#ifndef ONTIME_SIMULATE_MODEL_H
#define ONTIME_SIMULATE_MODEL_H

#include "edf/plan.h"
#include "histogram.h"
#include "traffic/trace.h"

/* What became of one class. */
struct outcome {
	uint64_t offered, on_time, late;
	uint64_t sent_bytes; /* payload, of one copy */
	uint64_t marked; /* of those sent: with CE, as `ecn = mark` has it */
	uint64_t dropped[N_DROP_REASONS];
	uint64_t latency[HISTOGRAM_BUCKETS];
};

/* model_deadline_ns - when a packet of the trace must be done; NO_DEADLINE: whenever. */
static inline uint64_t model_deadline_ns(const struct config *c, const struct packet *p)
{
	uint64_t budget_ns = c->classes[p->class].budget_ns;

	return budget_ns == BUDGET_NONE ? NO_DEADLINE : p->arrival_ns + budget_ns;
}

/* What the config does not say. */
struct model_setting {
	uint64_t overhead_ns; /* time the stage, or a worker, needs between two packets */
	uint32_t n_workers; /* 1 to MOST_WORKERS */
};

/*
 * model_run - the whole trace; each packet's fate is noted in it. outcomes: MAX_CLASSES of them. 0 or -ENOMEM.
 */
int model_run(const struct config *c, struct trace *t, const struct model_setting *setting, struct outcome *outcomes);

#endif

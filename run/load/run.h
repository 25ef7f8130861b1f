/*
 * run.h - one run: source, sink and progress, from the first datagram to the end of the drain.
 *
 * Rules:   each run has a number of its own, so that what an earlier one left under way is told from its own.
 */
#ifndef ONTIME_LOAD_RUN_H
#define ONTIME_LOAD_RUN_H

#include "traffic/flow.h"
#include "named.h"
#include "options.h"
#include "send.h"
#include "traffic/sink.h"

struct load {
	const struct load_options *options;
	const struct config *config;
	struct flow flows[MAX_CLASSES]; /* of the classes that are driven, then of their answers */
	uint32_t n_flows;
	uint32_t class_of[MAX_CLASSES]; /* flow -> place in the config */
	struct trace trace;
	struct content contents[MAX_CLASSES]; /* of a capture, by flow */
	struct source source;
	struct sink sink;
	struct named named; /* what the relay says of the run; of load_ask() */
	double asked_pps; /* 0: as fast as possible, or by a trace */
};

/* load_open - sockets of all classes that are driven. 0, or the exit status after one line. */
int load_open(struct load *l, const struct load_options *o, const struct config *c, const volatile sig_atomic_t *stop);

/* load_run - one run at the given multiple of the rates asked for. 0, or -errno after one line. */
int load_run(struct load *l, double factor);

/* load_ask - one run, and what the relay says of what did not come. 0, or -errno after one line. */
int load_ask(struct load *l);

/* load_is_named - whether all that was sent came, once, in order and unchanged, or has a name. */
int load_is_named(const struct load *l);

/* load_is_whole - whether all that was sent came, once, in order and unchanged. */
int load_is_whole(const struct load *l);

/* load_sent_pps - how fast the source really was. */
double load_sent_pps(const struct load *l);

#endif

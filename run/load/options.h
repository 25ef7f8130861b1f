/*
 * options.h - what the user asked load for.
 *
 * Rules:   a wrong option is one line that names it, its value and what would be right; status 2.
 */
#ifndef ONTIME_LOAD_OPTIONS_H
#define ONTIME_LOAD_OPTIONS_H

#include <stdint.h>

#include "config/config.h"
#include "schedule.h"

struct class_load {
	double rate_pps; /* 0: this class is not driven */
	uint32_t smallest_bytes, largest_bytes;
};

struct load_options {
	double seconds, drain_seconds, precision_percent; /* seconds 0: until stopped */
	uint64_t burst_pkts, n_sources, seed;
	int json, saturate, gso, find_max, send_only, sink_only;
	const char *file, *instance, *trace, *pcap, *csv, *rate, *size;
	double speed; /* of a capture: so many times as fast */
	int class_by; /* how a capture says which class a datagram is of: port */
	int arrivals; /* enum arrivals */
	struct class_load classes[MAX_CLASSES]; /* in the config's order */
	double rate_pps; /* of all classes */
};

/* options_parse - -1: go on, else the exit status. */
int options_parse(struct load_options *o, int argc, char **argv);

/* options_resolve - what needs the config: which class gets what. 0, or 2 after one line. */
int options_resolve(struct load_options *o, const struct config *c);

/* options_are_traced - do a trace or a capture say what is sent when? */
static inline int options_are_traced(const struct load_options *o)
{
	return o->trace || o->pcap;
}

#endif

/*
 * trace.h - a trace of packets: what arrives when, of which class, how long; for load and simulate.
 *
 * Format:  CSV, sorted: arrival_ns,class,bytes,service_ns, and, if one likes, a fifth: tos, the byte of the IP header
 *          with DSCP and ECN. A first line with these names may stand there, and a byte order mark before it.
 * Memory:  the whole trace on the heap, until trace_free().
 * Errors:  one line that names file, line and what would be right.
 */
#ifndef ONTIME_LOAD_TRACE_H
#define ONTIME_LOAD_TRACE_H

#include <stddef.h>

#include "config/config.h"

#define EXIT_USAGE 2

struct packet {
	uint64_t arrival_ns, service_ns, done_ns;
	uint64_t payload_at; /* in the trace's payloads, if it has them */
	uint32_t bytes;
	uint8_t class;
	uint8_t drop; /* enum drop_reason */
	uint8_t tos;
};

struct trace {
	struct packet *packets;
	size_t n, room;
	int has_tos; /* a line says it */
	uint8_t *payloads; /* of a capture (capture.h); NULL: there are none */
	size_t payload_bytes; /* of all of them */
};

/* trace_read - "-": standard input. 0, or the exit status after one line. */
int trace_read(struct trace *t, const char *file, const struct config *c);
void trace_free(struct trace *t);

#endif

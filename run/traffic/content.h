/*
 * content.h - test datagrams without a header of ours: which one came, told by its bytes.
 *
 * Memory:  a table on the heap of all that will be sent to one class; it refers to the trace, which stays.
 * Rules:   equal datagrams come in the order in which they were sent, as far as anybody can tell. So a loss of one and
 *          a duplicate of an equal one cancel out, and equal ones are never out of order. Longer ones are told by their
 *          first CONTENT_MOST_BYTES.
 */
#ifndef ONTIME_TRAFFIC_CONTENT_H
#define ONTIME_TRAFFIC_CONTENT_H

#include <stdatomic.h>
#include <stdint.h>

#include "trace.h"

#define CONTENT_MOST_BYTES 2048
#define CONTENT_CHANGED (-1) /* no such datagram was to be sent */
#define CONTENT_TWICE (-2) /* each of that content has come */

struct content {
	const struct trace *trace;
	uint32_t n; /* datagrams of the class */
	uint32_t *packets; /* which of the trace's, in order */
	uint32_t *next; /* the next of the same content: 1 + its place, or 0 */
	uint64_t *keys; /* of the table's places; 0: empty */
	uint32_t *first; /* likewise: 1 + the first that has not come, or 0 */
	uint32_t mask;
	_Atomic uint64_t began_at_ns; /* what the trace's times count from; writer: the source */
};

/* content_open - of a class of a trace with payloads. 0 or -ENOMEM. */
int content_open(struct content *c, const struct trace *t, uint32_t class);
void content_close(struct content *c);

/* content_find - which one came, counted from 0, and it has come then; CONTENT_CHANGED or CONTENT_TWICE. */
int64_t content_find(struct content *c, const uint8_t *payload, uint32_t bytes);

/* content_is_due - is one of that content still to come? */
int content_is_due(const struct content *c, const uint8_t *payload, uint32_t bytes);

/* content_due_at_ns - when it was to be sent. */
uint64_t content_due_at_ns(const struct content *c, uint64_t sequence);

#endif

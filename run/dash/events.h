/*
 * events.h - /events: each look as a server-sent event, to every client that reads along.
 *
 * Memory:  a stream holds one line at most; a client too slow to read along skips to the newest.
 * Rules:   one thread. A stream with nothing to send is suspended; events_wake() after each look goes on with it. All
 *          must be woken for the last time by events_end() before the server stops.
 */
#ifndef ONTIME_DASH_EVENTS_H
#define ONTIME_DASH_EVENTS_H

#include <microhttpd.h>

#include "feed.h"

#define MAX_STREAMS 64
#define MAX_LAG_LINES 30 /* a client that is farther behind would rather know what is now */

struct stream;

/* Streams of all sites together (site.h). */
struct stream_count {
	uint32_t n, max; /* at most MAX_STREAMS */
};

struct events {
	struct feed *feed;
	struct stream *first;
	struct stream_count *count;
	uint32_t n_streams; /* its own */
	int ended;
};

/*
 * events_response - a new stream: what is kept, then what comes; last_id: what the client has already, or 0. NULL: too
 * many.
 */
struct MHD_Response *events_response(struct events *e, struct MHD_Connection *connection, uint64_t last_id);

void events_wake(struct events *e);

/* events_end - let every stream come to its end. */
void events_end(struct events *e);

#endif

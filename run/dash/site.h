/*
 * site.h - the instances that one dashboard shows: the one it was started for, and others while somebody looks at them.
 *
 * Memory:  a site is 0.6 MB and its lines (feed.h); at most MAX_SITES of them. The first is there from start to end.
 * Rules:   another instance gets a site when it is asked for by a name that runs now, and loses it SITE_IDLE_NS after
 *          the last request and the last stream; so does a shard by itself, when it is asked for. Other instances are
 *          shown only by a server on loopback: one that is opened to a network was opened for one instance.
 */
#ifndef ONTIME_DASH_SITE_H
#define ONTIME_DASH_SITE_H

#include <microhttpd.h>

#include "events.h"
#include "shm/instances.h"

#define MAX_SITES 8
#define SITE_IDLE_NS (600 * NS_PER_S)

struct site {
	struct feed feed;
	struct events events;
	struct MHD_Response *metrics[2]; /* of the last look, made when asked for: plain, OpenMetrics */
	uint64_t asked_at_ns;
};

struct sites {
	struct site *all[MAX_SITES];
	uint32_t n, max; /* max 1: no others are shown */
	int shows_shards; /* 1: there are descriptors for them */
	struct instances others; /* as of the last look */
	struct stream_count streams; /* of all of them */
};

/* sites_open - the first one. 0, or -ENOMEM. */
int sites_open(struct sites *s, const char *instance);

/*
 * sites_find - the site of this instance (NULL: the first one's), of all its shards (-1) or of one; it is made if there
 * is none. NULL: it cannot be.
 */
struct site *sites_find(struct sites *s, const char *instance, int shard);

/* sites_look - one look at each instance; -ENOMEM when there was no memory for a line. Before sites_wake(). */
int sites_look(struct sites *s);

/* sites_wake - the streams go on, answers of the look before are forgotten, sites that nobody wants are closed. */
void sites_wake(struct sites *s);

/* sites_end - let every stream come to its end. sites_close - when no connection is left. */
void sites_end(struct sites *s);
void sites_close(struct sites *s);

#endif

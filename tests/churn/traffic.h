/*
 * traffic.h - clients that come and go, a destination that answers, sometimes late, and the ledger of both.
 *
 * Memory:  one thread runs it all; who has joined that may read the ledger.
 * Rules:   a request is answered with the same bytes. It must reach the destination once, in order, and its reply the
 *          client that caused it, once, in order; a late one may find its client's session ended, and then nobody.
 *          The first request of a client goes alone: it may find no session.
 */
#ifndef ONTIME_TESTS_CHURN_TRAFFIC_H
#define ONTIME_TESTS_CHURN_TRAFFIC_H

#include <stdint.h>

#include "config/address.h"

struct traffic {
	const struct address *to; /* that clients write to */
	int server_fd;
	uint64_t random; /* for lateness */
	_Atomic int stop;
	uint32_t n_ids; /* clients so far */
	uint64_t requests, served, replies, late_replies;
	uint64_t wrong; /* broken promises ... */
	uint64_t strange; /* ... of these: replies of another client */
	uint64_t n_excused; /* clients one of whose answers may have come after the session: the machine was busy */
};

extern struct traffic traffic;

/* traffic_socket - out of the way of what is handed on. */
int traffic_socket(void);

/* traffic_run - the thread: until `stop`, and some seconds more for what is under way. */
void *traffic_run(void *unused);

/* traffic_lost - requests of clients with a session that have no reply; traffic_refused - clients that had none. */
uint64_t traffic_lost(void);
uint64_t traffic_refused(void);

#endif

/*
 * fair.h - `fair`: the buckets of a listen address, each a socket of its own, read by turns.
 *
 * Memory:  private, one for each such address; not durable. The sockets are the holder's.
 * Rules:   byte-based deficit round robin (drr.h) over the buckets that have something, with the least quantum there
 *          can be. A flow of pick.h stands for all of them: an epoll instance says which have datagrams. A source that
 *          sends more than its part fills the receive buffer of its own bucket, and nobody else's.
 */
#ifndef ONTIME_INGRESS_FAIR_H
#define ONTIME_INGRESS_FAIR_H

#include "config/ids.h"
#include "drr.h"

struct fair {
	int poll_fd, first_fd; /* the socket of bucket k is first_fd + k */
	uint32_t n;
	uint32_t bucket; /* that is read */
	uint64_t ready; /* bit per bucket: it may have datagrams */
	uint32_t unlooked_pkts; /* read since it was last asked which are */
	uint32_t refusals; /* that ICMP told the sockets of, since they were counted */
	struct drr drr;
	uint8_t asks_pkts[MOST_BUCKETS]; /* as in pick.h */
	uint64_t drained_at_ns[MOST_BUCKETS]; /* the socket was empty then */
};

/* fair_open - of n sockets; quantum_bytes: of each. NULL, and errno. */
struct fair *fair_open(int first_fd, uint32_t n, uint32_t quantum_bytes);

void fair_close(struct fair *f);

/* fair_next - choose the bucket to read. 0: none has a datagram. */
int fair_next(struct fair *f);

/* fair_read - it was read: that much; emptied: it had no more. */
void fair_read(struct fair *f, uint32_t bytes, uint32_t pkts, int emptied);

#endif

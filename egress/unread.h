/*
 * unread.h - pure: when to wait because the kernel has taken datagrams and does not bring them to their sockets
 * (softnet.h).
 *
 * Rules:   after each UNREAD_LOOK_PKTS sent the queue is looked at. While it is half full nothing is sent, so that the
 *          stages sleep and ksoftirqd runs, for at most UNREAD_MOST_NS: it may be somebody else who fills it.
 *          UNREAD_LOOK_PKTS, UNREAD_FULL_PKTS and a batch fit the queue together.
 */
#ifndef ONTIME_UNREAD_H
#define ONTIME_UNREAD_H

#include <stdint.h>

#define UNREAD_LOOK_PKTS 256
#define UNREAD_FULL_PKTS 500
#define UNREAD_PAUSE_NS 200000ULL
#define UNREAD_MOST_NS 100000000ULL

struct unread {
	uint32_t sent_pkts; /* since the last look that found room */
	uint64_t since_ns, until_ns; /* of the wait; 0: none */
};

/* unread_is_due - is it time to look? */
int unread_is_due(const struct unread *u, uint64_t now);

/* unread_look - that many wait in the queue. Returns 1 when nothing must be sent before until_ns, else 0. */
int unread_look(struct unread *u, uint32_t waiting_pkts, uint64_t now);

#endif

/*
 * sessions.h - the sessions of an instance at one look: whose they are, where they lead, how long they have been quiet.
 *
 * Memory:  a copy. Each session is copied by itself while ingress goes on: one that became another's meanwhile is left
 *          out, and the next look has it.
 * Rules:   the packets of a session are counted about, outside the account.
 *          The local port that a session has towards its destination is the kernel's knowledge (sock_diag(7), by the
 *          cookie of its socket); 0 where it does not say: another network namespace, or no right to ask.
 */
#ifndef ONTIME_LOOK_SESSIONS_H
#define ONTIME_LOOK_SESSIONS_H

#include <netinet/in.h>

#include "shm/segment.h"

struct session_view {
	uint32_t k, number; /* its place in the class; of the senders that had it */
	int is_open; /* else it is being closed */
	int is_answered;
	struct sockaddr_storage client, local; /* local: AF_UNSPEC where the listen address tells */
	uint32_t listen, destination; /* which of the class's */
	uint16_t port; /* local, towards the destination; 0: not known */
	uint64_t idle_ns;
	uint32_t forth_pkts, back_pkts; /* about */
	uint64_t cookie;
};

struct session_list {
	uint32_t n, n_open, n_closing, n_free; /* n: those copied; they are open or closing */
	struct session_view *all;
};

/* sessions_look - those of one class. 0, or -errno. all: to be freed. */
int sessions_look(const struct lane_view *v, uint64_t now, struct session_list *list);

/* sessions_find_ports - ask the kernel for the local port of each. 0, or -errno: then all are 0. */
int sessions_find_ports(struct session_list *lists, uint32_t n_lists);

#endif

/*
 * replies.h - the sockets of sessions, for what is sent by them and what comes to them.
 *
 * Memory:  private to this process, as all of the world is; replies.c writes it.
 */
#ifndef ONTIME_SIM_REPLIES_H
#define ONTIME_SIM_REPLIES_H

#include "sim.h"

#define RING 1024

struct reply {
	struct sim_datagram d;
	uint32_t local; /* with `via`: the address that it is sent to */
};

struct reply_socket {
	int is_connected, refuses; /* refuses: a filter takes nothing */
	uint32_t n_headers; /* since it was connected */
	uint16_t port; /* 0: none */
	uint64_t first, last; /* waiting: first <= n < last */
	uint64_t drained_at_ns;
	struct reply ring[RING];
};

extern uint32_t forth, back; /* the class with replies, and the one that they go back as */
extern int has_via;

/* replies_find - the socket of a session; NULL: that is none. */
struct reply_socket *replies_find(int fd);

/* replies_source - which client a request is of. */
uint32_t replies_source(uint64_t token);

/* replies_answer - a request has left by that port. local: with `via`, the address that it came from. */
void replies_answer(uint16_t port, uint32_t local, const struct iovec *request, uint64_t now);

#endif

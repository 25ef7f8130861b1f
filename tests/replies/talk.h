/*
 * talk.h - clients that ask, a destination that answers with the same bytes, and the ledger of both.
 *
 * Rules:   a datagram says who asked, and which of its requests it is; each fifth is empty, and known by its place. The
 *          destination must get each request once, in order; a client the replies to its own requests, once, in order.
 *          What is not so, is complained of.
 */
#ifndef ONTIME_TESTS_REPLIES_TALK_H
#define ONTIME_TESTS_REPLIES_TALK_H

#include <stdint.h>

#include "config/config.h"

struct client {
	int fd;
	uint32_t id; /* none has the id of one before it */
	uint32_t sent_pkts, came_pkts;
};

struct talk {
	int server_fd;
	const struct address *to; /* that clients write to */
	uint32_t n_ids; /* clients so far */
	uint64_t asked_pkts, answered_pkts;
	void (*complain)(const char *what);
};

extern struct talk talk;

/* talk_come - a new client, in place of the one before. */
void talk_come(struct client *c);

/* talk_ask - n more requests of a client. */
void talk_ask(struct client *c, uint32_t n);

/* talk_answer - whatever has come to the destination. */
void talk_answer(void);

/* talk_listen - look at what has come to a client. */
void talk_listen(struct client *c);

#endif

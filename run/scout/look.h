/*
 * look.h - one look at a destination: a connection, a question, an answer.
 *
 * Memory:  a descriptor of its own for each look, never one of the instance's.
 * Rules:   nothing waits here: a look is begun, told of what poll(2) says, and ended when its time is over.
 *          icmp: an empty datagram is sent, and no answer is a good one; only a destination that is down is looked at
 *          so.
 */
#ifndef ONTIME_SCOUT_LOOK_H
#define ONTIME_SCOUT_LOOK_H

#include "config/config.h"
#include "shm/layout.h"

#define LOOK_TEXT_BYTES 512 /* of a request, and of what is read of an answer */

struct look {
	int fd; /* -1: none is under way */
	enum alive_kind kind;
	int is_connected, is_over;
	uint32_t len; /* of the text read so far */
	char text[LOOK_TEXT_BYTES];
	enum destination_why why; /* valid when it is over: WHY_ANSWERS, or what is wrong */
	uint32_t number; /* an errno, or an HTTP status */
};

/* look_begin - at that address; host: what an HTTP server is asked as. It may be over at once. */
void look_begin(struct look *l, const struct alive *how, const struct address *at, const char *host);

/* look_events - what poll(2) is to wait for. */
short look_events(const struct look *l);

/* look_take - it says so. */
void look_take(struct look *l, const struct alive *how, const char *host);

/* look_time_is_over - whatever has come by now. */
void look_time_is_over(struct look *l);

/* look_end - close it. */
void look_end(struct look *l);

/* look_status - of "HTTP/1.1 200 OK": 200; 0: that is none, or not all of it. Pure. */
uint32_t look_status(const char *text, uint32_t len);

#endif

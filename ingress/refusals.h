/*
 * refusals.h - what ICMP tells the sockets that ingress reads of what egress has sent by them (stage/icmp.h).
 *
 * Rules:   in a class with replies and on its way back only: no other socket is both read and sent by. An error is
 *          counted in the class whose datagram it is about, which is the one that the socket is not read for.
 */
#ifndef ONTIME_INGRESS_REFUSALS_H
#define ONTIME_INGRESS_REFUSALS_H

#include "receive.h"

/* refusals_note - n more told a socket that is read for that class. */
void refusals_note(struct receiver *r, uint32_t class, uint32_t n);

/*
 * refusals_explain - a read failed with err. Returns 1 if that is about a datagram that left earlier; such errors are
 * taken out of the socket, and counted.
 */
int refusals_explain(struct receiver *r, uint32_t class, int fd, int err);

/* refusals_take - epoll tells of an error of a flow's socket: it is taken out, so that it wakes nobody again. */
void refusals_take(struct receiver *r, const struct ingress *in, int flow);

#endif

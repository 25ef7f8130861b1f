/*
 * inputs.h - inputs whose address or interface comes later, goes, or comes back with another index: bound in place.
 *
 * Memory:  the socket is one for all processes that hold it (an open file description), so it is never replaced: its
 *          queue, its counts and its cookie stay.
 * Rules:   an address that was not there at launch is bound as soon as it is. One that goes and comes back needs
 *          nothing: the socket stays bound. A group is joined again when the interface of its name has another index. A
 *          link-local address is bound to an interface's index: when the interface of that name gets another one, the
 *          socket is bound to that.
 *          Looked at four times a second, and only what needs it.
 * Crash:   a death between giving up the old index and taking the new one leaves a socket bound to none, which the
 *          successor sees.
 * Source:  connect(2) AF_UNSPEC makes Linux forget the interface; socket(7) SO_BINDTOIFINDEX, unprivileged when there
 *          is none (since 5.7).
 */
#ifndef ONTIME_INPUTS_H
#define ONTIME_INPUTS_H

#include "pick.h"
#include "stage/stage.h"

struct inputs {
	uint64_t look_at_ns;
	uint32_t joined[MAX_FLOWS]; /* a group: the index of the interface it is received on; 0: not known */
	/* A bit per flow. */
	uint64_t unbound; /* it has no address yet */
	uint64_t scoped; /* a link-local one, or a group, with the interface by name */
	uint64_t gone; /* without its interface, and it has been said */
	uint64_t unruled; /* its group is to get the rules of the configuration in force (stage/listen.h) */
	uint64_t refused; /* it cannot be bound for another reason, and it has been said */
};

/* inputs_open - find out which of the sockets need it. fd[]: as listen.h has them. */
void inputs_open(struct inputs *n, const struct stage *s, const struct ingress *in, const int *fd);

/*
 * inputs_apply - what s->config says now of sockets that are open: the rules of what several classes listen on (or as
 * soon as that works), and whether datagrams tell their type of service.
 */
void inputs_apply(struct inputs *n, struct stage *s, const struct ingress *in, const int *fd);

/* inputs_look - bind what can be bound now. Cheap when called often. */
void inputs_look(struct inputs *n, struct stage *s, const struct ingress *in, const int *fd, uint64_t now);

#endif

/*
 * sockets.h - the sockets of an instance: bind them, or take them from a running stage, and hand them on.
 *
 * Rules:   order and names: CLASS.in.I for all classes, CLASS.out.I, then `space` (an eventfd that wakes ingress),
 *          `segment` and `config` (the configuration in force, in memory), so that nothing has to be found by name
 *          again; last, for each class with replies, an epoll instance CLASS.poll.0 and the sockets of its sessions,
 *          CLASS.via.0*N, all of which are in it (ingress/sessions.h).
 *          Receive stamps and drop counts are switched on before bind: later they would lie for a while. Never
 *          SO_REUSEADDR, since another process could take the traffic; how classes share a port is listen.h's.
 *          What may come later (an address, an interface, a route) is no reason not to launch: the socket is handed on
 *          unbound or unconnected, and its stage binds or connects it (ingress/inputs.h, egress/output.h). A port that
 *          is taken is one.
 */
#ifndef ONTIME_HOLD_SOCKETS_H
#define ONTIME_HOLD_SOCKETS_H

#include <sys/types.h>

#include "shm/segment.h"

#define N_UNCOUNTED 3 /* space, segment, config */
#define MAX_HANDED (MAX_SOCKETS + N_UNCOUNTED + MAX_CLASSES / 2 + MAX_SESSIONS)

struct kept; /* kept.h */

struct sockets {
	uint32_t n;
	uint32_t n_uncounted; /* at the end, without a cookie */
	uint64_t bound; /* bit per input: it was bound before */
	int fds[MAX_HANDED];
	uint64_t cookies[MAX_SOCKETS + N_UNCOUNTED];
	char names[(MAX_SOCKETS + N_UNCOUNTED + MAX_CLASSES) * (CLASS_NAME_BYTES + 16)];
};

/* sockets_add - one more descriptor to hand on, behind all others, which is no socket. */
void sockets_add(struct sockets *s, int fd, const char *name);

/* sockets_may_send - what each socket has that a stage sends by. */
void sockets_may_send(int fd, int family);

/* sockets_open - 0, or the exit status after one line; nothing stays open then. */
int sockets_open(struct sockets *s, const struct config *c);

/* sockets_open_with - as sockets_open(), and what is wanted of what was kept is used again. */
int sockets_open_with(struct sockets *s, const struct config *c, struct kept *kept);

/*
 * sockets_open_sessions - the sockets of the sessions of each class with replies, behind all others; the segment's
 * sessions learn which is whose. Those that were kept go on; kept: NULL, none. 0, or the exit status after one line.
 */
int sockets_open_sessions(struct sockets *s, const struct config *c, const struct segment *seg, struct kept *kept);

/* sockets_expected - how many descriptors are handed on for a segment. */
uint32_t sockets_expected(const struct header *h);

/* sockets_open_inputs - likewise of the input sockets alone; kept: NULL, nothing was. */
int sockets_open_inputs(struct sockets *s, const struct config *c, struct kept *kept);

/* sockets_take - the same set out of a running stage, checked against the segment. 0 or -errno, after one line. */
int sockets_take(struct sockets *s, const struct segment *seg, pid_t stage);

/* sockets_name - of what was taken: the last descriptor is the configuration that the others are named by. */
void sockets_name(struct sockets *s, const struct config *c);

/* sockets_name_sessions - the names of what sockets_open_sessions() made. */
void sockets_name_sessions(struct sockets *s, const struct config *c);

/* sockets_hand_on - move them to fd 3 and up and set LISTEN_FDS, LISTEN_FDNAMES. */
int sockets_hand_on(struct sockets *s);

#endif

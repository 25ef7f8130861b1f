/*
 * sockets.h - the sockets of an instance: bind them, or take them from a running stage, and hand them on.
 *
 * Rules:   order and names: CLASS.in.I for all classes, or CLASS.in.I*N with `fair`; CLASS.deny.I, for what is denied
 *          at each address (stage/listen.h), of one shard only; CLASS.out.I, then `space` (an eventfd that wakes
 *          ingress), `segment` and `config` (the configuration in force, in memory), so that nothing has to be found by
 *          name again. Of several shards each has its own sockets and its own `space`: those that all have for one
 *          purpose come in a row, as CLASS.in.I*N. Last, for each class with replies, an epoll instance CLASS.poll.0
 *          and the sockets of its sessions, CLASS.via.0*N, all of which are in it (ingress/sessions.h).
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

/* of several shards none has buckets, nor sockets for what is denied: fewer than MAX_SOCKETS each */
#define MAX_COUNTED ((MAX_FLOWS + MAX_ALL_DESTS) * MOST_SHARDS)
#define MAX_UNCOUNTED (MOST_SHARDS + 2) /* a space for each shard, segment, config */
#define MAX_HANDED (MAX_COUNTED + MAX_UNCOUNTED + MAX_CLASSES / 2 + MAX_SESSIONS)

#define SOCKET_NAME_BYTES (CLASS_NAME_BYTES + 24)

struct kept; /* kept.h */

struct sockets {
	uint32_t n;
	uint32_t n_shards;
	uint32_t n_uncounted; /* behind those with a cookie */
	uint32_t n_flows; /* inputs, each with as many sockets as there are shards, or buckets of `fair` */
	uint64_t bound; /* bit per input: it was bound before, in all shards */
	int fds[MAX_HANDED];
	uint64_t cookies[MAX_COUNTED + MAX_UNCOUNTED];
	char names[(MAX_SOCKETS + MAX_UNCOUNTED + MAX_CLASSES) * (CLASS_NAME_BYTES + 16)];
};

/* sockets_uncounted - how many are handed on of an instance's own, without those of sessions. */
static inline uint32_t sockets_uncounted(uint32_t n_shards)
{
	return n_shards + 2;
}

/* sockets_name_of - a socket by itself: "high.in.0", and of several shards "high.in.0@1". */
void sockets_name_of(char name[SOCKET_NAME_BYTES], const char *what, uint32_t shard, uint32_t n_shards);

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

/* sockets_open_spaces - an eventfd for each shard. 0, or the exit status after one line. */
int sockets_open_spaces(struct sockets *s);

/*
 * sockets_allow_shards - so many open files as the sockets of so many shards are. 0, or the exit status after a line.
 */
int sockets_allow_shards(const struct config *c, uint32_t n_shards);

/* sockets_take - the same set out of a running stage, checked against the segment. 0 or -errno, after one line. */
int sockets_take(struct sockets *s, const struct segment *seg, pid_t stage);

/* sockets_name - of what was taken: the last descriptor is the configuration that the others are named by. */
void sockets_name(struct sockets *s, const struct config *c);

/* sockets_name_sessions - the names of what sockets_open_sessions() made. */
void sockets_name_sessions(struct sockets *s, const struct config *c);

/* sockets_hand_on - move them to fd 3 and up and set LISTEN_FDS, LISTEN_FDNAMES. */
int sockets_hand_on(struct sockets *s);

#endif

/*
 * kept_sessions.h - the sockets of sessions that a service manager has kept of an earlier start, in bundles.
 *
 * Rules:   all bundles of a start have one name, by the segment that they were made for. A socket is the one that the
 *          segment says by its cookie.
 *          A start that makes a new segment takes over the sessions of each class that listens, sends and answers as
 *          before, open or closing as they are: what has come to their sockets meanwhile is read. Nothing of them lies
 *          in a lane, which the stop before has emptied.
 *          A port that a session had before, or has given up, rests in the new segment too. (A service manager that
 *          keeps nothing, or a segment of another layout, leaves none to remember.)
 */
#ifndef ONTIME_HOLD_KEPT_SESSIONS_H
#define ONTIME_HOLD_KEPT_SESSIONS_H

#include "bundle.h"
#include "shm/segment.h"

#define MAX_BUNDLES ((MAX_SESSIONS + BUNDLE_FDS - 1) / BUNDLE_FDS)
#define BUNDLE_NAME_BYTES 32

struct kept;
struct sockets;

struct kept_sessions {
	uint32_t n;
	int fds[MAX_SESSIONS];
	uint64_t cookies[MAX_SESSIONS];
	uint32_t next; /* where to look first: they are asked for in the order they were kept in */
	char name[BUNDLE_NAME_BYTES]; /* of the bundles that they were in */
	const struct session *was[MAX_CLASSES]; /* to go on with, of each class of the configuration; NULL: none */
	struct segment seg; /* that has them */
	in_port_t ports[MAX_SESSIONS]; /* that they had */
	uint32_t n_ports;
};

/* kept_sessions_name - of the bundles of a segment. */
void kept_sessions_name(const struct segment *seg, char name[BUNDLE_NAME_BYTES]);

/* kept_sessions_is_bundle - is that the name of any segment's? */
int kept_sessions_is_bundle(const char *name);

/* kept_sessions_open - the sockets in the bundles of that segment. */
void kept_sessions_open(struct kept *kept, const struct segment *seg);

/* kept_sessions_find - the socket with that cookie, or -1. */
int kept_sessions_find(struct kept_sessions *s, uint64_t cookie);

/* kept_sessions_want - find the classes whose sessions go on; `was`: what those were made for, or NULL. */
void kept_sessions_want(struct kept *kept, const struct config *was, const struct config *c);

/* kept_sessions_remember_ports - that were in use, or rest, into a new segment; kept: NULL, none. */
void kept_sessions_remember_ports(const struct kept *kept, const struct segment *to);

/* kept_sessions_take_all - as the segment says, behind the sockets taken already. 0, or -ENOENT. */
int kept_sessions_take_all(struct sockets *s, const struct segment *seg, struct kept *kept);

/* kept_sessions_go_on - session k of a class as it was, into the new segment. Its socket, or -1. */
int kept_sessions_go_on(struct kept *kept, uint32_t class, uint32_t k, struct session *to);

#endif

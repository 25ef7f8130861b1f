/*
 * kept.h - sockets that a service manager has kept of an earlier start (store.h), and which of them are used again.
 *
 * Rules:   a socket is used again for the address it has. Of an address that several classes listen on, each socket
 *          belongs to one class for good (stage/listen.h): all of them are used again, by their names, or none is, when
 *          the classes rank there as they did.
 *          Likewise the sockets that several shards have for one address: by their names, and for as many shards.
 *          A socket of a multicast group is made anew, since nobody can ask what it has joined.
 */
#ifndef ONTIME_HOLD_KEPT_H
#define ONTIME_HOLD_KEPT_H

#include <assert.h>

#include "kept_sessions.h"
#include "sockets.h"

#define STORE_MOST 4096 /* FileDescriptorStoreMax= of run/systemd/ontime@.service */
/* two starts may have bundles there */
#define MAX_KEPT (MAX_COUNTED + MAX_UNCOUNTED + MAX_CLASSES / 2 + 2 * MAX_BUNDLES)

static_assert(MAX_KEPT <= STORE_MOST, "what is kept must fit into what the unit says");

/* What a service manager has kept of an earlier start (store.h). */
struct kept {
	uint32_t n;
	int fds[MAX_KEPT]; /* -1: it is in use again */
	int is_wanted[MAX_KEPT];
	int outputs_have_names; /* 1: `from` is set for some, so that another class's socket does not do */
	uint32_t n_shards; /* as many as the instance is to have now */
	char names[MAX_KEPT][SOCKET_NAME_BYTES];
	struct kept_sessions sessions;
};

/* kept_want - note which are of addresses that the configuration has too. */
void kept_want(struct kept *kept, const struct config *c);

/* kept_take - the one for that address, if it is wanted, or -1. name: "CLASS.in.I". */
int kept_take(struct kept *kept, const struct config *c, const struct address *a, int out, const char *name);

/* kept_named - the one of that name, or -1. It stays kept. */
int kept_named(const struct kept *kept, const char *name);

/* kept_take_all - the same set as a segment was made for: 0, or -ENOENT if one is missing. */
int kept_take_all(struct sockets *s, const struct segment *seg, struct kept *kept);

#endif

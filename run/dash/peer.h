/*
 * peer.h - one connection: since when it waits for what.
 *
 * Memory:  in a list of the server, the longest waiting first; it comes and goes with its connection.
 */
#ifndef ONTIME_DASH_PEER_H
#define ONTIME_DASH_PEER_H

#include "http.h"

enum peer_state {
	PEER_ASKING, /* no whole request yet */
	PEER_ANSWERED, /* reads its answer */
	PEER_STREAM, /* reads /events */
};

/* peer_notify - for MHD_OPTION_NOTIFY_CONNECTION; cls: the server. */
void peer_notify(void *cls, struct MHD_Connection *connection, void **context,
		 enum MHD_ConnectionNotificationCode what);

/* peer_set - it goes on to another state, from now on. */
void peer_set(struct server *s, struct MHD_Connection *connection, enum peer_state state);

/* peers_end_slow - disconnect those that took too long. */
void peers_end_slow(struct server *s);

#endif

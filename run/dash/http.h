/*
 * http.h - the web server: which requests it answers, and how long each may take.
 *
 * Memory:  MAX_PEERS connections of PEER_BYTES each, whatever is connected, and fewer where there are not descriptors
 *          enough (RLIMIT_NOFILE); answers are shared between clients.
 * Rules:   one thread, no file is opened, nothing is stored, nothing can be changed: GET, HEAD and OPTIONS only. By
 *          which names it may be asked: host.h. A client that does not finish a request in time is disconnected; when
 *          too many are connected, the one that has been waiting longest goes, so that a good client always finds room.
 */
#ifndef ONTIME_DASH_HTTP_H
#define ONTIME_DASH_HTTP_H

#include <microhttpd.h>

#include "config/address.h"
#include "files.h"
#include "site.h"
#include "token.h"

#define MAX_PEERS 320
#define LEAST_PEERS 3
#define OWN_DESCRIPTORS                                                                                                \
	6 /* what is open at some time beside connections: epoll, wake-up, segment, schedstat; two to spare */
#define SEARCHED_DESCRIPTORS 64 /* inherited ones are among these */
#define SPARE_PEERS 32 /* from this many below the limit on, and at the latest an eighth below it, the oldest goes */
#define PEER_BYTES 16384 /* for headers and buffers; a longer header is answered 431 */
#define ASK_SECONDS 10 /* for a request to arrive, and between two */
#define ANSWER_SECONDS 15 /* for an answer to be read; a stream may take as long as it likes while it moves */
#define SEND_BUFFER_BYTES 32768 /* per connection, in the kernel: a client that does not read is noticed soon */
#define MAX_ALLOWED 8

struct peer;

struct server {
	struct MHD_Daemon *daemon;
	struct sites sites;
	int shows_others; /* serves on loopback, with descriptors enough */
	struct peer *oldest, *newest;
	uint32_t n_peers, max_peers;
	int has_room_again; /* the next server_run() can accept a waiting connection */
	struct token token;
	const char *allowed[MAX_ALLOWED]; /* host names */
	uint32_t n_allowed;
	struct MHD_Response *files[DASH_FILES];
	struct MHD_Response *description; /* describe.h */
};

/* server_listen - a listening socket. 0, or -errno. */
int server_listen(const struct address *at, int *out);

/*
 * server_start - serve s->sites, which are open, on that socket, which it takes over; others beside the first only if
 * is_private: nobody reaches it from outside. 0, or -errno.
 */
int server_start(struct server *s, int listen_fd, int is_private);

/* server_fd, server_wait_ns - what to poll, and for how long at most, before server_run(). */
int server_fd(const struct server *s);
uint64_t server_wait_ns(const struct server *s);
void server_run(struct server *s);

/* server_tick - after each look: wake the streams, forget old answers, end what takes too long. */
void server_tick(struct server *s);

void server_stop(struct server *s);

#endif

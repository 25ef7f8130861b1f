/* peer.c - one connection: since when it waits for what. */
#include "peer.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "clock.h"

struct peer {
	struct peer *older, *newer;
	enum peer_state state;
	uint64_t since_ns;
	int fd;
	int ended;
};

static void append(struct server *s, struct peer *p)
{
	p->older = s->newest;
	p->newer = NULL;
	*(s->newest ? &s->newest->newer : &s->oldest) = p;
	s->newest = p;
}

static void detach(struct server *s, struct peer *p)
{
	*(p->older ? &p->older->newer : &s->oldest) = p->newer;
	*(p->newer ? &p->newer->older : &s->newest) = p->older;
}

/* The socket is shut, and the server finds it closed: the one way to end a connection from outside its callbacks. */
static void end(struct peer *p)
{
	p->ended = 1;
	shutdown(p->fd, SHUT_RDWR);
}

/*
 * End the connection that has waited longest, of those without a request; else of those that are still reading an
 * answer.
 */
static void end_oldest(struct server *s)
{
	for (enum peer_state state = PEER_ASKING; state <= PEER_ANSWERED; state++)
		for (struct peer *p = s->oldest; p; p = p->newer)
			if (p->state == state && !p->ended) {
				end(p);
				return;
			}
}

static uint32_t spare_peers(const struct server *s)
{
	uint32_t eighth = (s->max_peers + 7) / 8;

	return eighth < SPARE_PEERS ? eighth : SPARE_PEERS;
}

static void begin(struct server *s, struct MHD_Connection *connection, void **context)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct peer *p = calloc(1, sizeof(*p));

	*context = p;
	if (!p) {
		shutdown(info->connect_fd, SHUT_RDWR);
		return;
	}
	p->fd = info->connect_fd;
	p->since_ns = now_ns();
	if (++s->n_peers > s->max_peers - spare_peers(s))
		end_oldest(s);
	append(s, p);
}

void peer_notify(void *cls, struct MHD_Connection *connection, void **context, enum MHD_ConnectionNotificationCode what)
{
	struct server *s = cls;
	struct peer *p = *context;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		begin(s, connection, context);
	} else if (p) {
		detach(s, p);
		s->n_peers--;
		free(p);
		*context = NULL;
	}
}

void peer_set(struct server *s, struct MHD_Connection *connection, enum peer_state state)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct peer *p = info ? info->socket_context : NULL;

	if (!p)
		return;
	p->state = state;
	p->since_ns = now_ns();
	detach(s, p);
	append(s, p);
}

void peers_end_slow(struct server *s)
{
	uint64_t now = now_ns();

	for (struct peer *p = s->oldest; p; p = p->newer) {
		uint64_t limit_ns = (p->state == PEER_ASKING ? ASK_SECONDS : ANSWER_SECONDS) * NS_PER_S;

		if (p->state != PEER_STREAM && !p->ended && now - p->since_ns > limit_ns)
			end(p);
	}
}

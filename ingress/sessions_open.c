/* sessions_open.c - sessions as a predecessor left them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "clock.h"
#include "config/reply.h"
#include "config/shown.h"
#include "log.h"
#include "aim.h"
#include "stage/handed.h"
#include "stage/session_port.h"

struct session_key sessions_key(const struct sessions *x, const struct sender_address *from)
{
	struct session_key key = { .family = (uint8_t)from->from->sin6_family };
	struct sockaddr_in v4;

	if (!x->is_by_sender) {
		key.listen = (uint8_t)from->listen;
		memcpy(key.local, from->local, sizeof(key.local));
	}
	memcpy(&v4, from->from, sizeof(v4));
	key.port = v4.sin_port; /* at the same place in both families */
	if (key.family == AF_INET) {
		memcpy(key.address, &v4.sin_addr, sizeof(v4.sin_addr));
		return key;
	}
	memcpy(key.address, &from->from->sin6_addr, sizeof(key.address));
	/*
	 * A link-local sender is on the same link as the address that it wrote to. A destination does not see the link.
	 */
	if (!x->is_by_sender)
		key.scope = from->from->sin6_scope_id ? from->from->sin6_scope_id : from->local_scope;
	return key;
}

struct session_key sessions_key_of(const struct sessions *x, const struct session *s)
{
	const struct sender_address from = { &s->client, s->local, s->listen, s->is_v4_local, s->local_scope };

	return sessions_key(x, &from);
}

struct aged {
	uint64_t ns;
	uint32_t k;
};

static int compare_ages(const void *a, const void *b)
{
	const struct aged *x = a, *y = b;

	return x->ns < y->ns ? -1 : x->ns > y->ns;
}

/* As the segment says; oldest first, so that each list is in order. */
static void load_one(struct sessions *x, uint32_t k)
{
	struct session *s = &x->all[k];
	struct session_key key = sessions_key_of(x, s);

	switch (sessions_state(s)) {
	case SESSION_OPEN:
		session_index_open(&x->index, k, &key, s->is_answered,
				   atomic_load_explicit(&s->last_ns, memory_order_relaxed));
		break;
	case SESSION_CLOSING: /* the predecessor may have died before it gave up the port */
		if (!x->has_one_socket)
			sessions_give_up(x, k, now_ns());
		session_index_put(&x->index, k, LIST_CLOSING);
		break;
	default:
		session_index_put(&x->index, k, LIST_FREE);
	}
}

static int load(struct sessions *x)
{
	struct aged *order = calloc(x->n, sizeof(*order));

	if (!order)
		return -ENOMEM;
	for (uint32_t k = 0; k < x->n; k++)
		order[k] = (struct aged){ sessions_state(&x->all[k]) == SESSION_FREE
						  ? x->all[k].freed_at_ns
						  : atomic_load_explicit(&x->all[k].last_ns, memory_order_relaxed),
					  k };
	qsort(order, x->n, sizeof(*order), compare_ages);
	for (uint32_t i = 0; i < x->n; i++)
		load_one(x, order[i].k);
	free(order);
	return 0;
}

/* The sockets and the epoll instance that the holder made. 0, or the exit status after one line. */
static int find_sockets(struct sessions *x)
{
	const char *class = x->stage->config.classes[x->forth].name;
	uint32_t n;

	x->first_fd = handed_range(class, "via", &n);
	x->poll_fd = handed_socket(class, "poll", 0);
	x->second_fd = x->via && x->first_fd >= 0 && n > 1 ? x->first_fd + 1 : -1;
	if (x->first_fd >= 0 && x->poll_fd >= 0 && n == x->stage->seg.header.classes[x->forth].n_session_sockets)
		return 0;
	log_error("no %u sockets '%s.via' were handed on (LISTEN_FDS): start with run/launch.sh",
		  x->stage->seg.header.classes[x->forth].n_session_sockets, class);
	return EXIT_CONFIG;
}

int sessions_open(struct sessions *x, struct stage *s, uint32_t forth)
{
	const struct lane_view *v = &s->seg.views[forth];
	uint64_t seed = 0;
	int status, err;

	memset(x, 0, sizeof(*x));
	x->stage = s;
	x->forth = forth;
	x->back = (uint32_t)reply_back(&s->config, forth);
	x->all = v->sessions;
	x->n = v->n_sessions;
	x->ports = v->ports;
	x->asks_tos = -1;
	x->via = s->config.classes[forth].via.bits ? &s->config.classes[forth].via : NULL;
	x->is_by_sender = shown_has_port(&s->config.classes[forth]);
	x->has_one_socket = reply_has_one_socket(&s->config.classes[forth]);
	aim_apply(x);
	status = find_sockets(x);
	if (status)
		return status;
	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) < 0)
		seed = now_ns();
	err = session_index_init(&x->index, x->n, seed);
	x->drained_at_ns = calloc(x->n, sizeof(*x->drained_at_ns));
	if (!x->drained_at_ns)
		err = -ENOMEM;
	if (!err)
		err = load(x);
	if (err) {
		log_error("%u sessions of class %s: %s", x->n, s->config.classes[forth].name, log_text_of(ENOMEM));
		return EXIT_TEMPORARY;
	}
	return 0;
}

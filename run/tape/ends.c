/* ends.c - from whom to whom a captured packet went. */
#include "ends.h"

#include <string.h>

#include "config/shown.h"
#include "proxy.h"
#include "shm/once.h"

#define NOBODY "sender=unknown"
#define NOBODY_OF_SEVERAL "sender=unknown listen=first_of_several"
#define NOTHING "sender=unknown listen=unknown"

/* Both are in the same place in either family. */
static int family_of(const struct sockaddr_in6 *a)
{
	return a->sin6_family;
}

/* The wildcard address of a family; port in the network's bytes. */
static struct sockaddr_in6 anybody(int family, in_port_t port)
{
	struct sockaddr_in6 a = { .sin6_family = (sa_family_t)family, .sin6_port = port };

	return a;
}

static void set_address(struct sockaddr_in6 *to, const struct address *from)
{
	memcpy(to, &from->at, sizeof(*to));
}

/* By the configuration alone. */
static void by_class(struct ends *e, const struct class_config *c)
{
	if (!c || c->n_listen == 0) {
		*e = (struct ends){ anybody(AF_INET, 0), anybody(AF_INET, 0), NOTHING };
		return;
	}
	set_address(&e->to, &c->listen[0]);
	e->from = anybody(family_of(&e->to), 0);
	e->note = c->n_listen > 1 ? NOBODY_OF_SEVERAL : NOBODY;
}

/* A session as it was when the packet came. -1: it is another sender's by now. */
static int read_session(struct session *s, const struct lane_view *v, uint32_t k, const struct arrival *a)
{
	if (k >= v->n_sessions)
		return -1;
	once_copy(s, &v->sessions[k], sizeof(*s));
	/* whoever saw what a later sender's life wrote sees this life's end */
	atomic_thread_fence(memory_order_acquire);
	return once(v->sessions[k].freed_at_ns) > a->published_at_ns ? -1 : 0;
}

/* Where its sender wrote to: the listen address, and on a wildcard the address that the kernel told. */
static void listen_of(struct sockaddr_in6 *to, const struct session *s, const struct class_config *c)
{
	static const uint8_t untold[sizeof(s->local)];
	struct sockaddr_in v4;

	*to = anybody(family_of(&s->client), 0);
	if (c && s->listen < c->n_listen)
		set_address(to, &c->listen[s->listen]);
	if (memcmp(s->local, untold, sizeof(untold)) == 0)
		return;
	if (family_of(to) == AF_INET6 && !s->is_v4_local) {
		memcpy(&to->sin6_addr, s->local, sizeof(to->sin6_addr));
		return;
	}
	memcpy(&v4, to, sizeof(v4));
	memcpy(&v4.sin_addr, s->local, sizeof(v4.sin_addr));
	if (family_of(to) == AF_INET)
		memcpy(to, &v4, sizeof(v4));
}

static int by_session(struct ends *e, const struct lane_view *v, const struct class_config *c, const struct arrival *a)
{
	struct session s;

	if (a->drop != DROP_NONE || read_session(&s, v, a->source, a))
		return -1;
	e->from = s.client;
	listen_of(&e->to, &s, c);
	e->note = c ? "" : "listen=unknown";
	return 0;
}

/* A reply: from the session's destination to its sender. */
static int by_reply(struct ends *e, const struct lane_view *forth, const struct class_config *c,
		    const struct arrival *a)
{
	struct session s;

	if (a->drop == DROP_NO_SESSION || read_session(&s, forth, a->source, a))
		return -1;
	e->to = s.client;
	e->from = anybody(family_of(&e->to), 0);
	if (c && s.destination < c->n_dests)
		set_address(&e->from, &c->dests[s.destination]);
	e->note = c ? "" : NOBODY;
	return 0;
}

static int by_origin(struct ends *e, const struct class_config *c, const struct origin *o)
{
	struct proxy_header h;

	if (o->header_bytes > 0 && o->header_bytes <= PROXY_MOST_BYTES) {
		if (proxy_read(o->header, o->header_bytes, &h) || !h.has_ends)
			return -1;
		*e = (struct ends){ h.from, h.to, "" };
		return 0;
	}
	if (!c || !shown_is_sender(c) || c->n_listen == 0)
		return -1;
	e->from = o->sender;
	set_address(&e->to, &c->listen[0]);
	e->note = c->n_listen > 1 ? "listen=first_of_several" : "";
	return 0;
}

/* A header has room for one family: that of the sender, if it is known. */
static void agree(struct ends *e)
{
	if (family_of(&e->from) != AF_INET && family_of(&e->from) != AF_INET6)
		e->from = anybody(family_of(&e->to) == AF_INET6 ? AF_INET6 : AF_INET, 0);
	if (family_of(&e->to) != family_of(&e->from)) /* the port is in the same place */
		e->to = anybody(family_of(&e->from), e->to.sin6_port);
}

void ends_find(struct ends *e, const struct segment *seg, uint32_t class, const struct config *c,
	       const struct arrival *a, const struct origin *o)
{
	const struct class_entry *entry = &seg->header.classes[class];
	uint32_t forth = entry->forth ? entry->forth - 1 : class;
	const struct class_config *at = c && c->n_classes == seg->n_classes ? &c->classes[forth] : NULL;
	int err = -1;

	if (entry->forth && forth < seg->n_classes)
		err = by_reply(e, &seg->views[forth], at, a);
	else if (entry->n_sessions)
		err = by_session(e, &seg->views[class], at, a);
	if (err && o && !entry->forth)
		err = by_origin(e, at, o);
	if (err)
		by_class(e, entry->forth ? NULL : at);
	agree(e);
}

/* kept.c - sockets that a service manager has kept. */
#include "kept.h"

#include <errno.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>

#include "config/group.h"
#include "config/port.h"
#include "config/sharded.h"
#include "config/shown.h"
#include "parts.h"

static int is_at(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	const struct sockaddr_in *a4 = (const struct sockaddr_in *)a, *b4 = (const struct sockaddr_in *)b;
	const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)a, *b6 = (const struct sockaddr_in6 *)b;

	if (a->ss_family != b->ss_family)
		return 0;
	if (a->ss_family == AF_INET)
		return a4->sin_port == b4->sin_port && a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	return a6->sin6_port == b6->sin6_port && a6->sin6_scope_id == b6->sin6_scope_id &&
	       memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof(a6->sin6_addr)) == 0;
}

/* One is connected, the other is not. */
static int leads_to(int fd, int out, const struct sockaddr_storage *at)
{
	struct sockaddr_storage is = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(is);
	int has_peer = getpeername(fd, (struct sockaddr *)&is, &len) == 0;

	if (has_peer != out)
		return 0;
	len = sizeof(is);
	return (out || getsockname(fd, (struct sockaddr *)&is, &len) == 0) && is_at(&is, at);
}

/* It is never used again: what is denied has a new one, and nothing lies in it. */
static int is_for_denied(const char *name)
{
	return strstr(name, ".deny.") != NULL;
}

/*
 * Where the socket is that was kept for that address, and that is wanted already, or not yet; or -1. name: or any of no
 * shard.
 */
static int find_kept(const struct kept *kept, const struct address *a, int out, int is_wanted, const char *name)
{
	struct sockaddr_storage at;

	if (address_resolve(a, &at))
		return -1;
	for (uint32_t i = 0; i < kept->n; i++)
		if (kept->fds[i] >= 0 && kept->is_wanted[i] == is_wanted && !is_for_denied(kept->names[i]) &&
		    leads_to(kept->fds[i], out, &at) &&
		    (name ? strcmp(kept->names[i], name) == 0 : !strchr(kept->names[i], '@')))
			return (int)i;
	return -1;
}

static int find_name(const struct kept *kept, const char *name)
{
	for (uint32_t i = 0; i < kept->n; i++)
		if (kept->fds[i] >= 0 && strcmp(kept->names[i], name) == 0)
			return (int)i;
	return -1;
}

int kept_named(const struct kept *kept, const char *name)
{
	int at = find_name(kept, name);

	return at < 0 ? -1 : kept->fds[at];
}

int kept_take(struct kept *kept, const struct config *c, const struct address *a, int out, const char *name)
{
	struct port port = { 0 };
	int at, fd;

	if (!out)
		port_of(c, a, &port);
	at = find_kept(kept, a, out, 1,
		       kept->n_shards > 1 || port.n > 1 || (out && kept->outputs_have_names) ? name : NULL);
	fd = at < 0 ? -1 : kept->fds[at];
	if (at >= 0)
		kept->fds[at] = -1;
	return fd;
}

static void want(struct kept *kept, const struct address *a, int out, const char *name)
{
	int at = group_is(a) && !out ? -1 : find_kept(kept, a, out, 0, name);

	if (at >= 0)
		kept->is_wanted[at] = 1;
}

static void name_member(const struct config *c, const struct port_member *m, char name[SOCKET_NAME_BYTES])
{
	snprintf(name, SOCKET_NAME_BYTES, "%s.in.%u", c->classes[m->class].name, m->listen);
}

static uint32_t count_at(const struct kept *kept, const struct address *a)
{
	struct sockaddr_storage at;
	uint32_t n = 0;

	if (address_resolve(a, &at))
		return 0;
	for (uint32_t i = 0; i < kept->n; i++)
		n += kept->fds[i] >= 0 && !is_for_denied(kept->names[i]) && leads_to(kept->fds[i], 0, &at);
	return n;
}

/* The configuration that the sockets were made for, or NULL. */
static const struct config *config_of(const struct kept *kept)
{
	static struct config was;
	char path[32], why[CONFIG_WHY_BYTES];
	int at = find_name(kept, "config");

	snprintf(path, sizeof(path), "/proc/self/fd/%d", at < 0 ? -1 : kept->fds[at]);
	return at >= 0 && config_load(&was, path, 0, NULL, why, sizeof(why)) == 0 ? &was : NULL;
}

/* Has each place of the group the class that it had in `was`? The places are the sockets' for good. */
static int has_same_places(const struct config *was, const struct config *c, const struct port *port,
			   const struct address *a)
{
	struct port before;
	int is_same;

	port_of(was, a, &before);
	is_same = before.n == port->n;
	for (uint32_t i = 0; is_same && i < port->n; i++)
		is_same = before.members[i].listen == port->members[i].listen &&
			  strcmp(was->classes[before.members[i].class].name, c->classes[port->members[i].class].name) ==
				  0;
	return is_same;
}

/* A class's socket of an address that others have too: wanted if the whole group is there as it was. */
static void want_member(struct kept *kept, const struct config *was, const struct config *c, const struct port *port,
			const struct address *a, const char *name)
{
	char other[SOCKET_NAME_BYTES];

	if (count_at(kept, a) != port->n || !was || !has_same_places(was, c, port, a))
		return;
	for (uint32_t i = 0; i < port->n; i++) {
		name_member(c, &port->members[i], other);
		if (find_kept(kept, a, 0, 0, other) < 0 && find_kept(kept, a, 0, 1, other) < 0)
			return;
	}
	want(kept, a, 0, name);
}

/* Where no trains are taken, one that waits in a socket that took them would be read as one datagram. */
static int may_hold_trains(const struct kept *kept, const struct config *c, const struct address *a, const char *name)
{
	int at = find_kept(kept, a, 0, 0, name), takes = 0;
	socklen_t len = sizeof(takes);

	return at >= 0 && c->gro == GRO_OFF && getsockopt(kept->fds[at], SOL_UDP, UDP_GRO, &takes, &len) == 0 && takes;
}

/* The sockets of all shards for one address: all of them are used again, for as many shards, or none is. */
static void want_row(struct kept *kept, const struct config *c, const struct address *a, const char *what)
{
	char name[SOCKET_NAME_BYTES];

	if (count_at(kept, a) != kept->n_shards)
		return;
	for (uint32_t shard = 0; shard < kept->n_shards; shard++) {
		sockets_name_of(name, what, shard, kept->n_shards);
		if (find_kept(kept, a, 0, 0, name) < 0 || may_hold_trains(kept, c, a, name))
			return;
	}
	for (uint32_t shard = 0; shard < kept->n_shards; shard++) {
		sockets_name_of(name, what, shard, kept->n_shards);
		want(kept, a, 0, name);
	}
}

static int has_buckets(const struct config *c, const struct address *a)
{
	struct port port = { 0 };

	if (c)
		port_of(c, a, &port);
	return port.n > 0 && port_first(c, &port, port.n) > port.n;
}

static void want_input(struct kept *kept, const struct config *was, const struct config *c, uint32_t class, uint32_t i)
{
	const struct port_member own = { (uint8_t)class, (uint8_t)i };
	const struct address *a = &c->classes[class].listen[i];
	char name[SOCKET_NAME_BYTES];
	struct port port;

	port_of(c, a, &port);
	name_member(c, &own, name);
	if (has_buckets(was, a) || has_buckets(c, a))
		return; /* what is in one bucket could be in another now: they are made again */
	if (kept->n_shards > 1)
		want_row(kept, c, a, name);
	else if (port.n > 1)
		want_member(kept, was, c, &port, a, name);
	else if (!may_hold_trains(kept, c, a, NULL))
		want(kept, a, 0, NULL);
}

/* Sockets that others to the same destination cannot stand in for. */
static int has_own_kinds(const struct config *c)
{
	for (uint32_t i = 0; c && i < c->n_classes; i++)
		if (c->classes[i].n_from || shown_is_sender(&c->classes[i]))
			return 1;
	return 0;
}

/* What a socket is bound to, and its kind, cannot be changed. */
static int leaves_as_before(const struct config *was, const struct class_config *class)
{
	for (uint32_t i = 0; was && i < was->n_classes; i++) {
		const struct class_config *before = &was->classes[i];
		int is_same = before->n_from == class->n_from && !before->replies[0] == !class->replies[0];

		if (strcmp(before->name, class->name) != 0)
			continue;
		if (shown_is_sender(before) || shown_is_sender(class))
			is_same &= before->source == class->source;
		for (uint32_t k = 0; is_same && k < class->n_from; k++)
			is_same = address_is_same(&before->from[k], &class->from[k]);
		return is_same;
	}
	return class->n_from == 0 && !shown_is_sender(class);
}

static void want_output(struct kept *kept, const struct config *was, const struct class_config *class, uint32_t i)
{
	char what[SOCKET_NAME_BYTES], name[SOCKET_NAME_BYTES];

	snprintf(what, sizeof(what), "%s.out.%u", class->name, i);
	for (uint32_t shard = 0; shard < kept->n_shards; shard++) {
		sockets_name_of(name, what, shard, kept->n_shards);
		if (!kept->outputs_have_names)
			want(kept, &class->dests[i], 1, NULL);
		else if (leaves_as_before(was, class))
			want(kept, &class->dests[i], 1, name);
	}
}

void kept_want(struct kept *kept, const struct config *c)
{
	const struct config *was = config_of(kept);

	kept->n_shards = sharded_count(c);
	kept->outputs_have_names = kept->n_shards > 1 || has_own_kinds(c) || has_own_kinds(was);
	for (uint32_t class = 0; class < c->n_classes; class++) {
		for (uint32_t i = 0; i < c->classes[class].n_listen; i++)
			want_input(kept, was, c, class, i);
		for (uint32_t i = 0; i < c->classes[class].n_dests; i++)
			want_output(kept, was, &c->classes[class], i);
	}
	kept_sessions_want(kept, was, c);
}

static int find_cookie(const struct kept *kept, uint64_t wanted)
{
	for (uint32_t i = 0; i < kept->n; i++) {
		uint64_t cookie = 0;
		socklen_t len = sizeof(cookie);

		if (kept->fds[i] >= 0 && getsockopt(kept->fds[i], SOL_SOCKET, SO_COOKIE, &cookie, &len) == 0 &&
		    cookie == wanted)
			return (int)i;
	}
	return -1;
}

struct taking {
	struct sockets *s;
	const struct kept *kept;
};

/* By what the segment says of its sockets: names may have changed since. */
static int take_part(void *arg, const struct segment *part)
{
	const struct header *h = &part->header;
	struct taking *t = arg;
	int n_missing = 0;

	for (uint32_t i = 0; i < h->n_sockets; i++) {
		int at = find_cookie(t->kept, h->socket_cookies[i]);

		t->s->fds[i * part->n_shards + part->shard] = at < 0 ? -1 : t->kept->fds[at];
		n_missing += at < 0;
	}
	return n_missing;
}

static int take_named(struct sockets *s, const struct kept *kept, const char *what, uint32_t n)
{
	char name[SOCKET_NAME_BYTES];

	for (uint32_t i = 0; i < n; i++) {
		int at;

		sockets_name_of(name, what, i, n);
		at = find_name(kept, name);
		if (at < 0)
			return -ENOENT;
		s->fds[s->n++] = kept->fds[at];
	}
	return 0;
}

int kept_take_all(struct sockets *s, const struct segment *seg, struct kept *kept)
{
	struct taking taking = { s, kept };

	memset(s, 0, sizeof(*s));
	s->n_shards = seg->n_shards;
	s->n_uncounted = sockets_uncounted(seg->n_shards);
	if (parts_each(seg, take_part, &taking))
		return -ENOENT;
	s->n = seg->header.n_sockets * seg->n_shards;
	if (take_named(s, kept, "space", seg->n_shards) || take_named(s, kept, "segment", 1) ||
	    take_named(s, kept, "config", 1))
		return -ENOENT;
	return kept_sessions_take_all(s, seg, kept);
}

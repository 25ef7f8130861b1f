/* sockets.c - the sockets of an instance. */
#include "sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "config/address.h"
#include "config/from.h"
#include "config/reply.h"
#include "config/sharded.h"
#include "config/shown.h"
#include "kept.h"
#include "log.h"
#include "stage/answers.h"
#include "stage/gather.h"
#include "stage/icmp.h"
#include "stage/listen.h"
#include "stage/stage.h"

#define SEND_BUFFER_BYTES (4 << 20)

static void set(int fd, int level, int option, int value)
{
	setsockopt(fd, level, option, &value, sizeof(value));
}

void sockets_may_send(int fd, int family)
{
	icmp_ask(fd, family, 1);
	set(fd, SOL_SOCKET, SO_SNDBUF, SEND_BUFFER_BYTES);
	set(fd, SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER_BYTES);
}

static void want_buffer(int fd, uint32_t bytes, const char *name)
{
	int got = 0;
	socklen_t len = sizeof(got);
	static int warned;

	set(fd, SOL_SOCKET, SO_RCVBUF, (int)bytes);
	set(fd, SOL_SOCKET, SO_RCVBUFFORCE, (int)bytes);
	getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &got, &len);
	if (got / 2 >= (int)bytes || warned++)
		return;
	log_warn("%s: receive buffer of %u bytes refused, got %d: raise sysctl net.core.rmem_max, or start as root",
		 name, bytes, got / 2);
}

static const char *why_not(const struct address *a, int err)
{
	static char text[SCOPE_BYTES + 32];

	if (err != -ENODEV || a->scope[0] == '\0')
		return log_text_of(-err);
	snprintf(text, sizeof(text), "no interface %s", a->scope);
	return text;
}

static int open_input(const struct address *a, uint32_t buffer_bytes, const char *name)
{
	int fd = socket(a->at.ss_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (a->at.ss_family == AF_INET6)
		set(fd, SOL_IPV6, IPV6_V6ONLY, 1);
	set(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
	set(fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
	want_buffer(fd, buffer_bytes, name);
	return fd;
}

static int open_output(const struct class_config *class, const struct address *a, const char *name)
{
	int fd = shown_socket(class, a->at.ss_family), err;
	struct sockaddr_storage at;
	char text[ADDRESS_BYTES];

	if (fd < 0)
		return fd;
	sockets_may_send(fd, a->at.ss_family);
	set(fd, SOL_SOCKET, SO_BROADCAST, (int)class->broadcast);
	answers_refuse(fd);
	err = address_resolve(a, &at);
	if (!err)
		err = group_aim(fd, a, class->group_ttl, class->group_loop);
	if (!err && !class->replies[0]) /* else a session has it */
		err = from_bind(fd, class, at.ss_family);
	if (!err && connect(fd, (const struct sockaddr *)&at, a->len) < 0)
		err = -errno;
	if (err == -ENETUNREACH || err == -EHOSTUNREACH || err == -EADDRNOTAVAIL || err == -ENODEV ||
	    err == -ENETDOWN) {
		log_warn("%s: no way to %s yet: %s: its packets are counted send_error until there is one", name,
			 address_format(a, text), why_not(a, err));
		err = 0;
	}
	if (!err)
		return fd;
	close(fd);
	return err;
}

static void add(struct sockets *s, int fd)
{
	socklen_t len = sizeof(s->cookies[0]);

	if (s->n < MAX_COUNTED + MAX_UNCOUNTED)
		getsockopt(fd, SOL_SOCKET, SO_COOKIE, &s->cookies[s->n], &len);
	s->fds[s->n++] = fd;
}

/* Of what has been added since the last name: one, or a row of all shards. */
static void name_added(struct sockets *s, const char *name, uint32_t n)
{
	size_t len = strlen(s->names);

	len += (size_t)snprintf(s->names + len, sizeof(s->names) - len, "%s%s", len ? ":" : "", name);
	if (n > 1)
		snprintf(s->names + len, sizeof(s->names) - len, "*%u", n);
}

void sockets_add(struct sockets *s, int fd, const char *name)
{
	add(s, fd);
	name_added(s, name, 1);
	s->n_uncounted++;
}

void sockets_name_of(char name[SOCKET_NAME_BYTES], const char *what, uint32_t shard, uint32_t n_shards)
{
	if (n_shards > 1)
		snprintf(name, SOCKET_NAME_BYTES, "%.24s@%u", what, shard);
	else
		snprintf(name, SOCKET_NAME_BYTES, "%s", what);
}

static void close_all(struct sockets *s)
{
	while (s->n)
		close(s->fds[--s->n]);
}

static int refuse(const struct config *c, uint32_t class, int out, const struct address *a, int err)
{
	const char *what = out ? "connect to" : "bind";
	char text[ADDRESS_BYTES];

	log_error("%s %s for class %s: %s%s", what, address_format(a, text), c->classes[class].name, log_text_of(-err),
		  err == -EADDRINUSE && out
			  ? ": another program has the port of `from` (ss -aunp tells which); stop it, or change `from`"
		  : err == -EADDRINUSE
			  ? ": another program has this port (ss -lunp tells which); stop it, or change `listen`"
		  : err == -EPERM && out ? shown_right_text(&c->classes[class])
		  : err == -ENOMEM	 ? ": with many rules, raise sysctl net.core.optmem_max"
		  : err == -EACCES && out && c->classes[class].n_from
			  ? ": not from this port, or not a broadcast address"
		  : err == -EACCES ? ": a broadcast address needs broadcast = on"
				   : "");
	return EXIT_TEMPORARY;
}

/* That of one shard. */
static int open_one(struct sockets *s, const struct config *c, struct kept *kept, int out, uint32_t class, uint32_t i,
		    const char *name)
{
	const struct address *a = out ? &c->classes[class].dests[i] : &c->classes[class].listen[i];
	int fd = kept ? kept_take(kept, c, a, out, name) : -1;

	if (fd >= 0 && !out) {
		s->bound |= 1ULL << s->n_flows;
		want_buffer(fd, c->socket_buffer_bytes, name);
	}
	if (fd < 0)
		fd = out ? open_output(&c->classes[class], a, name) : open_input(a, c->socket_buffer_bytes, name);
	if (fd < 0)
		return refuse(c, class, out, a, fd);
	if (!out && c->classes[class].replies[0]) /* which leave by it */
		sockets_may_send(fd, a->at.ss_family);
	else if (!out)
		icmp_ask(fd, a->at.ss_family, 0);
	add(s, fd);
	return 0;
}

/* The buckets of a class with `fair`, which is of one shard, or one for each shard. */
static int open_row(struct sockets *s, const struct config *c, struct kept *kept, int out, uint32_t class, uint32_t i)
{
	uint32_t n = !out && c->classes[class].fair ? c->classes[class].fair : s->n_shards;
	char what[SOCKET_NAME_BYTES], name[SOCKET_NAME_BYTES];

	snprintf(what, sizeof(what), "%s.%s.%u", c->classes[class].name, out ? "out" : "in", i);
	for (uint32_t k = 0; k < n; k++) {
		sockets_name_of(name, what, k, n);
		if (open_one(s, c, kept, out, class, i, name))
			return EXIT_TEMPORARY;
	}
	name_added(s, what, n);
	return 0;
}

/* For what is denied at each address, if ever anything is: unbound until then, so that a datagram costs no more. */
static int open_denied(struct sockets *s, const struct config *c)
{
	char what[SOCKET_NAME_BYTES];

	for (uint32_t class = 0; class < c->n_classes && s->n_shards == 1; class++)
		for (uint32_t i = 0; i < c->classes[class].n_listen; i++) {
			int family = c->classes[class].listen[i].at.ss_family;
			int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK, 0);

			if (fd < 0)
				return refuse(c, class, 0, &c->classes[class].listen[i], -errno);
			if (family == AF_INET6)
				set(fd, SOL_IPV6, IPV6_V6ONLY, 1);
			add(s, fd);
			snprintf(what, sizeof(what), "%s.deny.%u", c->classes[class].name, i);
			name_added(s, what, 1);
		}
	return 0;
}

static int open_all(struct sockets *s, const struct config *c, struct kept *kept, int out)
{
	for (uint32_t class = 0; class < c->n_classes; class++) {
		uint32_t n = out ? c->classes[class].n_dests : c->classes[class].n_listen;

		for (uint32_t i = 0; i < n; i++, s->n_flows += !out)
			if (open_row(s, c, kept, out, class, i))
				return EXIT_TEMPORARY;
	}
	return 0;
}

static int join(const struct config *c, int fd, uint32_t flow)
{
	uint32_t joined = 0;
	int got = listen_follow(c, fd, flow, &joined);

	return got < 0 ? got : 0;
}

static int bind_flow(const struct sockets *s, const struct config *c, const struct address *a, uint32_t flow,
		     uint64_t unbound)
{
	if (s->n_shards > 1)
		return gather_bind(a, s->fds + flow * s->n_shards, s->n_shards);
	return listen_may_bind(c, flow, unbound) ? listen_bind(c, s->fds, flow) : -EADDRNOTAVAIL;
}

static int bind_one(struct sockets *s, const struct config *c, uint32_t class, uint32_t i, uint32_t flow,
		    uint64_t *unbound)
{
	const struct address *a = &c->classes[class].listen[i];
	int err = 0;
	char text[ADDRESS_BYTES];

	if (!(s->bound >> flow & 1))
		err = bind_flow(s, c, a, flow, *unbound);
	if (err == 0 && s->n_shards == 1)
		err = join(c, s->fds[listen_socket(c, flow)], flow);
	if (err == 0)
		return 0;
	*unbound |= 1ULL << flow;
	if (err != -EADDRNOTAVAIL && err != -ENODEV) /* it may come later; another program's port will not */
		return refuse(c, class, 0, a, err);
	log_warn("%s.in.%u: %s is not there yet: %s: ingress binds it when it is", c->classes[class].name, i,
		 address_format(a, text), why_not(a, err));
	return 0;
}

/* From the lowest class up, as the groups of listen.h want it. */
static int bind_all(struct sockets *s, const struct config *c)
{
	uint64_t unbound = 0;
	uint32_t flow = s->n_flows;

	for (uint32_t class = c->n_classes; class-- > 0;)
		for (uint32_t i = c->classes[class].n_listen; i-- > 0;)
			if (bind_one(s, c, class, i, --flow, &unbound))
				return EXIT_TEMPORARY;
	return 0;
}

int sockets_open_spaces(struct sockets *s)
{
	for (uint32_t shard = 0; shard < s->n_shards; shard++) {
		int space = eventfd(0, EFD_NONBLOCK);

		if (space < 0) {
			log_error("make the eventfd of free space: %s", log_text_of(errno));
			return EXIT_TEMPORARY;
		}
		add(s, space);
		s->n_uncounted++;
	}
	name_added(s, "space", s->n_shards);
	return 0;
}

int sockets_open_inputs(struct sockets *s, const struct config *c, struct kept *kept)
{
	memset(s, 0, sizeof(*s));
	s->n_shards = sharded_count(c);
	if (s->n_shards > 1 && sockets_allow_shards(c, s->n_shards))
		return EXIT_TEMPORARY;
	if (open_all(s, c, kept, 0) || open_denied(s, c) || bind_all(s, c)) {
		close_all(s);
		return EXIT_TEMPORARY;
	}
	return 0;
}

int sockets_open_with(struct sockets *s, const struct config *c, struct kept *kept)
{
	int status = sockets_open_inputs(s, c, kept);

	if (!status && (open_all(s, c, kept, 1) || sockets_open_spaces(s))) {
		close_all(s);
		status = EXIT_TEMPORARY;
	}
	return status;
}

int sockets_open(struct sockets *s, const struct config *c)
{
	return sockets_open_with(s, c, NULL);
}

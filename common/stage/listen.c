/* listen.c - bind input sockets, alone or as one group with rules. */
#include "listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "answers.h"
#include "config/port.h"

static uint32_t flow_of(const struct config *c, const struct port_member *m)
{
	uint32_t flow = m->listen;

	for (uint32_t k = 0; k < m->class; k++)
		flow += c->classes[k].n_listen;
	return flow;
}

/* The port of a flow; returns the flow's place in it. */
static uint32_t find(const struct config *c, uint32_t flow, struct port *port)
{
	uint32_t class = 0, listen = flow, place = 0;

	while (listen >= c->classes[class].n_listen)
		listen -= c->classes[class++].n_listen;
	port_of(c, &c->classes[class].listen[listen], port);
	while (port->members[place].class != class)
		place++;
	return place;
}

uint32_t listen_socket(const struct config *c, uint32_t flow)
{
	uint32_t at = 0;

	for (uint32_t k = 0; k < c->n_classes; k++)
		for (uint32_t i = 0; i < c->classes[k].n_listen && flow > 0; i++, flow--)
			at += c->classes[k].fair ? c->classes[k].fair : 1;
	return at;
}

static uint32_t count_flows(const struct config *c)
{
	uint32_t n = 0;

	for (uint32_t k = 0; k < c->n_classes; k++)
		n += c->classes[k].n_listen;
	return n;
}

uint32_t listen_denied(const struct config *c, uint32_t flow)
{
	return listen_socket(c, count_flows(c)) + flow;
}

bool listen_completes(const struct config *c, uint32_t flow)
{
	struct port port;
	uint32_t place = find(c, flow, &port);

	return port_is_group(c, &port) && place == port.n - 1;
}

bool listen_has_rule(const struct config *c, const int *fd, uint32_t flow)
{
	struct port port;
	uint32_t place = find(c, flow, &port);
	int denied = fd[listen_denied(c, flow_of(c, &port.members[0]))];

	return place == port.n - 1 && (port_is_group(c, &port) || (denied >= 0 && listen_is_bound(denied)));
}

bool listen_may_bind(const struct config *c, uint32_t flow, uint64_t unbound)
{
	struct port port;
	uint32_t place = find(c, flow, &port);

	for (uint32_t i = 0; i < place; i++)
		if (unbound >> flow_of(c, &port.members[i]) & 1)
			return false;
	return true;
}

int listen_share(int fd)
{
	int on = 1;

	return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0 ? -errno : 0;
}

bool listen_is_bound(int fd)
{
	struct sockaddr_storage at = { 0 };
	socklen_t len = sizeof(at);
	in_port_t port;

	if (getsockname(fd, (struct sockaddr *)&at, &len) < 0)
		return true; /* nothing that binding would repair */
	memcpy(&port, (const uint8_t *)&at + offsetof(struct sockaddr_in, sin_port), sizeof(port));
	return port != 0;
}

int listen_bind(const struct config *c, const int *fd, uint32_t flow)
{
	struct sockaddr_storage at;
	struct port port;
	uint32_t place = find(c, flow, &port);
	const struct port_member *m = &port.members[place];
	const struct address *a = &c->classes[m->class].listen[m->listen];
	int first = fd[listen_socket(c, flow_of(c, &port.members[0]))];
	int err = address_resolve(a, &at);

	for (uint32_t k = 0; !err && k < port_buckets(c, m); k++) {
		int own = fd[listen_socket(c, flow) + k];

		if (port_buckets(c, m) > 1 && listen_is_bound(own)) /* by one that died before the last of them */
			continue;
		if (own != first)
			err = listen_share(first);
		if (!err && own != first)
			err = listen_share(own);
		if (!err)
			err = group_bind(own, a, &at);
	}
	if (!err && listen_completes(c, flow))
		err = listen_rule(c, fd, flow);
	return err;
}

int listen_follow(const struct config *c, int fd, uint32_t flow, uint32_t *joined)
{
	struct port port;
	const struct port_member *m = &port.members[find(c, flow, &port)];
	const struct class_config *class = &c->classes[m->class];
	const struct address *a = &class->listen[m->listen];
	uint32_t interface;
	bool is_new = false;
	int err;

	if (!group_is(a))
		return 0;
	interface = group_interface(a);
	/* else the old ones would add up, or be received still under another name */
	if (*joined && *joined != interface) {
		group_leave(fd, a, *joined);
		*joined = 0;
	}
	if (interface == 0)
		return -ENODEV;
	if (interface == *joined)
		return 0;
	err = group_join(fd, a, interface, &class->group_sources, &is_new);
	if (!err)
		*joined = interface;
	return err ? err : is_new;
}

/* It takes nothing before it can be chosen. */
static int bind_denied(int fd, int member)
{
	struct sockaddr_storage at;
	socklen_t len = sizeof(at);
	int err;

	if (fd < 0)
		return -ENOENT;
	if (listen_is_bound(fd))
		return 0;
	err = answers_refuse(fd);
	if (!err)
		err = listen_share(member);
	if (!err)
		err = listen_share(fd);
	if (!err &&
	    (getsockname(member, (struct sockaddr *)&at, &len) < 0 || bind(fd, (const struct sockaddr *)&at, len) < 0))
		err = -errno;
	return err;
}

int listen_rule(const struct config *c, const int *fd, uint32_t flow)
{
	struct sock_filter steps[PORT_MOST_STEPS];
	struct sock_fprog program = { .filter = steps };
	struct port port;
	int own = fd[listen_socket(c, flow)], err = 0;

	find(c, flow, &port);
	for (uint32_t i = 0; !err && i < port.n && port_denies(c, &port); i++)
		err = bind_denied(fd[listen_denied(c, flow_of(c, &port.members[i]))], own);
	if (err)
		return err;
	program.len = (unsigned short)port_compile(c, &port, steps);
	return setsockopt(own, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program)) < 0 ? -errno : 0;
}

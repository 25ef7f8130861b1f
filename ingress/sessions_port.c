/* sessions_port.c - the port that a session has towards its destination: given up, rested, had again, or fixed. */
#include <sys/socket.h>

#include "clock.h"
#include "config/address.h"
#include "config/from.h"
#include "sessions.h"
#include "stage/answers.h"

#define PORT_REST_S 60 /* as long as TCP's TIME_WAIT */
#define PORT_TRIES 9

/* A fixed port stays: there the filter keeps out what comes. */
void sessions_give_up_port(const struct sessions *x, uint32_t k)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	int fd = x->first_fd + (int)k;

	if (x->stage->config.classes[x->forth].n_from)
		answers_refuse(fd);
	connect(fd, &none, sizeof(none));
}

in_port_t sessions_port(int fd)
{
	struct sockaddr_in6 at = { 0 };
	socklen_t len = sizeof(at);

	return getsockname(fd, (struct sockaddr *)&at, &len) < 0 ? 0 : at.sin6_port; /* at the same place in IPv4 */
}

/*
 * Without a way now it stays unconnected, and without a port, which would take datagrams from anybody: egress connects
 * it when there is a way, and counts until then.
 */
static void connect_socket(const struct sessions *x, uint32_t k)
{
	const struct class_config *c = &x->stage->config.classes[x->forth];
	const struct address *to = &c->dests[x->all[k].destination];
	struct sockaddr_storage at;
	int fd = x->first_fd + (int)k;

	if (address_resolve(to, &at) || from_bind(fd, c, at.ss_family))
		return;
	if (connect(fd, (const struct sockaddr *)&at, to->len) < 0)
		sessions_give_up_port(x, k);
	else if (c->n_from)
		answers_accept(fd);
}

static uint16_t second_of(uint64_t now)
{
	uint16_t second = (uint16_t)(now / NS_PER_S);

	return second ? second : 1;
}

/* After 18 hours a second has the same number again: then a port rests for another minute. */
static int is_resting(const struct sessions *x, in_port_t port, uint64_t now)
{
	uint16_t at = x->ports->given_up_s[port];

	return at && (uint16_t)(second_of(now) - at) < PORT_REST_S;
}

/* The kernel chooses a port at random. An answer that is under way to a port must find nobody there. */
void sessions_connect(struct sessions *x, uint32_t k, uint64_t now)
{
	int fd = x->first_fd + (int)k;

	connect_socket(x, k);
	if (x->stage->config.classes[x->forth].n_from)
		return;
	for (int tries = 1; tries < PORT_TRIES && is_resting(x, sessions_port(fd), now); tries++) {
		sessions_give_up_port(x, k);
		connect_socket(x, k);
	}
}

/* Egress may have connected the socket again since it was made: its port is what the kernel says. */
void sessions_give_up(struct sessions *x, uint32_t k, uint64_t now)
{
	int fd = x->first_fd + (int)k;
	in_port_t port = sessions_port(fd);

	if (port)
		x->ports->given_up_s[port] = second_of(now);
	sessions_give_up_port(x, k);
}

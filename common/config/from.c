/* from.c - the address and port of this machine that the datagrams of a class leave from. */
#include "from.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "reply.h"
#include "value.h"

const struct address *from_of(const struct class_config *c, int family)
{
	for (uint32_t i = 0; i < c->n_from; i++)
		if (c->from[i].at.ss_family == family)
			return &c->from[i];
	return NULL;
}

static in_port_t *port_in(struct sockaddr_storage *at)
{
	return (in_port_t *)(void *)((uint8_t *)at + offsetof(struct sockaddr_in, sin_port)); /* of both families */
}

static int has_port(int fd, in_port_t port)
{
	struct sockaddr_storage at = { 0 };
	socklen_t len = sizeof(at);

	return getsockname(fd, (struct sockaddr *)&at, &len) == 0 && *port_in(&at) == port;
}

static uint32_t count_dests(const struct class_config *c, int family)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->n_dests; i++)
		n += c->dests[i].at.ss_family == family;
	return n;
}

int from_bind(int fd, const struct class_config *c, int family)
{
	const struct address *from = from_of(c, family);
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	struct sockaddr_storage at;
	int on = 1, err = from ? address_resolve(from, &at) : 0;

	if (!from || err || has_port(fd, *port_in(&at)))
		return err;
	connect(fd, &none, sizeof(none)); /* a send before gave it another port, though it went nowhere */
	if (!c->replies[0] && count_dests(c, family) > 1)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	return bind(fd, (const struct sockaddr *)&at, from->len) < 0 ? -errno : 0;
}

int from_is_there(const struct class_config *c, int family)
{
	const struct address *from = from_of(c, family);
	struct sockaddr_storage at;
	int err = from ? address_resolve(from, &at) : 0, fd;

	if (!from || err)
		return err;
	fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	*port_in(&at) = 0;
	if (bind(fd, (const struct sockaddr *)&at, from->len) < 0)
		err = -errno;
	close(fd);
	return err;
}

/* Who has the address already: a class that listens there, or one before it that sends from there. */
static const char *taken(const struct config *c, uint32_t class, const struct address *a, char *reason)
{
	char text[ADDRESS_BYTES];

	for (uint32_t i = 0; i < c->n_classes; i++) {
		const struct class_config *other = &c->classes[i];

		for (uint32_t k = 0; k < other->n_listen; k++)
			if (address_overlap(a, &other->listen[k])) {
				snprintf(reason, REASON_BYTES, "class %s listens on %s; use another port", other->name,
					 address_format(&other->listen[k], text));
				return reason;
			}
		for (uint32_t k = 0; k < other->n_from && i < class; k++)
			if (address_overlap(a, &other->from[k])) {
				snprintf(reason, REASON_BYTES, "class %s sends from %s already; each needs its own",
					 other->name, address_format(&other->from[k], text));
				return reason;
			}
	}
	return NULL;
}

static const char *wrong_family(const struct class_config *c, char *reason)
{
	char text[ADDRESS_BYTES];

	for (uint32_t i = 0; i < c->n_from; i++) {
		if (count_dests(c, c->from[i].at.ss_family) == 0) {
			snprintf(reason, REASON_BYTES, "%s is of a family that class %s does not send to",
				 address_format(&c->from[i], text), c->name);
			return reason;
		}
		if (from_of(c, c->from[i].at.ss_family) != &c->from[i]) {
			snprintf(reason, REASON_BYTES, "two of one family; there is one of each at most");
			return reason;
		}
	}
	for (uint32_t i = 0; i < c->n_dests; i++)
		if (!from_of(c, c->dests[i].at.ss_family)) {
			snprintf(reason, REASON_BYTES, "none is of the family of %s, which class %s sends to",
				 address_format(&c->dests[i], text), c->name);
			return reason;
		}
	return NULL;
}

const char *from_conflict(const struct config *c, uint32_t class, char *reason)
{
	const struct class_config *own = &c->classes[class];
	const char *why;

	if (own->n_from == 0)
		return NULL;
	if (reply_forth(c, class) >= 0)
		return "replies leave from the address that their sender wrote to";
	if (own->replies[0] && own->sessions != 1)
		return "one port cannot tell the replies of several senders apart; with replies, set sessions = 1";
	if (own->via_first_port || own->via.bits)
		return "via and via_ports choose it already; leave one of them out";
	why = wrong_family(own, reason);
	for (uint32_t i = 0; i < own->n_from && !why; i++)
		why = taken(c, class, &own->from[i], reason);
	return why;
}

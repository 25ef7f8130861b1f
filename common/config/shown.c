/* shown.c - classes whose datagrams leave with the address of the one that sent them. */
#include "shown.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "reply.h"
#include "value.h"

#ifndef IPV6_HDRINCL
#define IPV6_HDRINCL 36
#endif
#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif
#ifndef IPV6_RECVORIGDSTADDR
#define IPV6_RECVORIGDSTADDR 74
#endif

static int switch_on(int fd, int level, int option)
{
	int on = 1;

	return setsockopt(fd, level, option, &on, sizeof(on)) < 0 ? -errno : 0;
}

static int be_transparent(int fd, int family)
{
	return family == AF_INET ? switch_on(fd, SOL_IP, IP_TRANSPARENT) : switch_on(fd, SOL_IPV6, IPV6_TRANSPARENT);
}

int shown_socket(const struct class_config *c, int family)
{
	int raw = shown_has_port(c), err = 0;
	int fd = socket(family, (raw ? SOCK_RAW : SOCK_DGRAM) | SOCK_NONBLOCK, raw ? IPPROTO_RAW : 0);

	if (fd < 0)
		return -errno;
	if (raw)
		err = family == AF_INET ? switch_on(fd, SOL_IP, IP_HDRINCL) : switch_on(fd, SOL_IPV6, IPV6_HDRINCL);
	else if (shown_is_sender(c))
		err = be_transparent(fd, family);
	if (!err)
		return fd;
	close(fd);
	return err;
}

int shown_allow(int fd, int family)
{
	int err = be_transparent(fd, family);

	return err ? err : switch_on(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT); /* of both families */
}

int shown_bind(int fd, const struct sockaddr_in6 *sender)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	struct sockaddr_in6 at = *sender;
	int v4 = at.sin6_family == AF_INET;

	at.sin6_port = 0; /* at the same place in IPv4 */
	connect(fd, &none, sizeof(none)); /* what has a port cannot be bound */
	return bind(fd, (const struct sockaddr *)&at, v4 ? sizeof(struct sockaddr_in) : sizeof(at)) < 0 ? -errno : 0;
}

int shown_bind_answers(int fd, int family, uint32_t port)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int is_v4 = family == AF_INET, err = be_transparent(fd, family);

	if (!err && !is_v4)
		err = switch_on(fd, SOL_IPV6, IPV6_V6ONLY);
	if (!err)
		err = is_v4 ? switch_on(fd, SOL_IP, IP_RECVORIGDSTADDR) : switch_on(fd, SOL_IPV6, IPV6_RECVORIGDSTADDR);
	if (!err && bind(fd, is_v4 ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6,
			 is_v4 ? sizeof(v4) : sizeof(v6)) < 0)
		err = -errno;
	return err;
}

const char *shown_right_text(const struct class_config *c)
{
	return shown_is_sender(c) ? ": `source` needs CAP_NET_RAW: start as root, or once: setcap cap_net_raw+ep "
				    "build/hold; in a unit AmbientCapabilities=CAP_NET_RAW"
				  : "";
}

/* An address of one family cannot be seen in the other. */
static const struct address *other_family(const struct class_config *c)
{
	for (uint32_t i = 0; i < c->n_listen; i++)
		if (c->listen[i].at.ss_family != c->dests[0].at.ss_family)
			return &c->listen[i];
	for (uint32_t i = 1; i < c->n_dests; i++)
		if (c->dests[i].at.ss_family != c->dests[0].at.ss_family)
			return &c->dests[i];
	return NULL;
}

static const char *unfit_address(const struct class_config *c, const char **key, char *reason)
{
	const struct address *other = other_family(c);
	char text[ADDRESS_BYTES], to[ADDRESS_BYTES];

	*key = "source";
	if (other) {
		snprintf(reason, REASON_BYTES, "%s and %s are of two families, and a sender has an address of one",
			 address_format(other, text), address_format(&c->dests[0], to));
		return reason;
	}
	for (uint32_t i = 0; i < c->n_dests; i++)
		if (group_is(&c->dests[i]) || (address_traits(&c->dests[i]) & ADDRESS_IS_BROADCAST)) {
			snprintf(reason, REASON_BYTES, "%s is no single destination; use own or proxy",
				 address_format(&c->dests[i], text));
			return reason;
		}
	return NULL;
}

/* What would set the address or the port to something else. */
static const char *other_ways(const struct class_config *c, const char **key)
{
	*key = "from";
	if (c->n_from)
		return "source = address and transparent show the sender's address; leave one of them out";
	*key = "via";
	if (c->via.bits)
		return "source = address and transparent tell sessions apart without; leave one of them out";
	*key = "accept_proxy";
	if (c->accept_proxy.n > 0 && c->replies[0])
		return "with replies the sender that is seen must be the one that they go to; leave one of `replies`, "
		       "`accept_proxy` and `source` out";
	*key = "via_ports";
	if (shown_has_port(c) && !c->replies[0] && c->via_first_port)
		return "without replies there is no port of this machine; leave it out";
	if (shown_has_port(c) && c->replies[0] && (!c->via_first_port || c->via_first_port != c->via_last_port))
		return "answers to the senders' ports are brought to one port of this machine: name it (for example "
		       "via_ports = 7700-7700)";
	return NULL;
}

const char *shown_conflict(const struct config *c, uint32_t class, const char **key, char *reason)
{
	const struct class_config *own = &c->classes[class];
	const char *why;

	if (!shown_is_sender(own))
		return NULL;
	*key = "source";
	if (reply_forth(c, class) >= 0)
		return "replies go back to their senders as they are; use own";
	why = own->n_dests ? unfit_address(own, key, reason) : NULL;
	return why ? why : other_ways(own, key);
}

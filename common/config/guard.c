/* guard.c - protection per source: what it needs, and what stands in its way. */
#include "guard.h"

#include <inttypes.h>
#include <string.h>
#include <sys/random.h>

#include "clock.h"
#include "port.h"
#include "reply.h"
#include "sharded.h"
#include "value.h"

bool guard_needs_memory(const struct class_config *class)
{
	return class->source_rate_pps || class->fair;
}

uint32_t guard_draw(void)
{
	uint32_t seed;

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed)) /* early in a boot */
		seed = (uint32_t)(now_ns() * 0x9e3779b97f4a7c15u >> 32);
	return seed | 1;
}

static bool is_link_local(const struct address *a)
{
	struct sockaddr_in6 v6;

	memcpy(&v6, &a->at, sizeof(v6));
	return v6.sin6_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&v6.sin6_addr);
}

/* The first of them that a class has; NULL: none. */
static const char *key_of(const struct class_config *class, bool with_rate)
{
	return class->fair			     ? "fair"
	       : class->acl.n[ACL_DENY]		     ? "deny"
	       : class->acl.n[ACL_ALLOW]	     ? "allow"
	       : with_rate && class->source_rate_pps ? "source_rate"
						     : NULL;
}

/* Where the kernel does not ask the program, or forgets it. */
static const char *why_not_there(const struct class_config *class)
{
	for (uint32_t k = 0; k < class->n_listen; k++) {
		if (group_is(&class->listen[k]))
			return "it listens on a multicast group, of which each socket gets each datagram";
		if (is_link_local(&class->listen[k]))
			return "it listens on a link-local address; a group of sockets does not outlive its interface";
	}
	return class->broadcast ? "of a broadcast each socket gets a copy" : NULL;
}

static uint32_t fair_sockets(const struct config *c)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->n_classes; i++)
		n += c->classes[i].fair * c->classes[i].n_listen;
	return n;
}

/* Of the port's first class that denies anybody, so that it is said once. */
static const char *too_long(const struct config *c, uint32_t class, char *reason)
{
	static struct sock_filter steps[PORT_MOST_STEPS];
	struct port port;

	for (uint32_t k = 0; k < c->classes[class].n_listen; k++) {
		uint32_t n, first = MAX_CLASSES;

		port_of(c, &c->classes[class].listen[k], &port);
		for (uint32_t i = 0; i < port.n; i++)
			if (acl_is_asked(&c->classes[port.members[i].class].acl))
				first = port.members[i].class;
		if (first != class)
			continue;
		n = port_compile(c, &port, steps);
		if (n > PORT_MOST_STEPS) {
			value_refuse(reason,
				     "the prefixes of its address make a program of %" PRIu32
				     " instructions, and the kernel takes %d; write fewer or shorter ones, or have a "
				     "firewall drop them",
				     n, PORT_MOST_STEPS);
			return reason;
		}
	}
	return NULL;
}

const char *guard_conflict(const struct config *c, uint32_t class, const char **key, char *reason)
{
	const struct class_config *own = &c->classes[class];
	const char *any = key_of(own, true), *grouped = key_of(own, false);
	int forth = reply_forth(c, class);

	if (!any)
		return NULL;
	*key = any;
	if (forth >= 0) {
		value_refuse(reason, "the replies of class %s go back as this class, from its destinations alone",
			     c->classes[forth].name);
		return reason;
	}
	if (sharded_may_be_many(c))
		return "the senders of a source may belong to several shards; use shards = 1";
	if (grouped && why_not_there(own)) {
		*key = grouped;
		value_refuse(reason, "class %s cannot have it: %s", own->name, why_not_there(own));
		return reason;
	}
	if (own->fair && fair_sockets(c) > MAX_FAIR_SOCKETS) {
		value_refuse(reason, "%" PRIu32 " buckets for the addresses of all classes, and there can be %d",
			     fair_sockets(c), MAX_FAIR_SOCKETS);
		return reason;
	}
	*key = own->acl.n[ACL_DENY] ? "deny" : "allow";
	return acl_is_asked(&own->acl) ? too_long(c, class, reason) : NULL;
}

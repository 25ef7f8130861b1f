/* conflict_addresses.c - addresses and rules of classes that cannot work together. */
#include <string.h>

#include "port.h"
#include "search.h"

/* Is an address of class i taken by an address before it? Two classes may share one if the upper one has a rule. */
static void listens(const struct search *s, uint32_t i)
{
	char text[ADDRESS_BYTES];

	for (uint32_t flow = 0; flow < s->c->classes[i].n_listen; flow++)
		for (uint32_t other = 0; other < i * MAX_LISTEN + flow; other++) {
			const struct class_config *class = &s->c->classes[other / MAX_LISTEN];
			const struct address *mine = &s->c->classes[i].listen[flow];
			const struct address *its = &class->listen[other % MAX_LISTEN];
			bool share = other / MAX_LISTEN != i && address_is_same(mine, its);

			if (other % MAX_LISTEN >= class->n_listen || !address_overlap(mine, its) ||
			    (share && class->match.n > 0))
				continue;
			conflict_say(s, (int)i, "listen", "class %s listens on %s already%s", class->name,
				     address_format(its, text),
				     share ? "; to share it, that class needs `match` (for example match = dscp ef)"
					   : "");
			return;
		}
}

/* 255.255.255.255 is one; others look like any host's, and are refused by the kernel. */
static void broadcast(const struct search *s, uint32_t i)
{
	const struct class_config *class = &s->c->classes[i];
	static const char reason[] = "a broadcast address; that is asked for by broadcast = on";

	for (uint32_t k = 0; k < class->n_listen && !class->broadcast; k++)
		if (address_traits(&class->listen[k]) & ADDRESS_IS_BROADCAST)
			conflict_say(s, (int)i, "listen", "%s", reason);
	for (uint32_t k = 0; k < class->n_dests && !class->broadcast; k++)
		if (address_traits(&class->dests[k]) & ADDRESS_IS_BROADCAST)
			conflict_say(s, (int)i, "send", "%s", reason);
}

bool conflict_has_group(const struct class_config *class)
{
	for (uint32_t k = 0; k < class->n_listen; k++)
		if (group_is(&class->listen[k]))
			return true;
	return false;
}

static bool has_source_for(const struct class_config *class, const struct address *a)
{
	for (uint32_t k = 0; k < class->group_sources.n; k++)
		if (class->group_sources.at[k].ss_family == a->at.ss_family)
			return true;
	return false;
}

static bool has_link_local(const struct class_config *class)
{
	struct sockaddr_in6 v6;

	for (uint32_t k = 0; k < class->n_listen; k++) {
		memcpy(&v6, &class->listen[k].at, sizeof(v6));
		if (v6.sin6_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&v6.sin6_addr))
			return true;
	}
	return false;
}

static void groups(const struct search *s, uint32_t i)
{
	const struct class_config *class = &s->c->classes[i];
	char text[ADDRESS_BYTES];

	if (class->group_sources.n > 0 && !conflict_has_group(class))
		conflict_say(s, (int)i, "group_sources", "class %s listens on no multicast group", class->name);
	for (uint32_t k = 0; k<class->n_listen &&class->group_sources.n> 0; k++)
		if (group_is(&class->listen[k]) && !has_source_for(class, &class->listen[k]))
			conflict_say(s, (int)i, "group_sources", "none is of the family of %s",
				     address_format(&class->listen[k], text));
	if (class->match.n > 0 && has_link_local(class))
		conflict_say(s, (int)i, "match",
			     "class %s listens on a link-local address; rules do not outlive its interface",
			     class->name);
	if (class->match.n > 0 && conflict_has_group(class))
		conflict_say(
			s, (int)i, "match",
			"class %s listens on a multicast group, of which each socket gets each datagram; rules do not "
			"hold there",
			class->name);
}

/* A class with a rule leaves datagrams to a class below it, on each of its addresses. */
static void match(const struct search *s, uint32_t i)
{
	const struct class_config *class = &s->c->classes[i];
	char text[ADDRESS_BYTES];
	struct port port;

	for (uint32_t flow = 0; class->match.n > 0 && flow < class->n_listen; flow++) {
		port_of(s->c, &class->listen[flow], &port);
		if (port.members[0].class != i)
			continue;
		conflict_say(
			s, (int)i, "match",
			"no class below %s listens on %s: what the rule does not name would belong to nobody; add a "
			"class "
			"without match there",
			class->name, address_format(&class->listen[flow], text));
		return;
	}
}

void conflict_find_addresses(const struct search *s, uint32_t class)
{
	listens(s, class);
	match(s, class);
	broadcast(s, class);
	groups(s, class);
}

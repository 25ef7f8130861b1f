/* ways.c - routes and rules for servers that see their clients. */
#include "ways.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "config/shown.h"
#include "lookup.h"

#define ANY_PORT 40000 /* of a client: no rule is about it */
#define TABLE "7700" /* of routing; any that is not used for something else */

static const char *host_text(const struct sockaddr_storage *at, char text[INET6_ADDRSTRLEN])
{
	const void *host = at->ss_family == AF_INET ? (const void *)&((const struct sockaddr_in *)at)->sin_addr
						    : (const void *)&((const struct sockaddr_in6 *)at)->sin6_addr;

	return inet_ntop(at->ss_family, host, text, INET6_ADDRSTRLEN);
}

static const char *ip_of(const struct address *a)
{
	return a->at.ss_family == AF_INET ? "ip" : "ip -6";
}

/* With replies: what the server answers to a client's address stays here, and by which socket. */
static void print_here(const struct config *c, const struct class_config *k, const struct address *server,
		       const struct lookup_out *way)
{
	int v4 = server->at.ss_family == AF_INET;
	char host[INET6_ADDRSTRLEN], in[IF_NAMESIZE + 8] = "";

	if (way->interface[0])
		snprintf(in, sizeof(in), " iif %s", way->interface);
	host_text(&server->at, host);
	printf("  %s rule add%s from %s ipproto udp sport %u", ip_of(server), in, host, address_port(server));
	if (k->via_first_port && !shown_has_port(k))
		printf(" dport %u-%u", k->via_first_port, k->via_last_port);
	printf(" lookup " TABLE "\n  %s route replace local default dev lo table " TABLE "\n", ip_of(server));
	if (!shown_has_port(k))
		return;
	/* what is for an address of a link is routed by interfaces of that link alone */
	if (!v4 && way->interface[0])
		printf("  ip -6 route replace local fe80::/10 dev %s table " TABLE "\n", way->interface);
	printf("  nft add table inet ontime-%s\n", c->instance);
	printf("  nft add chain inet ontime-%s answers '{ type filter hook prerouting priority mangle; }'\n",
	       c->instance);
	printf("  nft add rule inet ontime-%s answers %s saddr %s udp sport %u tproxy %s to :%u\n", c->instance,
	       v4 ? "ip" : "ip6", host, address_port(server), v4 ? "ip" : "ip6", k->via_first_port);
}

static void print_there(const struct class_config *k, const struct address *server, const struct lookup_out *way)
{
	char host[INET6_ADDRSTRLEN], local[INET6_ADDRSTRLEN];

	host_text(&server->at, host);
	host_text(&way->local, local);
	if (k->replies[0])
		printf("on the server %s, with the network of the clients for CLIENTS:\n  %s route replace CLIENTS via "
		       "%s\n",
		       host, ip_of(server), local);
	else if (server->at.ss_family == AF_INET)
		printf("on the server %s, if its route to the clients does not lead through %s:\n  sysctl -w "
		       "net.ipv4.conf.all.rp_filter=2 net.ipv4.conf.default.rp_filter=2\n",
		       host, local);
}

static void print_missing(const struct class_config *k, const struct address *server, const struct lookup_out *way)
{
	char host[INET6_ADDRSTRLEN];
	uint32_t port = k->via_first_port && !shown_has_port(k) ? k->via_first_port : ANY_PORT;

	if (k->replies[0] && way->interface[0] && lookup_is_taken(server, way->interface, port) == 0)
		printf("missing here: no rule that can be seen keeps answers of %s to its clients on this machine: "
		       "class %s gets none\n",
		       host_text(&server->at, host), k->replies);
}

static void print_server(const struct config *c, const struct class_config *k, const struct address *server)
{
	struct lookup_out way;
	char text[ADDRESS_BYTES];

	if (lookup_out(server, &way)) {
		printf("class %s: there is no way to %s now: what it takes there cannot be told\n", k->name,
		       address_format(server, text));
		return;
	}
	if (way.is_here && k->replies[0]) {
		printf("class %s: %s is this machine: what it answers goes to its clients past every rule; with "
		       "`replies` the server needs a machine, or a network namespace, of its own\n",
		       k->name, address_format(server, text));
		return;
	}
	if (way.is_here)
		return;
	if (k->replies[0]) {
		printf("on this machine, for the answers of %s:\n", address_format(server, text));
		print_here(c, k, server, &way);
	}
	print_there(k, server, &way);
	print_missing(k, server, &way);
}

void ways_print(const struct config *c)
{
	for (uint32_t i = 0; i < c->n_classes; i++) {
		const struct class_config *k = &c->classes[i];

		if (!shown_is_sender(k))
			continue;
		printf("class %s: its servers see the address%s of its clients. That takes CAP_NET_RAW where the "
		       "sockets "
		       "are made (root, or setcap cap_net_raw+ep build/hold), and a network between that lets such "
		       "datagrams pass\n",
		       k->name, shown_has_port(k) ? " and port" : "");
		for (uint32_t d = 0; d < k->n_dests; d++)
			print_server(c, k, &k->dests[d]);
	}
}

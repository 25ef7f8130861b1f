/* address.c - an IP address with a port: from text and back, and how two of them relate. */
#include "address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LONGEST_TEXT 128 /* "[0000:...:255.255.255.255%scope]:65535" has 70 */

/* An address taken apart; of the two addresses, the one of the other family is all zero. */
struct parts {
	int family;
	in_port_t port;
	uint32_t v4; /* in the host's byte order */
	struct in6_addr v6;
	uint32_t scope_id;
};

static struct parts parts_of(const struct sockaddr_storage *at)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	memcpy(&v4, at, sizeof(v4));
	memcpy(&v6, at, sizeof(v6));
	if (at->ss_family == AF_INET)
		return (struct parts){ AF_INET, v4.sin_port, ntohl(v4.sin_addr.s_addr), { { { 0 } } }, 0 };
	return (struct parts){ at->ss_family, v6.sin6_port, 0, v6.sin6_addr, v6.sin6_scope_id };
}

uint32_t address_interface(const char *name)
{
	struct ifreq request = { .ifr_ifindex = 0 };
	int fd;

	if (strlen(name) >= sizeof(request.ifr_name))
		return 0;
	strcpy(request.ifr_name, name);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return 0;
	if (ioctl(fd, SIOCGIFINDEX, &request) < 0)
		request.ifr_ifindex = 0;
	close(fd);
	return (uint32_t)request.ifr_ifindex;
}

/* parse_scope - what follows the '%': an index from 1 on, or a name that an interface may have. */
static bool parse_scope(const char *text, struct address *a, uint32_t *id)
{
	size_t len = strlen(text);

	if (strspn(text, "0123456789") == len) {
		*id = len < 10 ? (uint32_t)strtoul(text, NULL, 10) : 0;
		return *id != 0;
	}
	if (len >= sizeof(a->scope) || strpbrk(text, "/% ") || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
		return false;
	memcpy(a->scope, text, len);
	*id = address_interface(text);
	return true;
}

/* parse_ipv6 - "::1" or "fe80::1%eth0". */
static bool parse_ipv6(char *host, in_port_t port, struct address *a)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = port };
	char *scope = strchr(host, '%');

	if (scope) {
		*scope++ = '\0';
		if (!parse_scope(scope, a, &v6.sin6_scope_id))
			return false;
	}
	if (inet_pton(AF_INET6, host, &v6.sin6_addr) != 1)
		return false;
	memcpy(&a->at, &v6, sizeof(v6));
	a->len = sizeof(v6);
	return true;
}

/*
 * parse_ipv4 - "127.0.0.1" or, of a group, "239.1.2.3%eth0"; an interface by its index has no place in such an address.
 */
static bool parse_ipv4(char *host, in_port_t port, struct address *a)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = port };
	char *scope = strchr(host, '%');
	uint32_t id;

	if (scope) {
		*scope++ = '\0';
		if (!parse_scope(scope, a, &id) || a->scope[0] == '\0')
			return false;
	}
	if (inet_pton(AF_INET, host, &v4.sin_addr) != 1 || (scope && !IN_MULTICAST(ntohl(v4.sin_addr.s_addr))))
		return false;
	memcpy(&a->at, &v4, sizeof(v4));
	a->len = sizeof(v4);
	return true;
}

bool address_parse(const char *whole, size_t len, struct address *a)
{
	char text[LONGEST_TEXT], *colon;
	unsigned long port;

	if (len >= sizeof(text))
		return false;
	memcpy(text, whole, len);
	text[len] = '\0';
	colon = strrchr(text, ':');
	if (!colon || strspn(colon + 1, "0123456789") != strlen(colon + 1) || strlen(colon + 1) > 5)
		return false;
	port = strtoul(colon + 1, NULL, 10);
	if (port < 1 || port > 65535)
		return false;
	*colon = '\0';
	*a = (struct address){ 0 };
	if (colon - text <= 2 || text[0] != '[' || colon[-1] != ']')
		return parse_ipv4(text, htons((uint16_t)port), a);
	colon[-1] = '\0';
	return parse_ipv6(text + 1, htons((uint16_t)port), a);
}

int address_resolve(const struct address *a, struct sockaddr_storage *now)
{
	struct sockaddr_in6 v6;

	*now = a->at;
	if (a->scope[0] == '\0')
		return 0;
	if (a->at.ss_family == AF_INET)
		return address_interface(a->scope) ? 0 : -ENODEV;
	memcpy(&v6, &a->at, sizeof(v6));
	v6.sin6_scope_id = address_interface(a->scope);
	memcpy(now, &v6, sizeof(v6));
	return v6.sin6_scope_id ? 0 : -ENODEV;
}

const char *address_format(const struct address *a, char *text)
{
	struct in_addr v4 = { htonl(parts_of(&a->at).v4) };
	struct parts p = parts_of(&a->at);
	char host[INET6_ADDRSTRLEN] = "", scope[SCOPE_BYTES];

	memcpy(scope, a->scope, sizeof(scope));
	if (scope[0] == '\0' && p.scope_id)
		snprintf(scope, sizeof(scope), "%" PRIu32, p.scope_id);
	inet_ntop(p.family, p.family == AF_INET ? (void *)&v4 : (void *)&p.v6, host, sizeof(host));
	if (p.family == AF_INET)
		snprintf(text, ADDRESS_BYTES, "%.15s%s%.15s:%u", host, scope[0] ? "%" : "", scope, ntohs(p.port));
	else if (p.family == AF_INET6)
		snprintf(text, ADDRESS_BYTES, "[%.39s%s%.15s]:%u", host, scope[0] ? "%" : "", scope, ntohs(p.port));
	else
		snprintf(text, ADDRESS_BYTES, "unset");
	return text;
}

static bool is_wildcard(const struct parts *p)
{
	return p->family != AF_UNSPEC && p->v4 == INADDR_ANY && IN6_IS_ADDR_UNSPECIFIED(&p->v6);
}

static bool is_same_address(const struct parts *a, const struct parts *b)
{
	return a->family == b->family && a->v4 == b->v4 && IN6_ARE_ADDR_EQUAL(&a->v6, &b->v6);
}

bool address_is_same(const struct address *a, const struct address *b)
{
	struct parts pa = parts_of(&a->at), pb = parts_of(&b->at);
	bool same_scope = pa.scope_id == pb.scope_id;

	if (a->scope[0] && b->scope[0]) /* by name, since neither may have an index yet */
		same_scope = strcmp(a->scope, b->scope) == 0;
	return same_scope && pa.port == pb.port && is_same_address(&pa, &pb);
}

bool address_overlap(const struct address *a, const struct address *b)
{
	struct parts pa = parts_of(&a->at), pb = parts_of(&b->at);

	if (pa.family == AF_UNSPEC || pa.family != pb.family || pa.port != pb.port)
		return false;
	return address_is_same(a, b) || is_wildcard(&pa) || is_wildcard(&pb);
}

static bool is_of_one_link(const struct in6_addr *a)
{
	return IN6_IS_ADDR_LINKLOCAL(a) || IN6_IS_ADDR_MC_LINKLOCAL(a) || IN6_IS_ADDR_MC_NODELOCAL(a);
}

bool address_is_same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	struct parts pa = parts_of(a), pb = parts_of(b);

	return is_same_address(&pa, &pb) && (pa.scope_id == pb.scope_id || !is_of_one_link(&pa.v6));
}

uint16_t address_port(const struct address *a)
{
	return ntohs(parts_of(&a->at).port);
}

uint32_t address_traits(const struct address *a)
{
	static const struct in6_addr nodes = { { { 0xff, 1, [15] = 1 } } };
	struct parts p = parts_of(&a->at);
	struct in6_addr group = p.v6;
	uint8_t reach = p.v6.s6_addr[1] & 0xf; /* of a group: 1, this interface; 2, this link */
	bool is_v6_group = IN6_IS_ADDR_MULTICAST(&p.v6), has_scope = a->scope[0] || p.scope_id;
	uint32_t traits = is_wildcard(&p) ? ADDRESS_IS_WILDCARD : 0;

	if (is_v6_group && reach == 2) /* ff02::1 as ff01::1 */
		group.s6_addr[1] = 1;
	if (is_v6_group || IN_MULTICAST(p.v4))
		traits |= ADDRESS_IS_GROUP;
	if (p.v4 == INADDR_BROADCAST)
		traits |= ADDRESS_IS_BROADCAST;
	if (IN6_IS_ADDR_V4MAPPED(&p.v6))
		traits |= ADDRESS_IS_MAPPED;
	if (p.v4 == INADDR_BROADCAST || p.v4 >> 24 == IN_LOOPBACKNET || p.v4 == INADDR_ALLHOSTS_GROUP ||
	    IN6_IS_ADDR_LOOPBACK(&p.v6) || IN6_ARE_ADDR_EQUAL(&group, &nodes))
		traits |= ADDRESS_COMES_BACK;
	if (!has_scope && traits & ADDRESS_IS_GROUP)
		traits |= ADDRESS_LACKS_INTERFACE;
	if (!has_scope && (IN6_IS_ADDR_LINKLOCAL(&p.v6) || (is_v6_group && reach <= 2)))
		traits |= ADDRESS_LACKS_SCOPE;
	return traits;
}

bool address_any_is_low(const struct address *all, uint32_t n)
{
	in_port_t port;

	for (uint32_t i = 0; i < n; i++) {
		memcpy(&port, (const uint8_t *)&all[i].at + offsetof(struct sockaddr_in, sin_port), sizeof(port));
		if (port && ntohs(port) < IPPORT_RESERVED)
			return true;
	}
	return false;
}

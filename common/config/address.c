/* address.c - an IP address with a port: from text and back, and whether two clash. */
#include "address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_TEXT 128 /* "[0000:...:255.255.255.255%scope]:65535" has 70 */

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
	*id = if_nametoindex(text);
	return true;
}

/* parse_ipv6 - "::1" or "fe80::1%eth0". */
static bool parse_ipv6(char *host, struct address *a, struct sockaddr_in6 *at)
{
	char *scope = strchr(host, '%');

	if (scope) {
		*scope++ = '\0';
		if (!parse_scope(scope, a, &at->sin6_scope_id))
			return false;
	}
	at->sin6_family = AF_INET6;
	return inet_pton(AF_INET6, host, &at->sin6_addr) == 1;
}

bool address_parse(const char *whole, size_t len, struct address *a)
{
	char text[LONGEST_TEXT];
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { 0 };
	unsigned long port;
	size_t host_len;
	char *colon;

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
	host_len = (size_t)(colon - text);
	*a = (struct address){ 0 };
	if (host_len > 2 && text[0] == '[' && text[host_len - 1] == ']') {
		text[host_len - 1] = '\0';
		if (!parse_ipv6(text + 1, a, &v6))
			return false;
		v6.sin6_port = htons((uint16_t)port);
		memcpy(&a->at, &v6, sizeof(v6));
		a->len = sizeof(v6);
		return true;
	}
	if (inet_pton(AF_INET, text, &v4.sin_addr) != 1)
		return false;
	v4.sin_port = htons((uint16_t)port);
	memcpy(&a->at, &v4, sizeof(v4));
	a->len = sizeof(v4);
	return true;
}

int address_resolve(const struct address *a, struct sockaddr_storage *now)
{
	struct sockaddr_in6 v6;

	*now = a->at;
	if (a->scope[0] == '\0')
		return 0;
	memcpy(&v6, &a->at, sizeof(v6));
	v6.sin6_scope_id = if_nametoindex(a->scope);
	memcpy(now, &v6, sizeof(v6));
	return v6.sin6_scope_id ? 0 : -ENODEV;
}

const char *address_format(const struct address *a, char *text)
{
	char host[INET6_ADDRSTRLEN] = "", scope[SCOPE_BYTES];
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (a->at.ss_family == AF_INET) {
		memcpy(&v4, &a->at, sizeof(v4));
		inet_ntop(AF_INET, &v4.sin_addr, host, sizeof(host));
		snprintf(text, ADDRESS_BYTES, "%s:%u", host, ntohs(v4.sin_port));
		return text;
	}
	if (a->at.ss_family != AF_INET6) {
		snprintf(text, ADDRESS_BYTES, "unset");
		return text;
	}
	memcpy(&v6, &a->at, sizeof(v6));
	inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof(host));
	memcpy(scope, a->scope, sizeof(scope));
	if (scope[0] == '\0' && v6.sin6_scope_id)
		snprintf(scope, sizeof(scope), "%" PRIu32, v6.sin6_scope_id);
	snprintf(text, ADDRESS_BYTES, "[%.39s%s%.15s]:%u", host, scope[0] ? "%" : "", scope, ntohs(v6.sin6_port));
	return text;
}

/* By name, since neither may have an index yet. */
static bool is_same_scope(const struct address *a, const struct address *b)
{
	struct sockaddr_in6 a6, b6;

	memcpy(&a6, &a->at, sizeof(a6));
	memcpy(&b6, &b->at, sizeof(b6));
	if (a->scope[0] && b->scope[0])
		return strcmp(a->scope, b->scope) == 0;
	return a6.sin6_scope_id == b6.sin6_scope_id;
}

bool address_overlap(const struct address *a, const struct address *b)
{
	struct sockaddr_in a4, b4;
	struct sockaddr_in6 a6, b6;

	if (a->at.ss_family != b->at.ss_family)
		return false;
	memcpy(&a4, &a->at, sizeof(a4));
	memcpy(&b4, &b->at, sizeof(b4));
	if (a->at.ss_family == AF_INET)
		return a4.sin_port == b4.sin_port &&
		       (a4.sin_addr.s_addr == b4.sin_addr.s_addr || a4.sin_addr.s_addr == INADDR_ANY ||
			b4.sin_addr.s_addr == INADDR_ANY);
	memcpy(&a6, &a->at, sizeof(a6));
	memcpy(&b6, &b->at, sizeof(b6));
	return a6.sin6_port == b6.sin6_port &&
	       ((is_same_scope(a, b) && IN6_ARE_ADDR_EQUAL(&a6.sin6_addr, &b6.sin6_addr)) ||
		IN6_IS_ADDR_UNSPECIFIED(&a6.sin6_addr) || IN6_IS_ADDR_UNSPECIFIED(&b6.sin6_addr));
}

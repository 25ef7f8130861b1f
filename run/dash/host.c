/* host.c - by which names the web server may be asked. */
#include "host.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define SCHEME "http://"

struct target target_of(const char *url)
{
	struct target t = { .path = url };

	if (strncasecmp(url, SCHEME, strlen(SCHEME)) != 0)
		return t;
	t.authority = url + strlen(SCHEME);
	t.authority_len = strcspn(t.authority, "/");
	t.path = t.authority[t.authority_len] ? t.authority + t.authority_len : "/";
	return t;
}

/* Where the client has connected to; IPv4 through an IPv6 socket is IPv4. */
static int local_address(struct MHD_Connection *c, struct in6_addr *v6, struct in_addr *v4)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct sockaddr_storage at = { 0 };
	struct sockaddr_in6 at6;
	struct sockaddr_in at4;
	socklen_t len = sizeof(at);

	if (!info || getsockname(info->connect_fd, (struct sockaddr *)&at, &len))
		return AF_UNSPEC;
	memcpy(&at4, &at, sizeof(at4));
	memcpy(&at6, &at, sizeof(at6));
	*v4 = at4.sin_addr;
	*v6 = at6.sin6_addr;
	if (at.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(v6)) {
		memcpy(v4, &v6->s6_addr[12], sizeof(*v4));
		return AF_INET;
	}
	return at.ss_family;
}

/* Is this the address the client has connected to, or any of loopback? */
static int is_our_address(struct MHD_Connection *c, const char *host, size_t len)
{
	struct in6_addr v6, at6;
	struct in_addr v4, at4;
	char text[INET6_ADDRSTRLEN];
	int family = local_address(c, &at6, &at4), is_v4;

	if (len >= sizeof(text) || family == AF_UNSPEC)
		return 0;
	memcpy(text, host, len);
	text[len] = '\0';
	is_v4 = inet_pton(AF_INET, text, &v4) == 1;
	if (!is_v4 && inet_pton(AF_INET6, text, &v6) != 1)
		return 0;
	if (!is_v4 && IN6_IS_ADDR_V4MAPPED(&v6)) {
		memcpy(&v4, &v6.s6_addr[12], sizeof(v4));
		is_v4 = 1;
	}
	if (is_v4)
		return ntohl(v4.s_addr) >> 24 == 127 || (family == AF_INET && v4.s_addr == at4.s_addr);
	return IN6_IS_ADDR_LOOPBACK(&v6) || (family == AF_INET6 && IN6_ARE_ADDR_EQUAL(&v6, &at6));
}

static int is_same(const char *name, const char *host, size_t len)
{
	return len == strlen(name) && strncasecmp(host, name, len) == 0;
}

/* Nothing, or :port; it may be another one, of a tunnel. */
static int is_port(const char *text, size_t len)
{
	if (len == 0)
		return 1;
	return *text == ':' && strspn(text + 1, "0123456789") >= len - 1;
}

/* host[:port] or [v6][:port]. */
static int host_is_ours(struct MHD_Connection *c, const char *host, size_t all, const char *const *allowed,
			uint32_t n_allowed)
{
	const char *end = memchr(host, all && *host == '[' ? ']' : ':', all);
	size_t len = end ? (size_t)(end - host) : all;

	if (all && *host == '[')
		return end && is_port(end + 1, all - len - 1) && is_our_address(c, host + 1, len - 1);
	if (!is_port(host + len, all - len))
		return 0;
	if (is_same("localhost", host, len))
		return 1;
	for (uint32_t i = 0; i < n_allowed; i++)
		if (is_same(allowed[i], host, len))
			return 1;
	return is_our_address(c, host, len);
}

int target_is_ours(const struct target *t, struct MHD_Connection *c, const char *version, const char *const *allowed,
		   uint32_t n_allowed)
{
	const char *host = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Host");

	if (t->authority && !host_is_ours(c, t->authority, t->authority_len, allowed, n_allowed))
		return 0;
	if (host)
		return host_is_ours(c, host, strlen(host), allowed, n_allowed);
	return strcmp(version, MHD_HTTP_VERSION_1_0) == 0;
}

/* lookup.c - which way the kernel takes. */
#include "lookup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ELSEWHERE_V4 "192.0.2.1" /* nobody has these (RFC 5737, RFC 3849) */
#define ELSEWHERE_V6 "2001:db8::1"
#define ANSWER_BYTES 4096

static const void *host_of(const struct sockaddr_storage *at)
{
	return at->ss_family == AF_INET ? (const void *)&((const struct sockaddr_in *)at)->sin_addr
					: (const void *)&((const struct sockaddr_in6 *)at)->sin6_addr;
}

static size_t host_bytes(int family)
{
	return family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
}

static void find_interface(struct lookup_out *out)
{
	struct ifaddrs *all;

	if (getifaddrs(&all) < 0)
		return;
	for (const struct ifaddrs *at = all; at; at = at->ifa_next) {
		struct sockaddr_storage is = { 0 };
		int family = at->ifa_addr ? at->ifa_addr->sa_family : AF_UNSPEC;

		if (family != out->local.ss_family)
			continue;
		memcpy(&is, at->ifa_addr, family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
		if (address_is_same_host(&is, &out->local))
			memcpy(out->interface, at->ifa_name, strnlen(at->ifa_name, IF_NAMESIZE - 1));
	}
	freeifaddrs(all);
}

int lookup_out(const struct address *to, struct lookup_out *out)
{
	int fd = socket(to->at.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), err;
	socklen_t len = sizeof(out->local);
	struct sockaddr_storage at;

	memset(out, 0, sizeof(*out));
	if (fd < 0)
		return -errno;
	err = address_resolve(to, &at);
	if (!err && (connect(fd, (const struct sockaddr *)&at, to->len) < 0 ||
		     getsockname(fd, (struct sockaddr *)&out->local, &len) < 0))
		err = -errno;
	close(fd);
	if (err)
		return err;
	out->is_here = address_is_same_host(&out->local, &at);
	find_interface(out);
	return 0;
}

struct question {
	struct nlmsghdr head;
	struct rtmsg route;
	uint8_t attributes[160];
};

static void put(struct question *q, unsigned short type, const void *value, size_t bytes)
{
	struct rtattr *a = (struct rtattr *)((uint8_t *)q + NLMSG_ALIGN(q->head.nlmsg_len));

	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(bytes);
	memcpy(RTA_DATA(a), value, bytes);
	q->head.nlmsg_len = (uint32_t)(NLMSG_ALIGN(q->head.nlmsg_len) + RTA_SPACE(bytes));
}

static void make_question(struct question *q, const struct address *server, uint32_t interface, uint32_t port)
{
	int family = server->at.ss_family;
	uint8_t elsewhere[sizeof(struct in6_addr)], protocol = IPPROTO_UDP;
	in_port_t from = ((const struct sockaddr_in *)&server->at)->sin_port, to = htons((uint16_t)port);

	inet_pton(family, family == AF_INET ? ELSEWHERE_V4 : ELSEWHERE_V6, elsewhere);
	memset(q, 0, sizeof(*q));
	q->head = (struct nlmsghdr){ .nlmsg_len = NLMSG_LENGTH(sizeof(q->route)),
				     .nlmsg_type = RTM_GETROUTE,
				     .nlmsg_flags = NLM_F_REQUEST };
	q->route.rtm_family = (uint8_t)family;
	q->route.rtm_src_len = q->route.rtm_dst_len = (uint8_t)(host_bytes(family) * 8);
	put(q, RTA_SRC, host_of(&server->at), host_bytes(family));
	put(q, RTA_DST, elsewhere, host_bytes(family));
	put(q, RTA_IIF, &interface, sizeof(interface));
	put(q, RTA_IP_PROTO, &protocol, sizeof(protocol));
	put(q, RTA_SPORT, &from, sizeof(from));
	put(q, RTA_DPORT, &to, sizeof(to));
}

/* An error is an answer too: a datagram that comes in so is dropped. */
static int read_answer(const uint8_t *bytes, ssize_t n)
{
	struct nlmsghdr head;
	struct rtmsg route;

	if (n < (ssize_t)NLMSG_LENGTH(sizeof(route)))
		return -1;
	memcpy(&head, bytes, sizeof(head));
	memcpy(&route, bytes + NLMSG_HDRLEN, sizeof(route));
	return head.nlmsg_type == RTM_NEWROUTE && route.rtm_type == RTN_LOCAL;
}

int lookup_is_taken(const struct address *server, const char *interface, uint32_t port)
{
	uint32_t index = if_nametoindex(interface);
	int fd = index ? socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE) : -1, taken = -1;
	uint8_t answer[ANSWER_BYTES];
	struct question q;

	if (fd < 0)
		return -1;
	make_question(&q, server, index, port);
	if (send(fd, &q, q.head.nlmsg_len, 0) >= 0)
		taken = read_answer(answer, recv(fd, answer, sizeof(answer), 0));
	close(fd);
	return taken;
}

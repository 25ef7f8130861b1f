/* beside.c - what the kernel says beside a datagram. */
#include "beside.h"

#include <netinet/udp.h>
#include <string.h>

#include "clock.h"

#ifndef IPV6_ORIGDSTADDR
#define IPV6_ORIGDSTADDR 74
#endif

static void parse_socket_control(const struct cmsghdr *c, struct beside *b)
{
	struct timespec t;
	uint32_t drops;

	if (c->cmsg_type == SCM_TIMESTAMPNS) {
		memcpy(&t, CMSG_DATA(c), sizeof(t));
		b->stamp_ns = (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
	} else if (c->cmsg_type == SO_RXQ_OVFL) {
		memcpy(&drops, CMSG_DATA(c), sizeof(drops));
		b->socket_drops = drops;
	}
}

static void parse_local(const struct cmsghdr *c, struct beside *b)
{
	struct in6_pktinfo v6;
	struct in_pktinfo v4;

	if (c->cmsg_level == SOL_IP && c->cmsg_type == IP_PKTINFO) {
		memcpy(&v4, CMSG_DATA(c), sizeof(v4));
		/* To a broadcast address: the interface's own. */
		memcpy(b->local, v4.ipi_spec_dst.s_addr ? &v4.ipi_spec_dst : &v4.ipi_addr, sizeof(v4.ipi_addr));
		b->is_v4_local = 1;
	} else if (c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
		memcpy(&v6, CMSG_DATA(c), sizeof(v6));
		if (!IN6_IS_ADDR_MULTICAST(&v6.ipi6_addr)) /* nothing can leave from that */
			memcpy(b->local, &v6.ipi6_addr, sizeof(b->local));
		if (IN6_IS_ADDR_LINKLOCAL(&v6.ipi6_addr)) /* each interface may have it */
			b->local_scope = v6.ipi6_ifindex;
	}
}

/* Whom it was meant for, though it was brought here. */
static void parse_meant(const struct cmsghdr *c, struct beside *b)
{
	struct sockaddr_in6 v6;
	struct sockaddr_in v4;

	if (c->cmsg_level == SOL_IP) {
		memcpy(&v4, CMSG_DATA(c), sizeof(v4));
		memcpy(b->local, &v4.sin_addr, sizeof(v4.sin_addr));
		b->is_v4_local = 1;
		b->local_port = v4.sin_port;
	} else {
		memcpy(&v6, CMSG_DATA(c), sizeof(v6));
		memcpy(b->local, &v6.sin6_addr, sizeof(b->local));
		b->local_port = v6.sin6_port;
	}
}

/*
 * What the kernel wrote lies in shared memory: it is copied first, and no pointer and no length of it is followed. IPv4
 * tells the type of service in a byte, IPv6 the traffic class in an int.
 */
void beside_read(const struct ingress_journal *j, uint32_t i, struct beside *b)
{
	/* a length at its end may say more than there is: what is read of it then is zero */
	alignas(struct cmsghdr) uint8_t copy[RECEIVE_CONTROL_BYTES + sizeof(struct sockaddr_in6)] = { 0 };
	size_t len = j->msgs[i].msg_hdr.msg_controllen;
	struct msghdr msg = { .msg_control = copy,
			      .msg_controllen = len < RECEIVE_CONTROL_BYTES ? len : RECEIVE_CONTROL_BYTES };
	int class, piece_bytes;

	memcpy(copy, j->control[i], RECEIVE_CONTROL_BYTES);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level == SOL_SOCKET) {
			parse_socket_control(c, b);
		} else if (c->cmsg_level == SOL_IP && c->cmsg_type == IP_TOS) {
			b->tos = *CMSG_DATA(c);
		} else if (c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_TCLASS) {
			memcpy(&class, CMSG_DATA(c), sizeof(class));
			b->tos = (uint8_t)class;
		} else if ((c->cmsg_level == SOL_IP && c->cmsg_type == IP_ORIGDSTADDR) ||
			   (c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_ORIGDSTADDR)) {
			parse_meant(c, b);
		} else if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
			memcpy(&piece_bytes, CMSG_DATA(c), sizeof(piece_bytes));
			b->piece_bytes = piece_bytes > 0 ? (uint32_t)piece_bytes : 0;
		} else {
			parse_local(c, b);
		}
	}
}

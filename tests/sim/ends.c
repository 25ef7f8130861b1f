/*
 * ends.c - who a datagram is from and to, beside its payload: addresses in messages, and headers of the PROXY protocol.
 */
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>

#include "proxy.h"
#include "sim.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

static const uint8_t signature[] = "\r\n\r\n\0\r\nQUIT\n";

struct cmsghdr *ends_find(const struct msghdr *m, int level, int type)
{
	struct cmsghdr *c = m->msg_controllen ? CMSG_FIRSTHDR(m) : NULL;

	while (c && (c->cmsg_level != level || c->cmsg_type != type))
		c = CMSG_NXTHDR((struct msghdr *)m, c);
	return c;
}

uint32_t ends_segment_bytes(const struct msghdr *m)
{
	struct cmsghdr *c = ends_find(m, SOL_UDP, UDP_SEGMENT);
	uint16_t size = 0;

	if (c)
		memcpy(&size, CMSG_DATA(c), sizeof(size));
	return size;
}

uint32_t ends_bytes(const struct msghdr *m)
{
	size_t bytes = 0;

	for (size_t i = 0; i < m->msg_iovlen; i++)
		bytes += m->msg_iov[i].iov_len;
	return (uint32_t)bytes;
}

uint32_t ends_client(const struct msghdr *m)
{
	struct sockaddr_in at = { 0 };

	if (m->msg_name && m->msg_namelen >= sizeof(at))
		memcpy(&at, m->msg_name, sizeof(at));
	return (uint32_t)at.sin_port - SIM_FIRST_CLIENT;
}

uint32_t ends_local(const struct msghdr *m)
{
	struct cmsghdr *c = ends_find(m, SOL_IP, IP_PKTINFO);
	struct in_pktinfo info = { 0 };

	if (c)
		memcpy(&info, CMSG_DATA(c), sizeof(info));
	return info.ipi_spec_dst.s_addr;
}

int ends_leads_to(const struct msghdr *m, const struct address *to)
{
	struct sockaddr_in is = { 0 }, should;

	memcpy(&should, &to->at, sizeof(should));
	if (m->msg_name && m->msg_namelen >= sizeof(is))
		memcpy(&is, m->msg_name, sizeof(is));
	return is.sin_port == should.sin_port && is.sin_addr.s_addr == should.sin_addr.s_addr;
}

void ends_write(struct mmsghdr *to, const struct address *from, uint32_t local)
{
	struct in_pktinfo info = { .ipi_spec_dst = { local } };
	struct cmsghdr c = { .cmsg_len = CMSG_LEN(sizeof(info)), .cmsg_level = SOL_IP, .cmsg_type = IP_PKTINFO };
	struct msghdr *m = &to->msg_hdr;
	uint8_t *at = (uint8_t *)m->msg_control + m->msg_controllen;

	memcpy(m->msg_name, &from->at, from->len);
	m->msg_namelen = from->len;
	memcpy(at, &c, sizeof(c));
	memcpy(at + CMSG_LEN(0), &info, sizeof(info));
	m->msg_controllen += CMSG_SPACE(sizeof(info));
}

uint32_t ends_header_bytes(uint32_t class, const struct iovec *part, size_t n_parts)
{
	const struct class_config *c = &sim.config.classes[class];
	int is_there = part->iov_len >= PROXY_V4_BYTES && memcmp(part->iov_base, signature, sizeof(signature) - 1) == 0;

	if (is_there && (c->source != SOURCE_PROXY || n_parts < 2))
		sim_complain("class %u: a header that nobody asked for, or without a payload", class);
	if (!is_there && c->source == SOURCE_PROXY && c->proxy_header == PROXY_EVERY)
		sim_complain("class %u: a datagram left without a header", class);
	return is_there ? (uint32_t)part->iov_len : 0;
}

void ends_check_header(uint32_t class, const struct iovec *part, uint32_t source)
{
	struct proxy_header h;
	struct sockaddr_in from = { 0 };

	if (proxy_read(part->iov_base, part->iov_len, &h) == 0 && h.has_ends)
		memcpy(&from, &h.from, sizeof(from));
	if (from.sin_port != SIM_FIRST_CLIENT + source)
		sim_complain("class %u: a header names port %u, and the datagram is of %u", class, from.sin_port,
			     SIM_FIRST_CLIENT + source);
}

/* message.c - what the kernel writes about a datagram or a train that it hands over. */
#include <arpa/inet.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>

#include "sim.h"

#define TAIL_BYTES 16 /* from this length on, the last bytes of a payload tell too */

static void write_name(struct msghdr *m, uint32_t family, const struct sim_datagram *d)
{
	struct sockaddr_in6 from = { .sin6_family = (sa_family_t)family,
				     .sin6_port = (in_port_t)(SIM_FIRST_CLIENT + d->source) };

	struct sockaddr_in v4;

	if (!m->msg_name)
		return;
	if (sim.setup.limits) { /* two senders each are of one address */
		from.sin6_addr.s6_addr[7] = (uint8_t)(1 + d->source / 2); /* in the first 64 bits */
		memcpy(&v4, &from, sizeof(v4));
		v4.sin_addr.s_addr = htonl(0x7f000001u + d->source / 2);
		if (family == AF_INET)
			memcpy(&from, &v4, sizeof(v4));
	}
	m->msg_namelen = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(from);
	memcpy(m->msg_name, &from, m->msg_namelen);
}

static size_t write_control(uint8_t *at, int level, int type, const void *value, size_t bytes)
{
	struct cmsghdr c = { .cmsg_len = CMSG_LEN(bytes), .cmsg_level = level, .cmsg_type = type };

	memcpy(at, &c, sizeof(c));
	memcpy(at + CMSG_LEN(0), value, bytes);
	return CMSG_SPACE(bytes);
}

static void write_datagram(uint8_t *to, size_t room, const struct sim_datagram *d)
{
	size_t n = d->len_bytes < room ? d->len_bytes : room;
	uint64_t tail = ~d->token;

	memcpy(to, &d->token, n < sizeof(d->token) ? n : sizeof(d->token));
	if (n >= TAIL_BYTES)
		memcpy(to + n - sizeof(tail), &tail, sizeof(tail));
}

/* As the kernel: whatever does not fit is cut, and flagged. */
static void write_payload(struct msghdr *m, const struct sim_datagram *d)
{
	struct iovec *to = m->msg_iov;

	m->msg_flags = d->len_bytes > to->iov_len ? MSG_TRUNC : 0;
	write_datagram(to->iov_base, to->iov_len, d);
}

/* A message of that many bytes into however many pieces of memory. */
static void scatter(struct msghdr *m, const uint8_t *from, size_t bytes)
{
	for (size_t i = 0; i < m->msg_iovlen; i++) {
		size_t n = bytes < m->msg_iov[i].iov_len ? bytes : m->msg_iov[i].iov_len;

		memcpy(m->msg_iov[i].iov_base, from, n);
		from += n;
		bytes -= n;
	}
	m->msg_flags = bytes ? MSG_TRUNC : 0;
}

/* As the kernel: a byte of IPv4, an int of IPv6; for classes that ask for it. */
static size_t write_tos(uint8_t *at, uint32_t class_of, uint32_t family, const struct sim_datagram *d)
{
	const struct class_config *c = &sim.config.classes[class_of];
	uint8_t tos = sim_tos(d->token);
	int class = tos;

	if (c->dscp != DSCP_KEEP && c->ecn == ECN_OFF)
		return 0;
	if (family == AF_INET)
		return write_control(at, SOL_IP, IP_TOS, &tos, sizeof(tos));
	return write_control(at, SOL_IPV6, IPV6_TCLASS, &class, sizeof(class));
}

void input_write(struct mmsghdr *to, const struct sim_datagram *d)
{
	struct msghdr *m = &to->msg_hdr;
	struct timespec stamp = { (time_t)(d->stamp_ns / NS_PER_S), (long)(d->stamp_ns % NS_PER_S) };
	uint8_t *control = m->msg_control;

	write_payload(m, d);
	m->msg_controllen = write_control(control, SOL_SOCKET, SCM_TIMESTAMPNS, &stamp, sizeof(stamp));
	if (d->drops)
		m->msg_controllen += write_control(control + m->msg_controllen, SOL_SOCKET, SO_RXQ_OVFL, &d->drops,
						   sizeof(d->drops));
	to->msg_len = d->len_bytes;
}

/* The datagrams of a message one behind the other; tells: the socket takes trains now. */
static void write_train(struct mmsghdr *to, const struct sim_datagram *const *all, int tells)
{
	static uint8_t message[SIM_MESSAGE_BYTES + 1];
	struct msghdr *m = &to->msg_hdr;
	int piece_bytes = (int)all[0]->len_bytes;
	uint32_t len = 0;

	for (uint32_t i = 0; i <= all[0]->more; i++) {
		write_datagram(message + len, all[i]->len_bytes, all[i]);
		len += all[i]->len_bytes;
	}
	scatter(m, message, len);
	if (all[0]->more && (m->msg_flags & MSG_TRUNC))
		sim_complain("a train of %u bytes was cut", len);
	if (all[0]->more && tells)
		m->msg_controllen += write_control((uint8_t *)m->msg_control + m->msg_controllen, SOL_UDP, UDP_GRO,
						   &piece_bytes, sizeof(piece_bytes));
	to->msg_len = len;
}

void message_write(struct mmsghdr *to, const struct sim_datagram *const *all, uint32_t class, uint32_t family,
		   int tells)
{
	struct msghdr *m = &to->msg_hdr;

	write_name(m, family, all[0]);
	input_write(to, all[0]);
	m->msg_controllen += write_tos((uint8_t *)m->msg_control + m->msg_controllen, class, family, all[0]);
	if (all[0]->more || m->msg_iovlen > 1)
		write_train(to, all, tells);
}

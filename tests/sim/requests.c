/* requests.c - what leaves by the sockets of sessions, and to clients by the way back. */
#include <errno.h>

#include "replies.h"

/* 0, or what sendmsg() would say. */
static int refuse(const struct reply_socket *v, const struct msghdr *m)
{
	static const int no_room[] = { EAGAIN, ENOBUFS, ENOMEM };

	if (v && !v->is_connected && !has_via)
		return EDESTADDRREQ;
	if (sim_happens(FAULT_ROOM, 500))
		return no_room[sim_below(&sim.random, 3)];
	if (ends_segment_bytes(m) && sim_happens(FAULT_SEND, 300))
		return sim_below(&sim.random, 2) ? EMSGSIZE : EIO;
	return ends_segment_bytes(m) == 0 && sim_happens(FAULT_SEND, 500) ? EPERM : 0;
}

/* Of a session's first datagram alone, or of each one: the header before it. */
static uint32_t take_header(struct reply_socket *v, const struct iovec *part, size_t n_parts)
{
	uint32_t bytes = ends_header_bytes(forth, part, n_parts);
	uint64_t token;

	if (bytes == 0 || n_parts < 2)
		return 0;
	memcpy(&token, part[1].iov_base, sizeof(token));
	ends_check_header(forth, part, replies_source(token));
	if (++v->n_headers > 1 && !has_via && sim.config.classes[forth].proxy_header == PROXY_FIRST)
		sim_complain("a session has a second header");
	return bytes;
}

/* A datagram of a message: its header, if it has one, and its payload. Returns how many parts that is. */
static size_t send_packet(struct reply_socket *v, const struct msghdr *m, size_t i, uint32_t dest, uint64_t now)
{
	const struct iovec *part = &m->msg_iov[i];
	uint32_t header_bytes = v ? take_header(v, part, m->msg_iovlen - i) : 0;
	uint32_t size = ends_segment_bytes(m), n_parts = header_bytes ? 2 : 1;
	const struct iovec *payload = &part[n_parts - 1];
	size_t bytes = header_bytes + payload->iov_len;

	if (size && (bytes > size || (bytes < size && i + n_parts < m->msg_iovlen)))
		sim_complain("a super-datagram is cut every %u bytes, but a part has %zu", size, bytes);
	if (size == 0 && n_parts < m->msg_iovlen)
		sim_complain("replies or requests were joined into one");
	check_left(&(const struct check_left){ v ? forth : back, dest, payload, header_bytes, 0 }, now);
	if (v)
		replies_answer(v->port, ends_local(m), payload, now);
	return n_parts;
}

static uint32_t send_message(struct reply_socket *v, const struct msghdr *m, uint64_t now)
{
	uint32_t dest = v ? 0 : ends_client(m);

	if (dest >= MAX_DESTS)
		sim_complain("a reply to nobody");
	if (v && has_via && (ends_local(m) == 0 || !ends_leads_to(m, &sim.config.classes[forth].dests[0])))
		sim_complain("a request of a session without an address, or to another destination");
	for (size_t i = 0; i < m->msg_iovlen;)
		i += send_packet(v, m, i, dest % MAX_DESTS, now);
	return ends_bytes(m);
}

int replies_send(int fd, struct mmsghdr *msgs, uint32_t n)
{
	struct reply_socket *v = replies_find(fd);
	uint64_t now = sim_now_ns();

	for (uint32_t i = 0; i < n; i++) {
		int err = refuse(v, &msgs[i].msg_hdr);

		if (err) {
			check_refused(v ? forth : back);
			return i ? (int)i : -err;
		}
		msgs[i].msg_len = send_message(v, &msgs[i].msg_hdr, now);
	}
	return (int)n;
}

/*
 * replies.c - the sockets of sessions, a destination that answers, and the way back.
 *
 * Rules:   as in the kernel a connect chooses a port at random, also when it fails then, and AF_UNSPEC gives it up;
 *          what comes to a port that no connected socket has is nobody's. A request is answered by none, one or two
 *          replies, soon or when its session may have ended. The ledger knows by the request's token which client it is
 *          of.
 */
#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "config/reply.h"
#include "sim.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#define MOST_SESSIONS 64
#define RING 1024
#define PENDING 65536
#define TOKENS 65536
#define TOKEN_STEP 0x9e3779b97f4a7c15ULL
#define TOKEN_INVERSE 0xf1de83e19937733dULL
#define FIRST_REPLY (1ULL << 40) /* tokens from here on are of replies */
#define FIRST_PORT 32768
#define N_PORTS 28232
#define SOON_NS (300 * (uint32_t)NS_PER_US)
#define LATE_NS (60 * (uint32_t)NS_PER_MS)
#define LOCAL 1 /* the address that output.c gives a socket */

struct reply_socket {
	int is_connected;
	uint16_t port; /* 0: none */
	uint64_t first, last; /* waiting: first <= n < last */
	uint64_t drained_at_ns;
	struct sim_datagram ring[RING];
};

struct pending {
	uint64_t due_ns;
	uint16_t port;
	struct sim_datagram d;
};

static struct reply_socket vias[MOST_SESSIONS];
static struct pending pending[PENDING];
static uint32_t n_vias, n_pending, forth, back;
static uint64_t n_replies, n_refusals, n_back_refusals; /* of requests; of replies */
static uint64_t seen_ns; /* the sockets have been looked at as of then */
static uint8_t source_of[TOKENS]; /* who sent the n-th request, modulo TOKENS */
static struct epoll_event polled;
static int first_fd;

void replies_open(int fd)
{
	first_fd = fd;
	n_vias = n_pending = 0;
	n_refusals = n_back_refusals = 0;
	seen_ns = 0;
	n_replies = FIRST_REPLY;
	polled = (struct epoll_event){ 0 };
	for (forth = 0; forth < sim.config.n_classes && n_vias == 0; forth++)
		n_vias = reply_sessions(&sim.config, forth);
	forth--;
	memset(vias, 0, sizeof(vias));
	if (n_vias)
		back = (uint32_t)reply_back(&sim.config, forth);
}

int replies_poll_fd(void)
{
	return n_vias ? first_fd : -1;
}

static struct reply_socket *find(int fd)
{
	uint32_t k = (uint32_t)(fd - first_fd - 1);

	return n_vias && fd > first_fd && k < n_vias ? &vias[k] : NULL;
}

int replies_has(int fd)
{
	return find(fd) != NULL;
}

void replies_note_request(uint32_t class, const struct sim_datagram *d)
{
	if (n_vias && class == forth)
		source_of[d->token * TOKEN_INVERSE % TOKENS] = d->source;
}

/* Replies that are due come to the socket that has the port now, or to nobody. */
static void catch_up(uint64_t now)
{
	seen_ns = now > seen_ns ? now : seen_ns;
	for (uint32_t i = 0; i < n_pending;) {
		struct pending *p = &pending[i];

		if (p->due_ns > now) {
			i++;
			continue;
		}
		for (struct reply_socket *v = vias; v < vias + n_vias; v++)
			if (v->is_connected && v->port == p->port && v->last - v->first < RING) {
				v->ring[v->last++ % RING] = p->d;
				sim.result.came_pkts++;
			}
		memmove(p, p + 1, (--n_pending - i) * sizeof(*p)); /* of one port, in order */
	}
}

static void answer(uint16_t port, const struct iovec *request, uint64_t now)
{
	uint32_t n = sim_below(&sim.random, 8);
	uint64_t token, due_ns;

	memcpy(&token, request->iov_base, sizeof(token));
	if (now < seen_ns) /* the clock of a stage that was killed asleep may be behind others */
		now = seen_ns;
	for (n = n == 0 ? 0 : n == 1 ? 2 : 1; n && n_pending < PENDING; n--) {
		/* one in 16 late; the others of a port in order, as far as their times are */
		due_ns = now + sim_below(&sim.random, sim_below(&sim.random, 16) ? SOON_NS : LATE_NS);
		pending[n_pending++] = (struct pending){
			.due_ns = due_ns,
			.port = port,
			.d = { .token = ++n_replies * TOKEN_STEP,
			       .arrived_at_ns = due_ns,
			       .stamp_ns = due_ns + (input_real_ns() - sim_now_ns()),
			       .len_bytes = (uint32_t)request->iov_len,
			       .source = source_of[token * TOKEN_INVERSE % TOKENS] },
		};
	}
}

int replies_set_events(const struct epoll_event *event)
{
	polled = *event;
	return 0;
}

static int is_ready(const struct reply_socket *v)
{
	return v->first < v->last;
}

int replies_collect(struct epoll_event *event)
{
	catch_up(sim_now_ns());
	for (struct reply_socket *v = vias; v < vias + n_vias && polled.events; v++)
		if (is_ready(v)) {
			*event = polled;
			return 1;
		}
	return 0;
}

uint64_t replies_next_ns(void)
{
	uint64_t next_ns = UINT64_MAX;

	for (uint32_t i = 0; i < n_pending && polled.events; i++)
		if (pending[i].due_ns < next_ns)
			next_ns = pending[i].due_ns;
	return next_ns;
}

int replies_wait(struct epoll_event *events, int most)
{
	int n = 0;

	catch_up(sim_now_ns());
	for (uint32_t k = 0; k < n_vias && n < most; k++)
		if (is_ready(&vias[k]))
			events[n++] = (struct epoll_event){ .events = EPOLLIN, .data.u32 = k };
	return n;
}

int replies_receive(int fd, struct mmsghdr *msgs, uint32_t n)
{
	struct reply_socket *v = find(fd);
	uint32_t i;

	catch_up(sim_now_ns());
	if (sim_happens(FAULT_CALL, 200))
		return -EINTR;
	if (sim_happens(FAULT_CALL, 200)) {
		n_refusals++;
		return -ECONNREFUSED;
	}
	for (i = 0; i < n && is_ready(v); i++) {
		const struct sim_datagram *d = &v->ring[v->first++ % RING];

		input_write(&msgs[i], d);
		check_read(back, d, v->drained_at_ns);
	}
	if (i < n)
		v->drained_at_ns = sim_read_ns();
	return i ? (int)i : -EAGAIN;
}

/* One that nobody counts: it is for nobody. */
int replies_take(int fd)
{
	struct reply_socket *v = find(fd);

	catch_up(sim_now_ns());
	if (!is_ready(v))
		return -EAGAIN;
	v->first++;
	return 1;
}

int replies_poll(struct pollfd *p)
{
	catch_up(sim_now_ns());
	p->revents = is_ready(find(p->fd)) ? POLLIN : 0;
	return p->revents != 0;
}

void replies_forget(void)
{
	for (struct reply_socket *v = vias; v < vias + n_vias; v++)
		v->drained_at_ns = 0;
}

/* One that no socket has. */
static uint16_t free_port(void)
{
	for (;;) {
		uint16_t port = (uint16_t)(FIRST_PORT + sim_below(&sim.random, N_PORTS));
		const struct reply_socket *v = vias;

		while (v < vias + n_vias && v->port != port)
			v++;
		if (v == vias + n_vias)
			return port;
	}
}

int replies_connect(int fd, int dissolves)
{
	struct reply_socket *v = find(fd);

	catch_up(sim_now_ns());
	v->is_connected = 0;
	if (dissolves) {
		v->port = 0;
		return 0;
	}
	if (v->port == 0)
		v->port = free_port();
	if (sim_happens(FAULT_SEND, 50))
		return -ENETUNREACH;
	v->is_connected = 1;
	return 0;
}

int replies_end(int fd, int peer, struct sockaddr *at, socklen_t *len)
{
	const struct reply_socket *v = find(fd);
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(v->port), .sin_addr = { LOCAL } };
	const struct address *to = &sim.config.classes[forth].dests[0];

	if (peer && !v->is_connected)
		return -ENOTCONN;
	*len = peer ? to->len : sizeof(v4);
	memcpy(at, peer ? (const void *)&to->at : &v4, *len);
	return 0;
}

static uint32_t segment_bytes(const struct msghdr *m)
{
	uint16_t size = 0;

	for (struct cmsghdr *c = m->msg_controllen ? CMSG_FIRSTHDR(m) : NULL; c; c = CMSG_NXTHDR((struct msghdr *)m, c))
		if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_SEGMENT)
			memcpy(&size, CMSG_DATA(c), sizeof(size));
	return size;
}

/* 0, or what sendmsg() would say. */
static int refuse(const struct reply_socket *v, const struct msghdr *m)
{
	static const int no_room[] = { EAGAIN, ENOBUFS, ENOMEM };

	if (v && !v->is_connected)
		return EDESTADDRREQ;
	if (sim_happens(FAULT_ROOM, 500))
		return no_room[sim_below(&sim.random, 3)];
	if (segment_bytes(m) && sim_happens(FAULT_SEND, 300))
		return sim_below(&sim.random, 2) ? EMSGSIZE : EIO;
	return m->msg_iovlen == 1 && sim_happens(FAULT_SEND, 500) ? EPERM : 0;
}

/* To whom a reply goes: the number of the client in its port. */
static uint32_t client_of(const struct msghdr *m)
{
	struct sockaddr_in at = { 0 };

	if (m->msg_name && m->msg_namelen >= sizeof(at))
		memcpy(&at, m->msg_name, sizeof(at));
	return (uint32_t)at.sin_port - SIM_FIRST_CLIENT;
}

static uint32_t send_message(const struct reply_socket *v, const struct msghdr *m, uint64_t now)
{
	uint32_t size = segment_bytes(m), bytes = 0, dest = v ? 0 : client_of(m);

	if (m->msg_iovlen > 1 && size == 0)
		sim_complain("replies or requests were joined into one");
	if (dest >= MAX_DESTS)
		sim_complain("a reply to nobody");
	for (size_t i = 0; i < m->msg_iovlen; i++) {
		const struct iovec *part = &m->msg_iov[i];

		if (size && (part->iov_len > size || (part->iov_len < size && i + 1 < m->msg_iovlen)))
			sim_complain("a super-datagram is cut every %u bytes, but a part has %zu", size, part->iov_len);
		bytes += (uint32_t)part->iov_len;
		check_left(v ? forth : back, dest % MAX_DESTS, part->iov_base, (uint32_t)part->iov_len, 0, now);
		if (v)
			answer(v->port, part, now);
	}
	return bytes;
}

int replies_send(int fd, struct mmsghdr *msgs, uint32_t n)
{
	struct reply_socket *v = find(fd);
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

int replies_are_over(void)
{
	for (struct reply_socket *v = vias; v < vias + n_vias; v++)
		if (is_ready(v))
			return 0;
	return n_pending == 0;
}

void replies_note_refusal(uint32_t class)
{
	n_back_refusals += n_vias && class == forth;
}

uint64_t replies_refusals(uint32_t class)
{
	return n_vias == 0 ? 0 : class == forth ? n_refusals : class == back ? n_back_refusals : 0;
}

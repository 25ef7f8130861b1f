/*
 * replies.c - the sockets of sessions, a destination that answers, and the way back.
 *
 * Rules:   as in the kernel a connect chooses a port at random, also when it fails then, and AF_UNSPEC gives it up;
 *          what comes to a port that no connected socket has is nobody's. With `via` one socket takes what comes to any
 *          address of the prefix, whoever has it. With `from` the port stays: it takes whatever comes, but while a
 *          filter stands before it; the destination answers sooner than a session ends then. A request is answered by
 *          none, one or two replies, soon or when its session may have ended. The ledger knows by the request's token
 *          which client it is of.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "config/reply.h"
#include "sim.h"

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
#define FIXED_NS (20 * (uint32_t)NS_PER_MS) /* to a port that stays */
#define LOCAL 1 /* the address that output.c gives a socket */

struct reply {
	struct sim_datagram d;
	uint32_t local; /* with `via`: the address that it is sent to */
};

struct reply_socket {
	int is_connected, refuses; /* refuses: a filter takes nothing */
	uint32_t n_headers; /* since it was connected */
	uint16_t port; /* 0: none */
	uint64_t first, last; /* waiting: first <= n < last */
	uint64_t drained_at_ns;
	struct reply ring[RING];
};

struct pending {
	uint64_t due_ns;
	uint16_t port;
	struct reply r;
};

static struct reply_socket vias[MOST_SESSIONS];
static struct pending pending[PENDING];
static uint32_t n_vias, n_pending, forth, back;
static uint64_t n_replies, n_refusals, n_back_refusals; /* of requests; of replies */
static uint64_t seen_ns; /* the sockets have been looked at as of then */
static uint8_t source_of[TOKENS]; /* who sent the n-th request, modulo TOKENS */
static struct epoll_event polled;
static int first_fd, has_via, has_fixed;

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
	if (n_vias == 0)
		return;
	back = (uint32_t)reply_back(&sim.config, forth);
	has_via = sim.config.classes[forth].via.bits != 0;
	has_fixed = sim.config.classes[forth].n_from != 0;
	if (has_via)
		n_vias = 1;
	if (has_fixed)
		vias[0].port = SIM_FIXED_PORT;
	vias[0].refuses = has_fixed; /* as hold leaves it */
}

void replies_filter(int fd, int refuses)
{
	if (replies_has(fd))
		vias[fd - first_fd - 1].refuses = refuses;
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

static int takes(const struct reply_socket *v, uint16_t port)
{
	return has_via || (v->port == port && (has_fixed ? !v->refuses : v->is_connected));
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
			if (takes(v, p->port) && v->last - v->first < RING) {
				v->ring[v->last++ % RING] = p->r;
				sim.result.came_pkts++;
			}
		memmove(p, p + 1, (--n_pending - i) * sizeof(*p)); /* of one port, in order */
	}
}

/* local: with `via`, the address that the request came from. */
static void answer(uint16_t port, uint32_t local, const struct iovec *request, uint64_t now)
{
	uint32_t n = sim_below(&sim.random, 8), late_ns = has_fixed ? FIXED_NS : LATE_NS;
	uint64_t token, due_ns;

	memcpy(&token, request->iov_base, sizeof(token));
	if (now < seen_ns) /* the clock of a stage that was killed asleep may be behind others */
		now = seen_ns;
	for (n = n == 0 ? 0 : n == 1 ? 2 : 1; n && n_pending < PENDING; n--) {
		/* one in 16 late; the others of a port in order, as far as their times are */
		due_ns = now + sim_below(&sim.random, sim_below(&sim.random, 16) ? SOON_NS : late_ns);
		pending[n_pending++] = (struct pending){
			.due_ns = due_ns,
			.port = port,
			.r = { .d = { .token = ++n_replies * TOKEN_STEP,
				      .arrived_at_ns = due_ns,
				      .stamp_ns = due_ns + (input_real_ns() - sim_now_ns()),
				      .len_bytes = (uint32_t)request->iov_len,
				      .source = source_of[token * TOKEN_INVERSE % TOKENS] },
			       .local = local },
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
	if (!has_via && sim_happens(FAULT_CALL, 200)) {
		n_refusals++;
		return -ECONNREFUSED;
	}
	for (i = 0; i < n && is_ready(v); i++) {
		const struct reply *r = &v->ring[v->first++ % RING];

		input_write(&msgs[i], &r->d);
		if (has_via)
			ends_write(&msgs[i], &sim.config.classes[forth].dests[0], r->local);
		check_read(back, &r->d, v->drained_at_ns);
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
		v->n_headers = 0;
		v->port = has_fixed ? v->port : 0;
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

	if (has_fixed)
		v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (peer && !v->is_connected)
		return -ENOTCONN;
	*len = peer ? to->len : sizeof(v4);
	memcpy(at, peer ? (const void *)&to->at : &v4, *len);
	return 0;
}

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
	ends_check_header(forth, part, source_of[token * TOKEN_INVERSE % TOKENS]);
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
		answer(v->port, ends_local(m), payload, now);
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

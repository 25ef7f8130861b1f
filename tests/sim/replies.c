/*
 * replies.c - the sockets of sessions, a destination that answers, and the way back.
 *
 * Rules:   as in the kernel a connect chooses a port at random, also when it fails then, and AF_UNSPEC gives it up;
 *          what comes to a port that no connected socket has is nobody's, unless it comes while the socket is being
 *          connected. With `via` one socket takes what comes to any address of the prefix, whoever has it. With `from`
 *          the port stays: it takes whatever comes, but while a filter stands before it; the destination answers
 *          sooner than a session ends then. A request is answered by none, one or two replies, soon or when its session
 *          may have ended. The ledger knows by the request's token which client it is of.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "config/reply.h"
#include "replies.h"

#define MOST_SESSIONS 64
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

struct pending {
	uint64_t due_ns;
	uint16_t port;
	struct reply r;
};

static struct reply_socket vias[MOST_SESSIONS];
static struct pending pending[PENDING];
static uint32_t n_vias, n_pending;
uint32_t forth, back;
static uint64_t n_strays, n_replies, n_refusals, n_back_refusals; /* of requests; of replies */
static uint64_t seen_ns; /* the sockets have been looked at as of then */
static uint8_t source_of[TOKENS]; /* who sent the n-th request, modulo TOKENS */
static struct epoll_event polled;
static int first_fd, has_fixed;
int has_via;

void replies_open(int fd)
{
	first_fd = fd;
	n_vias = n_pending = 0;
	n_refusals = n_back_refusals = n_strays = 0;
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

struct reply_socket *replies_find(int fd)
{
	uint32_t k = (uint32_t)(fd - first_fd - 1);

	return n_vias && fd > first_fd && k < n_vias ? &vias[k] : NULL;
}

int replies_has(int fd)
{
	return replies_find(fd) != NULL;
}

void replies_note_request(uint32_t class, const struct sim_datagram *d)
{
	if (n_vias && class == forth)
		source_of[d->token * TOKEN_INVERSE % TOKENS] = d->source;
}

uint32_t replies_source(uint64_t token)
{
	return source_of[token * TOKEN_INVERSE % TOKENS];
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

void replies_answer(uint16_t port, uint32_t local, const struct iovec *request, uint64_t now)
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
				      .source = (uint8_t)replies_source(token) },
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
	struct reply_socket *v = replies_find(fd);
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

/* One that is for nobody. */
int replies_take(int fd, struct mmsghdr *m)
{
	struct reply_socket *v = replies_find(fd);

	catch_up(sim_now_ns());
	if (!is_ready(v))
		return -EAGAIN;
	m->msg_len = v->ring[v->first++ % RING].d.len_bytes;
	n_strays++;
	return 1;
}

uint64_t replies_strays(uint32_t class)
{
	return n_vias && class == forth ? n_strays : 0;
}

int replies_poll(struct pollfd *p)
{
	catch_up(sim_now_ns());
	p->revents = is_ready(replies_find(p->fd)) ? POLLIN : 0;
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

/* The kernel binds a socket before it connects it, and a stranger may hit the port in between. */
static void meet_stranger(struct reply_socket *v)
{
	if (sim_stage() != STAGE_INGRESS || v->refuses || v->last - v->first == RING || !sim_happens(FAULT_CALL, 8))
		return;
	v->ring[v->last++ % RING] = (struct reply){ .d = { .len_bytes = sim_below(&sim.random, 100) } };
}

int replies_connect(int fd, int dissolves)
{
	struct reply_socket *v = replies_find(fd);

	catch_up(sim_now_ns());
	v->is_connected = 0;
	if (dissolves) {
		v->n_headers = 0;
		v->port = has_fixed ? v->port : 0;
		return 0;
	}
	if (v->port == 0)
		v->port = free_port();
	meet_stranger(v);
	if (sim_happens(FAULT_SEND, 50))
		return -ENETUNREACH;
	v->is_connected = 1;
	return 0;
}

int replies_end(int fd, int peer, struct sockaddr *at, socklen_t *len)
{
	const struct reply_socket *v = replies_find(fd);
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

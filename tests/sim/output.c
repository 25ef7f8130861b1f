/*
 * output.c - the sockets out, and what goes wrong there.
 *
 * Rules:   one connected socket per destination, as hold makes them, with IP_RECVERR: an ICMP error about an earlier
 *          datagram fails the next call once, and lies in the error queue, if that has room. A call stops at the first
 *          message that fails, and tells of the error only when nothing was sent before it.
 *          A super-datagram leaves as its segments, cut by size as the kernel does.
 *          A connected socket keeps the local address of then. When the world's changes, a route away from the earlier
 *          one is missing (an error), or is still there and not the right one any more (none).
 */
#include <errno.h>
#include <time.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "sim.h"

#define MOST_SEGMENTS 64 /* of a super-datagram; the kernel's UDP_MAX_SEGMENTS */
#define MOST_MESSAGE_BYTES 65507
#define EPISODE_SPREAD_NS (8 * (uint32_t)NS_PER_MS) /* how long a socket has no room, or a destination is gone */
#define EPISODES 2000 /* messages from one to the next, on average */
#define ASTRAY_NS (500 * NS_PER_MS) /* longest from such a datagram to a new connection: some deaths and stalls later */
#define ASKING_FD 291 /* no real one */
#define ERROR_QUEUE 8 /* ICMP errors it has room for */

struct output {
	uint32_t class, dest;
	uint32_t local; /* the address it was connected from */
	uint64_t full_until_ns, gone_until_ns, unconnected_until_ns;
	uint64_t no_room_since_ns; /* no datagram has left since, and one could not for want of room; 0: one has */
	uint64_t astray_since_ns, astray_at_ns; /* the first datagram that its local address stopped, and the last */
	int full_errno, pending_errno, is_unconnected;
	int tos; /* the socket's own */
	uint32_t n_errors; /* in the error queue */
	uint64_t refusals; /* ICMP errors so far */
	uint32_t segments_below_bytes; /* longer segments are refused ... */
	int segments_errno; /* ... with this */
};

static struct output outputs[MAX_CLASSES * MAX_DESTS];
static uint32_t n_outputs;
static uint32_t local_now = 1, local_valid = 1; /* the world's address, and the oldest that has a route still */
static struct output asking; /* the socket that only asks the way */

static int first_fd(void)
{
	return input_space_fd() + 1;
}

int output_open(void)
{
	n_outputs = 0;
	for (uint32_t class = 0; class < sim.config.n_classes; class++)
		for (uint32_t i = 0; i < sim.config.classes[class].n_dests; i++)
			outputs[n_outputs++] = (struct output){
				.class = class, .dest = i, .local = 1, .segments_below_bytes = UINT32_MAX
			};
	local_now = local_valid = 1;
	return first_fd() + (int)n_outputs;
}

static struct output *find(int fd)
{
	uint32_t i = (uint32_t)(fd - first_fd());

	if (fd == ASKING_FD)
		return &asking;
	return fd >= first_fd() && i < n_outputs ? &outputs[i] : NULL;
}

/* Something begins to go wrong here. */
static void begin_episode(struct output *o, uint64_t now)
{
	static const int full[] = { ENOBUFS, EAGAIN, ENOMEM };
	static const int refused[] = { EMSGSIZE, EINVAL, EIO, EOPNOTSUPP };
	uint64_t until_ns = now + sim_below(&sim.random, EPISODE_SPREAD_NS);

	if (sim_happens(FAULT_ROOM, EPISODES)) {
		o->full_until_ns = until_ns;
		o->full_errno = full[sim_below(&sim.random, 3)];
	}
	if (sim_happens(FAULT_ICMP, EPISODES))
		o->gone_until_ns = until_ns;
	if (sim_happens(FAULT_SEND, EPISODES)) {
		o->unconnected_until_ns = until_ns;
		o->is_unconnected = 1;
	}
	if (sim_happens(FAULT_WAY, EPISODES)) {
		local_now++;
		if (sim_below(&sim.random, 2))
			local_valid = local_now;
	}
	if (sim_happens(FAULT_SEND, EPISODES)) {
		o->segments_below_bytes = 64 + sim_below(&sim.random, 1400);
		o->segments_errno = refused[sim_below(&sim.random, 4)];
	}
}

/* What the message says, or else the socket. */
static uint8_t message_tos(const struct output *o, const struct msghdr *m)
{
	int v4 = sim.config.classes[o->class].dests[o->dest].at.ss_family == AF_INET, tos = o->tos;
	struct cmsghdr *c = ends_find(m, v4 ? SOL_IP : SOL_IPV6, v4 ? IP_TOS : IPV6_TCLASS);

	if (c)
		memcpy(&tos, CMSG_DATA(c), sizeof(tos));
	return (uint8_t)tos;
}

/* 0, or what sendmsg() would say. */
static int refuse(struct output *o, const struct msghdr *m, uint64_t now)
{
	uint32_t size = ends_segment_bytes(m), bytes = ends_bytes(m);
	int pending = o->pending_errno;

	begin_episode(o, now);
	o->pending_errno = 0;
	if (pending)
		return pending;
	if (o->is_unconnected)
		return EDESTADDRREQ;
	if (o->local < local_valid) {
		if (o->astray_since_ns == 0 || now > o->astray_at_ns + ASTRAY_NS) /* it is mended with this one */
			o->astray_since_ns = now;
		o->astray_at_ns = now;
		if (now > o->astray_since_ns + ASTRAY_NS)
			sim_complain("class %u: it still sends from an address that is gone", o->class);
		return ENETUNREACH;
	}
	if (now < o->full_until_ns)
		return o->full_errno;
	if (bytes > MOST_MESSAGE_BYTES || (size && bytes > size * MOST_SEGMENTS))
		return EMSGSIZE;
	if (size >= o->segments_below_bytes)
		return o->segments_errno;
	if (m->msg_iovlen == 1 && sim_happens(FAULT_SEND, 500))
		return sim_below(&sim.random, 2) ? EPERM : EACCES;
	if (sim_happens(FAULT_CALL, 500))
		return sim_below(&sim.random, 2) ? EINTR : ENOMEM;
	return 0;
}

/* One datagram is on the wire. */
static void leave(struct output *o, const struct iovec *v, uint8_t tos, uint64_t now)
{
	flaps_check(o->class, o->dest);
	check_left(&(const struct check_left){ o->class, o->dest, v, 0, tos }, now);
	o->no_room_since_ns = 0;
	if (now >= o->gone_until_ns)
		return;
	o->refusals++;
	o->pending_errno = ECONNREFUSED;
	if (o->n_errors < ERROR_QUEUE)
		o->n_errors++;
}

/* A part that is no datagram of its own would leave cut, or joined to the next: its bytes would be nobody's. */
static void send_message(struct output *o, const struct msghdr *m, uint64_t now)
{
	uint32_t size = ends_segment_bytes(m);

	if (m->msg_iovlen > 1 && size == 0)
		sim_complain("datagrams of class %u were joined into one", o->class);
	for (size_t i = 0; i < m->msg_iovlen; i++) {
		const struct iovec *v = &m->msg_iov[i];

		if (size && (v->iov_len > size || (v->iov_len < size && i + 1 < m->msg_iovlen)))
			sim_complain("a super-datagram of class %u is cut every %u bytes, but a part has %zu", o->class,
				     size, v->iov_len);
		leave(o, v, message_tos(o, m), now);
	}
}

static int is_for_want_of_room(int err)
{
	return err == ENOBUFS || err == EAGAIN || err == ENOMEM || err == EINTR;
}

int output_send(int fd, struct mmsghdr *msgs, uint32_t n)
{
	struct output *o = find(fd);
	uint64_t now = sim_now_ns();
	uint32_t i;

	if (!o)
		return -EBADF;
	for (i = 0; i < n; i++) {
		int err = refuse(o, &msgs[i].msg_hdr, now);

		if (err) {
			check_refused(o->class);
			if (o->no_room_since_ns == 0 && is_for_want_of_room(err))
				o->no_room_since_ns = now;
			return i ? (int)i : -err;
		}
		send_message(o, &msgs[i].msg_hdr, now);
		msgs[i].msg_len = ends_bytes(&msgs[i].msg_hdr);
	}
	return (int)n;
}

int output_take_error(int fd, struct msghdr *m)
{
	struct sock_extended_err e = { .ee_errno = ECONNREFUSED, .ee_origin = SO_EE_ORIGIN_ICMP };
	struct output *o = find(fd);
	struct cmsghdr *c;

	if (!o || o->n_errors == 0)
		return -EAGAIN;
	o->n_errors--;
	m->msg_controllen = CMSG_SPACE(sizeof(e));
	c = CMSG_FIRSTHDR(m);
	c->cmsg_level = SOL_IP;
	c->cmsg_type = IP_RECVERR;
	c->cmsg_len = CMSG_LEN(sizeof(e));
	memcpy(CMSG_DATA(c), &e, sizeof(e));
	return 0;
}

int output_connect(int fd, int dissolves)
{
	struct output *o = find(fd);

	if (!o)
		return -EBADF;
	if (!dissolves && sim_now_ns() < o->unconnected_until_ns)
		return -ENETUNREACH;
	o->is_unconnected = dissolves;
	o->astray_since_ns = 0;
	o->local = local_now;
	return 0;
}

int output_socket(void)
{
	if (sim_happens(FAULT_CALL, 20))
		return -EMFILE;
	asking = (struct output){ .is_unconnected = 1 };
	return ASKING_FD;
}

int output_close(int fd)
{
	return fd == ASKING_FD;
}

int output_end(int fd, int peer, struct sockaddr *at, socklen_t *len)
{
	const struct output *o = find(fd);
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(9) };
	const struct address *to;

	if (!o || (peer && o->is_unconnected))
		return -ENOTCONN;
	to = &sim.config.classes[o->class].dests[o->dest];
	if (peer) {
		memcpy(at, &to->at, to->len);
		*len = to->len;
		return 0;
	}
	v4.sin_addr.s_addr = o->local;
	memcpy(at, &v4, sizeof(v4));
	*len = sizeof(v4);
	return 0;
}

uint64_t output_full_ns(uint32_t class)
{
	uint64_t now = sim_now_ns(), most_ns = 0;

	for (const struct output *o = outputs; o < outputs + n_outputs; o++)
		if (o->class == class && o->no_room_since_ns && now - o->no_room_since_ns > most_ns)
			most_ns = now - o->no_room_since_ns;
	return most_ns;
}

uint64_t output_refusals(uint32_t class)
{
	uint64_t sum = replies_refusals(class);

	for (const struct output *o = outputs; o < outputs + n_outputs; o++)
		sum += o->class == class ? o->refusals : 0;
	return sum;
}

void output_use_tos(int fd, int tos)
{
	struct output *o = find(fd);

	if (o)
		o->tos = tos;
}

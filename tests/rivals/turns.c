/* turns.c - sockets, source and sink. */
#include "turns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/udp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "traffic/packet.h"

#define BUFFER_BYTES (32 << 20)
#define REST_NS (100 * NS_PER_US) /* how often the sink looks: each look touches the locks that a relay needs */
#define PATIENCE_NS (200 * NS_PER_MS) /* what has not come that long after the last is lost */
#define SETTLE_NS NS_PER_MS /* after the last packet, until the relay sleeps */

void give_up(const char *what)
{
	fprintf(stderr, "rivals: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* The namespace of a process, or with 0 the one that it began in. */
static void enter(int pid)
{
	static int home = -1;
	char path[64];
	int fd;

	if (home < 0)
		home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	fd = pid ? open(path, O_RDONLY | O_CLOEXEC) : home;
	if (fd < 0 || (pid && setns(fd, CLONE_NEWNET)) || (!pid && setns(home, CLONE_NEWNET) && errno != EPERM))
		give_up(path);
	if (pid)
		close(fd);
}

static int open_one(const struct relay *r, int receives, int flow)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons((uint16_t)((receives ? r->at_port : r->to_port) + flow)) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1, bytes = BUFFER_BYTES;

	inet_pton(AF_INET, receives ? r->at : r->to, &a.sin_addr);
	if ((receives ? bind : connect)(fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
		give_up(r->name);
	if (receives) {
		if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
			setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
		setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
	}
	return fd;
}

void turns_open(struct bench *b)
{
	int on = 1;

	for (uint32_t i = 0; i < b->n_relays; i++) {
		struct relay *r = &b->relays[i];

		for (int way = 0; way < 2; way++) {
			enter(way ? r->sink_ns : r->source_ns);
			for (int flow = 0; flow < FLOWS; flow++)
				(way ? r->in : r->out)[flow] = open_one(r, way, flow);
		}
		for (int flow = 0; flow < FLOWS && b->is_gro; flow++)
			if (setsockopt(r->in[flow], SOL_UDP, UDP_GRO, &on, sizeof(on)))
				give_up("UDP_GRO");
		enter(0);
	}
}

static void note(struct bench *b, int flow, const uint8_t *from, uint32_t bytes, uint64_t stamp_ns)
{
	struct turn *t = &b->turn;
	struct packet_header h;
	uint64_t sent_at_ns;

	if (bytes != b->bytes || packet_read(from, bytes, &h) != 1 || h.stream != t->id)
		return;
	t->received++;
	b->carried++;
	t->misplaced += h.sequence < t->next_of[flow];
	t->next_of[flow] = h.sequence + 1;
	sent_at_ns = t->sent_at_ns[flow][h.sequence % SENT_WINDOW];
	if (t->n_latencies < MOST_SAMPLES)
		t->latency_ns[t->n_latencies++] = stamp_ns > sent_at_ns ? (uint32_t)(stamp_ns - sent_at_ns) : 0;
}

static void note_all(struct bench *b, int flow, struct mmsghdr *m)
{
	uint8_t *from = m->msg_hdr.msg_iov->iov_base;
	uint32_t step = m->msg_len;
	struct timespec stamp = { 0 };

	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m->msg_hdr); c; c = CMSG_NXTHDR(&m->msg_hdr, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS)
			memcpy(&stamp, CMSG_DATA(c), sizeof(stamp));
		if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
			int size;

			memcpy(&size, CMSG_DATA(c), sizeof(size));
			step = (uint32_t)size;
		}
	}
	for (uint32_t at = 0; at < m->msg_len; at += step)
		note(b, flow, from + at, m->msg_len - at < step ? m->msg_len - at : step,
		     (uint64_t)stamp.tv_sec * NS_PER_S + (uint64_t)stamp.tv_nsec);
}

void turn_take(struct bench *b, const struct relay *r)
{
	int n_msgs = b->is_gro ? BATCH_SUPERS : BATCH_MSGS, n;
	size_t room = b->is_gro ? SUPER_ROOM : PLAIN_ROOM;

	for (int flow = 0; flow < FLOWS; flow++)
		do {
			for (int i = 0; i < n_msgs; i++) {
				b->vectors[i] = (struct iovec){ b->in + (size_t)i * room, room };
				b->msgs[i].msg_hdr = (struct msghdr){ .msg_iov = &b->vectors[i],
								      .msg_iovlen = 1,
								      .msg_control = b->control[i],
								      .msg_controllen = sizeof(b->control[i]) };
			}
			n = recvmmsg(r->in[flow], b->msgs, (unsigned)n_msgs, MSG_DONTWAIT, NULL);
			for (int i = 0; i < n; i++)
				note_all(b, flow, &b->msgs[i]);
		} while (n == n_msgs);
}

void turn_drain(struct bench *b, const struct relay *r)
{
	struct timespec rest = { .tv_nsec = REST_NS }, settle = { .tv_nsec = SETTLE_NS };
	uint64_t had = b->turn.received, at_ns = now_ns();

	for (;;) {
		turn_take(b, r);
		if (b->turn.received >= b->turn.sent)
			break;
		if (b->turn.received > had)
			at_ns = now_ns();
		else if (now_ns() - at_ns > PATIENCE_NS)
			break;
		had = b->turn.received;
		nanosleep(&rest, NULL);
	}
	nanosleep(&settle, NULL);
}

void turn_send(struct bench *b, const struct relay *r, uint32_t n)
{
	struct turn *t = &b->turn;
	uint64_t first = t->sent_of[t->flow], real, before_ns;
	char control[CMSG_SPACE(sizeof(uint16_t))] = { 0 };
	struct iovec v = { b->out, (size_t)n * b->bytes };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	uint16_t size = (uint16_t)b->bytes;

	for (uint32_t i = 0; i < n; i++)
		packet_fill_stream(b->out + (size_t)i * b->bytes, b->bytes, t->id, first + i, 0);
	if (n > 1) {
		struct cmsghdr *c;

		m.msg_control = control;
		m.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_UDP;
		c->cmsg_type = UDP_SEGMENT;
		c->cmsg_len = CMSG_LEN(sizeof(size));
		memcpy(CMSG_DATA(c), &size, sizeof(size));
	}
	real = real_ns();
	for (uint32_t i = 0; i < n; i++)
		t->sent_at_ns[t->flow][(first + i) % SENT_WINDOW] = real;
	before_ns = now_ns();
	while (sendmsg(r->out[t->flow], &m, 0) < 0)
		if (errno != ENOBUFS && errno != EINTR && errno != ECONNREFUSED)
			give_up(r->name);
	if (t->n_calls < MOST_SAMPLES)
		t->call_ns[t->n_calls++] = (uint32_t)((now_ns() - before_ns) / n);
	t->sent_of[t->flow] += n;
	t->sent += n;
	t->flow = (t->flow + 1) % FLOWS;
}

void turn_begin(struct turn *t)
{
	static uint32_t last;

	memset(t, 0, offsetof(struct turn, latency_ns));
	t->id = ++last;
}

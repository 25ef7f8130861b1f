/* sink.c - the receiving thread. */
#include "sink.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

#define SINK_BATCH 128
#define SINK_ROOM_BYTES 2048 /* a longer one is cut, and so shows as changed */
static_assert(SINK_ROOM_BYTES == CONTENT_MOST_BYTES, "a datagram is told by what there is room for");
#define CONTROL_BYTES 64 /* SCM_TIMESTAMPNS (32), and to spare */
#define POLL_MS 50
/* Between two looks. The kernel has noted when each came; to be woken for each would take the source's CPU time. */
#define PAUSE_NS (500 * NS_PER_US)
#define IN_BITS 32 /* of what epoll says: the flow, and which of its sockets */
#define LINGER_NS (50 * NS_PER_MS) /* once all has come: what comes now has come twice */

/* What one recvmmsg() needs, set up once: most calls return few. */
struct reader {
	struct mmsghdr msgs[SINK_BATCH];
	struct iovec vectors[SINK_BATCH];
	uint8_t control[SINK_BATCH][CONTROL_BYTES];
	uint8_t payload[SINK_BATCH][SINK_ROOM_BYTES];
	struct sockaddr_in6 from[SINK_BATCH]; /* or a sockaddr_in */
	struct mmsghdr answers[SINK_BATCH];
	struct iovec said[SINK_BATCH];
};

static void reader_open(struct reader *r)
{
	for (uint32_t i = 0; i < SINK_BATCH; i++) {
		r->vectors[i] = (struct iovec){ .iov_base = r->payload[i], .iov_len = SINK_ROOM_BYTES };
		r->msgs[i].msg_hdr = (struct msghdr){ .msg_iov = &r->vectors[i],
						      .msg_iovlen = 1,
						      .msg_name = &r->from[i],
						      .msg_namelen = sizeof(r->from[i]),
						      .msg_control = r->control[i],
						      .msg_controllen = CONTROL_BYTES };
	}
}

/* When it reached the socket, CLOCK_REALTIME; 0 if the kernel does not say. */
static uint64_t stamp_ns(struct msghdr *m)
{
	struct timespec t;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS)
			continue;
		memcpy(&t, CMSG_DATA(c), sizeof(t));
		return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
	}
	return 0;
}

/* Whose a datagram is that came to a socket of f. */
static struct flow *flow_of(const struct sink *s, struct flow *f, const uint8_t *payload, uint32_t bytes)
{
	struct packet_header h;

	for (uint32_t i = 0; f->content && f->is_shared && i < s->n_flows; i++)
		if (content_is_due(s->flows[i].content, payload, bytes))
			return &s->flows[i];
	if (f->content || !f->is_shared || bytes < sizeof(h))
		return f;
	memcpy(&h, payload, sizeof(h));
	for (uint32_t i = 0; h.check == packet_check(&h, bytes) && i < s->n_flows; i++)
		if (!s->flows[i].forth && (s->flows[i].stream & (MAX_CLASSES - 1)) == (h.stream & (MAX_CLASSES - 1)))
			return &s->flows[i];
	return f;
}

/* The same bytes, to the one they came from. */
static uint32_t prepare_answer(struct reader *r, uint32_t i, uint32_t n_answers)
{
	const struct msghdr *m = &r->msgs[i].msg_hdr;

	r->said[n_answers] = (struct iovec){ .iov_base = r->payload[i], .iov_len = r->msgs[i].msg_len };
	r->answers[n_answers].msg_hdr = (struct msghdr){
		.msg_iov = &r->said[n_answers], .msg_iovlen = 1, .msg_name = m->msg_name, .msg_namelen = m->msg_namelen
	};
	return n_answers + 1;
}

/* Those of one class at a time: `back` counts them, if anybody does. */
static void answer(struct reader *r, struct flow *back, int fd, uint32_t n)
{
	int sent = n ? sendmmsg(fd, r->answers, n, 0) : 0, timed = 0;

	for (int i = 0; i < sent; i++)
		timed += r->said[i].iov_len >= sizeof(struct packet_header);
	if (!back || sent <= 0)
		return;
	back->sent_timed_pkts += (uint64_t)timed;
	/* relaxed: its own count, for a look at the progress */
	atomic_store_explicit(&back->sent_pkts, back->sent_pkts + (uint64_t)sent, memory_order_relaxed);
}

/* Returns how many it read. */
static int read_socket(const struct sink *s, struct reader *r, struct flow *f, uint32_t in)
{
	int fd = flow_in(f, in), n = recvmmsg(fd, r->msgs, SINK_BATCH, MSG_DONTWAIT, NULL);
	uint64_t now = now_ns(), real = real_ns();
	struct flow *asked = NULL;
	uint32_t n_answers = 0;

	for (int i = 0; i < n; i++) {
		uint64_t at_ns = stamp_ns(&r->msgs[i].msg_hdr);
		uint32_t bytes = r->msgs[i].msg_len;
		struct flow *whose = flow_of(s, f, r->payload[i], bytes);

		flow_note_at(whose, in, r->payload[i], bytes, at_ns && at_ns < real ? now - (real - at_ns) : now);
		if (whose != asked) {
			answer(r, asked ? asked->back : NULL, fd, n_answers);
			asked = whose;
			n_answers = 0;
		}
		if (whose->answers)
			n_answers = prepare_answer(r, (uint32_t)i, n_answers);
	}
	answer(r, asked ? asked->back : NULL, fd, n_answers);
	for (int i = 0; i < n; i++) {
		r->msgs[i].msg_hdr.msg_controllen = CONTROL_BYTES;
		r->msgs[i].msg_hdr.msg_namelen = sizeof(r->from[i]);
	}
	return n;
}

/* An answer must not wait for the next look: its round trip is measured. */
static int answers(const struct sink *s)
{
	for (uint32_t i = 0; i < s->n_flows; i++)
		if (s->flows[i].answers)
			return 1;
	return 0;
}

static void *run_sink(void *arg)
{
	static struct reader reader;
	struct sink *s = arg;
	struct timespec pause = { .tv_nsec = answers(s) ? 0 : (long)PAUSE_NS };

	reader_open(&reader);
	prctl(PR_SET_TIMERSLACK, 1UL);
	while (!atomic_load_explicit(&s->stop, memory_order_relaxed)) { /* relaxed: only a flag */
		struct epoll_event events[MAX_CLASSES * MAX_DESTS];
		uint64_t began_at_ns = now_ns();
		int n = epoll_wait(s->epoll_fd, events, MAX_CLASSES * MAX_DESTS, POLL_MS);

		for (int i = 0; i < n; i++) {
			struct flow *f = &s->flows[events[i].data.u64 >> IN_BITS];

			while (read_socket(s, &reader, f, (uint32_t)events[i].data.u64) == SINK_BATCH)
				continue;
		}
		/* relaxed: a time, compared with times that the same thread has noted before */
		atomic_store_explicit(&s->looked_at_ns, began_at_ns, memory_order_relaxed);
		if (n > 0 && pause.tv_nsec)
			nanosleep(&pause, NULL);
	}
	s->cpu = cpu_of_thread();
	return NULL;
}

static int watch_sockets(struct sink *s)
{
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll_fd < 0)
		return -errno;
	for (uint32_t i = 0; i < s->n_flows; i++)
		for (uint32_t k = 0; k < flow_n_in(&s->flows[i]); k++) {
			struct epoll_event event = { .events = EPOLLIN, .data.u64 = (uint64_t)i << IN_BITS | k };

			if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, flow_in(&s->flows[i], k), &event) < 0)
				return -errno;
		}
	return 0;
}

int sink_start(struct sink *s, struct flow *flows, uint32_t n_flows, pthread_t *thread)
{
	int err;

	s->flows = flows;
	s->n_flows = n_flows;
	s->stop = 0;
	s->looked_at_ns = 0;
	err = watch_sockets(s);
	if (!err)
		err = -pthread_create(thread, NULL, run_sink, s);
	if (!err)
		return 0;
	log_error("start the thread that receives: %s", strerror(-err));
	if (s->epoll_fd >= 0)
		close(s->epoll_fd);
	return err;
}

void sink_finish(struct sink *s, pthread_t thread, uint64_t patience_ns)
{
	struct timespec pause = { .tv_nsec = 5 * (long)NS_PER_MS };
	uint64_t last_at_ns = now_ns();

	for (;;) {
		int64_t lost = 0;

		for (uint32_t i = 0; i < s->n_flows; i++) {
			/* relaxed: for a look at the progress */
			uint64_t at_ns = atomic_load_explicit(&s->flows[i].last_at_ns, memory_order_relaxed);

			last_at_ns = at_ns > last_at_ns ? at_ns : last_at_ns;
			lost += flow_lost_pkts(&s->flows[i]);
		}
		/* relaxed: as above */
		if (atomic_load_explicit(&s->looked_at_ns, memory_order_relaxed) >
		    last_at_ns + (lost <= 0 ? LINGER_NS : patience_ns))
			break;
		nanosleep(&pause, NULL);
	}
	atomic_store_explicit(&s->stop, 1, memory_order_relaxed); /* relaxed: only a flag */
	pthread_join(thread, NULL);
	close(s->epoll_fd);
	for (uint32_t i = 0; i < s->n_flows; i++)
		flow_end(&s->flows[i], !s->learns_sent);
}

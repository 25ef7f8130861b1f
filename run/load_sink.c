/* load_sink.c - the receiving thread. */
#include "load_sink.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"

#define SINK_BATCH 128
#define SINK_ROOM_BYTES 2048 /* a longer one is cut, and so shows as changed */
#define CONTROL_BYTES 64 /* SCM_TIMESTAMPNS (32), and to spare */
#define POLL_MS 50
/* Between two looks. The kernel has noted when each came; to be woken for each would take the source's CPU time. */
#define PAUSE_NS (500 * NS_PER_US)
#define LINGER_NS (50 * NS_PER_MS) /* once all has come: what comes now has come twice */

/* What one recvmmsg() needs, set up once: most calls return few. */
struct reader {
	struct mmsghdr msgs[SINK_BATCH];
	struct iovec vectors[SINK_BATCH];
	uint8_t control[SINK_BATCH][CONTROL_BYTES];
	uint8_t payload[SINK_BATCH][SINK_ROOM_BYTES];
};

static void reader_open(struct reader *r)
{
	for (uint32_t i = 0; i < SINK_BATCH; i++) {
		r->vectors[i] = (struct iovec){ .iov_base = r->payload[i], .iov_len = SINK_ROOM_BYTES };
		r->msgs[i].msg_hdr = (struct msghdr){ .msg_iov = &r->vectors[i],
						      .msg_iovlen = 1,
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

/* Returns how many it read. */
static int read_socket(struct reader *r, struct flow *f, int fd)
{
	int n = recvmmsg(fd, r->msgs, SINK_BATCH, MSG_DONTWAIT, NULL);
	uint64_t now = now_ns(), real = real_ns();

	for (int i = 0; i < n; i++) {
		uint64_t at_ns = stamp_ns(&r->msgs[i].msg_hdr);

		flow_note(f, r->payload[i], r->msgs[i].msg_len, at_ns && at_ns < real ? now - (real - at_ns) : now);
		r->msgs[i].msg_hdr.msg_controllen = CONTROL_BYTES;
	}
	return n;
}

static void *run_sink(void *arg)
{
	static struct reader reader;
	struct timespec pause = { .tv_nsec = (long)PAUSE_NS };
	struct sink *s = arg;
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

	reader_open(&reader);
	prctl(PR_SET_TIMERSLACK, 1UL);
	for (uint32_t i = 0; i < s->n_flows; i++)
		for (uint32_t k = 0; k < s->flows[i].n_in; k++) {
			struct epoll_event event = { .events = EPOLLIN, .data.u32 = i * MAX_DESTS + k };

			epoll_ctl(epoll_fd, EPOLL_CTL_ADD, s->flows[i].in_fd[k], &event);
		}
	while (!atomic_load_explicit(&s->stop, memory_order_relaxed)) { /* relaxed: only a flag */
		struct epoll_event events[64];
		int n = epoll_wait(epoll_fd, events, 64, POLL_MS);

		for (int i = 0; i < n; i++) {
			struct flow *f = &s->flows[events[i].data.u32 / MAX_DESTS];

			while (read_socket(&reader, f, f->in_fd[events[i].data.u32 % MAX_DESTS]) == SINK_BATCH)
				continue;
		}
		if (n > 0)
			nanosleep(&pause, NULL);
	}
	close(epoll_fd);
	s->cpu = cpu_of_thread();
	return NULL;
}

void sink_start(struct sink *s, struct flow *flows, uint32_t n_flows, pthread_t *thread)
{
	s->flows = flows;
	s->n_flows = n_flows;
	s->stop = 0;
	pthread_create(thread, NULL, run_sink, s);
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
		if (now_ns() > last_at_ns + (lost <= 0 ? LINGER_NS : patience_ns))
			break;
		nanosleep(&pause, NULL);
	}
	atomic_store_explicit(&s->stop, 1, memory_order_relaxed); /* relaxed: only a flag */
	pthread_join(thread, NULL);
	for (uint32_t i = 0; i < s->n_flows; i++)
		flow_end(&s->flows[i], !s->learns_sent);
}

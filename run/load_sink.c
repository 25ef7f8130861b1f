/* load_sink.c - the receiving side. */
#include "load_sink.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

#define SINK_BATCH 128
#define SINK_BUFFER_BYTES (256 << 20)
#define POLL_MS 50

static int open_socket(const struct address *a, int sink)
{
	int fd = socket(a->at.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | (sink ? SOCK_NONBLOCK : 0), 0);
	int bytes = SINK_BUFFER_BYTES, err;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, sink ? SO_RCVBUF : SO_SNDBUF, &bytes, sizeof(bytes));
	setsockopt(fd, SOL_SOCKET, sink ? SO_RCVBUFFORCE : SO_SNDBUFFORCE, &bytes, sizeof(bytes));
	if ((sink ? bind : connect)(fd, (const struct sockaddr *)&a->at, a->len) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

int flow_open(struct flow *f, const struct class_config *class, const struct packet_sizes *sizes)
{
	char text[ADDRESS_BYTES];

	memcpy(f->name, class->name, sizeof(f->name));
	f->sizes = *sizes;
	f->budget_ns = class->budget_ns;
	f->out_fd = open_socket(&class->listen[0], 0);
	if (f->out_fd < 0) {
		log_error("send to class %s on %s: %s", f->name, address_format(&class->listen[0], text),
			  strerror(-f->out_fd));
		return f->out_fd;
	}
	f->n_in = class->n_dests;
	for (uint32_t i = 0; i < class->n_dests; i++) {
		f->in_fd[i] = open_socket(&class->dests[i], 1);
		if (f->in_fd[i] >= 0)
			continue;
		log_error("receive for class %s on %s: %s%s", f->name, address_format(&class->dests[i], text),
			  strerror(-f->in_fd[i]), f->in_fd[i] == -EADDRINUSE ? ": another program has this port" : "");
		return f->in_fd[i];
	}
	return 0;
}

int64_t flow_lost_pkts(const struct flow *f)
{
	/* relaxed: after the end, or for a progress display */
	return (int64_t)(atomic_load_explicit(&f->sent_pkts, memory_order_relaxed) -
			 atomic_load_explicit(&f->received_pkts, memory_order_relaxed)) -
	       (int64_t)f->corrupt_pkts;
}

static void count_received(struct flow *f)
{
	atomic_store_explicit(&f->received_pkts, f->received_pkts + 1, memory_order_relaxed); /* relaxed: as above */
}

static void note_sequence(struct flow *f, uint64_t sequence)
{
	uint64_t at = sequence % SEEN_WINDOW;
	uint8_t bit = (uint8_t)(1u << at % 8);

	if (sequence >= f->next_sequence) {
		if (sequence - f->next_sequence >= SEEN_WINDOW)
			memset(f->seen, 0, sizeof(f->seen));
		else
			for (uint64_t i = f->next_sequence; i < sequence; i++)
				f->seen[i % SEEN_WINDOW / 8] &= (uint8_t) ~(1u << i % 8);
		f->next_sequence = sequence + 1;
	} else if (f->seen[at / 8] & bit) {
		f->doubled_pkts++;
		return;
	} else {
		f->reordered_pkts++;
	}
	f->seen[at / 8] |= bit;
	count_received(f);
}

static void note_packet(struct flow *f, const uint8_t *payload, uint32_t bytes, uint64_t now)
{
	struct packet_header h = { 0 };
	int kind = packet_read(payload, bytes, &h);
	uint64_t latency_ns;

	/* relaxed: for a display */
	if (f->last_at_ns && now - f->last_at_ns > atomic_load_explicit(&f->gap_max_ns, memory_order_relaxed))
		atomic_store_explicit(&f->gap_max_ns, now - f->last_at_ns, memory_order_relaxed);
	f->last_at_ns = now;
	if (kind < 0) {
		f->corrupt_pkts++;
		return;
	}
	if (kind == 0) {
		if (packet_bytes(&f->sizes, f->next_sequence) == bytes)
			note_sequence(f, f->next_sequence);
		else
			f->doubled_pkts++;
		return;
	}
	note_sequence(f, h.sequence);
	latency_ns = now > h.due_at_ns ? now - h.due_at_ns : 0;
	f->latency[histogram_bucket(latency_ns)]++;
	f->on_time_pkts += f->budget_ns == BUDGET_NONE || latency_ns <= f->budget_ns;
	if (latency_ns > f->latency_max_ns)
		f->latency_max_ns = latency_ns;
}

static void read_socket(struct flow *f, int fd)
{
	static uint8_t payload[SINK_BATCH][2048];
	struct mmsghdr msgs[SINK_BATCH];
	struct iovec vectors[SINK_BATCH];
	uint64_t now;
	int n;

	memset(msgs, 0, sizeof(msgs));
	for (uint32_t i = 0; i < SINK_BATCH; i++) {
		vectors[i] = (struct iovec){ .iov_base = payload[i], .iov_len = sizeof(payload[i]) };
		msgs[i].msg_hdr.msg_iov = &vectors[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	n = recvmmsg(fd, msgs, SINK_BATCH, MSG_DONTWAIT, NULL);
	now = now_ns();
	for (int i = 0; i < n; i++)
		note_packet(f, payload[i], msgs[i].msg_len, now);
}

static void *run_sink(void *arg)
{
	struct sink *s = arg;
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

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

			read_socket(f, f->in_fd[events[i].data.u32 % MAX_DESTS]);
		}
	}
	close(epoll_fd);
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
	uint64_t received = 0, since_ns = now_ns();

	for (;;) {
		struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };
		uint64_t sum = 0;
		int64_t lost = 0;

		for (uint32_t i = 0; i < s->n_flows; i++) {
			sum += atomic_load_explicit(&s->flows[i].received_pkts, memory_order_relaxed);
			lost += flow_lost_pkts(&s->flows[i]);
		}
		if (sum != received) {
			received = sum;
			since_ns = now_ns();
		}
		if (lost <= 0 || now_ns() - since_ns > patience_ns)
			break;
		nanosleep(&pause, NULL);
	}
	atomic_store_explicit(&s->stop, 1, memory_order_relaxed);
	pthread_join(thread, NULL);
}

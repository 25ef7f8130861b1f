/*
 * reference.c - the rival ontime is measured against: one process, the same calls, no shared memory.
 *
 * epoll, recvmmsg in batches of 64 with the same socket options and control messages parsed, then per class
 * sendmmsg on connected sockets: with runs of equal size as UDP_SEGMENT super-datagrams, or without. No deadlines, no
 * fairness, no accounting, nothing survives it: what a relay costs at least.
 */
#include <errno.h>
#include <netinet/udp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "hold/sockets.h"
#include "clock.h"
#include "shm/layout.h"
#include "log.h"

#define GSO_MOST_BYTES 65000

struct relay {
	int gso;
	uint64_t forwarded_pkts, stamps_ns;
	struct mmsghdr in[BATCH], out[BATCH];
	struct iovec in_vectors[BATCH], out_vectors[BATCH];
	uint8_t control[BATCH][RECEIVE_CONTROL_BYTES], out_control[BATCH][SEND_CONTROL_BYTES];
	uint8_t payload[BATCH][1600];
};

static volatile sig_atomic_t stop_asked;

static void on_signal(int sig)
{
	(void)sig;
	stop_asked = 1;
}

static int receive(struct relay *r, int fd)
{
	int n;

	for (int i = 0; i < BATCH; i++) {
		r->in_vectors[i] = (struct iovec){ r->payload[i], 1536 };
		r->in[i].msg_hdr = (struct msghdr){ .msg_iov = &r->in_vectors[i],
						    .msg_iovlen = 1,
						    .msg_control = r->control[i],
						    .msg_controllen = RECEIVE_CONTROL_BYTES };
	}
	n = recvmmsg(fd, r->in, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++)
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&r->in[i].msg_hdr); c; c = CMSG_NXTHDR(&r->in[i].msg_hdr, c))
			if (c->cmsg_type == SCM_TIMESTAMPNS) {
				struct timespec t;

				memcpy(&t, CMSG_DATA(c), sizeof(t));
				r->stamps_ns ^= (uint64_t)t.tv_nsec;
			}
	return n;
}

static void write_segment_size(struct msghdr *m, uint8_t *control, uint16_t size)
{
	struct cmsghdr *c;

	m->msg_control = control;
	m->msg_controllen = CMSG_SPACE(sizeof(size));
	c = CMSG_FIRSTHDR(m);
	c->cmsg_level = SOL_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(size));
	memcpy(CMSG_DATA(c), &size, sizeof(size));
}

static uint32_t gather(struct relay *r, int n)
{
	uint32_t n_msgs = 0, run_bytes = 0, total = 0;

	for (int i = 0; i < n; i++) {
		uint32_t bytes = r->in[i].msg_len;
		struct msghdr *m;

		r->out_vectors[i] = (struct iovec){ r->payload[i], bytes };
		if (r->gso && n_msgs && run_bytes && bytes && bytes <= run_bytes && total + bytes <= GSO_MOST_BYTES) {
			m = &r->out[n_msgs - 1].msg_hdr;
			if (m->msg_iovlen++ == 1)
				write_segment_size(m, r->out_control[n_msgs - 1], (uint16_t)run_bytes);
			total += bytes;
			run_bytes = bytes < run_bytes ? 0 : run_bytes;
			continue;
		}
		r->out[n_msgs++].msg_hdr = (struct msghdr){ .msg_iov = &r->out_vectors[i], .msg_iovlen = 1 };
		run_bytes = total = bytes;
	}
	return n_msgs;
}

static void send_on(struct relay *r, int fd, int n)
{
	uint32_t n_msgs = gather(r, n), done = 0;

	while (done < n_msgs && !stop_asked) {
		int sent = sendmmsg(fd, r->out + done, n_msgs - done, MSG_DONTWAIT);

		if (sent > 0)
			done += (uint32_t)sent;
		else if (errno != EAGAIN && errno != ENOBUFS && errno != ECONNREFUSED && errno != EINTR)
			done++;
	}
	r->forwarded_pkts += (uint64_t)n;
}

static void pin_to_last_cpu(void)
{
	cpu_set_t allowed, one;
	size_t last = 0;

	sched_getaffinity(0, sizeof(allowed), &allowed);
	for (size_t i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &allowed))
			last = i;
	CPU_ZERO(&one);
	CPU_SET(last, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

int main(int argc, char **argv)
{
	static struct relay r;
	static struct config c;
	static struct sockets s;
	struct sigaction act = { .sa_handler = on_signal };
	char why[512];
	int epoll_fd = epoll_create1(0);
	uint64_t cpu_ns;

	log_set_name("reference");
	r.gso = argc > 1 && strcmp(argv[1], "gso") == 0;
	if (argc > 1 && !r.gso && strcmp(argv[1], "sendmmsg") != 0) {
		fputs("usage: reference gso|sendmmsg [CONFIG]   relays the config's classes until TERM\n", stderr);
		return 2;
	}
	if (config_load(&c, argc > 2 ? argv[2] : NULL, 0, NULL, why, sizeof(why)) || sockets_open(&s, &c))
		return 2;
	pin_to_last_cpu();
	sigaction(SIGTERM, &act, NULL);
	for (uint32_t i = 0; i < c.n_classes; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.u32 = i };

		epoll_ctl(epoll_fd, EPOLL_CTL_ADD, s.fds[i], &event);
	}
	cpu_ns = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID);
	while (!stop_asked) {
		struct epoll_event events[MAX_CLASSES];
		int n_events = epoll_wait(epoll_fd, events, MAX_CLASSES, -1);

		for (int i = 0; i < n_events; i++) {
			int n = receive(&r, s.fds[events[i].data.u32]);

			if (n > 0)
				/* behind inputs, and those for what is denied */
				send_on(&r, s.fds[2 * c.n_classes + events[i].data.u32], n);
		}
	}
	cpu_ns = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns;
	printf("%llu %llu\n", (unsigned long long)r.forwarded_pkts, (unsigned long long)cpu_ns);
	return 0;
}

/*
 * aimd.c - a sender that halves its rate when datagrams come marked CE, and its sink: what is lost on the way.
 *
 * usage: aimd TO AT PPS SECONDS     from PPS on, up by a hundredth of that every 20 ms without a mark
 *
 * Prints: sent, received, of these marked, the mean rate sent at. What TCP does with ECN (RFC 3168), for datagrams.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "config/address.h"
#include "config/dscp.h"

#define BYTES 1000
#define WINDOW_NS (20 * NS_PER_MS)
#define DEAF_NS (100 * NS_PER_MS) /* after a cut: what was under way then is still marked */
#define TICK_NS NS_PER_MS
#define DRAIN_NS (500 * NS_PER_MS)

struct flow {
	int out, in;
	uint64_t sent, received, marked;
	int saw_mark;
};

static int open_at(const char *text, int receives)
{
	int on = 1, tos = TOS_ECT_0, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct address a;

	if (!address_parse(text, strlen(text), &a) || a.at.ss_family != AF_INET) {
		fprintf(stderr, "aimd: %s: no IPv4 address with a port\n", text);
		exit(2);
	}
	if (receives)
		setsockopt(fd, SOL_IP, IP_RECVTOS, &on, sizeof(on));
	else
		setsockopt(fd, SOL_IP, IP_TOS, &tos, sizeof(tos));
	if ((receives ? bind : connect)(fd, (const struct sockaddr *)&a.at, a.len) < 0) {
		fprintf(stderr, "aimd: %s: %s\n", text, strerror(errno));
		exit(1);
	}
	return fd;
}

static void take_all(struct flow *f)
{
	for (;;) {
		uint8_t payload[BYTES], control[64];
		struct iovec v = { payload, sizeof(payload) };
		struct msghdr m = {
			.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
		};
		struct cmsghdr *c;

		if (recvmsg(f->in, &m, MSG_DONTWAIT) < 0)
			return;
		f->received++;
		c = CMSG_FIRSTHDR(&m);
		if (c && c->cmsg_level == SOL_IP && c->cmsg_type == IP_TOS && (*CMSG_DATA(c) & TOS_ECN) == TOS_CE) {
			f->marked++;
			f->saw_mark = 1;
		}
	}
}

static void wait_until(uint64_t at_ns)
{
	struct timespec t = { (time_t)(at_ns / NS_PER_S), (long)(at_ns % NS_PER_S) };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static void run(struct flow *f, double pps, double seconds)
{
	static const uint8_t payload[BYTES];
	double rate = pps, due = 0;
	uint64_t began_at_ns = now_ns(), until_ns = began_at_ns + (uint64_t)(seconds * 1e9);
	uint64_t window_at_ns = began_at_ns + WINDOW_NS, at_ns = began_at_ns, deaf_until_ns = 0;

	while (at_ns < until_ns) {
		for (due += rate * TICK_NS / NS_PER_S; due >= 1; due--)
			f->sent += send(f->out, payload, sizeof(payload), 0) == sizeof(payload);
		wait_until(at_ns += TICK_NS);
		take_all(f);
		if (at_ns < window_at_ns)
			continue;
		window_at_ns += WINDOW_NS;
		if (f->saw_mark && at_ns < deaf_until_ns) { /* of before the last cut */
			f->saw_mark = 0;
			continue;
		}
		if (f->saw_mark)
			deaf_until_ns = at_ns + DEAF_NS;
		rate = f->saw_mark ? rate / 2 : rate + pps / 100;
		f->saw_mark = 0;
	}
	wait_until(at_ns + DRAIN_NS);
	take_all(f);
}

int main(int argc, char **argv)
{
	struct flow f = { 0 };
	double seconds;

	if (argc != 5) {
		fprintf(stderr, "usage: aimd TO AT PPS SECONDS\n");
		return 2;
	}
	seconds = atof(argv[4]);
	f.in = open_at(argv[2], 1);
	f.out = open_at(argv[1], 0);
	run(&f, atof(argv[3]), seconds);
	printf("%llu %llu %llu %.0f\n", (unsigned long long)f.sent, (unsigned long long)f.received,
	       (unsigned long long)f.marked, (double)f.sent / seconds);
	return 0;
}

/*
 * flood.c - datagrams from very many senders, each of which sends one: by one socket, that takes another source address
 * for each.
 *
 * usage: flood TO [--senders N] [--rate PPS] [--from ADDRESS]
 *
 * Rules:   sender i has the i-th address from ADDRESS (127.16.0.0) on, all of which must be local; N is 100000, and PPS
 *          20000. What comes back is not read. It prints how many it sent, and how long that took. Exit status 1: a
 *          datagram could not be sent; 2: usage.
 * Source:  ip(7) IP_PKTINFO: ipi_spec_dst is the source address of the datagram.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "config/address.h"
#include "log.h"

#define BATCH 64
#define TICK_NS (2 * NS_PER_MS) /* between two looks at the clock */

struct flood {
	struct sockaddr_in to;
	uint32_t first, senders, rate;
	int fd;
	uint8_t control[BATCH][CMSG_SPACE(sizeof(struct in_pktinfo))];
	uint32_t payloads[BATCH];
	struct iovec parts[BATCH];
	struct mmsghdr messages[BATCH];
};

static int refuse(const char *what)
{
	log_error("%s: usage: flood TO [--senders N] [--rate PPS] [--from ADDRESS]", what);
	return 2;
}

static int parse(struct flood *f, int argc, char **argv)
{
	const char *colon = argc > 1 ? strrchr(argv[1], ':') : NULL;
	char host[64];

	if (!colon)
		return refuse("no address");
	snprintf(host, sizeof(host), "%.*s", (int)(colon - argv[1]), argv[1]);
	f->to = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(colon + 1)) };
	if (inet_pton(AF_INET, host, &f->to.sin_addr) != 1)
		return refuse(argv[1]);
	for (int i = 2; i < argc; i += 2) {
		struct in_addr from;

		if (i + 1 == argc)
			return refuse(argv[i]);
		if (strcmp(argv[i], "--senders") == 0)
			f->senders = (uint32_t)strtoul(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--rate") == 0)
			f->rate = (uint32_t)strtoul(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--from") == 0 && inet_pton(AF_INET, argv[i + 1], &from) == 1)
			f->first = ntohl(from.s_addr);
		else
			return refuse(argv[i]);
	}
	return f->rate && f->senders ? 0 : refuse("a number of 0");
}

/* The datagram of a sender, as message i of the next call. */
static void write_message(struct flood *f, uint32_t i, uint32_t sender)
{
	struct in_pktinfo info = { .ipi_spec_dst = { htonl(f->first + sender) } };
	struct msghdr *m = &f->messages[i].msg_hdr;
	struct cmsghdr *c;

	f->payloads[i] = sender;
	f->parts[i] = (struct iovec){ &f->payloads[i], sizeof(f->payloads[i]) };
	*m = (struct msghdr){ .msg_name = &f->to,
			      .msg_namelen = sizeof(f->to),
			      .msg_iov = &f->parts[i],
			      .msg_iovlen = 1,
			      .msg_control = f->control[i],
			      .msg_controllen = sizeof(f->control[i]) };
	c = CMSG_FIRSTHDR(m);
	c->cmsg_level = SOL_IP;
	c->cmsg_type = IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(c), &info, sizeof(info));
}

/* n datagrams from the first sender on. 0, or 1 after one line. */
static int send_batch(struct flood *f, uint32_t first, uint32_t n)
{
	uint32_t done = 0;

	for (uint32_t i = 0; i < n; i++)
		write_message(f, i, first + i);
	while (done < n) {
		int sent = sendmmsg(f->fd, f->messages + done, n - done, 0);

		if (sent > 0) {
			done += (uint32_t)sent;
		} else if (errno != EAGAIN && errno != ENOBUFS && errno != EINTR) {
			log_error("send as sender %u: %s", first + done, log_text_of(errno));
			return 1;
		}
	}
	return 0;
}

/* What is due by now, in batches; when the machine kept it from sending, more of them in a row. */
static int send_all(struct flood *f)
{
	uint64_t began_ns = now_ns();
	uint32_t sent = 0;

	while (sent < f->senders) {
		uint64_t due = (now_ns() - began_ns) * f->rate / NS_PER_S;
		uint32_t n = f->senders - sent < BATCH ? f->senders - sent : BATCH;

		if (due < sent + n) {
			nanosleep(&(struct timespec){ .tv_nsec = TICK_NS }, NULL);
			continue;
		}
		if (send_batch(f, sent, n))
			return 1;
		sent += n;
	}
	printf("flood: sent %u from as many addresses in %.1f s\n", sent, (double)(now_ns() - began_ns) / 1e9);
	return 0;
}

int main(int argc, char **argv)
{
	static struct flood f = { .first = 0x7f100000, .senders = 100000, .rate = 20000 };
	int status;

	log_set_name("flood");
	status = parse(&f, argc, argv);
	if (status)
		return status;
	f.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (f.fd < 0) {
		log_error("socket: %s", log_text_of(errno));
		return 1;
	}
	status = send_all(&f);
	close(f.fd);
	return status;
}

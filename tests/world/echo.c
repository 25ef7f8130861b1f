/*
 * echo.c - a server that sends each datagram back to its sender, late, not for a while, or wrongly if asked to.
 *
 * usage: echo AT [--delay US] [--pause MS] [--refuse MS] [--wrong N] [--twice N] [--swap N] [--drop N] [--change N]
 *
 * Rules:   --delay: an answer leaves that much later. At SIGUSR1 it reads nothing for --pause, or has no socket for
 *          --refuse, in which time the kernel answers with ICMP. Each N-th datagram is answered to the sender of the
 *          one before (--wrong), twice, after its successor of the same sender (--swap), not at all, or with a byte
 *          changed. It prints "ready", and at SIGTERM how many it read, answered and spoiled, and the longest time from
 *          a datagram's arrival to its answer, --delay aside: what the machine kept it from.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "config/address.h"
#include "log.h"

#define BATCH 64
#define ROOM 16384 /* answers under way in a delay */
#define MOST_BYTES 2048
#define BUFFER_BYTES (16 << 20)

enum harm { WRONG, TWICE, SWAP, DROP, CHANGE, N_HARMS };

static const char *const harm_names[N_HARMS] = { "--wrong", "--twice", "--swap", "--drop", "--change" };

struct datagram {
	struct sockaddr_in6 from; /* large enough for both families */
	socklen_t from_len;
	uint32_t bytes;
	uint64_t due_at_ns;
	int times; /* how often it is sent */
	uint8_t payload[MOST_BYTES];
};

struct echo {
	struct address at;
	int fd;
	uint64_t delay_ns, pause_ns, refuse_ns, read, answered, kept_ns;
	uint64_t every[N_HARMS], spoiled;
	struct datagram *ring, held; /* held: its successor goes first */
	int holds;
	uint64_t first, last;
	struct sockaddr_in6 before;
};

static volatile sig_atomic_t is_over, is_asked;

static void on_signal(int sig)
{
	if (sig == SIGUSR1)
		is_asked = 1;
	else
		is_over = 1;
}

static void open_socket(struct echo *e)
{
	int bytes = BUFFER_BYTES, on = 1;
	char text[ADDRESS_BYTES];

	e->fd = socket(e->at.at.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	setsockopt(e->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	setsockopt(e->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
	if (e->fd >= 0 && bind(e->fd, (const struct sockaddr *)&e->at.at, e->at.len) == 0)
		return;
	log_error("%s: %s", address_format(&e->at, text), strerror(errno));
	exit(1);
}

static int is_same(const struct sockaddr_in6 *a, const struct sockaddr_in6 *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* Whether this one is to be spoiled so. */
static int is_due(struct echo *e, enum harm h)
{
	return e->every[h] && e->read % e->every[h] == e->every[h] - 1;
}

static void spoil(struct echo *e, struct datagram *d)
{
	if (is_due(e, WRONG) && !is_same(&e->before, &d->from) && e->read) {
		struct sockaddr_in6 from = d->from;

		d->from = e->before;
		e->before = from;
		e->spoiled++;
		return;
	}
	e->before = d->from;
	if (is_due(e, TWICE))
		d->times = 2;
	if (is_due(e, DROP))
		d->times = 0;
	if (is_due(e, CHANGE) && d->bytes)
		d->payload[d->bytes - 1] ^= 1;
	e->spoiled += is_due(e, TWICE) || is_due(e, DROP) || is_due(e, CHANGE);
	if (is_due(e, SWAP) && !e->holds) {
		e->held = *d;
		d->times = 0;
		e->holds = 1;
	}
}

static void add(struct echo *e, struct datagram *d)
{
	d->times = 1;
	d->due_at_ns = now_ns() + e->delay_ns;
	spoil(e, d);
	e->read++;
	if (!e->holds || d->times == 0 || !is_same(&e->held.from, &d->from))
		return;
	e->ring[e->last++ % ROOM] = e->held; /* the caller has left room */
	e->holds = 0;
	e->spoiled++;
}

static void note_kept(struct echo *e, struct cmsghdr *c, uint64_t real)
{
	struct timespec came;
	uint64_t came_ns;

	if (!c || c->cmsg_type != SCM_TIMESTAMPNS)
		return;
	memcpy(&came, CMSG_DATA(c), sizeof(came));
	came_ns = (uint64_t)came.tv_sec * NS_PER_S + (uint64_t)came.tv_nsec;
	if (real > came_ns + e->kept_ns)
		e->kept_ns = real - came_ns;
}

/* The datagrams that wait, at most BATCH; each may bring another one into the ring. */
static void take(struct echo *e)
{
	static struct datagram in[BATCH];
	static struct mmsghdr m[BATCH];
	struct iovec v[BATCH];
	char control[BATCH][64];
	uint64_t real;
	int n;

	for (int i = 0; i < BATCH; i++) {
		memset(&in[i].from, 0, sizeof(in[i].from));
		v[i] = (struct iovec){ in[i].payload, MOST_BYTES };
		m[i].msg_hdr = (struct msghdr){ .msg_iov = &v[i], .msg_iovlen = 1 };
		m[i].msg_hdr.msg_name = &in[i].from;
		m[i].msg_hdr.msg_namelen = sizeof(in[i].from);
		m[i].msg_hdr.msg_control = control[i];
		m[i].msg_hdr.msg_controllen = sizeof(control[i]);
	}
	n = recvmmsg(e->fd, m, BATCH, MSG_DONTWAIT, NULL);
	real = real_ns();
	for (int i = 0; i < n; i++) {
		struct datagram *d = &e->ring[e->last++ % ROOM];

		d->from = in[i].from;
		d->from_len = m[i].msg_hdr.msg_namelen;
		d->bytes = m[i].msg_len;
		memcpy(d->payload, in[i].payload, d->bytes);
		note_kept(e, CMSG_FIRSTHDR(&m[i].msg_hdr), real);
		add(e, d);
	}
}

/* What is due, at most BATCH. */
static void give(struct echo *e)
{
	static struct mmsghdr m[2 * BATCH];
	struct iovec v[2 * BATCH];
	uint64_t now = now_ns();
	unsigned int n = 0, sent = 0;

	for (; e->first < e->last && n < BATCH; e->first++) {
		struct datagram *d = &e->ring[e->first % ROOM];

		if (d->due_at_ns > now)
			break;
		for (int k = 0; k < d->times; k++) {
			v[n] = (struct iovec){ d->payload, d->bytes };
			m[n].msg_hdr = (struct msghdr){
				.msg_name = &d->from, .msg_namelen = d->from_len, .msg_iov = &v[n], .msg_iovlen = 1
			};
			n++;
		}
	}
	while (sent < n) {
		int done = sendmmsg(e->fd, m + sent, n - sent, 0);

		sent += done > 0 ? (unsigned int)done : 1; /* what cannot be sent is left out */
		e->answered += done > 0 ? (uint64_t)done : 0;
	}
}

static void sleep_ns(uint64_t ns)
{
	struct timespec t = { (time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S) };

	while (nanosleep(&t, &t) < 0 && errno == EINTR && !is_over)
		;
}

static void obey(struct echo *e)
{
	is_asked = 0;
	sleep_ns(e->pause_ns);
	if (!e->refuse_ns)
		return;
	close(e->fd);
	sleep_ns(e->refuse_ns);
	open_socket(e);
}

static void run(struct echo *e)
{
	while (!is_over) {
		struct pollfd in = { .fd = e->fd, .events = POLLIN };
		struct timespec wait = { .tv_nsec = 20 * NS_PER_MS };
		int is_full = e->last - e->first > ROOM - 2 * BATCH;

		if (e->first < e->last) {
			uint64_t due = e->ring[e->first % ROOM].due_at_ns, now = now_ns();

			if (due < now + 20 * NS_PER_MS)
				wait.tv_nsec = due > now ? (long)(due - now) : 0;
		}
		ppoll(&in, !is_full, &wait, NULL);
		if (is_asked)
			obey(e);
		if (!is_full)
			take(e);
		give(e);
	}
}

static int parse(struct echo *e, int argc, char **argv)
{
	if (argc < 2 || argc % 2 || !address_parse(argv[1], strlen(argv[1]), &e->at))
		return -1;
	for (int i = 2; i < argc; i += 2) {
		uint64_t value = strtoull(argv[i + 1], NULL, 10);
		int h = 0;

		while (h < N_HARMS && strcmp(argv[i], harm_names[h]) != 0)
			h++;
		if (h < N_HARMS)
			e->every[h] = value;
		else if (strcmp(argv[i], "--delay") == 0)
			e->delay_ns = value * NS_PER_US;
		else if (strcmp(argv[i], "--pause") == 0)
			e->pause_ns = value * NS_PER_MS;
		else if (strcmp(argv[i], "--refuse") == 0)
			e->refuse_ns = value * NS_PER_MS;
		else
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct echo e;
	struct sigaction act = { .sa_handler = on_signal };

	log_set_name("echo");
	if (parse(&e, argc, argv)) {
		log_error("usage: echo AT [--delay US] [--pause MS] [--refuse MS] "
			  "[--wrong|--twice|--swap|--drop|--change N]");
		return 2;
	}
	e.ring = calloc(ROOM, sizeof(*e.ring));
	if (!e.ring)
		return 1;
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGUSR1, &act, NULL);
	open_socket(&e);
	puts("ready");
	fflush(stdout);
	run(&e);
	printf("read %llu, answered %llu, spoiled %llu, kept %llu us\n", (unsigned long long)e.read,
	       (unsigned long long)e.answered, (unsigned long long)e.spoiled,
	       (unsigned long long)(e.kept_ns / NS_PER_US));
	return 0;
}

/*
 * sources.c - senders that keep to a rate, beside a flood, and the destination of all of them: what of each source
 * came, and when.
 *
 * usage: sources TO SINK [--polite N] [--rate PPS] [--from ADDRESS] [--flood PPS] [--flood-from ADDRESS]
 *                [--flood-sources N] [--seconds S] [--budget-us US]
 *
 * Rules:   TO is where the relay listens, SINK where it sends to: this program is bound there. Polite sender i has the
 *          i-th address from ADDRESS (127.1.0.1) on and sends PPS (100) datagrams a second; the flood comes from as
 *          many addresses, at random, from its own ADDRESS (127.9.0.1) on, as fast as one sender can but PPS at most;
 *          0: there is none. All are local addresses of IPv4, and nobody needs a right.
 *          It prints one line for the polite ones, one for the flood, and `jain`: the fairness index of Jain, Chiu and
 *          Hawe over how many datagrams of each polite source came, and of the flood where that is one source.
 *          Exit status 1: a datagram could not be sent, or came twice or in another order; 2: usage.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "histogram.h"
#include "log.h"
#include "random.h"

#define BATCH 64
#define MOST_POLITE 1024
#define FLOOD UINT32_MAX
#define LINGER_NS NS_PER_S /* what is under way when all is sent */

struct datagram {
	uint32_t source; /* of a polite one; FLOOD */
	uint32_t number;
	uint64_t due_at_ns;
};

static struct sockaddr_in to, sink;
static uint32_t polite = 20, rate = 100, flood_pps, flood_sources = 1, first = 0x7f010001, flood_first = 0x7f090001;
static uint32_t seconds = 5;
static uint64_t budget_ns = NS_PER_MS;

/* What the two processes that send have sent; shared. */
static struct {
	_Atomic uint64_t polite_pkts, flood_pkts;
	_Atomic int ended;
} * sent;

static uint64_t came_pkts[MOST_POLITE], flood_came_pkts, on_time_pkts, wrong_pkts;
static uint32_t next_number[MOST_POLITE];
static uint64_t histogram[HISTOGRAM_BUCKETS];

static int refuse(const char *what)
{
	log_error("%s: usage: sources TO SINK [--polite N] [--rate PPS] [--from ADDRESS] [--flood PPS] "
		  "[--flood-from ADDRESS] [--flood-sources N] [--seconds S] [--budget-us US]",
		  what);
	return 2;
}

static int parse_address(const char *text, struct sockaddr_in *at)
{
	const char *colon = strrchr(text, ':');
	char host[64];

	snprintf(host, sizeof(host), "%.*s", colon ? (int)(colon - text) : 0, text);
	*at = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(colon ? colon + 1 : "")) };
	return inet_pton(AF_INET, host, &at->sin_addr) == 1 && at->sin_port;
}

static int parse_first(const char *text, uint32_t *address)
{
	struct in_addr at;

	if (inet_pton(AF_INET, text, &at) != 1)
		return 0;
	*address = ntohl(at.s_addr);
	return 1;
}

static int parse_option(const char *name, const char *value)
{
	static const struct {
		const char *name;
		uint32_t *number;
	} numbers[] = { { "--polite", &polite },
			{ "--rate", &rate },
			{ "--flood", &flood_pps },
			{ "--flood-sources", &flood_sources },
			{ "--seconds", &seconds } };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (strcmp(name, numbers[i].name) == 0) {
			*numbers[i].number = (uint32_t)strtoul(value, NULL, 10);
			return 1;
		}
	if (strcmp(name, "--budget-us") == 0) {
		budget_ns = strtoul(value, NULL, 10) * NS_PER_US;
		return 1;
	}
	return strcmp(name, "--from") == 0	   ? parse_first(value, &first)
	       : strcmp(name, "--flood-from") == 0 ? parse_first(value, &flood_first)
						   : 0;
}

static int parse(int argc, char **argv)
{
	if (argc < 3 || !parse_address(argv[1], &to) || !parse_address(argv[2], &sink))
		return refuse("no two addresses");
	for (int i = 3; i < argc; i += 2)
		if (i + 1 == argc || !parse_option(argv[i], argv[i + 1]))
			return refuse(argv[i]);
	return polite <= MOST_POLITE && seconds && flood_sources ? 0 : refuse("a number that cannot be");
}

/* Messages of a call, each from an address of its own: by IP_PKTINFO, so that one socket serves all. */
struct sender {
	int fd;
	uint8_t control[BATCH][CMSG_SPACE(sizeof(struct in_pktinfo))];
	struct datagram datagrams[BATCH];
	struct iovec parts[BATCH];
	struct mmsghdr messages[BATCH];
};

static void write_message(struct sender *s, uint32_t i, uint32_t from, struct datagram d)
{
	struct in_pktinfo info = { .ipi_spec_dst = { htonl(from) } };
	struct msghdr *m = &s->messages[i].msg_hdr;
	struct cmsghdr *c;

	s->datagrams[i] = d;
	s->parts[i] = (struct iovec){ &s->datagrams[i], sizeof(s->datagrams[i]) };
	*m = (struct msghdr){ .msg_name = &to,
			      .msg_namelen = sizeof(to),
			      .msg_iov = &s->parts[i],
			      .msg_iovlen = 1,
			      .msg_control = s->control[i],
			      .msg_controllen = sizeof(s->control[i]) };
	c = CMSG_FIRSTHDR(m);
	c->cmsg_level = SOL_IP;
	c->cmsg_type = IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(c), &info, sizeof(info));
}

static void send_messages(struct sender *s, uint32_t n)
{
	for (uint32_t done = 0; done < n;) {
		int got = sendmmsg(s->fd, s->messages + done, n - done, 0);

		if (got < 0 && errno != ENOBUFS && errno != EAGAIN && errno != EINTR) {
			log_error("sendmmsg: %s", strerror(errno));
			exit(1);
		}
		done += got > 0 ? (uint32_t)got : 0;
	}
}

static void await_ns(uint64_t at_ns)
{
	struct timespec t = { (time_t)(at_ns / NS_PER_S), (long)(at_ns % NS_PER_S) };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

/* One after the other, so that they are spread over the time between two of one. */
static void send_politely(struct sender *s, uint64_t begin_ns)
{
	uint64_t all = (uint64_t)polite * rate * seconds, step_ns = NS_PER_S / ((uint64_t)polite * rate);

	for (uint64_t n = 0; n < all; n++) {
		uint32_t source = (uint32_t)(n % polite);
		uint64_t due_ns = begin_ns + n * step_ns;

		await_ns(due_ns);
		write_message(s, 0, first + source, (struct datagram){ source, (uint32_t)(n / polite), due_ns });
		send_messages(s, 1);
		sent->polite_pkts++;
	}
}

static void send_flood(struct sender *s, uint64_t begin_ns)
{
	uint64_t n = 0, state = begin_ns;

	await_ns(begin_ns);
	for (uint64_t now; (now = now_ns()) < begin_ns + seconds * NS_PER_S;) {
		if (n * NS_PER_S / flood_pps > now - begin_ns) {
			await_ns(now + 500 * NS_PER_US);
			continue;
		}
		for (uint32_t i = 0; i < BATCH; i++)
			write_message(s, i, flood_first + (uint32_t)(random_next(&state) % flood_sources),
				      (struct datagram){ FLOOD, (uint32_t)(n + i), now });
		send_messages(s, BATCH);
		n += BATCH;
		sent->flood_pkts = n;
	}
}

static pid_t start(void (*send)(struct sender *s, uint64_t begin_ns), uint64_t begin_ns)
{
	static struct sender s;
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	s.fd = socket(AF_INET, SOCK_DGRAM, 0);
	send(&s, begin_ns);
	exit(0);
}

static void note(const struct datagram *d, uint64_t now)
{
	uint64_t took_ns = now - d->due_at_ns;

	if (d->source == FLOOD) {
		flood_came_pkts++;
		return;
	}
	if (d->source >= polite || d->number < next_number[d->source]) {
		wrong_pkts++;
		return;
	}
	next_number[d->source] = d->number + 1;
	came_pkts[d->source]++;
	on_time_pkts += took_ns <= budget_ns;
	histogram[histogram_bucket(took_ns)]++;
}

static void receive_until(int fd, uint64_t end_ns)
{
	static struct datagram datagrams[BATCH];
	static struct iovec parts[BATCH];
	static struct mmsghdr messages[BATCH];

	while (now_ns() < end_ns) {
		int n;

		for (uint32_t i = 0; i < BATCH; i++) {
			parts[i] = (struct iovec){ &datagrams[i], sizeof(datagrams[i]) };
			messages[i].msg_hdr = (struct msghdr){ .msg_iov = &parts[i], .msg_iovlen = 1 };
		}
		n = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL); /* it returns now and then: SO_RCVTIMEO */
		for (int i = 0; i < n; i++)
			note(&datagrams[i], now_ns());
	}
}

static double jain(void)
{
	double sum = 0, squares = 0, n = polite;

	for (uint32_t i = 0; i < polite; i++) {
		sum += (double)came_pkts[i];
		squares += (double)came_pkts[i] * (double)came_pkts[i];
	}
	if (flood_pps && flood_sources == 1) {
		sum += (double)flood_came_pkts;
		squares += (double)flood_came_pkts * (double)flood_came_pkts;
		n++;
	}
	return squares > 0 ? sum * sum / (n * squares) : 0;
}

static void report(void)
{
	uint64_t came = 0;

	for (uint32_t i = 0; i < polite; i++)
		came += came_pkts[i];
	printf("polite sent %llu came %llu on_time %llu share %.4f p50_us %.1f p99_us %.1f\n",
	       (unsigned long long)sent->polite_pkts, (unsigned long long)came, (unsigned long long)on_time_pkts,
	       sent->polite_pkts ? (double)on_time_pkts / (double)sent->polite_pkts : 0,
	       (double)histogram_percentile(histogram, 500000) / 1e3,
	       (double)histogram_percentile(histogram, 990000) / 1e3);
	printf("flood sent %llu came %llu per_s %.0f\n", (unsigned long long)sent->flood_pkts,
	       (unsigned long long)flood_came_pkts, (double)sent->flood_pkts / seconds);
	printf("jain %.4f wrong %llu\n", jain(), (unsigned long long)wrong_pkts);
}

int main(int argc, char **argv)
{
	struct timeval wait = { .tv_usec = 50000 };
	uint64_t begin_ns;
	pid_t pids[2];
	int fd, bytes = 64 << 20, status = 0, bad = parse(argc, argv);

	log_set_name("sources");
	if (bad)
		return bad;
	/* cppcheck-suppress invalidFunctionArg ; -1 is what MAP_ANONYMOUS wants */
	sent = mmap(NULL, sizeof(*sent), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	if (sent == MAP_FAILED || bind(fd, (const struct sockaddr *)&sink, sizeof(sink)) < 0) {
		log_error("bind %s: %s", argv[2], strerror(errno));
		close(fd);
		return 1;
	}
	begin_ns = now_ns() + 50 * NS_PER_MS;
	pids[0] = polite && rate ? start(send_politely, begin_ns) : 0;
	pids[1] = flood_pps ? start(send_flood, begin_ns) : 0;
	receive_until(fd, begin_ns + seconds * NS_PER_S + LINGER_NS);
	for (int i = 0; i < 2; i++)
		if (pids[i] && (waitpid(pids[i], &status, 0) < 0 || status))
			bad = 1;
	report();
	return bad || wrong_pkts;
}

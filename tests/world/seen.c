/*
 * seen.c - clients whose datagrams say who they are, and a server that compares that with the sender that it sees.
 *
 * usage: seen send TO FROM CLIENTS N [BYTES]   client i sends N datagrams from FROM's address + i % 64 and port + i
 *        seen sink AT [address]                until TERM: then `P pkts, W from elsewhere, T twice, D out of order,
 *                                              B changed, of C clients`; address: the port is not compared
 *
 * Rules:   the clients send in bursts of 1 to 8, so that runs of one sender and of several come about.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "config/address.h"
#include "log.h"

#define MOST_CLIENTS 512
#define MOST_BYTES 1472
#define SINK_BYTES (8 << 20)
#define MOST_ADDRESSES 64
#define PACE_PKTS 16 /* then a millisecond's rest */

/* In front of a payload; the rest is a pattern. */
struct head {
	uint32_t client, number, bytes;
	struct sockaddr_in6 from; /* or a sockaddr_in */
};

static volatile sig_atomic_t is_over;

static void on_term(int sig)
{
	(void)sig;
	is_over = 1;
}

static struct address parse(const char *text)
{
	struct address a;

	if (!address_parse(text, strlen(text), &a)) {
		log_error("%s: no address", text);
		exit(2);
	}
	return a;
}

static int open_at(const struct address *a, int receives)
{
	int fd = socket(a->at.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), bytes = SINK_BYTES;

	if (receives)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	if (fd >= 0 && bind(fd, (const struct sockaddr *)&a->at, a->len) == 0)
		return fd;
	log_error("bind: %s", strerror(errno));
	exit(1);
}

static struct address client_of(const struct address *from, uint32_t i)
{
	struct address a = *from;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (a.at.ss_family == AF_INET) {
		memcpy(&v4, &a.at, sizeof(v4));
		v4.sin_addr.s_addr = htonl(ntohl(v4.sin_addr.s_addr) + i % MOST_ADDRESSES);
		v4.sin_port = htons((uint16_t)(ntohs(v4.sin_port) + i));
		memcpy(&a.at, &v4, sizeof(v4));
		return a;
	}
	memcpy(&v6, &a.at, sizeof(v6));
	v6.sin6_addr.s6_addr[15] = (uint8_t)(v6.sin6_addr.s6_addr[15] + i % MOST_ADDRESSES);
	v6.sin6_port = htons((uint16_t)(ntohs(v6.sin6_port) + i));
	memcpy(&a.at, &v6, sizeof(v6));
	return a;
}

static uint8_t pattern(const struct head *h, size_t i)
{
	return (uint8_t)(h->client * 31 + h->number * 7 + i);
}

static int send_all(const struct address *to, const struct address *from, uint32_t n_clients, uint32_t n,
		    uint32_t bytes)
{
	static int fds[MOST_CLIENTS];
	static uint32_t next[MOST_CLIENTS];
	struct timespec rest = { .tv_nsec = 1000000 };
	uint32_t left = n_clients * n, sent = 0;

	for (uint32_t i = 0; i < n_clients; i++) {
		struct address a = client_of(from, i);

		fds[i] = open_at(&a, 0);
	}
	srandom(1);
	while (left) {
		uint32_t client = (uint32_t)random() % n_clients, burst = 1 + (uint32_t)random() % 8;

		while (next[client] == n)
			client = (client + 1) % n_clients;
		for (; burst && next[client] < n; burst--, left--) {
			struct head h = { client, next[client]++, sizeof(h) + (uint32_t)random() % 4, { 0 } };
			struct address a = client_of(from, client);
			uint8_t payload[MOST_BYTES];

			h.bytes = random() % 4 ? bytes : h.bytes;
			memcpy(&h.from, &a.at, a.len);
			memcpy(payload, &h, sizeof(h));
			for (size_t i = sizeof(h); i < h.bytes; i++)
				payload[i] = pattern(&h, i);
			if (sendto(fds[client], payload, h.bytes, 0, (const struct sockaddr *)&to->at, to->len) < 0) {
				log_error("send: %s", strerror(errno));
				return 1;
			}
			if (++sent % PACE_PKTS == 0)
				nanosleep(&rest, NULL);
		}
	}
	return 0;
}

struct sink {
	int fd, any_port;
	uint32_t next[MOST_CLIENTS], pkts, elsewhere, twice, disordered, changed, clients;
};

static int is_from(const struct head *h, const struct sockaddr_in6 *from, int any_port)
{
	struct sockaddr_in is, says;

	memcpy(&is, from, sizeof(is));
	memcpy(&says, &h->from, sizeof(says));
	if (is.sin_family != says.sin_family || (!any_port && is.sin_port != says.sin_port))
		return 0;
	if (is.sin_family == AF_INET)
		return is.sin_addr.s_addr == says.sin_addr.s_addr;
	return IN6_ARE_ADDR_EQUAL(&from->sin6_addr, &h->from.sin6_addr);
}

static int take(struct sink *s)
{
	struct sockaddr_in6 from = { 0 };
	socklen_t len = sizeof(from);
	uint8_t payload[MOST_BYTES];
	ssize_t n = recvfrom(s->fd, payload, sizeof(payload), MSG_DONTWAIT, (struct sockaddr *)&from, &len);
	struct head h;

	if (n < 0)
		return 0;
	s->pkts++;
	memcpy(&h, payload, sizeof(h));
	if (n < (ssize_t)sizeof(h) || h.bytes != n || h.client >= MOST_CLIENTS) {
		s->changed++;
		return 1;
	}
	for (size_t i = sizeof(h); i < (size_t)n; i++)
		if (payload[i] != pattern(&h, i)) {
			s->changed++;
			break;
		}
	s->elsewhere += !is_from(&h, &from, s->any_port);
	s->clients += s->next[h.client] == 0;
	s->twice += h.number + 1 == s->next[h.client];
	s->disordered += h.number + 1 < s->next[h.client];
	if (h.number >= s->next[h.client])
		s->next[h.client] = h.number + 1;
	return 1;
}

static int count_all(const struct address *at, int any_port)
{
	static struct sink s;
	struct pollfd p;

	s.fd = open_at(at, 1);
	s.any_port = any_port;
	p = (struct pollfd){ .fd = s.fd, .events = POLLIN };
	signal(SIGTERM, on_term);
	puts("ready");
	fflush(stdout);
	while (!is_over) {
		poll(&p, 1, 20);
		while (take(&s))
			;
	}
	while (take(&s))
		;
	printf("%u pkts, %u from elsewhere, %u twice, %u out of order, %u changed, of %u clients\n", s.pkts,
	       s.elsewhere, s.twice, s.disordered, s.changed, s.clients);
	return 0;
}

int main(int argc, char **argv)
{
	log_set_name("seen");
	if (argc >= 6 && strcmp(argv[1], "send") == 0) {
		struct address to = parse(argv[2]), from = parse(argv[3]);
		unsigned long n = strtoul(argv[4], NULL, 10), bytes = argc > 6 ? strtoul(argv[6], NULL, 10) : 100;

		if (n >= 1 && n <= MOST_CLIENTS && bytes >= sizeof(struct head) && bytes <= MOST_BYTES)
			return send_all(&to, &from, (uint32_t)n, (uint32_t)strtoul(argv[5], NULL, 10), (uint32_t)bytes);
	}
	if ((argc == 3 || argc == 4) && strcmp(argv[1], "sink") == 0) {
		struct address at = parse(argv[2]);

		return count_all(&at, argc == 4);
	}
	log_error("usage: seen send TO FROM CLIENTS N [BYTES] | sink AT [address]");
	return 2;
}

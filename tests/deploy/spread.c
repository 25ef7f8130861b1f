/*
 * spread.c - many flows to one address, whose datagrams come back by way of whichever node sent them on: what was lost,
 * which flows went to another node, and how long they were away.
 *
 * usage: spread TO AT FLOWS RATE SECONDS   RATE datagrams a second in all, for SECONDS or until TERM; AT is where the
 *                                          nodes send to
 *
 * Each time that every flow has had one come it prints a line `whole` on stderr, for a script to wait for.
 * It ends with JSON: sent, received, twice, disordered, away_ms (the longest of a flow), and for each pair of nodes the
 * flows that went from the one to the other.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "config/address.h"
#include "log.h"

#define MOST_FLOWS 512
#define MOST_MOVES 64
#define LAST_NS (500 * NS_PER_MS) /* for what is on its way */

struct datagram {
	uint32_t flow, number;
	uint64_t sent_at_ns;
};

struct flow {
	int fd;
	uint32_t n_sent, next;
	uint64_t last_at_ns; /* when the last one that came was sent */
	uint32_t whole; /* has come since that line */
	char node[ADDRESS_BYTES];
};

struct move {
	char from[ADDRESS_BYTES], to[ADDRESS_BYTES];
	unsigned int flows;
};

static struct flow flows[MOST_FLOWS];
static struct move moves[MOST_MOVES];
static unsigned int n_moves, n_received, n_disordered, n_twice;
static uint64_t away_ns;
static uint32_t n_flows, n_whole, n_come; /* lines; flows that have come since the last one */
static volatile sig_atomic_t is_over;

static void on_term(int sig)
{
	(void)sig;
	is_over = 1;
}

static int open_socket(const char *text, int (*attach)(int fd, const struct sockaddr *at, socklen_t len))
{
	struct address a;
	struct sockaddr_storage at;
	int fd, bytes = 8 << 20;

	if (!address_parse(text, strlen(text), &a) || address_resolve(&a, &at)) {
		log_error("%s: no address here", text);
		exit(2);
	}
	fd = socket(at.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || attach(fd, (const struct sockaddr *)&at, a.len) < 0) {
		log_error("%s: %s", text, strerror(errno));
		exit(1);
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	return fd;
}

static void note_move(const char *from, const char *to)
{
	unsigned int i = 0;

	while (i < n_moves && (strcmp(moves[i].from, from) != 0 || strcmp(moves[i].to, to) != 0))
		i++;
	if (i == MOST_MOVES)
		return;
	if (i == n_moves) {
		memcpy(moves[i].from, from, ADDRESS_BYTES);
		memcpy(moves[i].to, to, ADDRESS_BYTES);
		n_moves++;
	}
	moves[i].flows++;
}

static void note_node(struct flow *f, struct address *from)
{
	char text[ADDRESS_BYTES], *port;

	address_format(from, text);
	port = strrchr(text, ':');
	if (port)
		*port = '\0';
	if (strcmp(f->node, text) == 0)
		return;
	if (f->node[0])
		note_move(f->node, text);
	memcpy(f->node, text, sizeof(text));
}

static void note_whole(struct flow *f)
{
	if (f->whole > n_whole)
		return;
	f->whole = n_whole + 1;
	if (++n_come < n_flows)
		return;
	n_come = 0;
	n_whole++;
	fputs("whole\n", stderr);
}

static int take(int fd)
{
	struct address from = { .len = sizeof(from.at) };
	struct datagram d;
	struct flow *f;

	if (recvfrom(fd, &d, sizeof(d), 0, (struct sockaddr *)&from.at, &from.len) != sizeof(d))
		return 0;
	n_received++;
	f = &flows[d.flow % MOST_FLOWS];
	n_twice += d.number + 1 == f->next;
	n_disordered += d.number + 1 < f->next;
	if (f->last_at_ns && d.sent_at_ns > f->last_at_ns && d.sent_at_ns - f->last_at_ns > away_ns)
		away_ns = d.sent_at_ns - f->last_at_ns;
	f->last_at_ns = d.sent_at_ns;
	f->next = d.number + 1;
	note_node(f, &from);
	note_whole(f);
	return 1;
}

static void send_one(uint32_t i)
{
	struct flow *f = &flows[i];
	struct datagram d = { .flow = i, .number = f->n_sent, .sent_at_ns = now_ns() };

	/* An ICMP error of one before is no reason to stop; it was not sent then, so it is sent again. */
	for (int tries = 0; tries < 3 && send(f->fd, &d, sizeof(d), 0) < 0; tries++)
		continue;
	f->n_sent++;
}

/* What comes while it waits at most a millisecond. */
static void take_all(int sink)
{
	struct pollfd p = { .fd = sink, .events = POLLIN };

	while (take(sink))
		continue;
	poll(&p, 1, 1);
}

static uint64_t run(int sink, uint64_t rate, uint64_t run_ns)
{
	uint64_t began = now_ns(), sent = 0, ended;

	while (!is_over && now_ns() - began < run_ns) {
		uint64_t due = (now_ns() - began) * rate / NS_PER_S;

		for (; sent < due; sent++)
			send_one((uint32_t)(sent % n_flows));
		take_all(sink);
	}
	for (ended = now_ns(); now_ns() - ended < LAST_NS;)
		take_all(sink);
	return sent;
}

int main(int argc, char **argv)
{
	uint64_t sent;
	int sink;

	n_flows = argc == 6 ? (uint32_t)strtoul(argv[3], NULL, 10) : 0;
	log_set_name("spread");
	if (n_flows < 1 || n_flows > MOST_FLOWS) {
		log_error("usage: spread TO AT FLOWS RATE SECONDS, with at most %d flows", MOST_FLOWS);
		return 2;
	}
	sink = open_socket(argv[2], bind);
	for (uint32_t i = 0; i < n_flows; i++)
		flows[i].fd = open_socket(argv[1], connect);
	signal(SIGTERM, on_term);
	sent = run(sink, strtoul(argv[4], NULL, 10), strtoul(argv[5], NULL, 10) * NS_PER_S);
	printf("{\"sent\":%lu,\"received\":%u,\"twice\":%u,\"disordered\":%u,\"away_ms\":%.1f,\"moves\":[",
	       (unsigned long)sent, n_received, n_twice, n_disordered, (double)away_ns / 1e6);
	for (unsigned int i = 0; i < n_moves; i++)
		printf("%s{\"from\":\"%s\",\"to\":\"%s\",\"flows\":%u}", i ? "," : "", moves[i].from, moves[i].to,
		       moves[i].flows);
	puts("]}");
	return 0;
}

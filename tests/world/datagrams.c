/*
 * datagrams.c - plain datagrams for the tests in network namespaces: sent with numbers, and what comes counted.
 *
 * usage: datagrams send TO N [BYTES [SOCKETS]]   N numbered datagrams, the i-th from socket i % SOCKETS
 *        datagrams sink AT...                    until TERM: then `AT N pkts, M out of order, from ADDRESS...`, a line
 *                                                each
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
#include "config/group.h"
#include "log.h"

#define MOST_SINKS 8
#define MOST_SOURCES 8
#define SINK_BYTES (8 << 20) /* after a kill all that has waited comes at once */
#define MOST_SOCKETS 64
#define PACE_PKTS 32 /* then a millisecond's rest, so that no buffer overflows */

struct sink {
	int fd;
	const char *name;
	unsigned int pkts, disordered, n_sources;
	uint32_t next[MOST_SOCKETS];
	char sources[MOST_SOURCES][ADDRESS_BYTES];
};

static volatile sig_atomic_t is_over;

static void on_term(int sig)
{
	(void)sig;
	is_over = 1;
}

static int attach(int fd, const struct address *a, const struct sockaddr_storage *at, int receives)
{
	int buffer_bytes = SINK_BYTES, err;

	if (receives) {
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes, sizeof(buffer_bytes));
		return group_receive(fd, a, at);
	}
	err = group_aim(fd, a, 1, 1);
	return !err && connect(fd, (const struct sockaddr *)at, a->len) < 0 ? -errno : err;
}

static int open_socket(const char *text, int receives)
{
	struct address a;
	struct sockaddr_storage at;
	int fd, err;

	if (!address_parse(text, strlen(text), &a) || address_resolve(&a, &at)) {
		log_error("%s: no address here", text);
		exit(2);
	}
	fd = socket(at.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	err = fd < 0 ? -errno : attach(fd, &a, &at, receives);
	if (err) {
		log_error("%s: %s", text, strerror(-err));
		exit(1);
	}
	return fd;
}

/* The number of the socket, the number of the datagram, and zeros. */
static int send_all(const char *to, uint32_t n, size_t bytes, uint32_t n_sockets)
{
	static uint8_t payload[1472];
	struct timespec rest = { .tv_nsec = 1000000 };
	int fds[MOST_SOCKETS] = { 0 };

	for (uint32_t i = 0; i < n_sockets; i++)
		fds[i] = open_socket(to, 0);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t from = i % n_sockets, number = i / n_sockets;

		memcpy(payload, &from, sizeof(from));
		memcpy(payload + sizeof(from), &number, sizeof(number));
		if (send(fds[from], payload, bytes, 0) < 0 && errno != ECONNREFUSED) {
			log_error("%s: %s", to, strerror(errno));
			return 1;
		}
		if (i % PACE_PKTS == PACE_PKTS - 1)
			nanosleep(&rest, NULL);
	}
	return 0;
}

static void note_source(struct sink *s, struct address *from)
{
	char text[ADDRESS_BYTES], *port;

	address_format(from, text);
	port = strrchr(text, ':');
	if (port)
		*port = '\0';
	for (unsigned int i = 0; i < s->n_sources; i++)
		if (strcmp(s->sources[i], text) == 0)
			return;
	if (s->n_sources < MOST_SOURCES)
		memcpy(s->sources[s->n_sources++], text, sizeof(text));
}

/* Returns 0 when nothing waits there. */
static int take(struct sink *s)
{
	struct address from = { .len = sizeof(from.at) };
	uint32_t head[2] = { 0 };

	if (recvfrom(s->fd, head, sizeof(head), MSG_DONTWAIT, (struct sockaddr *)&from.at, &from.len) < 0)
		return 0;
	s->pkts++;
	note_source(s, &from);
	if (head[0] >= MOST_SOCKETS)
		return 1;
	if (head[1] == 0) /* another run of the sender */
		s->next[head[0]] = 0;
	s->disordered += head[1] < s->next[head[0]];
	s->next[head[0]] = head[1] + 1;
	return 1;
}

static int count_all(int n, char **at)
{
	static struct sink sinks[MOST_SINKS];
	struct pollfd polls[MOST_SINKS];

	for (int i = 0; i < n; i++) {
		sinks[i] = (struct sink){ .fd = open_socket(at[i], 1), .name = at[i] };
		polls[i] = (struct pollfd){ .fd = sinks[i].fd, .events = POLLIN };
	}
	signal(SIGTERM, on_term);
	puts("ready");
	fflush(stdout);
	for (int took = 1; took || !is_over;) {
		took = 0;
		poll(polls, (nfds_t)n, is_over ? 0 : 20);
		for (int i = 0; i < n; i++)
			while (take(&sinks[i]))
				took = 1;
	}
	for (int i = 0; i < n; i++) {
		printf("%s %u pkts, %u out of order, from", sinks[i].name, sinks[i].pkts, sinks[i].disordered);
		for (unsigned int k = 0; k < sinks[i].n_sources; k++)
			printf(" %s", sinks[i].sources[k]);
		putchar('\n');
	}
	return 0;
}

int main(int argc, char **argv)
{
	log_set_name("datagrams");
	if (argc >= 4 && strcmp(argv[1], "send") == 0) {
		unsigned long bytes = argc > 4 ? strtoul(argv[4], NULL, 10) : 64;
		unsigned long sockets = argc > 5 ? strtoul(argv[5], NULL, 10) : 1;

		if (bytes >= 8 && bytes <= 1472 && sockets >= 1 && sockets <= MOST_SOCKETS)
			return send_all(argv[2], (uint32_t)strtoul(argv[3], NULL, 10), bytes, (uint32_t)sockets);
	}
	if (argc >= 3 && argc <= 2 + MOST_SINKS && strcmp(argv[1], "sink") == 0)
		return count_all(argc - 2, argv + 2);
	log_error("usage: datagrams send TO N [BYTES [SOCKETS]] | sink AT...");
	return 2;
}

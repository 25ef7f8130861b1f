/*
 * tap.c - a wire with a witness: passes datagrams on over loopback, and writes down each one.
 *
 * usage: tap FROM:TO:FILE...    each datagram for port FROM goes on to port TO, and FILE gets a line `BYTES HASH`
 *
 * Rules:   one tap before the relay and one behind it: two equal files say that each datagram came once, unchanged and
 *          in order, whatever program sent it. It prints "ready" when all ports are bound, and ends at TERM.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"

#define MOST_WIRES 8
#define LARGEST_BYTES 65507
#define BUFFER_BYTES (8 << 20)

struct wire {
	int in_fd, out_fd;
	FILE *record;
};

/* FNV-1a: two datagrams that differ have the same hash once in 2^64 tries. */
static uint64_t hash_of(const uint8_t *bytes, size_t n)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3;
	return hash;
}

static int new_socket(unsigned int port, int (*attach)(int, const struct sockaddr *, socklen_t))
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), bytes = BUFFER_BYTES;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (fd >= 0 && attach(fd, (struct sockaddr *)&at, sizeof(at)) == 0)
		return fd;
	log_error("port %u: %s", port, strerror(errno));
	exit(EXIT_FAILURE);
}

static struct wire open_wire(const char *word)
{
	unsigned int from, to;
	int at = 0;
	struct wire w;

	if (sscanf(word, "%u:%u:%n", &from, &to, &at) != 2 || !at || from - 1 > 65534 || to - 1 > 65534) {
		log_error("\"%s\" is not FROM:TO:FILE", word);
		exit(2);
	}
	w.in_fd = new_socket(from, bind);
	w.out_fd = new_socket(to, connect);
	w.record = fopen(word + at, "w");
	if (!w.record) {
		log_error("%s: %s", word + at, strerror(errno));
		exit(EXIT_FAILURE);
	}
	setvbuf(w.record, NULL, _IOLBF, 0);
	return w;
}

/*
 * A datagram for a port that nobody has bound yet is refused, and the error shows at the next one: that one goes again.
 */
static void pass_on(struct wire *w)
{
	static uint8_t bytes[LARGEST_BYTES];
	ssize_t n = recv(w->in_fd, bytes, sizeof(bytes), 0);

	if (n < 0)
		return;
	fprintf(w->record, "%zd %016" PRIx64 "\n", n, hash_of(bytes, (size_t)n));
	if (send(w->out_fd, bytes, (size_t)n, 0) < 0 && errno == ECONNREFUSED)
		send(w->out_fd, bytes, (size_t)n, 0);
}

int main(int argc, char **argv)
{
	struct wire wires[MOST_WIRES];
	struct pollfd fds[MOST_WIRES];
	nfds_t n = (nfds_t)argc - 1;

	log_set_name("tap");
	if (argc < 2 || n > MOST_WIRES) {
		log_error("usage: tap FROM:TO:FILE... (1 to %d)", MOST_WIRES);
		return 2;
	}
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	for (nfds_t i = 0; i < n; i++) {
		wires[i] = open_wire(argv[i + 1]);
		fds[i] = (struct pollfd){ .fd = wires[i].in_fd, .events = POLLIN };
	}
	puts("ready");
	fflush(stdout);
	while (poll(fds, n, -1) >= 0 || errno == EINTR)
		for (nfds_t i = 0; i < n; i++)
			if (fds[i].revents)
				pass_on(&wires[i]);
	return EXIT_FAILURE;
}

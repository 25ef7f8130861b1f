/* arguments.c - an instance of a test program's own, for programs that are not made of harness tests. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "log.h"

#define N_DEFAULT_CLASSES 4

/* Ports nobody has: all taken at once, so that they differ, and given back. */
static void find_ports(uint16_t *ports, int n)
{
	int fds[2 * N_DEFAULT_CLASSES];

	for (int i = 0; i < n; i++) {
		struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		socklen_t len = sizeof(at);

		fds[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (fds[i] < 0 || bind(fds[i], (struct sockaddr *)&at, len) < 0 ||
		    getsockname(fds[i], (struct sockaddr *)&at, &len) < 0) {
			log_error("find a free port: %s", strerror(errno));
			exit(1);
		}
		ports[i] = ntohs(at.sin_port);
	}
	for (int i = 0; i < n; i++)
		close(fds[i]);
}

int harness_arguments(char **arguments, const char *name)
{
	static const char *const classes[N_DEFAULT_CLASSES] = { "high", "medium", "low", "besteffort" };
	static char words[4 + 2 * N_DEFAULT_CLASSES][64];
	uint16_t ports[2 * N_DEFAULT_CLASSES];
	int n = 1;

	find_ports(ports, 2 * N_DEFAULT_CLASSES);
	snprintf(words[n++], sizeof(words[0]), "--instance=%s%d", name, getpid());
	snprintf(words[n++], sizeof(words[0]), "--cage=off"); /* all stages may be in one process, with the test */
	snprintf(words[n++], sizeof(words[0]), "--policy=edf"); /* nothing is shed, however late it is */
	for (int i = 0; i < N_DEFAULT_CLASSES; i++) {
		snprintf(words[n++], sizeof(words[0]), "--%s.listen=127.0.0.1:%u", classes[i], ports[i]);
		snprintf(words[n++], sizeof(words[0]), "--%s.send=127.0.0.1:%u", classes[i],
			 ports[N_DEFAULT_CLASSES + i]);
	}
	for (int i = 0; i < n; i++)
		arguments[i] = words[i];
	arguments[n] = NULL;
	return n;
}

int harness_move_fd(int fd)
{
	int up = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_OWN_FD);

	if (up < 0) {
		log_error("move descriptor %d: %s", fd, strerror(errno));
		exit(1);
	}
	close(fd);
	return up;
}

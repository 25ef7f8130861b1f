/*
 * session_world.h - one class with replies, its sessions on real sockets, and a server; for the suites of sessions.
 *
 * Memory:  each file that includes it has a world of its own.
 */
#ifndef ONTIME_UNIT_SESSION_WORLD_H
#define ONTIME_UNIT_SESSION_WORLD_H

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ingress/receive.h"
#include "ingress/sessions.h"
#include "loads.h"
#include "segments.h"
#include "stage/session_port.h"

#define FIRST_FD 400 /* of the sockets handed on, past all that a test opens */
#define MOST 8 /* sessions */

static struct stage stage;
static struct sessions sessions;
static int server_fd, n_open;
static struct sockaddr_in server_at;

static inline int bound_to_loopback(struct sockaddr_in *at)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	socklen_t len = sizeof(*at);

	*at = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)at, len), 0);
	CU_ASSERT_EQUAL_FATAL(getsockname(fd, (struct sockaddr *)at, &len), 0);
	return fd;
}

static inline void place(int fd, int at)
{
	CU_ASSERT_EQUAL_FATAL(dup2(fd, at), at);
	close(fd);
}

/* As hold does: an epoll instance, and the sockets in a row. */
static inline void open_sockets(const char *via_ports)
{
	unsigned int first = 0, last = 0;
	char names[64];

	n_open = (int)sessions.n;
	place(epoll_create1(0), FIRST_FD);
	for (int k = 0; k < n_open; k++) {
		struct epoll_event event = { .events = EPOLLIN, .data.u32 = (uint32_t)k };
		uint32_t range;

		place(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), FIRST_FD + 1 + k);
		CU_ASSERT_EQUAL(epoll_ctl(FIRST_FD, EPOLL_CTL_ADD, FIRST_FD + 1 + k, &event), 0);
		if (sscanf(via_ports, "%u-%u", &first, &last) != 2)
			continue;
		range = last << 16 | first;
		setsockopt(FIRST_FD + 1 + k, SOL_IP, 51 /* IP_LOCAL_PORT_RANGE */, &range, sizeof(range));
	}
	snprintf(names, sizeof(names), "pad.x.0*%d:ask.poll.0:ask.via.0*%d", FIRST_FD - LISTEN_FIRST_FD, n_open);
	setenv("LISTEN_FDNAMES", names, 1);
}

/* What a process gives back by its end. */
static inline void forget(void)
{
	free(sessions.index.places);
	free(sessions.index.sources);
	free(sessions.index.by_key);
	free(sessions.drained_at_ns);
	memset(&sessions, 0, sizeof(sessions));
}

static inline void open_again(void)
{
	forget();
	CU_ASSERT_EQUAL_FATAL(sessions_open(&sessions, &stage, 0), 0);
}

static inline void open_world(uint32_t n, const char *via_ports)
{
	char text[TEXT_BYTES];

	server_fd = bound_to_loopback(&server_at);
	snprintf(text, sizeof(text),
		 "[class ask]\nlisten = 127.0.0.1:9\nsend = 127.0.0.1:%u\nreplies = back\nsessions = %u\nidle = 1s\n"
		 "idle_unanswered = 1s\nvia_ports = %s\nsessions_per_source = 2\n[class back]\n",
		 ntohs(server_at.sin_port), n, via_ports);
	memset(&stage, 0, sizeof(stage));
	stage.config = accepted(text);
	snprintf(stage.config.instance, sizeof(stage.config.instance), "unit-sessions-%d", getpid());
	CU_ASSERT_EQUAL_FATAL(segment_create(&stage.seg, &stage.config, NULL, 0, why), 0);
	segment_remove(stage.config.instance);
	memset(&sessions, 0, sizeof(sessions));
	sessions.n = n;
	open_sockets(via_ports);
	open_again();
}

static inline void close_world(void)
{
	for (int fd = FIRST_FD; fd <= FIRST_FD + n_open; fd++)
		close(fd);
	close(server_fd);
	forget();
	unsetenv("LISTEN_FDNAMES");
	segment_close(&stage.seg);
}

/* The session of a sender; each number is an address of its own. */
static inline int find(uint32_t number, uint64_t now)
{
	static const uint8_t local[16];
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr = { htonl(0x0a000000 + number) }, .sin_port = 7 };
	struct sockaddr_in6 at = { 0 };
	const struct sender_address from = { &at, local, 0, 0, 0 };

	memcpy(&at, &v4, sizeof(v4));
	return sessions_find(&sessions, &from, 1, now);
}

static inline int fd_of(int k)
{
	return FIRST_FD + 1 + k;
}

#endif

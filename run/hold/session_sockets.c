/* session_sockets.c - the sockets of the sessions of classes with replies. */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "clock.h"
#include "config/from.h"
#include "config/reply.h"
#include "config/shown.h"
#include "kept.h"
#include "log.h"
#include "sockets.h"
#include "stage/answers.h"
#include "stage/session_port.h"
#include "stage/stage.h"
#include "unexpected.h"

#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51 /* since Linux 6.3 */
#endif
#define SPARE_FDS 64 /* for what a stage opens beside */

static uint32_t count_sockets(const struct header *h)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < h->n_classes; i++)
		n += h->classes[i].n_session_sockets;
	return n;
}

uint32_t sockets_expected(const struct header *h)
{
	uint32_t n = h->n_sockets * h->n_shards + sockets_uncounted(h->n_shards);

	for (uint32_t i = 0; i < h->n_classes; i++)
		n += h->classes[i].n_session_sockets ? h->classes[i].n_session_sockets + 1 : 0;
	return n;
}

/* Each process of the instance has them all open. */
static int raise_limit(uint32_t n, uint32_t n_of, const char *what, const char *key)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= n)
		return 0;
	if (limit.rlim_max < n) {
		log_error("%u %s take %u open files, and %llu are allowed: raise the limit (ulimit -Hn, or "
			  "LimitNOFILE= of the unit), or lower `%s`",
			  n_of, what, n, (unsigned long long)limit.rlim_max, key);
		return EXIT_TEMPORARY;
	}
	limit.rlim_cur = n;
	setrlimit(RLIMIT_NOFILE, &limit);
	return 0;
}

int sockets_allow_shards(const struct config *c, uint32_t n_shards)
{
	uint32_t n = 0;

	for (uint32_t class = 0; class < c->n_classes; class++)
		n += c->classes[class].n_listen + c->classes[class].n_dests;
	/* twice: while they are moved to their places; and the supervisor's descriptors of stages and stand-bys */
	return raise_limit(2 * (n * n_shards + sockets_uncounted(n_shards)) + 4 * N_STAGES * n_shards + SPARE_FDS,
			   n_shards, "shards", "shards");
}

static void set(int fd, int level, int option, int value)
{
	setsockopt(fd, level, option, &value, sizeof(value));
}

static void set_buffer(int fd, const struct config *c)
{
	set(fd, SOL_SOCKET, SO_RCVBUF, (int)c->socket_buffer_bytes);
	set(fd, SOL_SOCKET, SO_RCVBUFFORCE, (int)c->socket_buffer_bytes);
}

/* One socket for all sessions: on a port that is the kernel's choice and does not rest, for any of the addresses. */
static int bind_for_all(int fd, int family, const struct session_ports *ports)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	int is_v4 = family == AF_INET;

	set(fd, is_v4 ? SOL_IP : SOL_IPV6, is_v4 ? IP_PKTINFO : IPV6_RECVPKTINFO, 1);
	if (!is_v4)
		set(fd, SOL_IPV6, IPV6_V6ONLY, 1);
	for (int tries = 1;; tries++) {
		if (bind(fd, is_v4 ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6,
			 is_v4 ? sizeof(v4) : sizeof(v6)) < 0)
			return -errno;
		if (tries == PORT_TRIES || !session_port_is_resting(ports, session_port(fd), now_ns()))
			return 0;
		session_port_drop(fd);
	}
}

/*
 * Nothing may come by it while it is nobody's. An address that is not there yet is bound when a sender comes. One that
 * was kept with its peer is somebody's.
 */
static int open_fixed_port(int fd, const struct class_config *c, int family)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	int is_kept = getpeername(fd, (struct sockaddr *)&peer, &len) == 0;
	int err = c->n_from && !is_kept ? answers_refuse(fd) : 0;

	if (!err)
		err = from_bind(fd, c, family);
	return err == -EADDRNOTAVAIL || err == -ENODEV ? 0 : err;
}

/* What the configuration says of it. -errno if it cannot be had. */
static int set_up(const struct config *c, uint32_t class, int fd, const struct session_ports *ports)
{
	const struct class_config *forth = &c->classes[class], *back = &c->classes[reply_back(c, class)];
	int v4 = forth->dests[0].at.ss_family == AF_INET;
	uint32_t range = forth->via_last_port << 16 | forth->via_first_port;
	int err;

	set(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
	set(fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
	set_buffer(fd, c);
	if (back->dscp == DSCP_KEEP || back->ecn != ECN_OFF)
		set(fd, v4 ? SOL_IP : SOL_IPV6, v4 ? IP_RECVTOS : IPV6_RECVTCLASS, 1);
	sockets_may_send(fd, forth->dests[0].at.ss_family);
	err = open_fixed_port(fd, forth, forth->dests[0].at.ss_family);
	if (!err && shown_is_sender(forth))
		err = shown_has_port(forth)
			      ? shown_bind_answers(fd, forth->dests[0].at.ss_family, forth->via_first_port)
			      : shown_allow(fd, forth->dests[0].at.ss_family);
	if (err)
		return err;
	if (range && !shown_has_port(forth) && setsockopt(fd, SOL_IP, IP_LOCAL_PORT_RANGE, &range, sizeof(range)) < 0)
		return -errno;
	return forth->via.bits ? bind_for_all(fd, forth->dests[0].at.ss_family, ports) : 0;
}

/* `fd` is the one that serves all sessions. Where there can be no such rule, the second one stays unbound. */
static int open_second(const struct config *c, const struct class_config *forth, int fd)
{
	int family = forth->dests[0].at.ss_family, second = socket(family, SOCK_DGRAM | SOCK_NONBLOCK, 0), err;

	if (second < 0)
		return -errno;
	sockets_may_send(second, family); /* it is told of ICMP errors, too */
	set_buffer(second, c);
	err = unexpected_bind(second, fd, forth);
	if (!err)
		return second;
	log_warn("class %s: tell answers from what else comes to the port of `via`: %s: the latter is counted `kernel`",
		 forth->name, log_text_of(-err));
	close(second); /* it may share the port by now */
	second = socket(family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (second < 0)
		return -errno;
	return second;
}

/* As a start before has left it; else neither bound nor connected: ingress connects it for each sender. Or -errno. */
static int open_one(const struct config *c, uint32_t class, uint32_t k, const struct lane_view *v, struct kept *kept)
{
	/* One socket for all is made anew: replies to senders of before must not find those of now. */
	int fd = reply_has_one_socket(&c->classes[class]) ? -1 : kept_sessions_go_on(kept, class, k, &v->sessions[k]),
	    err;

	if (fd < 0)
		fd = socket(c->classes[class].dests[0].at.ss_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	err = fd < 0 ? -errno : set_up(c, class, fd, v->ports);
	if (fd >= 0 && err)
		close(fd);
	return err ? err : fd;
}

static int refuse(const struct config *c, uint32_t class, int err)
{
	log_error("open the sockets of %u sessions of class %s: %s%s", reply_sessions(c, class), c->classes[class].name,
		  log_text_of(-err),
		  err == -EPERM		? shown_right_text(&c->classes[class])
		  : err == -ENOPROTOOPT ? ": via_ports needs Linux 6.3"
		  : err == -EADDRINUSE
			  ? ": another program has the port of `from` or `via_ports` (ss -aunp tells which); "
			    "stop it, or change them"
			  : "");
	return EXIT_TEMPORARY;
}

static int open_class(struct sockets *s, const struct config *c, const struct segment *seg, uint32_t class,
		      struct kept *kept)
{
	const struct lane_view *v = &seg->views[class];
	int poll_fd = epoll_create1(0);

	if (poll_fd < 0)
		return refuse(c, class, -errno);
	s->fds[s->n++] = poll_fd;
	for (uint32_t k = 0; k < seg->header.classes[class].n_session_sockets; k++) {
		struct epoll_event event = { .events = EPOLLIN, .data.u32 = k };
		socklen_t len = sizeof(v->sessions[k].cookie);
		int fd = k && c->classes[class].via.bits ? open_second(c, &c->classes[class], s->fds[s->n - 1])
							 : open_one(c, class, k, v, kept);

		if (fd < 0)
			return refuse(c, class, fd);
		s->fds[s->n++] = fd;
		getsockopt(fd, SOL_SOCKET, SO_COOKIE, &v->sessions[k].cookie, &len);
		if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
			return refuse(c, class, -errno);
	}
	return 0;
}

int sockets_open_sessions(struct sockets *s, const struct config *c, const struct segment *seg, struct kept *kept)
{
	uint32_t n = sockets_expected(&seg->header);
	uint32_t n_sessions = count_sockets(&seg->header);
	int status =
		n_sessions ? raise_limit(2 * LISTEN_FIRST_FD + n + SPARE_FDS, n_sessions, "sessions", "sessions") : 0;

	kept_sessions_remember_ports(kept, seg);
	for (uint32_t class = 0; !status && class < c->n_classes; class++)
		if (seg->views[class].n_sessions)
			status = open_class(s, c, seg, class, kept);
	sockets_name_sessions(s, c);
	return status;
}

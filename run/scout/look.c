/* look.c - one look at a destination. */
#include "look.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config/address.h"

#define STATUS_BYTES 12 /* "HTTP/1.1 200" */

static void finish(struct look *l, enum destination_why why, uint32_t number)
{
	l->is_over = 1;
	l->why = why;
	l->number = number;
}

static void fail(struct look *l, int err)
{
	if (err == ECONNREFUSED && (l->kind == ALIVE_ICMP || l->kind == ALIVE_UDP))
		finish(l, WHY_REFUSED, 0);
	else
		finish(l, WHY_ERRNO, (uint32_t)err);
}

uint32_t look_status(const char *text, uint32_t len)
{
	uint32_t status = 0;

	if (len < STATUS_BYTES || memcmp(text, "HTTP/1.", 7) != 0 || text[8] != ' ')
		return 0;
	for (const char *at = text + 9; at < text + STATUS_BYTES; at++) {
		if (*at < '0' || *at > '9')
			return 0;
		status = status * 10 + (uint32_t)(*at - '0');
	}
	return status;
}

/* With another port, where the destination itself is not asked. */
static socklen_t target_of(const struct alive *how, const struct address *at, struct sockaddr_storage *to)
{
	in_port_t port = htons(how->port);

	if (address_resolve(at, to))
		*to = at->at;
	if (how->port)
		memcpy((uint8_t *)to + offsetof(struct sockaddr_in, sin_port), &port, sizeof(port));
	return at->at.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static void ask(struct look *l, const struct alive *how, const char *host)
{
	ssize_t n = 0;

	if (l->kind == ALIVE_UDP) {
		n = send(l->fd, how->ask, how->n_ask, MSG_NOSIGNAL);
	} else if (l->kind == ALIVE_ICMP) {
		n = send(l->fd, "", 0, MSG_NOSIGNAL);
	} else if (l->kind == ALIVE_HTTP) {
		int len =
			snprintf(l->text, sizeof(l->text),
				 "GET %s HTTP/1.0\r\nHost: %s\r\nUser-Agent: ontime-scout\r\nConnection: close\r\n\r\n",
				 how->path, host);

		n = send(l->fd, l->text, (size_t)len, MSG_NOSIGNAL);
		n = n == len ? 0 : n < 0 ? n : -1; /* it fits any socket buffer */
	}
	if (n < 0)
		fail(l, errno);
}

void look_begin(struct look *l, const struct alive *how, const struct address *at, const char *host)
{
	int is_stream = how->kind == ALIVE_TCP || how->kind == ALIVE_HTTP;
	struct sockaddr_storage to;
	socklen_t len = target_of(how, at, &to);

	*l = (struct look){ .kind = how->kind };
	l->fd = socket(to.ss_family, (is_stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd < 0 || (connect(l->fd, (const struct sockaddr *)&to, len) < 0 && errno != EINPROGRESS)) {
		fail(l, errno);
		return;
	}
	l->is_connected = !is_stream;
	if (l->is_connected)
		ask(l, how, host);
}

short look_events(const struct look *l)
{
	return l->is_connected ? POLLIN : POLLOUT;
}

static void take_connection(struct look *l, const struct alive *how, const char *host)
{
	socklen_t len = sizeof(int);
	int err = 0;

	if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		err = errno;
	l->is_connected = 1;
	if (err)
		fail(l, err);
	else if (l->kind == ALIVE_TCP)
		finish(l, WHY_ANSWERS, 0);
	else
		ask(l, how, host);
}

static void take_http(struct look *l)
{
	ssize_t n = recv(l->fd, l->text + l->len, STATUS_BYTES - l->len, 0);
	uint32_t status;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0) {
		fail(l, errno);
		return;
	}
	l->len += (uint32_t)n;
	if (n > 0 && l->len < STATUS_BYTES)
		return;
	status = look_status(l->text, l->len);
	if (status >= 200 && status < 400)
		finish(l, WHY_ANSWERS, 0);
	else
		finish(l, status ? WHY_STATUS : WHY_WRONG, status);
}

/* A datagram of another sort may be under way from an earlier look: the one that is expected may come behind it. */
static void take_datagram(struct look *l, const struct alive *how)
{
	ssize_t n = recv(l->fd, l->text, sizeof(l->text), 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0)
		fail(l, errno);
	else if (l->kind == ALIVE_UDP && n >= (ssize_t)how->n_answer &&
		 memcmp(l->text, how->answer, how->n_answer) == 0)
		finish(l, WHY_ANSWERS, 0);
	else if (l->kind == ALIVE_UDP)
		l->why = WHY_WRONG;
}

void look_take(struct look *l, const struct alive *how, const char *host)
{
	if (!l->is_connected)
		take_connection(l, how, host);
	else if (l->kind == ALIVE_HTTP)
		take_http(l);
	else
		take_datagram(l, how);
}

void look_time_is_over(struct look *l)
{
	if (l->kind == ALIVE_ICMP)
		finish(l, WHY_ANSWERS, 0);
	else
		finish(l, l->why == WHY_WRONG ? WHY_WRONG : WHY_SILENT, 0);
}

void look_end(struct look *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	l->is_over = 0;
}

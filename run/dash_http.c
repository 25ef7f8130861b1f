/* dash_http.c - the web server: who may ask, and for what. */
#include "dash_http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "clock.h"
#include "dash_metrics.h"
#include "dash_peer.h"
#include "log.h"

#define TEXT_TYPE "text/plain; charset=utf-8"
#define BACKLOG 128

/* What every answer says: load from here only, run no inline code, be framed and guessed at by nobody. */
static const char *const headers[][2] = {
	{ "Content-Security-Policy",
	  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
	  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'" },
	{ "X-Content-Type-Options", "nosniff" },
	{ "X-Frame-Options", "DENY" },
	{ "Referrer-Policy", "no-referrer" },
	{ "Cross-Origin-Resource-Policy", "same-origin" },
	{ "Cross-Origin-Opener-Policy", "same-origin" },
	{ "Cache-Control", "no-store" },
};

static struct MHD_Response *dress(struct MHD_Response *r, const char *type)
{
	if (!r)
		return NULL;
	MHD_add_response_header(r, "Content-Type", type);
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		MHD_add_response_header(r, headers[i][0], headers[i][1]);
	return r;
}

static enum MHD_Result send_text(struct MHD_Connection *c, unsigned int status, const char *text)
{
	struct MHD_Response *r =
		MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result result;

	if (!dress(r, TEXT_TYPE))
		return MHD_NO;
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(r, "Allow", "GET, HEAD");
	if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
		MHD_add_response_header(r, "Retry-After", "5");
	result = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return result;
}

/* Is this the address the client has connected to, or any of loopback? */
static int is_our_address(struct MHD_Connection *c, const char *host, size_t len)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct sockaddr_storage at = { 0 };
	struct in6_addr v6;
	struct in_addr v4;
	socklen_t at_len = sizeof(at);
	char text[INET6_ADDRSTRLEN];

	if (len >= sizeof(text) || getsockname(info->connect_fd, (struct sockaddr *)&at, &at_len))
		return 0;
	memcpy(text, host, len);
	text[len] = '\0';
	if (inet_pton(AF_INET, text, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127 ||
		       (at.ss_family == AF_INET && v4.s_addr == ((struct sockaddr_in *)&at)->sin_addr.s_addr);
	if (inet_pton(AF_INET6, text, &v6) != 1)
		return 0;
	return IN6_IS_ADDR_LOOPBACK(&v6) ||
	       (at.ss_family == AF_INET6 && IN6_ARE_ADDR_EQUAL(&v6, &((struct sockaddr_in6 *)&at)->sin6_addr));
}

/* host[:port] or [v6]:port; the port may be another one, of a tunnel. */
static int host_is_ours(const struct server *s, struct MHD_Connection *c)
{
	const char *host = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Host");
	size_t len;

	if (!host)
		return 0;
	if (*host == '[')
		return is_our_address(c, host + 1, strcspn(host + 1, "]"));
	len = strcspn(host, ":");
	if (len == strlen("localhost") && strncasecmp(host, "localhost", len) == 0)
		return 1;
	for (uint32_t i = 0; i < s->n_allowed; i++)
		if (len == strlen(s->allowed[i]) && strncasecmp(host, s->allowed[i], len) == 0)
			return 1;
	return is_our_address(c, host, len);
}

/* OpenMetrics, unless the client accepts only the older format. */
static int wants_open(struct MHD_Connection *c)
{
	const char *accept = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Accept");

	return !accept || strstr(accept, "openmetrics") || !strstr(accept, "text/plain");
}

static struct MHD_Response *make_metrics(const struct server *s, int open)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	metrics_print(out, s->feed, s->events.n_streams, open);
	if (ferror(out) | fclose(out)) {
		free(text);
		return NULL;
	}
	return dress(MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE),
		     open ? OPEN_METRICS_TYPE : PLAIN_METRICS_TYPE);
}

static enum MHD_Result send_metrics(struct server *s, struct MHD_Connection *c)
{
	int open = wants_open(c);

	if (!s->metrics[open])
		s->metrics[open] = make_metrics(s, open);
	return s->metrics[open] ? MHD_queue_response(c, MHD_HTTP_OK, s->metrics[open]) : MHD_NO;
}

static enum MHD_Result send_events(struct server *s, struct MHD_Connection *c)
{
	const char *last = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Last-Event-ID");
	struct MHD_Response *r = events_response(&s->events, c, last ? strtoull(last, NULL, 10) : 0);
	enum MHD_Result result;

	if (!dress(r, "text/event-stream"))
		return send_text(c, MHD_HTTP_SERVICE_UNAVAILABLE, "too many streams: close some pages\n");
	result = MHD_queue_response(c, MHD_HTTP_OK, r);
	MHD_destroy_response(r);
	peer_set(s, c, PEER_STREAM);
	return result;
}

static enum MHD_Result send_health(const struct server *s, struct MHD_Connection *c)
{
	char why[WHY_BYTES + 1];

	if (feed_is_healthy(s->feed, why))
		return send_text(c, MHD_HTTP_OK, "ok\n");
	strcat(why, "\n");
	return send_text(c, MHD_HTTP_SERVICE_UNAVAILABLE, why);
}

static enum MHD_Result route(struct server *s, struct MHD_Connection *c, const char *path, int is_head)
{
	if (strcmp(path, "/metrics") == 0)
		return send_metrics(s, c);
	if (strcmp(path, "/healthz") == 0)
		return send_health(s, c);
	if (strcmp(path, "/events") == 0)
		return is_head ? send_text(c, MHD_HTTP_OK, "") : send_events(s, c);
	for (int i = 0; i < DASH_FILES; i++)
		if (strcmp(path, dash_files[i].path) == 0)
			return MHD_queue_response(c, MHD_HTTP_OK, s->files[i]);
	return send_text(c, MHD_HTTP_NOT_FOUND, "not here: try /, /metrics, /events or /healthz\n");
}

static int has_body(struct MHD_Connection *c)
{
	const char *len = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Content-Length");

	return (len && strcmp(len, "0") != 0) || MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Transfer-Encoding");
}

/* Called when the headers are there, and again when the body is: what has one is refused before. */
static enum MHD_Result answer(void *cls, struct MHD_Connection *c, const char *path, const char *method,
			      const char *version, const char *body, size_t *body_len, void **seen)
{
	struct server *s = cls;
	int is_head = strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;

	(void)version, (void)body, (void)body_len;
	if (*seen)
		return route(s, c, path, is_head);
	*seen = s;
	peer_set(s, c, PEER_ANSWERED);
	if (!is_head && strcmp(method, MHD_HTTP_METHOD_GET) != 0)
		return send_text(c, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
	if (has_body(c))
		return send_text(c, MHD_HTTP_BAD_REQUEST, "no body is wanted\n");
	if (!host_is_ours(s, c))
		return send_text(c, MHD_HTTP_FORBIDDEN, "this host name is not known here: dash --allow-host NAME\n");
	return MHD_YES;
}

static void request_done(void *cls, struct MHD_Connection *c, void **seen, enum MHD_RequestTerminationCode how)
{
	(void)seen, (void)how;
	peer_set(cls, c, PEER_ASKING);
}

/* What the library has to say is about single clients: for a person who looks for it. */
static __attribute__((format(printf, 2, 0))) void log_library(void *cls, const char *format, va_list args)
{
	char text[LOG_LINE_BYTES];
	int len = vsnprintf(text, sizeof(text), format, args);

	(void)cls;
	if (len > 0)
		log_debug("%.*s", (int)strcspn(text, "\n"), text);
}

int server_listen(const struct address *at, int *out)
{
	int fd = socket(at->at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, buffer = SEND_BUFFER_BYTES;

	if (fd < 0)
		return -errno;
	/* Connections of a dash before do not keep the port. What is accepted inherits the buffer. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
	if (bind(fd, (const struct sockaddr *)&at->at, at->len) || listen(fd, BACKLOG)) {
		int err = -errno;

		close(fd);
		return err;
	}
	*out = fd;
	return 0;
}

int server_start(struct server *s, int listen_fd, struct feed *feed)
{
	s->feed = feed;
	s->events.feed = feed;
	for (int i = 0; i < DASH_FILES; i++) {
		const struct dash_file *f = &dash_files[i];

		s->files[i] =
			dress(MHD_create_response_from_buffer((size_t)(f->end - f->bytes), (void *)(uintptr_t)f->bytes,
							      MHD_RESPMEM_PERSISTENT),
			      f->type);
		if (!s->files[i])
			return -ENOMEM;
	}
	s->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_ERROR_LOG | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
				     answer, s, MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL, MHD_OPTION_LISTEN_SOCKET,
				     listen_fd, MHD_OPTION_CONNECTION_LIMIT, MAX_PEERS,
				     MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)PEER_BYTES,
				     MHD_OPTION_CONNECTION_TIMEOUT, ANSWER_SECONDS, MHD_OPTION_NOTIFY_CONNECTION,
				     peer_notify, s, MHD_OPTION_NOTIFY_COMPLETED, request_done, s, MHD_OPTION_END);
	return s->daemon ? 0 : -EIO;
}

int server_fd(const struct server *s)
{
	return MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

uint64_t server_wait_ns(const struct server *s)
{
	MHD_UNSIGNED_LONG_LONG ms;

	return MHD_get_timeout(s->daemon, &ms) == MHD_YES && ms < UINT32_MAX ? ms * NS_PER_MS : UINT64_MAX;
}

void server_run(struct server *s)
{
	MHD_run(s->daemon);
}

static void forget_metrics(struct server *s)
{
	for (int i = 0; i < 2; i++) {
		if (s->metrics[i])
			MHD_destroy_response(s->metrics[i]);
		s->metrics[i] = NULL;
	}
}

void server_tick(struct server *s)
{
	forget_metrics(s);
	peers_end_slow(s);
	events_wake(&s->events);
}

void server_stop(struct server *s)
{
	if (s->daemon) {
		events_end(&s->events);
		MHD_run(s->daemon);
		MHD_stop_daemon(s->daemon);
	}
	forget_metrics(s);
	for (int i = 0; i < DASH_FILES; i++)
		if (s->files[i])
			MHD_destroy_response(s->files[i]);
}

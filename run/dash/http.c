/* http.c - the web server: requests, answers, and limits on both. */
#include "http.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "accept.h"
#include "clock.h"
#include "describe.h"
#include "host.h"
#include "metrics.h"
#include "peer.h"
#include "ready.h"
#include "decimal.h"
#include "log.h"

#define TEXT_TYPE "text/plain; charset=utf-8"
#define METHODS "GET, HEAD, OPTIONS"

/* In every answer: load from here only, run no inline code, be framed and guessed at by nobody. */
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
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED || status == MHD_HTTP_NO_CONTENT)
		MHD_add_response_header(r, "Allow", METHODS);
	if (status == MHD_HTTP_UNAUTHORIZED)
		MHD_add_response_header(r, "WWW-Authenticate", "Bearer realm=\"ontime\"");
	if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
		MHD_add_response_header(r, "Retry-After", "5");
	result = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return result;
}

/* OpenMetrics where it is asked for, else what every scraper and `promtool check metrics` reads. */
static int wants_open(struct MHD_Connection *c)
{
	const char *accept = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Accept");

	return accept_prefers(accept, "application/openmetrics-text", "text/plain");
}

/* A text in memory, to be printed and then made an answer of. */
struct text {
	char *bytes;
	size_t len;
	FILE *out; /* NULL: there is no memory */
};

static void text_open(struct text *t)
{
	t->bytes = NULL;
	t->len = 0;
	t->out = open_memstream(&t->bytes, &t->len);
}

/* NULL: there was not memory enough. */
static struct MHD_Response *text_answer(struct text *t, const char *type)
{
	int failed = ferror(t->out);

	if (fclose(t->out) || failed) {
		free(t->bytes);
		return NULL;
	}
	return dress(MHD_create_response_from_buffer(t->len, t->bytes, MHD_RESPMEM_MUST_FREE), type);
}

static struct MHD_Response *make_metrics(const struct server *s, const struct site *site, int open)
{
	struct text text;

	text_open(&text);
	if (!text.out)
		return NULL;
	metrics_print(text.out, &site->feed, s->sites.streams.n, open);
	return text_answer(&text, open ? OPEN_METRICS_TYPE : PLAIN_METRICS_TYPE);
}

static struct MHD_Response *make_description(const struct server *s)
{
	struct text text;

	text_open(&text);
	if (!text.out)
		return NULL;
	describe_print(text.out, s->shows_others);
	return text_answer(&text, DESCRIPTION_TYPE);
}

static enum MHD_Result send_metrics(const struct server *s, struct site *site, struct MHD_Connection *c)
{
	int open = wants_open(c);

	if (!site->metrics[open])
		site->metrics[open] = make_metrics(s, site, open);
	return site->metrics[open] ? MHD_queue_response(c, MHD_HTTP_OK, site->metrics[open]) : MHD_NO;
}

static enum MHD_Result send_events(struct server *s, struct site *site, struct MHD_Connection *c)
{
	const char *last = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Last-Event-ID");
	struct MHD_Response *r;
	enum MHD_Result result;
	uint64_t last_id = 0;
	const char *end;

	if (last)
		decimal_whole(last, UINT64_MAX, &last_id, &end); /* what is no number: all that is kept */
	r = events_response(&site->events, c, last_id);
	if (!dress(r, "text/event-stream"))
		return send_text(c, MHD_HTTP_SERVICE_UNAVAILABLE, "too many streams: close some pages\n");
	result = MHD_queue_response(c, MHD_HTTP_OK, r);
	MHD_destroy_response(r);
	peer_set(s, c, PEER_STREAM);
	return result;
}

/* What a print of a verdict returns, 1 or 0, is the status: 200 or 503. */
static enum MHD_Result send_verdict(struct MHD_Connection *c, const struct feed *f,
				    int (*print)(const struct feed *f, FILE *out))
{
	enum MHD_Result result = MHD_NO;
	struct text text;
	int good;

	text_open(&text);
	if (!text.out)
		return MHD_NO;
	good = print(f, text.out);
	if (fclose(text.out) == 0)
		result = send_text(c, good ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, text.bytes);
	free(text.bytes);
	return result;
}

#define NO_SUCH_SHARD (-2)

/* -1: all together. */
static int asked_shard(struct MHD_Connection *c)
{
	const char *text = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "shard"), *end = NULL;
	uint64_t shard = 0;

	if (!text)
		return -1;
	return decimal_whole(text, MOST_SHARDS - 1, &shard, &end) == 0 && !*end ? (int)shard : NO_SUCH_SHARD;
}

static enum MHD_Result send_of_site(struct server *s, struct MHD_Connection *c, const char *path, int is_head)
{
	const char *instance = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "instance");
	int shard = asked_shard(c);
	struct site *site = shard == NO_SUCH_SHARD ? NULL : sites_find(&s->sites, instance, shard);

	if (!site)
		return send_text(c, MHD_HTTP_NOT_FOUND,
				 shard != -1	   ? "no such shard, or too many are looked at\n"
				 : s->shows_others ? "no such instance runs here, or too many are looked at\n"
						   : "this dashboard shows one instance: dash -i NAME shows another\n");
	if (strcmp(path, "/metrics") == 0)
		return send_metrics(s, site, c);
	if (strcmp(path, "/healthz") == 0)
		return send_verdict(c, &site->feed, feed_print_health);
	if (strcmp(path, "/ready") == 0)
		return send_verdict(c, &site->feed, ready_print);
	return is_head ? send_text(c, MHD_HTTP_OK, "") : send_events(s, site, c);
}

static enum MHD_Result route(struct server *s, struct MHD_Connection *c, const char *path, int is_head)
{
	static const char *const of_site[] = { "/metrics", "/healthz", "/ready", "/events" };

	for (size_t i = 0; i < sizeof(of_site) / sizeof(of_site[0]); i++)
		if (strcmp(path, of_site[i]) == 0)
			return send_of_site(s, c, path, is_head);
	if (strcmp(path, "/live") == 0)
		return send_text(c, MHD_HTTP_OK, "live\n");
	if (strcmp(path, DESCRIPTION_PATH) == 0)
		return MHD_queue_response(c, MHD_HTTP_OK, s->description);
	for (int i = 0; i < DASH_FILES; i++)
		if (strcmp(path, dash_files[i].path) == 0)
			return MHD_queue_response(c, MHD_HTTP_OK, s->files[i]);
	return send_text(c, MHD_HTTP_NOT_FOUND, "not here: try /, /metrics, /events, /healthz, /ready or /live\n");
}

static int is_open_to_all(const char *path)
{
	return strcmp(path, "/live") == 0 || strcmp(path, "/ready") == 0;
}

/* What the token in an address was asked for is asked for once more, without it. */
static enum MHD_Result send_cookie(const struct server *s, struct MHD_Connection *c, const char *path)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result result = MHD_NO;

	if (!dress(r, TEXT_TYPE))
		return MHD_NO;
	if (token_set(&s->token, c, r, path) == 0)
		result = MHD_queue_response(c, MHD_HTTP_SEE_OTHER, r);
	MHD_destroy_response(r);
	return result;
}

static enum MHD_Result route_known(struct server *s, struct MHD_Connection *c, const char *path, int is_head)
{
	if (is_open_to_all(path))
		return route(s, c, path, is_head);
	if (token_is_in_address(&s->token, c))
		return send_cookie(s, c, path);
	if (token_is_shown(&s->token, c))
		return route(s, c, path, is_head);
	return send_text(c, MHD_HTTP_UNAUTHORIZED,
			 "a token is asked for: in a browser open this address with ?token=TOKEN once; a program sends "
			 "the header Authorization: Bearer TOKEN. TOKEN is in the file that `token` in [dash] names\n");
}

static int has_body(struct MHD_Connection *c)
{
	const char *len = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Content-Length");

	return (len && strcmp(len, "0") != 0) || MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Transfer-Encoding");
}

/* Called when the headers are there, and again when the body is: what has one is refused before. */
static enum MHD_Result answer(void *cls, struct MHD_Connection *c, const char *url, const char *method,
			      const char *version, const char *body, size_t *body_len, void **seen)
{
	struct server *s = cls;
	struct target target = target_of(url);
	int is_head = strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
	int is_options = strcmp(method, MHD_HTTP_METHOD_OPTIONS) == 0;

	(void)body, (void)body_len;
	if (*seen)
		return is_options ? send_text(c, MHD_HTTP_NO_CONTENT, "") : route_known(s, c, target.path, is_head);
	*seen = s;
	peer_set(s, c, PEER_ANSWERED);
	if (!is_head && !is_options && strcmp(method, MHD_HTTP_METHOD_GET) != 0)
		return send_text(c, MHD_HTTP_METHOD_NOT_ALLOWED, "only " METHODS "\n");
	if (has_body(c))
		return send_text(c, MHD_HTTP_BAD_REQUEST, "no body is wanted\n");
	if (!target_is_ours(&target, c, version, s->allowed, s->n_allowed))
		return send_text(c, MHD_HTTP_FORBIDDEN, "this host name is not known here: dash --allow-host NAME\n");
	return MHD_YES;
}

static void request_done(void *cls, struct MHD_Connection *c, void **seen, enum MHD_RequestTerminationCode how)
{
	(void)seen, (void)how;
	peer_set(cls, c, PEER_ASKING);
}

/* The library reports on single clients: at level debug, so that a person can look for it. */
static __attribute__((format(printf, 2, 0))) void log_library(void *cls, const char *format, va_list args)
{
	char text[LOG_LINE_BYTES];
	int len = vsnprintf(text, sizeof(text), format, args);

	(void)cls;
	if (len > 0)
		log_debug("%.*s", (int)strcspn(text, "\n"), text);
}

static int make_files(struct server *s)
{
	for (int i = 0; i < DASH_FILES; i++) {
		const struct dash_file *f = &dash_files[i];

		s->files[i] =
			dress(MHD_create_response_from_buffer((size_t)(f->end - f->bytes), (void *)(uintptr_t)f->bytes,
							      MHD_RESPMEM_PERSISTENT),
			      f->type);
		if (!s->files[i])
			return -ENOMEM;
	}
	s->description = make_description(s);
	return s->description ? 0 : -ENOMEM;
}

/* How many connections there are descriptors for, at most MAX_PEERS. */
static uint32_t peers_allowed(void)
{
	const rlim_t wanted = MAX_PEERS + OWN_DESCRIPTORS + MAX_SITES * MOST_SHARDS + SEARCHED_DESCRIPTORS;
	struct rlimit limit;
	rlim_t used = OWN_DESCRIPTORS;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return 0;
	if (limit.rlim_cur < wanted) {
		limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
		setrlimit(RLIMIT_NOFILE, &limit);
		getrlimit(RLIMIT_NOFILE, &limit);
	}
	for (int fd = 0; fd < SEARCHED_DESCRIPTORS; fd++)
		used += fcntl(fd, F_GETFD) >= 0;
	if (limit.rlim_cur <= used)
		return 0;
	return limit.rlim_cur - used < MAX_PEERS ? (uint32_t)(limit.rlim_cur - used) : MAX_PEERS;
}

int server_start(struct server *s, int listen_fd, int is_private)
{
	s->max_peers = peers_allowed();
	s->sites.streams.max = s->max_peers / 2 < MAX_STREAMS ? s->max_peers / 2 : MAX_STREAMS;
	s->shows_others = is_private && s->max_peers == MAX_PEERS; /* each other one has a descriptor of its segment */
	s->sites.shows_shards = s->max_peers == MAX_PEERS;
	s->sites.max = s->shows_others ? MAX_SITES : 1;
	if (s->max_peers < LEAST_PEERS)
		return -EMFILE;
	if (make_files(s))
		return -ENOMEM;
	s->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_ERROR_LOG | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
				     answer, s, MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL, MHD_OPTION_LISTEN_SOCKET,
				     listen_fd, MHD_OPTION_CONNECTION_LIMIT, s->max_peers,
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

	if (s->has_room_again)
		return 0;
	return MHD_get_timeout(s->daemon, &ms) == MHD_YES && ms < UINT32_MAX ? ms * NS_PER_MS : UINT64_MAX;
}

void server_run(struct server *s)
{
	int was_full = s->n_peers >= s->max_peers;

	MHD_run(s->daemon);
	/*
	 * Being full, the library listens no more until its next run, and does not ask for one when there is room
	 * again.
	 */
	s->has_room_again = was_full && s->n_peers < s->max_peers;
}

void server_tick(struct server *s)
{
	sites_wake(&s->sites);
	peers_end_slow(s);
}

void server_stop(struct server *s)
{
	if (s->daemon) {
		sites_end(&s->sites);
		MHD_run(s->daemon);
		MHD_stop_daemon(s->daemon);
	}
	sites_close(&s->sites);
	if (s->description)
		MHD_destroy_response(s->description);
	for (int i = 0; i < DASH_FILES; i++)
		if (s->files[i])
			MHD_destroy_response(s->files[i]);
}

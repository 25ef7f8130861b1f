/*
 * ask.c - clients that send requests and check each answer: to whom it comes, once, in order, unchanged, and how soon.
 *
 * usage: ask TO [--clients N] [--rate PPS] [--seconds S] [--size BYTES] [--from ADDRESS[/N]] [--port P] [--churn K]
 *            [--rest MS] [--timeout MS] [--seed N] [--losses]
 *
 * Rules:   a socket per client, not connected, so that an answer from elsewhere shows. --rate: of all together, a
 *          client after the other, whether there was an answer or not; without it each client asks when it has its
 *          answer, or when that did not come within --timeout (1000). --from: client i has the (i % N)th address from
 *          ADDRESS on.
 *          --port: client i has port P + i. --churn: after K to 2K requests a client waits until all is answered, or
 *          --timeout, gives its port up, rests for --rest to twice that, and takes a new one.
 *          Latency counts from the scheduled send. Exit status 1: something is wrong; what is lost is wrong unless
 *          --losses; 2: usage.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "clock.h"
#include "config/address.h"
#include "histogram.h"
#include "log.h"
#include "random.h"

#define MAGIC 0x3f6b7361u
#define KEPT 8192 /* requests of a client whose answers are told apart; older ones are taken for lost */
#define MOST_CLIENTS 20000
#define MOST_BYTES 1472
#define EVENTS 256
#define TICK_NS (NS_PER_MS / 2)

struct request { /* what is sent, and comes back; the rest is a pattern of client and number */
	uint32_t magic, run, client, number;
	uint64_t due_at_ns;
};

struct client {
	int fd; /* -1: it rests */
	uint32_t sent, came, next; /* numbers; next: after the highest that came */
	uint32_t ends_at; /* when that many are sent, it gives its port up */
	uint64_t asked_at_ns, wakes_at_ns;
	uint64_t seen[KEPT / 64];
};

struct tally {
	uint64_t sent, answered, twice, disordered, wrong, changed, elsewhere, refused, ports;
};

struct asker {
	struct address to, from;
	uint32_t n, n_from, run, churn, port;
	uint64_t bytes, rest_ns, timeout_ns, random;
	double rate, seconds;
	int may_lose, epoll_fd;
	struct client *clients;
	struct tally t;
	uint64_t counts[HISTOGRAM_BUCKETS], max_ns;
};

static uint8_t pattern(uint32_t client, uint32_t number, size_t i)
{
	return (uint8_t)(client * 31 + number * 7 + i);
}

static void local_address(const struct asker *a, uint32_t i, struct sockaddr_storage *at)
{
	struct sockaddr_in *four = (struct sockaddr_in *)at;

	*at = a->from.at;
	if (at->ss_family == AF_INET)
		four->sin_addr.s_addr = htonl(ntohl(four->sin_addr.s_addr) + i % a->n_from);
	if (a->port && at->ss_family == AF_INET)
		four->sin_port = htons((uint16_t)(a->port + i));
	else if (a->port)
		((struct sockaddr_in6 *)at)->sin6_port = htons((uint16_t)(a->port + i));
}

static void open_port(struct asker *a, uint32_t i)
{
	struct client *c = &a->clients[i];
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = i };
	int buffer_bytes = 4 << 20; /* all that a server kept back may come at once */
	struct sockaddr_storage at;

	local_address(a, i, &at);
	c->fd = socket(at.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof(buffer_bytes));
	setsockopt(c->fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes, sizeof(buffer_bytes));
	if (c->fd < 0 || bind(c->fd, (const struct sockaddr *)&at, a->from.len) < 0 ||
	    epoll_ctl(a->epoll_fd, EPOLL_CTL_ADD, c->fd, &event) < 0) {
		log_error("client %u: %s", i, strerror(errno));
		exit(1);
	}
	a->t.ports++;
	c->ends_at = a->churn ? c->sent + a->churn + (uint32_t)(random_next(&a->random) % (a->churn + 1)) : UINT32_MAX;
}

static void ask_one(struct asker *a, uint32_t i, uint64_t due_at_ns)
{
	struct client *c = &a->clients[i];
	uint8_t payload[MOST_BYTES];
	struct request r = { MAGIC, a->run, i, c->sent, due_at_ns };

	memcpy(payload, &r, sizeof(r));
	for (size_t k = sizeof(r); k < a->bytes; k++)
		payload[k] = pattern(i, c->sent, k);
	c->seen[c->sent % KEPT / 64] &= ~(1ULL << c->sent % 64);
	c->asked_at_ns = now_ns();
	if (sendto(c->fd, payload, a->bytes, 0, (const struct sockaddr *)&a->to.at, a->to.len) < 0) {
		a->t.refused++;
		return;
	}
	c->sent++;
	a->t.sent++;
}

static void note_latency(struct asker *a, uint64_t due_at_ns)
{
	uint64_t ns = now_ns() - due_at_ns;

	a->counts[histogram_bucket(ns)]++;
	a->max_ns = ns > a->max_ns ? ns : a->max_ns;
}

static int is_whole(const struct asker *a, const struct request *r, const uint8_t *payload, size_t bytes)
{
	if (bytes != a->bytes)
		return 0;
	for (size_t k = sizeof(*r); k < bytes; k++)
		if (payload[k] != pattern(r->client, r->number, k))
			return 0;
	return 1;
}

static void check_answer(struct asker *a, uint32_t i, const uint8_t *payload, size_t bytes)
{
	struct client *c = &a->clients[i];
	struct request r = { 0 };
	uint64_t bit;

	memcpy(&r, payload, bytes < sizeof(r) ? bytes : sizeof(r));
	if (r.magic == MAGIC && (r.client != i || r.run != a->run)) {
		a->t.wrong++;
		return;
	}
	if (r.magic != MAGIC || r.number >= c->sent || !is_whole(a, &r, payload, bytes)) {
		a->t.changed++;
		return;
	}
	bit = 1ULL << r.number % 64;
	if (c->sent - r.number > KEPT || (c->seen[r.number % KEPT / 64] & bit)) {
		a->t.twice++;
		return;
	}
	c->seen[r.number % KEPT / 64] |= bit;
	c->came++;
	a->t.answered++;
	a->t.disordered += r.number < c->next;
	c->next = r.number >= c->next ? r.number + 1 : c->next;
	note_latency(a, r.due_at_ns);
}

/* All that waits at a client. */
static void take(struct asker *a, uint32_t i)
{
	uint8_t payload[MOST_BYTES + 1];
	struct address from = { 0 };

	for (;;) {
		ssize_t got;

		from.len = sizeof(from.at);
		got = recvfrom(a->clients[i].fd, payload, sizeof(payload), 0, (struct sockaddr *)&from.at, &from.len);

		if (got < 0 && errno == ECONNREFUSED) {
			a->t.refused++;
			continue;
		}
		if (got < 0)
			return;
		a->t.elsewhere += !address_is_same(&from, &a->to);
		check_answer(a, i, payload, (size_t)got);
	}
}

/* In the order of requests, after a loss too: the newest is answered. */
static int has_answer(const struct client *c)
{
	return c->next == c->sent;
}

/* Whether it may ask now; ports are given up and taken here. */
static int is_up(struct asker *a, uint32_t i, uint64_t now)
{
	struct client *c = &a->clients[i];

	if (c->fd < 0 && now < c->wakes_at_ns)
		return 0;
	if (c->fd < 0)
		open_port(a, i);
	if (c->sent < c->ends_at)
		return 1;
	if (c->came < c->sent && now < c->asked_at_ns + a->timeout_ns)
		return 0;
	take(a, i);
	c->came = c->next = c->sent; /* what did not come by now is lost, and counted as sent */
	close(c->fd);
	c->fd = -1;
	c->wakes_at_ns = now + a->rest_ns + (a->rest_ns ? random_next(&a->random) % a->rest_ns : 0);
	return 0;
}

/* What each client does that goes by answers: asks again. */
static void ask_in_turn(struct asker *a, uint64_t now)
{
	for (uint32_t i = 0; i < a->n; i++) {
		struct client *c = &a->clients[i];

		if (is_up(a, i, now) && (has_answer(c) || now >= c->asked_at_ns + a->timeout_ns))
			ask_one(a, i, now_ns());
	}
}

/* Those that are due by the rate, a client after the other; one that rests misses its turn. */
static void ask_by_rate(struct asker *a, uint64_t began_at_ns, uint64_t now, uint64_t *turns)
{
	uint64_t due_at_ns;

	while ((due_at_ns = began_at_ns + (uint64_t)((double)*turns * 1e9 / a->rate)) <= now) {
		uint32_t i = (uint32_t)(*turns % a->n);

		if (is_up(a, i, now))
			ask_one(a, i, due_at_ns);
		++*turns;
	}
}

static void take_all(struct asker *a, uint64_t wait_ns, int in_turn)
{
	struct epoll_event events[EVENTS];
	struct timespec wait = { .tv_nsec = (long)wait_ns };
	int n = epoll_pwait2(a->epoll_fd, events, EVENTS, &wait, NULL);

	for (int k = 0; k < n; k++) {
		uint32_t i = events[k].data.u32;

		take(a, i);
		if (in_turn && has_answer(&a->clients[i]) && a->clients[i].sent < a->clients[i].ends_at)
			ask_one(a, i, now_ns());
	}
}

static void run(struct asker *a)
{
	uint64_t began_at_ns = now_ns(), until_ns = began_at_ns + (uint64_t)(a->seconds * 1e9), now, turns = 0;
	uint64_t looked_at_ns = 0;

	while ((now = now_ns()) < until_ns) {
		uint64_t wait_ns = TICK_NS;

		if (a->rate > 0) {
			uint64_t next_at_ns;

			ask_by_rate(a, began_at_ns, now, &turns);
			next_at_ns = began_at_ns + (uint64_t)((double)turns * 1e9 / a->rate);
			wait_ns = next_at_ns <= now	       ? TICK_NS / 8
				  : next_at_ns - now < TICK_NS ? next_at_ns - now
							       : TICK_NS;
		} else if (now - looked_at_ns > 10 * NS_PER_MS || looked_at_ns == 0) {
			looked_at_ns = now;
			ask_in_turn(a, now);
		}
		take_all(a, wait_ns, a->rate == 0);
	}
	until_ns += a->timeout_ns;
	while (a->t.answered < a->t.sent && now_ns() < until_ns)
		take_all(a, TICK_NS, 0);
	take_all(a, 20 * NS_PER_MS, 0); /* what comes twice */
}

static int report(const struct asker *a)
{
	const struct tally *t = &a->t;
	uint64_t lost = t->sent - t->answered;

	printf("sent %llu, answered %llu, lost %llu, twice %llu, out of order %llu, to a wrong client %llu, changed "
	       "%llu, from "
	       "elsewhere %llu, refused %llu; ports %llu; us p50 %.1f p99 %.1f max %.1f\n",
	       (unsigned long long)t->sent, (unsigned long long)t->answered, (unsigned long long)lost,
	       (unsigned long long)t->twice, (unsigned long long)t->disordered, (unsigned long long)t->wrong,
	       (unsigned long long)t->changed, (unsigned long long)t->elsewhere, (unsigned long long)t->refused,
	       (unsigned long long)t->ports, (double)histogram_percentile(a->counts, 500000) / 1e3,
	       (double)histogram_percentile(a->counts, 990000) / 1e3, (double)a->max_ns / 1e3);
	if (t->answered == 0 && !a->may_lose)
		return 1;
	return (lost && !a->may_lose) || t->twice || t->disordered || t->wrong || t->changed || t->elsewhere;
}

/* "127.0.0.1", or "127.1.0.0/1000": that many addresses from there on. */
static int parse_from(struct asker *a, const char *text)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	char whole[ADDRESS_BYTES];

	a->n_from = slash ? (uint32_t)strtoul(slash + 1, NULL, 10) : 1;
	snprintf(whole, sizeof(whole), strchr(text, ':') ? "[%.*s]:1" : "%.*s:1", (int)len, text);
	if (a->n_from == 0 || !address_parse(whole, strlen(whole), &a->from))
		return -1;
	((struct sockaddr_in *)&a->from.at)->sin_port = 0; /* in the same place for both families */
	return 0;
}

static int set_option(struct asker *a, const char *name, const char *value)
{
	double number = strtod(value, NULL);

	if (strcmp(name, "--from") == 0)
		return parse_from(a, value);
	if (strcmp(name, "--clients") == 0)
		a->n = (uint32_t)number;
	else if (strcmp(name, "--rate") == 0)
		a->rate = number;
	else if (strcmp(name, "--seconds") == 0)
		a->seconds = number;
	else if (strcmp(name, "--size") == 0)
		a->bytes = (uint64_t)number;
	else if (strcmp(name, "--port") == 0)
		a->port = (uint32_t)number;
	else if (strcmp(name, "--churn") == 0)
		a->churn = (uint32_t)number;
	else if (strcmp(name, "--rest") == 0)
		a->rest_ns = (uint64_t)(number * 1e6);
	else if (strcmp(name, "--timeout") == 0)
		a->timeout_ns = (uint64_t)(number * 1e6);
	else if (strcmp(name, "--seed") == 0)
		a->random += (uint64_t)number << 8;
	else
		return -1;
	return 0;
}

static int parse(struct asker *a, int argc, char **argv)
{
	*a = (struct asker){ .n = 1, .n_from = 1, .seconds = 1, .bytes = 64, .timeout_ns = NS_PER_S, .random = 1 };
	if (argc < 2 || !address_parse(argv[1], strlen(argv[1]), &a->to) ||
	    parse_from(a, a->to.at.ss_family == AF_INET ? "0.0.0.0" : "::"))
		return -1;
	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "--losses") == 0) {
			a->may_lose = 1;
			continue;
		}
		if (i + 1 == argc || set_option(a, argv[i], argv[i + 1]))
			return -1;
		i++;
	}
	if (a->n < 1 || a->n > MOST_CLIENTS || a->bytes < sizeof(struct request) || a->bytes > MOST_BYTES)
		return -1;
	return 0;
}

static void open_all(struct asker *a)
{
	struct rlimit most;

	getrlimit(RLIMIT_NOFILE, &most);
	most.rlim_cur = most.rlim_max;
	setrlimit(RLIMIT_NOFILE, &most);
	a->run = (uint32_t)getpid();
	a->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	a->clients = calloc(a->n, sizeof(*a->clients));
	if (a->epoll_fd < 0 || !a->clients)
		exit(1);
	for (uint32_t i = 0; i < a->n; i++)
		open_port(a, i);
}

int main(int argc, char **argv)
{
	static struct asker a;

	log_set_name("ask");
	if (parse(&a, argc, argv)) {
		log_error("usage: ask TO [--clients 1..20000] [--rate PPS] [--seconds S] [--size 24..1472] [--from "
			  "ADDRESS[/N]] "
			  "[--port P] [--churn K] [--rest MS] [--timeout MS] [--seed N] [--losses]");
		return 2;
	}
	open_all(&a);
	run(&a);
	return report(&a);
}

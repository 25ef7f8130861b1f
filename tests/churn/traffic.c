/* traffic.c - clients that come and go, a destination that answers, and the ledger of both. */
#include "traffic.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness/harness.h"
#include "random.h"

#define CLIENTS 24 /* at once */
#define REQUESTS 40 /* of each */
#define WINDOW 4 /* under way */
#define COME_NS (12 * NS_PER_MS) /* from one client to the next: some find no session */
#define MOST_IDS 65536
#define LATE_ONE_IN 100
#define MOST_LATE 256
#define GONE 512 /* the last clients to finish: more than finish within LATE_NS and a restart */
#define LATE_NS (1200 * NS_PER_MS) /* at most; most of them past the end of the session */
#define IN_TIME_NS (200 * NS_PER_MS) /* an answer that comes sooner than this meets its session for sure */
#define REFUSED_NS (2 * NS_PER_S) /* a first request without a reply by then is given up */
#define CATCH_UP_NS (3 * NS_PER_S)

struct request {
	uint32_t id, number; /* of the client, of its request */
	uint32_t is_late; /* it is to be answered late; such ones have numbers of their own */
	uint32_t spare;
	uint64_t sent_at_ns;
};

struct client {
	int fd; /* 0: none */
	uint32_t id, sent, came, late_sent, late_came;
	uint64_t sent_at_ns;
};

struct delayed {
	struct request r;
	struct sockaddr_in from;
	uint64_t due_ns;
};

struct traffic traffic;
static struct client clients[CLIENTS], refused[MOST_IDS];
static struct client gone[GONE]; /* a late reply may still come to them */
static struct delayed delayed[MOST_LATE];
static uint32_t n_delayed, n_refused, n_gone, next_at_server[MOST_IDS];
static uint8_t excused[MOST_IDS]; /* 1: an answer may have come when its session had ended */
static uint64_t come_at_ns;

static void complain(const char *what, const struct request *r)
{
	if (traffic.wrong++ < 10)
		printf("     %s: client %u, request %u%s\n", what, r->id, r->number, r->is_late ? ", a late one" : "");
}

int traffic_socket(void)
{
	return harness_move_fd(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

static void come(struct client *c, uint64_t now)
{
	if (now < come_at_ns || traffic.n_ids == MOST_IDS)
		return;
	come_at_ns = now + COME_NS;
	*c = (struct client){ .fd = traffic_socket(), .id = traffic.n_ids++ };
	if (connect(c->fd, (const struct sockaddr *)&traffic.to->at, traffic.to->len) < 0)
		complain("connect fails", &(struct request){ 0 });
}

/* The first request goes alone: it may find no session. */
static void ask(struct client *c, uint64_t now)
{
	struct request r = { .id = c->id, .number = c->sent, .sent_at_ns = now };

	if (c->sent == REQUESTS || c->sent - c->came >= (c->came ? WINDOW : 1))
		return;
	if (send(c->fd, &r, sizeof(r), 0) != sizeof(r))
		return;
	c->sent++;
	c->sent_at_ns = now;
	traffic.requests++;
	if (c->came == 0 || random_next(&traffic.random) % LATE_ONE_IN)
		return;
	r.is_late = 1;
	r.number = c->late_sent;
	if (send(c->fd, &r, sizeof(r), 0) == sizeof(r)) {
		c->late_sent++;
		traffic.requests++;
	}
}

static void listen_to(struct client *c)
{
	struct request r;
	ssize_t got;

	while ((got = recv(c->fd, &r, sizeof(r), 0)) >= 0) {
		traffic.replies++;
		if (got != sizeof(r) || r.id != c->id) {
			traffic.strange++;
			complain("a reply of another client", &r);
		} else if (r.is_late) {
			traffic.late_replies++;
			if (c->late_came++ >= c->late_sent)
				complain("a late reply too many", &r);
		} else if (r.number < c->came || r.number >= c->sent || (r.number > c->came && !excused[c->id])) {
			complain(r.number < c->came ? "a reply twice" : "a reply lost", &r);
		} else {
			c->came = r.number + 1;
		}
	}
}

static void tend(struct client *c, uint64_t now)
{
	if (c->fd == 0) {
		come(c, now);
		return;
	}
	listen_to(c);
	if (c->came == REQUESTS) {
		struct client *place = &gone[n_gone++ % GONE];

		if (place->fd)
			close(place->fd);
		*place = *c;
		c->fd = 0;
	} else if (c->came == 0 && c->sent && now > c->sent_at_ns + REFUSED_NS) {
		refused[n_refused++] = *c; /* its reply may come yet */
		c->fd = 0;
	} else if (excused[c->id] && c->came < c->sent && now > c->sent_at_ns + REFUSED_NS) {
		c->came = c->sent;
	} else {
		ask(c, now);
	}
}

static void send_back(const struct request *r, const struct sockaddr_in *to)
{
	if (sendto(traffic.server_fd, r, sizeof(*r), 0, (const struct sockaddr *)to, sizeof(*to)) < 0)
		complain("no answer can be sent", r);
}

static void serve_one(const struct request *r, const struct sockaddr_in *from, uint64_t now)
{
	if (r->is_late) {
		if (n_delayed < MOST_LATE)
			delayed[n_delayed++] =
				(struct delayed){ *r, *from, now + random_next(&traffic.random) % LATE_NS };
		return;
	}
	if (r->number != next_at_server[r->id])
		complain("another request than the next came", r);
	next_at_server[r->id] = r->number + 1;
	if (now > r->sent_at_ns + IN_TIME_NS) {
		traffic.n_excused += !excused[r->id];
		excused[r->id] = 1;
	}
	send_back(r, from);
}

static void serve(uint64_t now)
{
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	struct request r;
	ssize_t got;

	while ((got = recvfrom(traffic.server_fd, &r, sizeof(r), 0, (struct sockaddr *)&from, &len)) >= 0) {
		traffic.served++;
		if (got == sizeof(r) && r.id < traffic.n_ids)
			serve_one(&r, &from, now);
		else
			complain("a request that nobody sent", &r);
	}
	for (uint32_t i = 0; i < n_delayed;)
		if (now >= delayed[i].due_ns) {
			send_back(&delayed[i].r, &delayed[i].from);
			delayed[i] = delayed[--n_delayed];
		} else {
			i++;
		}
}

void *traffic_run(void *unused)
{
	uint64_t until_ns = UINT64_MAX;

	(void)unused;
	while (now_ns() < until_ns) {
		struct pollfd p = { .fd = traffic.server_fd, .events = POLLIN };
		uint64_t now;

		poll(&p, 1, 1);
		now = now_ns();
		serve(now);
		for (struct client *c = clients; c < clients + CLIENTS; c++)
			if (until_ns == UINT64_MAX)
				tend(c, now);
			else if (c->fd)
				listen_to(c);
		for (struct client *c = gone; c < gone + GONE && c->fd; c++)
			listen_to(c);
		if (until_ns == UINT64_MAX && atomic_load_explicit(&traffic.stop, memory_order_relaxed))
			until_ns = now + CATCH_UP_NS;
	}
	for (uint32_t i = 0; i < n_refused; i++)
		listen_to(&refused[i]);
	return NULL;
}

uint64_t traffic_lost(void)
{
	uint64_t lost = 0;

	for (const struct client *c = clients; c < clients + CLIENTS; c++)
		if (c->fd && !excused[c->id] && c->came)
			lost += c->sent - c->came;
	return lost;
}

/* Clients whose only request has no reply. */
uint64_t traffic_refused(void)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < n_refused; i++)
		n += refused[i].came == 0 && !excused[refused[i].id];
	for (const struct client *c = clients; c < clients + CLIENTS; c++)
		n += c->fd && c->sent && c->came == 0 && !excused[c->id];
	return n;
}

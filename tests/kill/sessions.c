/*
 * sessions.c - kill -9 the three stages, a thousand times, while clients come and go over a small pool of sessions:
 * each request reaches the destination once, in order, each reply the client that caused it, and none another one.
 *
 * As storm.c, with real processes and sockets. A client asks some times, with a few requests under way, and makes room
 * for another one. One request in some is answered late, most of them when their session has ended: that reply may
 * reach its client or nobody. A client whose first request has no reply must be counted as one without a session.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/harness.h"
#include "hold/sockets.h"
#include "log.h"
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
#define MEAN_GAP_US 8000
#define FORTH 0u
#define BACK 1u

extern char **environ;

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

static struct config config;
static struct segment seg;
static struct client clients[CLIENTS], refused[MOST_IDS];
static struct client gone[GONE]; /* a late reply may still come to them */
static struct delayed delayed[MOST_LATE];
static uint32_t n_delayed, n_ids, n_refused, n_gone, next_at_server[MOST_IDS];
static uint8_t excused[MOST_IDS]; /* the answer may have come when the session had ended: the machine was busy */
static uint64_t requests, replies, late_replies, wrong, strange, n_excused;
static uint64_t kills, killed[N_STAGES], come_at_ns;
static uint64_t moments, lateness; /* random, one for each thread */
static int server_fd;
static pid_t pids[N_STAGES];
static char file[] = "/tmp/ontime-sessions-XXXXXX", directory[256] = "build";
static _Atomic int stop;
static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	interrupted = sig;
}

static void complain(const char *what, const struct request *r)
{
	if (wrong++ < 10)
		printf("     %s: client %u, request %u%s\n", what, r->id, r->number, r->is_late ? ", a late one" : "");
}

static int udp_socket(void)
{
	return harness_move_fd(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

static void come(struct client *c, uint64_t now)
{
	const struct address *in = &config.classes[FORTH].listen[0];

	if (now < come_at_ns || n_ids == MOST_IDS)
		return;
	come_at_ns = now + COME_NS;
	*c = (struct client){ .fd = udp_socket(), .id = n_ids++ };
	if (connect(c->fd, (const struct sockaddr *)&in->at, in->len) < 0)
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
	requests++;
	if (c->came == 0 || random_next(&lateness) % LATE_ONE_IN)
		return;
	r.is_late = 1;
	r.number = c->late_sent;
	if (send(c->fd, &r, sizeof(r), 0) == sizeof(r)) {
		c->late_sent++;
		requests++;
	}
}

static void listen_to(struct client *c)
{
	struct request r;
	ssize_t got;

	while ((got = recv(c->fd, &r, sizeof(r), 0)) >= 0) {
		replies++;
		if (got != sizeof(r) || r.id != c->id) {
			strange++;
			complain("a reply of another client", &r);
		} else if (r.is_late) {
			late_replies++;
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
	if (sendto(server_fd, r, sizeof(*r), 0, (const struct sockaddr *)to, sizeof(*to)) < 0)
		complain("no answer can be sent", r);
}

static void serve_one(const struct request *r, const struct sockaddr_in *from, uint64_t now)
{
	if (r->is_late) {
		if (n_delayed < MOST_LATE)
			delayed[n_delayed++] = (struct delayed){ *r, *from, now + random_next(&lateness) % LATE_NS };
		return;
	}
	if (r->number != next_at_server[r->id])
		complain("another request than the next came", r);
	next_at_server[r->id] = r->number + 1;
	if (now > r->sent_at_ns + IN_TIME_NS) {
		n_excused += !excused[r->id];
		excused[r->id] = 1;
	}
	send_back(r, from);
}

static uint64_t served;

static void serve(uint64_t now)
{
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	struct request r;
	ssize_t got;

	while ((got = recvfrom(server_fd, &r, sizeof(r), 0, (struct sockaddr *)&from, &len)) >= 0) {
		served++;
		if (got == sizeof(r) && r.id < n_ids)
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

static void *run_traffic(void *arg)
{
	uint64_t until_ns = UINT64_MAX;

	(void)arg;
	while (now_ns() < until_ns) {
		struct pollfd p = { .fd = server_fd, .events = POLLIN };
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
		if (until_ns == UINT64_MAX && atomic_load_explicit(&stop, memory_order_relaxed))
			until_ns = now + CATCH_UP_NS;
	}
	for (uint32_t i = 0; i < n_refused; i++)
		listen_to(&refused[i]);
	return NULL;
}

static void start_stage(int stage)
{
	char path[512];
	char *arguments[] = { path, (char *)"-c", file, NULL };

	snprintf(path, sizeof(path), "%s/%s", directory, stage_name((enum stage_id)stage));
	if (posix_spawn(&pids[stage], path, NULL, NULL, arguments, environ)) {
		log_error("start %s", path);
		exit(1);
	}
}

static void end_stages(int sig)
{
	for (int i = 0; i < N_STAGES; i++)
		if (pids[i] > 0) {
			kill(pids[i], sig);
			waitpid(pids[i], NULL, 0);
			pids[i] = 0;
		}
}

static void clean_up(void)
{
	end_stages(SIGKILL);
	unlink(file);
	if (seg.shared)
		segment_remove(config.instance);
}

/* A random set of stages, two times in three with ingress among them. */
static void strike(void)
{
	uint32_t set = 1 + (uint32_t)(random_next(&moments) % 7);

	set |= random_next(&moments) % 3 ? 1u << STAGE_INGRESS : 0;
	for (int i = 0; i < N_STAGES; i++)
		if (set >> i & 1) {
			kill(pids[i], SIGKILL);
			killed[i]++;
			kills++;
		}
	for (int i = 0; i < N_STAGES; i++)
		if (set >> i & 1) {
			waitpid(pids[i], NULL, 0);
			start_stage(i);
		}
}

static void strike_until(uint64_t most)
{
	while (kills < most && !interrupted) {
		/* One time in four the successor has 0 to 2 ms: it dies while it attaches or recovers. */
		usleep((useconds_t)(random_next(&moments) % (random_next(&moments) % 4 ? 2 * MEAN_GAP_US : 2000)));
		strike();
	}
}

static uint16_t free_port(int *fd)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);

	*fd = udp_socket();
	if (bind(*fd, (struct sockaddr *)&at, len) < 0 || getsockname(*fd, (struct sockaddr *)&at, &len) < 0)
		exit(1);
	return ntohs(at.sin_port);
}

static void set_up(void)
{
	static struct sockets sockets;
	int fd = mkstemp(file), other, size = 4 << 20;
	uint16_t server = free_port(&server_fd), in = free_port(&other);
	char why[WHY_BYTES];

	close(other);
	setsockopt(server_fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	dprintf(fd,
		"[pipeline]\ninstance = sessions%d\npolicy = edf\nfifo = off\ncpus = none\n"
		"[class ask]\nlisten = 127.0.0.1:%u\nsend = 127.0.0.1:%u\nreplies = back\nsessions = 40\n"
		"idle = 400ms\nidle_unanswered = 400ms\n"
		"[class back]\n",
		getpid(), in, server);
	close(fd);
	if (config_load(&config, file, 0, NULL, why, sizeof(why)) || sockets_open(&sockets, &config) ||
	    segment_create(&seg, &config, sockets.cookies, sockets.n - sockets.n_uncounted, why) ||
	    sockets_open_sessions(&sockets, &config, &seg, NULL)) {
		log_error("set up: %s", why);
		exit(1);
	}
	seg.fd = harness_move_fd(seg.fd);
	segment_touch(seg.shared, seg.size_bytes);
	if (sockets_hand_on(&sockets))
		exit(1);
}

static uint64_t lost_replies(void)
{
	uint64_t lost = 0;

	for (const struct client *c = clients; c < clients + CLIENTS; c++)
		if (c->fd && !excused[c->id] && c->came)
			lost += c->sent - c->came;
	return lost;
}

/* Clients whose only request has no reply. */
static uint64_t without_session(void)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < n_refused; i++)
		n += refused[i].came == 0 && !excused[refused[i].id];
	for (const struct client *c = clients; c < clients + CLIENTS; c++)
		n += c->fd && c->sent && c->came == 0 && !excused[c->id];
	return n;
}

/* Returns how many promises were broken. */
static uint64_t judge(void)
{
	struct account forth, back;
	uint64_t lost = lost_replies(), none = without_session(), broken = wrong + lost, no_session;

	if (account_read(&seg, FORTH, &forth) || account_read(&seg, BACK, &back))
		return 1;
	no_session = forth.dropped_pkts[DROP_NO_SESSION];
	broken += none != no_session;
	broken += forth.unbalanced_pkts || back.unbalanced_pkts || forth.held_pkts || back.held_pkts;
	broken += forth.sent_pkts != served || forth.sent_pkts + no_session != requests || back.sent_pkts != replies;
	printf("  %u clients over 40 sessions: %llu requests, %llu at the destination, %llu replies (%llu of them "
	       "late)\n"
	       "  lost %llu  to another client %llu  twice, out of order or else wrong %llu  without a session %llu, "
	       "counted "
	       "%llu  strays %llu  excused %llu\n",
	       n_ids, (unsigned long long)requests, (unsigned long long)served, (unsigned long long)replies,
	       (unsigned long long)late_replies, (unsigned long long)lost, (unsigned long long)strange,
	       (unsigned long long)(wrong - strange), (unsigned long long)none, (unsigned long long)no_session,
	       (unsigned long long)atomic_load_explicit(&seg.views[FORTH].lane->stray_pkts, memory_order_relaxed),
	       (unsigned long long)n_excused);
	printf("  %llu kills (ingress %llu, edf %llu, egress %llu); unbalanced %lld, %lld\n", (unsigned long long)kills,
	       (unsigned long long)killed[STAGE_INGRESS], (unsigned long long)killed[STAGE_EDF],
	       (unsigned long long)killed[STAGE_EGRESS], (long long)forth.unbalanced_pkts,
	       (long long)back.unbalanced_pkts);
	return broken;
}

static int usage(int status)
{
	fputs("sessions - kill the stages while clients come and go; no reply may be lost, doubled or another's.\n\n"
	      "usage: sessions [--kills N] [--seed N] [--stages DIR]\n\n"
	      "Exit status: 0 every promise held, 1 one was broken, 2 usage.\n",
	      status ? stderr : stdout);
	return status;
}

int main(int argc, char **argv)
{
	uint64_t most = 1000, broken;
	struct sigaction act = { .sa_handler = on_signal };
	pthread_t traffic;

	log_set_name("sessions");
	moments = lateness = 0x9e3779b97f4a7c15ULL;
	for (int i = 1; i < argc; i += 2) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (!value)
			return usage(strcmp(argv[i], "--help") ? 2 : 0);
		if (strcmp(argv[i], "--kills") == 0)
			most = strtoull(value, NULL, 10);
		else if (strcmp(argv[i], "--seed") == 0)
			moments *= strtoull(value, NULL, 10) + 1;
		else if (strcmp(argv[i], "--stages") == 0)
			snprintf(directory, sizeof(directory), "%s", value);
		else
			return usage(2);
	}
	setenv("ONTIME_LOG", "error", 1);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	atexit(clean_up);
	set_up();
	for (int i = 0; i < N_STAGES; i++)
		start_stage(i);
	pthread_create(&traffic, NULL, run_traffic, NULL);
	usleep(50000);
	strike_until(most);
	usleep(100000);
	atomic_store_explicit(&stop, 1, memory_order_relaxed);
	pthread_join(traffic, NULL);
	end_stages(SIGTERM);
	if (interrupted)
		return 128 + interrupted;
	broken = judge();
	printf("sessions: %d passed, %d failed, 0 skipped\n", !broken, broken != 0);
	return broken > 0;
}

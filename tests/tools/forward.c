/*
 * forward.c - a relay that does known harm: what run/load reports of it must be exactly that.
 *
 * usage: forward CONFIG [--ACTION N].. [--only long|short] [--delay US] [--police PPS]
 *
 * Rules:   each class gets every action N times, one at a time, SPACING datagrams apart, in the order of enum action;
 *          it prints "ready", and at SIGTERM what it did, one line per class: CLASS lose N double N .. A swap puts a
 *          datagram behind its successor (of another size, or nothing would tell); what is held is sent when
 *          the next one comes after SIGUSR1.
 *          Datagrams are forwarded to the destination that the sender's port picks, as egress does.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "traffic/packet.h"
#include "clock.h"
#include "config/config.h"
#include "harness/harness.h"
#include "log.h"

#define SPACING 50 /* datagrams between two actions on a class: more than two headers apart at any mix of sizes used */
#define ROOM 65536 /* datagrams under way in a delay */
#define POLICE_BURST_S 0.1 /* what may come at once, for a source that hiccups */

enum action { LOSE, DOUBLE, SWAP, CORRUPT, HOLD, N_ACTIONS };

static const char *const action_names[N_ACTIONS] = { "--lose", "--double", "--swap", "--corrupt", "--hold" };

struct datagram {
	uint64_t due_at_ns;
	uint32_t bytes, out; /* out: which destination */
	uint8_t payload[MAX_LOAD_BYTES];
};

struct way {
	const char *name;
	struct pollfd in[MAX_LISTEN];
	int out_fd[MAX_DESTS];
	uint32_t n_in, n_out;
	uint32_t left[N_ACTIONS], done[N_ACTIONS];
	uint64_t came; /* since the last action */
	int swaps; /* `swapped` waits for its successor */
	struct datagram swapped, *held;
	uint32_t n_held;
	struct datagram *queue; /* of those that are delayed: a ring of ROOM */
	uint64_t first, last;
};

struct forward {
	struct config config;
	struct way ways[MAX_CLASSES];
	uint32_t wanted[N_ACTIONS];
	int only_long, only_short;
	uint64_t delay_ns;
	double police_pps, tokens;
	uint64_t tokens_at_ns;
};

static volatile sig_atomic_t stop, release_held;

static void on_signal(int sig)
{
	if (sig == SIGUSR1)
		release_held = 1;
	else
		stop = 1;
}

static int new_socket(const struct address *a, int (*attach)(int, const struct sockaddr *, socklen_t))
{
	int fd = socket(a->at.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), bytes = 64 << 20;
	char text[ADDRESS_BYTES];

	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
	if (fd >= 0 && attach(fd, (const struct sockaddr *)&a->at, a->len) == 0)
		return fd;
	log_error("socket for %s: %s", address_format(a, text), strerror(errno));
	exit(1);
}

static void open_ways(struct forward *w)
{
	for (uint32_t i = 0; i < w->config.n_classes; i++) {
		const struct class_config *class = &w->config.classes[i];
		struct way *way = &w->ways[i];

		way->name = class->name;
		way->n_in = class->n_listen;
		way->n_out = class->n_dests;
		for (uint32_t k = 0; k < way->n_in; k++)
			way->in[k] = (struct pollfd){ new_socket(&class->listen[k], bind), POLLIN, 0 };
		for (uint32_t k = 0; k < way->n_out; k++)
			way->out_fd[k] = new_socket(&class->dests[k], connect);
		memcpy(way->left, w->wanted, sizeof(way->left));
		way->held = calloc(w->wanted[HOLD] + 1, sizeof(*way->held));
		way->queue = calloc(w->delay_ns ? ROOM : 1, sizeof(*way->queue));
		if (!way->held || !way->queue)
			exit(1);
	}
}

static void emit(struct way *way, const struct datagram *d)
{
	while (send(way->out_fd[d->out], d->payload, d->bytes, 0) < 0)
		if (errno != ECONNREFUSED && errno != EINTR) {
			log_error("send: %s", strerror(errno));
			exit(1);
		}
}

/* Whether an action can be done to a datagram so that something could tell. */
static int is_fit(const struct forward *w, enum action a, const struct datagram *d)
{
	int is_short = d->bytes < sizeof(struct packet_header);

	if ((w->only_long && is_short) || (w->only_short && !is_short))
		return 0;
	return a != CORRUPT || d->bytes > 0;
}

/* The action that is due, or N_ACTIONS. */
static enum action choose(const struct forward *w, struct way *way, const struct datagram *d)
{
	enum action a = 0;

	while (a < N_ACTIONS && way->left[a] == 0)
		a++;
	if (++way->came < SPACING || way->swaps || a == N_ACTIONS || !is_fit(w, a, d))
		return N_ACTIONS;
	way->came = 0;
	way->left[a]--;
	way->done[a]++;
	return a;
}

/* One bit in the header, in the middle, or in the last byte: in turn. */
static void change(struct datagram *d, uint32_t turn)
{
	uint32_t at[] = { 0, d->bytes / 2, d->bytes - 1 };

	d->payload[at[turn % 3]] ^= (uint8_t)(1u << turn % 8);
}

static void act(struct forward *w, struct way *way, struct datagram *d)
{
	enum action a = choose(w, way, d);

	if (a == LOSE)
		return;
	if (a == HOLD) {
		way->held[way->n_held++] = *d;
		return;
	}
	if (a == SWAP) {
		way->swapped = *d;
		way->swaps = 1;
		return;
	}
	if (a == CORRUPT)
		change(d, way->done[CORRUPT]);
	emit(way, d);
	if (a == DOUBLE)
		emit(way, d);
	if (way->swaps && d->bytes != way->swapped.bytes) {
		emit(way, &way->swapped);
		way->swaps = 0;
	}
}

/* Whether a policed rate lets one more pass. */
static int passes(struct forward *w, uint64_t now)
{
	double most = w->police_pps * POLICE_BURST_S;

	if (w->police_pps == 0)
		return 1;
	w->tokens += (double)(now - w->tokens_at_ns) / 1e9 * w->police_pps;
	w->tokens = w->tokens < most ? w->tokens : most;
	w->tokens_at_ns = now;
	if (w->tokens < 1)
		return 0;
	w->tokens -= 1;
	return 1;
}

static void take_in(struct forward *w, struct way *way, int fd)
{
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	struct datagram d;
	ssize_t bytes;

	while ((bytes = recvfrom(fd, d.payload, sizeof(d.payload), MSG_DONTWAIT, (struct sockaddr *)&from, &len)) >=
	       0) {
		uint64_t now = now_ns();

		d.bytes = (uint32_t)bytes;
		d.out = ntohs(from.sin_port) % way->n_out;
		d.due_at_ns = now + w->delay_ns;
		if (!passes(w, now))
			continue;
		if (w->delay_ns)
			way->queue[way->last++ % ROOM] = d;
		else
			act(w, way, &d);
	}
}

/* What is due of the delayed ones; *next_ns: when something is due again. */
static void give_out(struct forward *w, struct way *way, uint64_t *next_ns)
{
	for (; way->first < way->last; way->first++) {
		struct datagram *d = &way->queue[way->first % ROOM];

		if (d->due_at_ns > now_ns()) {
			*next_ns = d->due_at_ns < *next_ns ? d->due_at_ns : *next_ns;
			return;
		}
		act(w, way, d);
	}
}

static void give_back(struct forward *w)
{
	release_held = 0;
	for (uint32_t i = 0; i < w->config.n_classes; i++)
		while (w->ways[i].n_held > 0)
			emit(&w->ways[i], &w->ways[i].held[--w->ways[i].n_held]);
}

static void forward_some(struct forward *w)
{
	struct pollfd all[MAX_FLOWS];
	uint64_t next_ns = now_ns() + 10 * NS_PER_MS, now;
	struct timespec wait = { 0 };
	nfds_t n = 0;

	for (uint32_t i = 0; i < w->config.n_classes; i++) {
		give_out(w, &w->ways[i], &next_ns);
		for (uint32_t k = 0; k < w->ways[i].n_in; k++)
			all[n++] = w->ways[i].in[k];
	}
	now = now_ns();
	wait.tv_nsec = next_ns > now ? (long)(next_ns - now) : 0;
	if (ppoll(all, n, &wait, NULL) <= 0)
		return;
	if (release_held) /* somebody sends, so there is somebody to receive */
		give_back(w);
	for (uint32_t i = 0; i < w->config.n_classes; i++)
		for (uint32_t k = 0; k < w->ways[i].n_in; k++)
			take_in(w, &w->ways[i], w->ways[i].in[k].fd);
}

static int usage(void)
{
	log_error(
		"usage: forward CONFIG [--lose|--double|--swap|--corrupt|--hold N].. [--only long|short] [--delay US] "
		"[--police PPS]");
	return 2;
}

static int parse(struct forward *w, int argc, char **argv)
{
	char why[WHY_BYTES];

	if (argc < 2 || argc % 2)
		return usage();
	for (int i = 2; i < argc; i += 2) {
		uint32_t number = (uint32_t)strtoul(argv[i + 1], NULL, 10);
		enum action a = 0;

		while (a < N_ACTIONS && strcmp(argv[i], action_names[a]) != 0)
			a++;
		if (a < N_ACTIONS)
			w->wanted[a] = number;
		else if (strcmp(argv[i], "--delay") == 0)
			w->delay_ns = number * NS_PER_US;
		else if (strcmp(argv[i], "--police") == 0)
			w->police_pps = number;
		else if (strcmp(argv[i], "--only") == 0 && strcmp(argv[i + 1], "long") == 0)
			w->only_long = 1;
		else if (strcmp(argv[i], "--only") == 0 && strcmp(argv[i + 1], "short") == 0)
			w->only_short = 1;
		else
			return usage();
	}
	if (!config_load(&w->config, argv[1], 0, NULL, why, sizeof(why)))
		return 0;
	log_error("%s", why);
	return 2;
}

int main(int argc, char **argv)
{
	static struct forward forward;
	struct sigaction act_on = { .sa_handler = on_signal };
	int status;

	log_set_name("forward");
	status = parse(&forward, argc, argv);
	if (status)
		return status;
	open_ways(&forward);
	prctl(PR_SET_TIMERSLACK, 1UL);
	sigaction(SIGTERM, &act_on, NULL);
	sigaction(SIGUSR1, &act_on, NULL);
	puts("ready");
	fflush(stdout);
	while (!stop)
		forward_some(&forward);
	for (uint32_t i = 0; i < forward.config.n_classes; i++) {
		printf("%s", forward.ways[i].name);
		for (enum action a = 0; a < N_ACTIONS; a++)
			printf(" %s %u", action_names[a] + 2, forward.ways[i].done[a]);
		putchar('\n');
	}
	return 0;
}

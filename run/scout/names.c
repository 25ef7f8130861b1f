/* names.c - what host names stand for. */
#include "names.h"

#include <ares.h>
#include <netdb.h>
#include <string.h>
#include <sys/time.h>

#define TIMEOUT_MS 2000
#define TRIES 2

static ares_channel channel;
static int is_open, n_asked;
static struct pollfd sockets[NAMES_MOST_POLLS];
static uint32_t n_sockets;

/* Which of its sockets c-ares wants to be told of. */
static void on_socket(void *arg, ares_socket_t fd, int readable, int writable)
{
	uint32_t i = 0;

	(void)arg;
	while (i < n_sockets && sockets[i].fd != fd)
		i++;
	if (!readable && !writable) {
		if (i < n_sockets)
			sockets[i] = sockets[--n_sockets];
		return;
	}
	if (i == NAMES_MOST_POLLS)
		return; /* it is asked again when its time is over */
	n_sockets += i == n_sockets;
	sockets[i] = (struct pollfd){ .fd = fd, .events = (short)((readable ? POLLIN : 0) | (writable ? POLLOUT : 0)) };
}

static int open_channel(void)
{
	struct ares_options options = { .timeout = TIMEOUT_MS, .tries = TRIES, .sock_state_cb = on_socket };
	static int is_ready;

	if (!is_ready && ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
		return -1;
	is_ready = 1;
	if (is_open && n_asked)
		return 0;
	if (is_open)
		ares_destroy(channel);
	n_sockets = 0;
	is_open = ares_init_options(&channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB) ==
		  ARES_SUCCESS;
	return is_open ? 0 : -1;
}

/* Of one that is asked for. */
struct question {
	names_take *take;
	void *arg;
};

#define MOST_QUESTIONS 1024

static struct question questions[MOST_QUESTIONS];

static void read_answer(struct names_answer *a, const struct ares_addrinfo *all)
{
	a->ttl_s = UINT32_MAX;
	for (const struct ares_addrinfo_node *at = all->nodes; at && a->n < NAMES_MOST_FOUND; at = at->ai_next) {
		if (at->ai_addrlen > sizeof(a->found[0]))
			continue;
		memcpy(&a->found[a->n++], at->ai_addr, at->ai_addrlen);
		if (at->ai_ttl >= 0 && (uint32_t)at->ai_ttl < a->ttl_s)
			a->ttl_s = (uint32_t)at->ai_ttl;
	}
	if (a->n == 0)
		a->failure = "it has no address of this family";
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *all)
{
	struct question *q = arg, was = *q;
	struct names_answer a = { 0 };

	(void)timeouts;
	n_asked--;
	q->take = NULL;
	if (status == ARES_SUCCESS)
		read_answer(&a, all);
	else
		a.failure = ares_strerror(status);
	if (all)
		ares_freeaddrinfo(all);
	if (was.take && status != ARES_EDESTRUCTION)
		was.take(was.arg, &a);
}

void names_ask(const char *host, int family, names_take *take, void *arg)
{
	struct ares_addrinfo_hints hints = { .ai_family = family, .ai_socktype = SOCK_DGRAM };
	struct names_answer busy = { .failure = "too many names are asked for at once" };
	struct names_answer failed = { .failure = "the resolver cannot be opened" };
	struct question *q = questions;

	while (q < questions + MOST_QUESTIONS && q->take)
		q++;
	if (q == questions + MOST_QUESTIONS) {
		take(arg, &busy);
		return;
	}
	if (open_channel()) {
		take(arg, &failed);
		return;
	}
	*q = (struct question){ take, arg };
	n_asked++;
	ares_getaddrinfo(channel, host, NULL, &hints, on_answer, q);
}

uint32_t names_list(struct pollfd polls[NAMES_MOST_POLLS], int *timeout_ms)
{
	struct timeval most = { .tv_sec = *timeout_ms / 1000, .tv_usec = *timeout_ms % 1000 * 1000 }, room, *due;

	if (!is_open || !n_asked)
		return 0;
	due = ares_timeout(channel, &most, &room);
	if (due && due->tv_sec * 1000 + due->tv_usec / 1000 < *timeout_ms)
		*timeout_ms = (int)(due->tv_sec * 1000 + due->tv_usec / 1000) + 1;
	memcpy(polls, sockets, n_sockets * sizeof(polls[0]));
	return n_sockets;
}

void names_process(const struct pollfd *polls, uint32_t n)
{
	if (!is_open || !n_asked)
		return;
	for (uint32_t i = 0; i < n; i++)
		if (polls[i].revents)
			ares_process_fd(channel, polls[i].revents & ~POLLOUT ? polls[i].fd : ARES_SOCKET_BAD,
					polls[i].revents & POLLOUT ? polls[i].fd : ARES_SOCKET_BAD);
	ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* what is due by its time */
}

void names_forget(void)
{
	if (is_open)
		ares_destroy(channel);
	is_open = 0;
	n_asked = 0;
	n_sockets = 0;
	memset(questions, 0, sizeof(questions));
}

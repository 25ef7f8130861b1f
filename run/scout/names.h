/*
 * names.h - what host names stand for, asked without waiting for the answer (c-ares).
 *
 * Memory:  one channel, made anew when nothing is under way, so that it goes by the resolvers of that moment.
 * Source:  ares_getaddrinfo(3): of several addresses the first counts, as at the launch (RFC 6724).
 */
#ifndef ONTIME_SCOUT_NAMES_H
#define ONTIME_SCOUT_NAMES_H

#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define NAMES_MOST_POLLS 16
#define NAMES_MOST_FOUND 16

/* One answer. */
struct names_answer {
	const char *failure; /* NULL: there are addresses; else why not */
	uint32_t n;
	struct sockaddr_in6 found[NAMES_MOST_FOUND]; /* or sockaddr_in; without a port */
	uint32_t ttl_s;
};

typedef void names_take(void *arg, const struct names_answer *a);

/* names_ask - the answer comes by names_process(), or at once. */
void names_ask(const char *host, int family, names_take *take, void *arg);

/* names_list - what poll(2) is to wait for; how many. *timeout_ms is lowered where an answer is due before that. */
uint32_t names_list(struct pollfd polls[NAMES_MOST_POLLS], int *timeout_ms);

/* names_process - after it. */
void names_process(const struct pollfd *polls, uint32_t n);

/* names_forget - no answer comes any more. */
void names_forget(void);

#endif

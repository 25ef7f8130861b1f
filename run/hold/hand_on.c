/* hand_on.c - descriptors get the places and names that a program that is started finds them by. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/reply.h"
#include "log.h"
#include "sockets.h"
#include "stage/stage.h"

__attribute__((format(printf, 2, 3))) static void append(struct sockets *s, const char *format, ...)
{
	size_t len = strlen(s->names);
	va_list args;

	va_start(args, format);
	vsnprintf(s->names + len, sizeof(s->names) - len, format, args);
	va_end(args);
}

void sockets_name_sessions(struct sockets *s, const struct config *c)
{
	for (uint32_t class = 0; class < c->n_classes; class++)
		if (reply_sessions(c, class))
			append(s, ":%s.poll.0:%s.via.0*%u", c->classes[class].name, c->classes[class].name,
			       reply_sockets(c, class));
}

static void name_denied(struct sockets *s, const struct config *c)
{
	for (uint32_t class = 0; class < c->n_classes && s->n_shards == 1; class++)
		for (uint32_t i = 0; i < c->classes[class].n_listen; i++)
			append(s, "%s.deny.%u:", c->classes[class].name, i);
}

void sockets_name(struct sockets *s, const struct config *c)
{
	char of[16] = "";

	if (s->n_shards > 1)
		snprintf(of, sizeof(of), "*%u", s->n_shards);
	s->names[0] = 0;
	for (int out = 0; out < 2; out++)
		for (uint32_t class = 0; class < c->n_classes; class++) {
			uint32_t n = out ? c->classes[class].n_dests : c->classes[class].n_listen;

			for (uint32_t i = 0; i < n; i++)
				if (!out && c->classes[class].fair)
					append(s, "%s.in.%u*%u:", c->classes[class].name, i, c->classes[class].fair);
				else
					append(s, "%s.%s.%u%s:", c->classes[class].name, out ? "out" : "in", i, of);
			if (!out && class + 1 == c->n_classes)
				name_denied(s, c);
		}
	append(s, "space%s:segment:config", of);
	sockets_name_sessions(s, c);
}

static int refuse_hand_on(const struct sockets *s)
{
	log_error("hand on %u sockets: %s: it takes %u", s->n, log_text_of(errno), s->n + LISTEN_FIRST_FD + 1);
	return EXIT_TEMPORARY;
}

/* Who of ours has which descriptor: its number + 1. */
static uint32_t *map_of(const struct sockets *s, int *most)
{
	*most = LISTEN_FIRST_FD + (int)s->n;
	for (uint32_t i = 0; i < s->n; i++)
		*most = s->fds[i] > *most ? s->fds[i] : *most;
	return calloc((size_t)*most + 2, sizeof(uint32_t));
}

/* Into place, one by one; one of ours that has that place goes elsewhere first. One descriptor more is all it takes. */
static int place(struct sockets *s, uint32_t *at, int most)
{
	for (uint32_t i = 0; i < s->n; i++)
		at[s->fds[i]] = i + 1;
	for (uint32_t i = 0; i < s->n; i++) {
		int to = LISTEN_FIRST_FD + (int)i;
		uint32_t other = at[to];

		if (s->fds[i] != to && other) {
			int fd = fcntl(to, F_DUPFD, to + 1);

			if (fd < 0)
				return -1;
			s->fds[other - 1] = fd;
			if (fd <= most)
				at[fd] = other;
		}
		if (s->fds[i] != to) {
			if (dup2(s->fds[i], to) < 0)
				return -1;
			close(s->fds[i]);
			if (s->fds[i] <= most)
				at[s->fds[i]] = 0;
			s->fds[i] = to;
		}
		at[to] = i + 1;
		if (fcntl(to, F_SETFD, 0) < 0)
			return -1;
	}
	return 0;
}

int sockets_hand_on(struct sockets *s)
{
	int most, err;
	uint32_t *at = map_of(s, &most);
	char count[16];

	err = at ? place(s, at, most) : -1;
	free(at);
	if (err)
		return refuse_hand_on(s);
	snprintf(count, sizeof(count), "%u", s->n);
	setenv("LISTEN_FDS", count, 1);
	setenv("LISTEN_FDNAMES", s->names, 1);
	unsetenv("LISTEN_PID");
	return 0;
}

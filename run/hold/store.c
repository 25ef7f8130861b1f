/* store.c - descriptors that a service manager keeps while the unit restarts. */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "stage/handed.h"
#include "stage/notify.h"

#define BARRIER_MS 5000

static void take_names(struct kept *kept, const char *names)
{
	for (uint32_t i = 0; i < kept->n && names && *names; i++) {
		size_t n = strcspn(names, ":");

		snprintf(kept->names[i], sizeof(kept->names[i]), "%.*s", (int)n, names);
		names += n + (names[n] == ':');
	}
}

void store_take(struct kept *kept)
{
	const char *count = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");
	long n = count && pid && strtol(pid, NULL, 10) == getpid() ? strtol(count, NULL, 10) : 0;

	memset(kept, 0, sizeof(*kept));
	for (long i = 0; i < n; i++) {
		int fd = LISTEN_FIRST_FD + (int)i;

		fcntl(fd, F_SETFD, FD_CLOEXEC);
		if (kept->n < sizeof(kept->fds) / sizeof(kept->fds[0]))
			kept->fds[kept->n++] = fd;
	}
	take_names(kept, getenv("LISTEN_FDNAMES"));
}

/* Until the service manager has done what it was told before. */
static void await_manager(void)
{
	int ends[2];
	struct pollfd p = { .events = 0 };

	if (pipe2(ends, O_CLOEXEC) < 0)
		return;
	if (notify_send_fd("BARRIER=1", ends[1]) == 0) {
		close(ends[1]);
		ends[1] = -1;
		p.fd = ends[0];
		poll(&p, 1, BARRIER_MS);
	}
	close(ends[0]);
	if (ends[1] >= 0)
		close(ends[1]);
}

void store_let_go(struct kept *kept)
{
	char text[128];
	int n = 0;

	for (uint32_t i = 0; i < kept->n; i++) {
		if (kept->fds[i] < 0 || kept->is_wanted[i])
			continue;
		snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", kept->names[i]);
		notify_send(text);
		close(kept->fds[i]);
		kept->fds[i] = -1;
		n++;
	}
	if (n)
		await_manager();
}

void store_put(const struct sockets *s)
{
	const char *name = s->names;
	int err = 0;

	for (uint32_t i = 0; i < s->n; i++) {
		size_t n = strcspn(name, ":");
		char text[128];

		snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%.*s\nFDPOLL=0", (int)n, name);
		if (!err)
			err = notify_send_fd(text, LISTEN_FIRST_FD + (int)i);
		name += n + (name[n] == ':');
	}
	if (err)
		log_warn("let the service manager keep the sockets: %s: they will not outlive all processes at once",
			 log_text_of(-err));
}

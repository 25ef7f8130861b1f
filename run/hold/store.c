/* store.c - descriptors that a service manager keeps while the unit restarts. */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
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

/* What is in the bundles is open beside what is handed on, and in a socket's queue while it is kept. */
static void allow_many(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

void store_take(struct kept *kept)
{
	const char *count = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");
	long n = count && pid && strtol(pid, NULL, 10) == getpid() ? strtol(count, NULL, 10) : 0;

	memset(kept, 0, sizeof(*kept));
	allow_many();
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

static void forget(const char *name)
{
	char text[128];

	snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", name);
	notify_send(text);
}

void store_let_go(struct kept *kept)
{
	int n = 0;

	for (uint32_t i = 0; i < kept->n; i++) {
		if (kept->fds[i] < 0 || kept->is_wanted[i])
			continue;
		forget(kept->names[i]);
		close(kept->fds[i]);
		kept->fds[i] = -1;
		n++;
	}
	if (n)
		await_manager();
}

static int put(const char *name, int name_len, int fd)
{
	char text[128];

	snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%.*s\nFDPOLL=0", name_len, name);
	return notify_send_fd(text, fd);
}

static int put_bundle(const char *name, const int *fds, uint32_t n)
{
	int bundle = bundle_make(fds, n), err = bundle;

	if (bundle < 0)
		return err;
	err = put(name, BUNDLE_NAME_BYTES, bundle);
	close(bundle);
	return err;
}

/* Into as few bundles as there can be, all of one name. */
static int put_sessions(const int *fds, uint32_t n, const struct segment *seg, const struct kept *kept)
{
	char name[BUNDLE_NAME_BYTES];
	int err = 0;

	kept_sessions_name(seg, name);
	if (kept_named(kept, name) >= 0)
		return 0;
	for (uint32_t i = 0; !err && i < n; i += BUNDLE_FDS)
		err = put_bundle(name, fds + i, n - i < BUNDLE_FDS ? n - i : BUNDLE_FDS);
	return err;
}

/* There alone: their places here are others' by now. */
static void let_go_bundles(const struct kept *kept, const struct segment *seg)
{
	char name[BUNDLE_NAME_BYTES];

	kept_sessions_name(seg, name);
	for (uint32_t i = 0; i < kept->n; i++)
		if (kept_sessions_is_bundle(kept->names[i]) && strcmp(kept->names[i], name) != 0)
			forget(kept->names[i]);
}

void store_put(const struct sockets *s, const struct segment *seg, const struct kept *kept)
{
	static int sessions[MAX_SESSIONS];
	const char *name = s->names;
	uint32_t n_sessions = 0, n_of, at = 0;
	int err = 0;

	for (; at < s->n && *name; at += n_of) {
		size_t n;

		n_of = handed_entry(name, &n);
		if (name[n] != '*')
			err = err ? err : put(name, (int)n, LISTEN_FIRST_FD + (int)at);
		else
			for (uint32_t i = 0; i < n_of && n_sessions < MAX_SESSIONS; i++)
				sessions[n_sessions++] = LISTEN_FIRST_FD + (int)(at + i);
		name += strcspn(name, ":");
		name += *name == ':';
	}
	if (!err)
		err = put_sessions(sessions, n_sessions, seg, kept);
	if (err)
		log_warn("let the service manager keep the sockets: %s: they will not outlive all processes at once",
			 log_text_of(-err));
	else
		let_go_bundles(kept, seg);
}

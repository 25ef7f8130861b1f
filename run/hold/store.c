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

/* What all shards have for one purpose: there by names of their own. */
static int put_row(const char *name, int name_len, uint32_t n, uint32_t at)
{
	char what[SOCKET_NAME_BYTES], own[SOCKET_NAME_BYTES];
	int err = 0;

	snprintf(what, sizeof(what), "%.*s", name_len, name);
	for (uint32_t shard = 0; !err && shard < n; shard++) {
		sockets_name_of(own, what, shard, n);
		err = put(own, (int)strlen(own), LISTEN_FIRST_FD + (int)(at + shard));
	}
	return err;
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

static uint32_t count_bundles(uint32_t n_sessions)
{
	return (n_sessions + BUNDLE_FDS - 1) / BUNDLE_FDS;
}

/* Bundles that are there: of that name, or of any other. */
static uint32_t count_kept(const struct kept *kept, const char *name, int other)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < kept->n; i++)
		n += kept_sessions_is_bundle(kept->names[i]) && (strcmp(kept->names[i], name) != 0) == other;
	return n;
}

/* Into as few bundles as there can be, all of one name. If some were not kept, all are put there again. */
static int put_sessions(const int *fds, uint32_t n, const struct segment *seg, const struct kept *kept)
{
	char name[BUNDLE_NAME_BYTES];
	uint32_t n_kept;
	int err = 0;

	kept_sessions_name(seg, name);
	n_kept = count_kept(kept, name, 0);
	if (n_kept == count_bundles(n))
		return 0;
	if (n_kept)
		forget(name);
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

/*
 * A service manager drops what is more than its limit, and tells only its own log. It says what that is from version
 * 254 on ($FDSTORE); before, the next start finds what is missing.
 */
static void tell_count(uint32_t n_single, uint32_t n_sessions, const struct segment *seg, const struct kept *kept)
{
	const char *limit = getenv("FDSTORE");
	char name[BUNDLE_NAME_BYTES];
	uint32_t n_bundles = count_bundles(n_sessions), n = n_single + n_bundles;

	kept_sessions_name(seg, name);
	n += count_kept(kept, name, 1); /* until the new ones are there too */
	if (limit && strtoul(limit, NULL, 10) < n)
		log_warn("the service manager keeps %s descriptors, and %u are to be kept (%u bundles of session "
			 "sockets among them): the others do not outlive all processes at once: raise "
			 "FileDescriptorStoreMax= of the unit to %d",
			 limit, n, n_bundles, STORE_MOST);
	else if (n_bundles)
		log_info("the service manager is to keep %u descriptors, %u of them bundles of %u session sockets "
			 "(FileDescriptorStoreMax= of the unit)",
			 n, n_bundles, n_sessions);
}

void store_put(const struct sockets *s, const struct segment *seg, const struct kept *kept)
{
	static int sessions[MAX_SESSIONS];
	const char *name = s->names;
	uint32_t n_sessions = 0, n_single = 0, n_of, at = 0;
	int err = 0;

	for (; at < s->n && *name; at += n_of) {
		size_t n;

		n_of = handed_entry(name, &n);
		if (name[n] == '*' && s->n_shards > 1) {
			err = err ? err : put_row(name, (int)n, n_of, at);
			n_single += n_of;
		}
		n_single += name[n] != '*';
		if (name[n] != '*')
			err = err ? err : put(name, (int)n, LISTEN_FIRST_FD + (int)at);
		else
			for (uint32_t i = 0; s->n_shards == 1 && i < n_of && n_sessions < MAX_SESSIONS; i++)
				sessions[n_sessions++] = LISTEN_FIRST_FD + (int)(at + i);
		name += strcspn(name, ":");
		name += *name == ':';
	}
	tell_count(n_single, n_sessions, seg, kept);
	if (!err)
		err = put_sessions(sessions, n_sessions, seg, kept);
	if (err)
		log_warn("let the service manager keep the sockets: %s: they will not outlive all processes at once",
			 log_text_of(-err));
	else
		let_go_bundles(kept, seg);
}

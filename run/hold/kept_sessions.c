/* kept_sessions.c - the sockets of sessions that a service manager has kept. */
#include "kept_sessions.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config/reply.h"
#include "config/shown.h"
#include "clock.h"
#include "kept.h"
#include "log.h"
#include "stage/session_port.h"

#define PREFIX "sessions."

int kept_sessions_is_bundle(const char *name)
{
	return strncmp(name, PREFIX, sizeof(PREFIX) - 1) == 0;
}

void kept_sessions_name(const struct segment *seg, char name[BUNDLE_NAME_BYTES])
{
	snprintf(name, BUNDLE_NAME_BYTES, PREFIX "%llx", (unsigned long long)seg->header.created_at_ns);
}

static void add_bundle(struct kept_sessions *s, int bundle)
{
	int fds[BUNDLE_FDS], n = bundle_look(bundle, fds);

	for (int i = 0; i < n; i++) {
		socklen_t len = sizeof(s->cookies[0]);

		if (s->n == MAX_SESSIONS || getsockopt(fds[i], SOL_SOCKET, SO_COOKIE, &s->cookies[s->n], &len) < 0)
			close(fds[i]);
		else
			s->fds[s->n++] = fds[i];
	}
}

/* The service manager had no room for all, which only its own log said. */
static void tell_missing(const struct kept_sessions *s, const struct segment *seg)
{
	uint32_t n = 0;

	for (uint32_t class = 0; class < seg->n_classes; class++)
		n += seg->header.classes[class].n_session_sockets;
	if (s->n < n)
		log_warn("the service manager has kept %u of the %u sockets of sessions: raise FileDescriptorStoreMax= "
			 "of "
			 "the unit to %d",
			 s->n, n, STORE_MOST);
}

void kept_sessions_open(struct kept *kept, const struct segment *seg)
{
	struct kept_sessions *s = &kept->sessions;
	char name[BUNDLE_NAME_BYTES];

	kept_sessions_name(seg, name);
	if (strcmp(s->name, name) == 0)
		return;
	memcpy(s->name, name, sizeof(s->name));
	s->n = s->next = 0;
	for (uint32_t i = 0; i < kept->n; i++)
		if (kept->fds[i] >= 0 && strcmp(kept->names[i], name) == 0)
			add_bundle(s, kept->fds[i]);
	if (kept->n)
		tell_missing(s, seg);
}

int kept_sessions_find(struct kept_sessions *s, uint64_t cookie)
{
	for (uint32_t i = 0; i < s->n; i++) {
		uint32_t at = (s->next + i) % s->n;
		int fd = s->fds[at];

		if (s->cookies[at] != cookie)
			continue;
		s->next = at + 1;
		return fd;
	}
	return -1;
}

int kept_sessions_take_all(struct sockets *s, const struct segment *seg, struct kept *kept)
{
	kept_sessions_open(kept, seg);
	for (uint32_t class = 0; class < seg->n_classes; class++) {
		uint32_t n = seg->header.classes[class].n_session_sockets;
		char name[CLASS_NAME_BYTES + 8];
		int fd;

		if (n == 0)
			continue;
		snprintf(name, sizeof(name), "%s.poll.0", seg->header.classes[class].name);
		fd = kept_named(kept, name);
		for (uint32_t k = 0; fd >= 0 && k <= n; k++) {
			s->fds[s->n++] = fd;
			if (k < n)
				fd = kept_sessions_find(&kept->sessions, seg->views[class].sessions[k].cookie);
		}
		if (fd < 0)
			return -ENOENT;
	}
	return 0;
}

static int is_same_list(const struct address *a, uint32_t n_a, const struct address *b, uint32_t n_b)
{
	int is_same = n_a == n_b;

	for (uint32_t i = 0; is_same && i < n_a; i++)
		is_same = a[i].len == b[i].len && memcmp(&a[i].at, &b[i].at, a[i].len) == 0 &&
			  strcmp(a[i].scope, b[i].scope) == 0;
	return is_same;
}

/*
 * Does a class listen, send and answer as it did, by the same addresses? The numbers in a session mean the same then.
 */
static int is_same_way(const struct class_config *a, const struct class_config *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->replies, b->replies) == 0 && a->sessions == b->sessions &&
	       a->via_first_port == b->via_first_port && a->via_last_port == b->via_last_port &&
	       a->source == b->source && memcmp(&a->via, &b->via, sizeof(a->via)) == 0 &&
	       is_same_list(a->from, a->n_from, b->from, b->n_from) &&
	       is_same_list(a->listen, a->n_listen, b->listen, b->n_listen) &&
	       is_same_list(a->dests, a->n_dests, b->dests, b->n_dests);
}

static const struct session *find_class(const struct segment *seg, const struct config *was,
					const struct class_config *class)
{
	for (uint32_t i = 0; i < seg->n_classes && i < was->n_classes; i++)
		if (seg->views[i].n_sessions == class->sessions && is_same_way(&was->classes[i], class))
			return seg->views[i].sessions;
	return NULL;
}

/*
 * A fixed port that a class had, and does not go on with, is free for another socket only when the service manager has
 * let go of the bundle that its own is in.
 */
static int must_free_port(const struct kept_sessions *s, const struct config *was, const struct config *c)
{
	for (uint32_t i = 0; i < s->seg.n_classes && i < was->n_classes; i++) {
		int goes_on = 0;

		for (uint32_t class = 0; class < c->n_classes; class++)
			goes_on |= s->was[class] == s->seg.views[i].sessions;
		/* one socket for all senders is made anew, by the same port */
		if (s->seg.views[i].n_sessions &&
		    (shown_has_port(&was->classes[i]) || (was->classes[i].n_from && !goes_on)))
			return 1;
	}
	return 0;
}

/* Does any class go on? */
static int find_classes(struct kept_sessions *s, const struct config *was, const struct config *c)
{
	int any = 0;

	for (uint32_t class = 0; class < c->n_classes; class++)
		if (reply_sessions(c, class)) {
			s->was[class] = find_class(&s->seg, was, &c->classes[class]);
			any |= s->was[class] != NULL;
		}
	if (any && !must_free_port(s, was, c))
		return 1;
	memset(s->was, 0, sizeof(s->was));
	return 0;
}

static void note_ports(struct kept_sessions *s)
{
	for (uint32_t i = 0; i < s->n; i++) {
		in_port_t port = session_port(s->fds[i]);

		if (port)
			s->ports[s->n_ports++] = port;
	}
}

static void close_bundles(struct kept_sessions *s)
{
	while (s->n)
		close(s->fds[--s->n]);
	s->name[0] = '\0';
}

void kept_sessions_want(struct kept *kept, const struct config *was, const struct config *c)
{
	struct kept_sessions *s = &kept->sessions;
	int fd = kept_named(kept, "segment"), any;
	char why[WHY_BYTES];

	if (fd < 0 || segment_observe_handed(&s->seg, fd, c->instance, why))
		return;
	kept_sessions_open(kept, &s->seg);
	note_ports(s);
	any = was && find_classes(s, was, c);
	for (uint32_t i = 0; any && i < kept->n; i++) /* until the new ones are there too */
		kept->is_wanted[i] |= strcmp(kept->names[i], s->name) == 0;
	if (!any)
		close_bundles(s);
}

static const struct session_ports *ports_of(const struct segment *seg)
{
	for (uint32_t class = 0; class < seg->n_classes; class++)
		if (seg->views[class].ports)
			return seg->views[class].ports;
	return NULL;
}

static uint16_t second_at(const _Atomic uint16_t *times, uint32_t port)
{
	return atomic_load_explicit(&times[port], memory_order_relaxed); /* relaxed: its writers are gone */
}

void kept_sessions_remember_ports(const struct kept *kept, const struct segment *to)
{
	const struct session_ports *was = kept ? ports_of(&kept->sessions.seg) : NULL;
	struct session_ports *now = (struct session_ports *)ports_of(to);

	for (uint32_t port = 0; was && now && port <= UINT16_MAX; port++) { /* relaxed: no stage runs yet */
		atomic_store_explicit(&now->ended_s[port], second_at(was->ended_s, port), memory_order_relaxed);
		atomic_store_explicit(&now->changed_s[port], second_at(was->changed_s, port), memory_order_relaxed);
	}
	for (uint32_t i = 0; was && now && i < kept->sessions.n_ports; i++)
		session_port_note(now->ended_s, kept->sessions.ports[i], now_ns());
}

int kept_sessions_go_on(struct kept *kept, uint32_t class, uint32_t k, struct session *to)
{
	const struct session *was = kept ? kept->sessions.was[class] : NULL;
	int fd = was ? kept_sessions_find(&kept->sessions, was[k].cookie) : -1;

	if (fd < 0)
		return -1;
	memcpy(to, &was[k], sizeof(*to));
	to->last_forth = to->last_back = 0;
	to->first_forth = UINT64_MAX; /* its first datagram is long gone, and no lane comes that far */
	return fd;
}

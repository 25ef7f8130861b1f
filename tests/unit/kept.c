/* kept.c - sockets that a service manager has kept are used again. */
#include "hold/kept.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/value.h"
#include "loads.h"
#include "cookies.h"
#include "suites.h"

#define FIRST_PORT 21000 /* of this test alone; a run of it at the same time finds others, by its pid */

static struct config config;
static struct sockets first;
static struct kept kept;
static int shares; /* 1: the first two classes listen on one port */

static void set_port(struct address *a, uint32_t port)
{
	((struct sockaddr_in *)&a->at)->sin_port = htons((uint16_t)port);
}

/* Four classes on loopback, their sockets, and a service manager that has a copy of each. */
static void open_sockets(void)
{
	uint32_t port = FIRST_PORT + (uint32_t)getpid() % 500 * 20;

	config_defaults(&config);
	config.socket_buffer_bytes = 4096;
	for (uint32_t class = 0; class < config.n_classes; class++) {
		set_port(&config.classes[class].listen[0], port + class);
		set_port(&config.classes[class].dests[0], port + 10 + class);
	}
	if (shares) {
		char reason[REASON_BYTES];

		config.classes[0].listen[0] = config.classes[1].listen[0];
		CU_ASSERT_EQUAL_FATAL(match_parse(&config.classes[0].match, "dscp ef", reason), 0);
	}
	CU_ASSERT_EQUAL_FATAL(sockets_open(&first, &config), 0);
	memset(&kept, 0, sizeof(kept));
	for (uint32_t i = 0; i < first.n - first.n_uncounted; i++) {
		kept.fds[kept.n++] = dup(first.fds[i]);
		close(first.fds[i]);
	}
}

static void name_kept(void)
{
	FILE *out = fdopen(memfd_create("kept", 0), "w");

	config.socket_buffer_bytes = 65536; /* the least that a file may say */
	config_print(&config, out);
	fflush(out);
	kept.fds[kept.n] = dup(fileno(out));
	snprintf(kept.names[kept.n++], sizeof(kept.names[0]), "config");
	fclose(out);
	for (uint32_t i = 0; i < config.n_classes; i++)
		snprintf(kept.names[i], sizeof(kept.names[i]), "%s.in.0", config.classes[i].name);
}

static void close_sockets(struct sockets *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		close(s->fds[i]);
	for (uint32_t i = 0; i < kept.n; i++)
		if (kept.fds[i] >= 0)
			close(kept.fds[i]);
	close(first.fds[first.n - 1]); /* `space` was not kept */
}

static uint32_t n_wanted(void)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < kept.n; i++)
		n += kept.is_wanted[i] != 0;
	return n;
}

static void all_sockets_of_the_same_addresses_are_used_again(void)
{
	struct sockets second;

	open_sockets();
	kept_want(&kept, &config);
	CU_ASSERT_EQUAL(n_wanted(), 2 * config.n_classes);
	CU_ASSERT_EQUAL_FATAL(sockets_open_with(&second, &config, &kept), 0);
	for (uint32_t i = 0; i < 3 * config.n_classes; i++) /* but those in the middle, for what is denied */
		CU_ASSERT((second.cookies[i] == first.cookies[i]) == (i / config.n_classes != 1) ||
			  first.cookies[i] == 0); /* an emulator has none */
	close_sockets(&second);
}

/* What a class is called, and which it is, does not matter to a socket. */
static void a_socket_goes_to_the_class_that_has_its_address_now(void)
{
	struct class_config was;
	struct sockets second;

	open_sockets();
	was = config.classes[0];
	config.classes[0] = config.classes[1];
	config.classes[1] = was;
	kept_want(&kept, &config);
	CU_ASSERT_EQUAL_FATAL(sockets_open_with(&second, &config, &kept), 0);
	CU_ASSERT_EQUAL(second.cookies[0], first.cookies[1]);
	CU_ASSERT_EQUAL(second.cookies[1], first.cookies[0]);
	CU_ASSERT_EQUAL(second.cookies[2 * config.n_classes], first.cookies[2 * config.n_classes + 1]);
	close_sockets(&second);
}

static void a_socket_of_an_address_that_is_no_more_is_not_wanted(void)
{
	struct sockets second;

	open_sockets();
	set_port(&config.classes[0].listen[0], FIRST_PORT + (uint32_t)getpid() % 500 * 20 + 9);
	kept_want(&kept, &config);
	CU_ASSERT_EQUAL(n_wanted(), 2 * config.n_classes - 1);
	CU_ASSERT_FALSE(kept.is_wanted[0]);
	CU_ASSERT_EQUAL_FATAL(sockets_open_with(&second, &config, &kept), 0);
	CU_ASSERT(first.cookies[0] == 0 || second.cookies[0] != first.cookies[0]); /* an emulator has none */
	CU_ASSERT_EQUAL(second.cookies[1], first.cookies[1]);
	close_sockets(&second);
}

/* An input that happens to be bound where an output leads to is none. */
static void an_input_is_no_output(void)
{
	open_sockets();
	for (uint32_t class = 0; class < config.n_classes; class++)
		config.classes[class].dests[0] = config.classes[class].listen[0];
	kept_want(&kept, &config);
	CU_ASSERT_EQUAL(n_wanted(), config.n_classes);
	close_sockets(&(struct sockets){ .n = 0 });
}

/* Two classes of one port: each socket stays with its class, whatever order they were kept in. */
static void sockets_of_one_port_stay_with_their_classes(void)
{
	struct sockets second;
	int fd;

	if (!has_rules())
		SKIP("an emulator that passes no rules on");
	shares = 1;
	open_sockets();
	name_kept();
	fd = kept.fds[0];
	kept.fds[0] = kept.fds[1];
	kept.fds[1] = fd;
	snprintf(kept.names[0], sizeof(kept.names[0]), "%s.in.0", config.classes[1].name);
	snprintf(kept.names[1], sizeof(kept.names[1]), "%s.in.0", config.classes[0].name);
	kept_want(&kept, &config);
	CU_ASSERT_EQUAL(n_wanted(), 2 * config.n_classes);
	CU_ASSERT_EQUAL_FATAL(sockets_open_with(&second, &config, &kept), 0);
	CU_ASSERT_EQUAL(second.cookies[0], first.cookies[0]);
	CU_ASSERT_EQUAL(second.cookies[1], first.cookies[1]);
	close_sockets(&second);
	shares = 0;
}

/* Their places in the group are for good, and the rules return places by rank. */
static void one_port_is_bound_anew_when_its_classes_change_ranks(void)
{
	struct class_config was;

	if (!has_rules())
		SKIP("an emulator that passes no rules on");
	shares = 1;
	open_sockets();
	name_kept();
	was = config.classes[0];
	config.classes[0] = config.classes[1];
	config.classes[1] = was;
	config.classes[0].match = was.match;
	config.classes[1].match.n = 0;
	kept_want(&kept, &config);
	CU_ASSERT_EQUAL(n_wanted(), 2 * config.n_classes - 2);
	close_sockets(&(struct sockets){ .n = 0 });
	shares = 0;
}

static void one_port_is_bound_anew_when_its_classes_are_others(void)
{
	struct sockets second;

	if (!has_rules())
		SKIP("an emulator that passes no rules on");
	shares = 1;
	open_sockets();
	name_kept();
	snprintf(config.classes[0].name, sizeof(config.classes[0].name), "other");
	kept_want(&kept, &config);
	CU_ASSERT_EQUAL(n_wanted(), 2 * config.n_classes - 2);
	for (uint32_t i = 0; i < 2; i++) {
		close(kept.fds[i]);
		kept.fds[i] = -1;
	}
	CU_ASSERT_EQUAL_FATAL(sockets_open_with(&second, &config, &kept), 0);
	CU_ASSERT_NOT_EQUAL(second.cookies[0], first.cookies[0]);
	close_sockets(&second);
	shares = 0;
}

#define N_SESSIONS 300 /* two bundles */

static void looks_take_nothing_out_of_a_bundle(void)
{
	int fds[3] = { dup(0), dup(1), dup(2) }, seen[BUNDLE_FDS], bundle = bundle_make(fds, 3);

	for (int i = 0; i < 3; i++)
		close(fds[i]);
	CU_ASSERT_FATAL(bundle >= 0);
	for (int look = 0; look < 2; look++) {
		CU_ASSERT_EQUAL_FATAL(bundle_look(bundle, seen), 3);
		for (int i = 0; i < 3; i++) {
			CU_ASSERT_EQUAL(fcntl(seen[i], F_GETFD), FD_CLOEXEC);
			close(seen[i]);
		}
	}
	close(bundle);
}

/* A class that carries replies, and what a start made for it. */
static void start(struct sockets *s, struct segment *seg, const char *instance, struct kept *of)
{
	char why[WHY_BYTES];

	config_defaults(&config);
	config.socket_buffer_bytes = 65536;
	snprintf(config.instance, sizeof(config.instance), "%s%d", instance, getpid());
	config.n_classes = 2;
	config.classes[0].sessions = N_SESSIONS;
	strcpy(config.classes[0].replies, config.classes[1].name);
	config.classes[1].n_listen = config.classes[1].n_dests = 0;
	memset(s, 0, sizeof(*s));
	CU_ASSERT_EQUAL_FATAL(segment_create(seg, &config, NULL, 0, why), 0);
	CU_ASSERT_EQUAL_FATAL(sockets_open_sessions(s, &config, seg, of), 0);
	segment_remove(config.instance);
}

/* As a service manager hands it to the next start. */
static void keep(const struct sockets *s, const struct segment *seg)
{
	FILE *out = fdopen(memfd_create("kept", 0), "w");

	memset(&kept, 0, sizeof(kept));
	config_print(&config, out);
	fflush(out);
	kept.fds[kept.n] = dup(fileno(out));
	strcpy(kept.names[kept.n++], "config");
	kept.fds[kept.n] = dup(seg->fd);
	strcpy(kept.names[kept.n++], "segment");
	fclose(out);
	kept.fds[kept.n] = dup(s->fds[0]);
	snprintf(kept.names[kept.n++], sizeof(kept.names[0]), "%s.poll.0", config.classes[0].name);
	for (uint32_t i = 0; i < N_SESSIONS; i += BUNDLE_FDS) {
		uint32_t n = N_SESSIONS - i;

		kept.fds[kept.n] = bundle_make(&s->fds[1 + i], n < BUNDLE_FDS ? n : BUNDLE_FDS);
		CU_ASSERT_FATAL(kept.fds[kept.n] >= 0);
		kept_sessions_name(seg, kept.names[kept.n++]);
	}
}

/* relaxed, both: one thread */
static void set_state(struct session *s, uint32_t state)
{
	atomic_store_explicit(&s->state, state, memory_order_relaxed);
}

static uint32_t state_of(const struct session *s)
{
	return atomic_load_explicit(&s->state, memory_order_relaxed);
}

static void end_start(struct sockets *s, struct segment *seg)
{
	for (uint32_t i = 0; i < s->n; i++)
		close(s->fds[i]);
	segment_close(seg);
}

static void end_kept(void)
{
	for (uint32_t i = 0; i < kept.n; i++)
		close(kept.fds[i]);
	for (uint32_t i = 0; i < kept.sessions.n; i++)
		close(kept.sessions.fds[i]);
	if (kept.sessions.seg.shared)
		segment_close(&kept.sessions.seg);
}

/* In the new segment they are open as they were, with their sockets; nothing of them lies in its lanes. */
static void sessions_of_a_class_that_is_the_same_go_on(void)
{
	static struct sockets before, after;
	struct segment old, new;
	struct session *was, *is;

	if (!has_cookies())
		SKIP("an emulator without cookies of sockets");
	start(&before, &old, "kept", NULL);
	was = &old.views[0].sessions[N_SESSIONS - 1];
	was->number = 7;
	was->last_forth = was->last_back = 99;
	set_state(was, SESSION_OPEN);
	keep(&before, &old);
	end_start(&before, &old);
	kept_want(&kept, &config);
	start(&after, &new, "kept", &kept);
	is = &new.views[0].sessions[N_SESSIONS - 1];
	CU_ASSERT_EQUAL(state_of(is), SESSION_OPEN);
	CU_ASSERT_EQUAL(is->number, 7);
	CU_ASSERT_EQUAL(is->last_forth + is->last_back, 0);
	for (uint32_t k = 0; k < N_SESSIONS; k++) /* an emulator has no cookies: they are all 0 */
		CU_ASSERT_EQUAL(new.views[0].sessions[k].cookie, kept.sessions.was[0][k].cookie);
	end_start(&after, &new);
	end_kept();
}

static void sessions_of_a_class_that_was_changed_do_not(void)
{
	static struct sockets before, after;
	struct segment old, new;

	start(&before, &old, "kept", NULL);
	set_state(&old.views[0].sessions[0], SESSION_OPEN);
	keep(&before, &old);
	end_start(&before, &old);
	set_port(&config.classes[0].dests[0], 9999);
	kept_want(&kept, &config);
	CU_ASSERT_PTR_NULL(kept.sessions.was[0]);
	start(&after, &new, "kept", &kept);
	CU_ASSERT_EQUAL(state_of(&new.views[0].sessions[0]), SESSION_FREE);
	end_start(&after, &new);
	end_kept();
}

/* The next processes of one segment find all of its sockets; without one bundle they do not begin. */
static void the_sockets_of_a_segment_are_all_there_or_none_is(void)
{
	static struct sockets before, found;
	struct segment seg;
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	if (!has_cookies())
		SKIP("an emulator without cookies of sockets");
	start(&before, &seg, "kept", NULL);
	keep(&before, &seg);
	memset(&found, 0, sizeof(found));
	CU_ASSERT_EQUAL_FATAL(kept_sessions_take_all(&found, &seg, &kept), 0);
	CU_ASSERT_EQUAL(found.n, N_SESSIONS + 1);
	getsockopt(found.fds[N_SESSIONS], SOL_SOCKET, SO_COOKIE, &cookie, &len);
	CU_ASSERT_EQUAL(cookie, seg.views[0].sessions[N_SESSIONS - 1].cookie);
	CU_ASSERT_EQUAL(kept_sessions_take_all(&found, &seg, &kept), 0); /* asked twice: no harm */
	end_kept();
	keep(&before, &seg);
	close(kept.fds[--kept.n]);
	memset(&found, 0, sizeof(found));
	if (cookie) /* an emulator has none */
		CU_ASSERT_EQUAL(kept_sessions_take_all(&found, &seg, &kept), -ENOENT);
	end_kept();
	end_start(&before, &seg);
}

SUITE(kept, TEST(looks_take_nothing_out_of_a_bundle), TEST(sessions_of_a_class_that_is_the_same_go_on),
      TEST(sessions_of_a_class_that_was_changed_do_not), TEST(the_sockets_of_a_segment_are_all_there_or_none_is),
      TEST(sockets_of_one_port_stay_with_their_classes), TEST(one_port_is_bound_anew_when_its_classes_are_others),
      TEST(one_port_is_bound_anew_when_its_classes_change_ranks),
      TEST(all_sockets_of_the_same_addresses_are_used_again), TEST(a_socket_goes_to_the_class_that_has_its_address_now),
      TEST(a_socket_of_an_address_that_is_no_more_is_not_wanted), TEST(an_input_is_no_output))

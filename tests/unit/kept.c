/* kept.c - sockets that a service manager has kept are used again. */
#include "hold/kept.h"

#include <arpa/inet.h>
#include <sys/mman.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/value.h"
#include "loads.h"
#include "suites.h"

#define FIRST_PORT 21000 /* of this test alone; a run of it at the same time finds others, by its pid */

static struct config config;
static struct sockets first;
static struct kept kept;
static int sets_from; /* 1: the first class has `from` */
static int shares; /* 1: the first two classes listen on one port */

static void set_port(struct address *a, uint32_t port)
{
	((struct sockaddr_in *)&a->at)->sin_port = htons((uint16_t)port);
}

/* `from` of the first class. */
static void send_from(uint32_t port)
{
	struct address *from = &config.classes[0].from[0];

	*from = config.classes[0].dests[0];
	set_port(from, FIRST_PORT + (uint32_t)getpid() % 500 * 20 + port);
	config.classes[0].n_from = 1;
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
	if (sets_from)
		send_from(18);
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
	CU_ASSERT_EQUAL(memcmp(second.cookies, first.cookies, 2 * config.n_classes * sizeof(first.cookies[0])), 0);
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
	CU_ASSERT_EQUAL(second.cookies[config.n_classes], first.cookies[config.n_classes + 1]);
	close_sockets(&second);
}

static void an_output_is_used_again_where_it_leaves_from_the_same_port(void)
{
	struct sockets second;

	sets_from = 1;
	open_sockets();
	sets_from = 0;
	name_kept();
	for (uint32_t i = 0; i < config.n_classes; i++)
		snprintf(kept.names[config.n_classes + i], sizeof(kept.names[0]), "%s.out.0", config.classes[i].name);
	kept_want(&kept, &config);
	CU_ASSERT_EQUAL(n_wanted(), 2 * config.n_classes);
	memset(kept.is_wanted, 0, sizeof(kept.is_wanted));
	send_from(19);
	kept_want(&kept, &config);
	CU_ASSERT_EQUAL(n_wanted(), 2 * config.n_classes - 1);
	memset(kept.is_wanted, 0, sizeof(kept.is_wanted));
	config.classes[0].n_from = 0;
	kept_want(&kept, &config);
	CU_ASSERT_EQUAL(n_wanted(), 2 * config.n_classes - 1);
	CU_ASSERT_EQUAL_FATAL(sockets_open_with(&second, &config, &kept), 0);
	CU_ASSERT_NOT_EQUAL(second.cookies[config.n_classes], first.cookies[config.n_classes]);
	CU_ASSERT_EQUAL(second.cookies[config.n_classes + 1], first.cookies[config.n_classes + 1]);
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

SUITE(kept, TEST(sockets_of_one_port_stay_with_their_classes), TEST(one_port_is_bound_anew_when_its_classes_are_others),
      TEST(one_port_is_bound_anew_when_its_classes_change_ranks),
      TEST(all_sockets_of_the_same_addresses_are_used_again), TEST(a_socket_goes_to_the_class_that_has_its_address_now),
      TEST(an_output_is_used_again_where_it_leaves_from_the_same_port),
      TEST(a_socket_of_an_address_that_is_no_more_is_not_wanted), TEST(an_input_is_no_output))

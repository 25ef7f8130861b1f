/*
 * acl_group.c - what is denied, and which bucket has what is not: the kernel decides as the lists and bucket_of() say.
 */
#include <arpa/inet.h>
#include <CUnit/CUnit.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config/bucket.h"
#include "config/port.h"
#include "loads.h"
#include "socket_drops.h"
#include "stage/listen.h"
#include "suites.h"

#define N_BUCKETS 8
/* one of the first class, the buckets of the second, one for what each of them denies */
#define N_PLACES (N_BUCKETS + 3)

static void set_list(struct acl *acl, enum acl_list list, const char *text)
{
	char reason[REASON_BYTES] = "";

	acl_clear(acl, list);
	if (acl_add(acl, list, text, reason))
		CU_FAIL(reason);
}

/* Two classes of one port, of which both deny and one is fair. */
struct group {
	struct config c;
	int fd[N_PLACES];
};

static void open_group(struct group *g)
{
	struct address a;
	socklen_t len = sizeof(a.at);
	int probe = socket(AF_INET, SOCK_DGRAM, 0);

	CU_ASSERT_FATAL(address_parse("127.0.0.1:1", 11, &a));
	memset((uint8_t *)&a.at + offsetof(struct sockaddr_in, sin_port), 0, 2);
	CU_ASSERT_EQUAL_FATAL(bind(probe, (const struct sockaddr *)&a.at, a.len), 0);
	getsockname(probe, (struct sockaddr *)&a.at, &len);
	close(probe);
	config_defaults(&g->c);
	g->c.n_classes = 2;
	g->c.seed = 0x2545f491;
	for (uint32_t i = 0; i < 2; i++) {
		char reason[REASON_BYTES];

		g->c.classes[i].n_listen = 1;
		g->c.classes[i].listen[0] = a;
		g->c.classes[i].fair = i ? N_BUCKETS : 0;
		g->c.classes[i].source_bits[0] = 32;
		if (!i)
			CU_ASSERT_EQUAL_FATAL(match_parse(&g->c.classes[i].match, "byte 0 = 1", reason), 0);
		set_list(&g->c.classes[i].acl, ACL_DENY, i ? "127.0.3.0/24" : "127.0.2.0/24 127.0.3.4");
	}
	for (uint32_t k = 0; k < N_PLACES; k++)
		g->fd[k] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	for (uint32_t flow = 2; flow-- > 0;)
		CU_ASSERT_EQUAL_FATAL(listen_bind(&g->c, g->fd, flow), 0);
}

static void send_from(const struct group *g, const char *from, uint8_t byte)
{
	const struct address *to = &g->c.classes[0].listen[0];
	struct sockaddr_in at = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	inet_pton(AF_INET, from, &at.sin_addr);
	CU_ASSERT_EQUAL_FATAL(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	CU_ASSERT_EQUAL_FATAL(sendto(fd, &byte, 1, 0, (const struct sockaddr *)&to->at, to->len), 1);
	close(fd);
}

/* Which of the sockets has one: 0 of the first class, 1 and up of the buckets; N_PLACES: none. */
static uint32_t came_to(const struct group *g)
{
	uint32_t place = N_PLACES;
	uint8_t byte;

	for (uint32_t k = 0; k < N_PLACES; k++)
		if (recv(g->fd[k], &byte, 1, 0) == 1)
			place = k;
	return place;
}

static uint32_t denied_of(const struct group *g, uint32_t flow)
{
	uint32_t drops = 0;

	CU_ASSERT_EQUAL(socket_drops(g->fd[listen_denied(&g->c, flow)], &drops), 0);
	return drops;
}

static void the_kernel_denies_and_spreads_alike(void)
{
	uint32_t denied[2] = { 0 }, seen = 0;
	struct group g;

	if (!has_rules())
		SKIP("an emulator that passes no rules on");
	open_group(&g);
	srandom(5);
	for (int i = 0; i < 600; i++) {
		const struct bucket_rule rule = { N_BUCKETS, 32, g.c.seed };
		uint8_t byte = (uint8_t)(random() % 2), address[4] = { 127, 0 };
		uint32_t class = byte != 1, should;
		char text[INET_ADDRSTRLEN];

		address[2] = (uint8_t)(1 + random() % 3);
		address[3] = (uint8_t)(1 + random() % 20);
		inet_ntop(AF_INET, address, text, sizeof(text));
		send_from(&g, text, byte);
		should = class ? 1 + bucket_of(&rule, false, address) : 0;
		if (acl_denies(&g.c.classes[class].acl, false, address)) {
			denied[class]++;
			should = N_PLACES;
		}
		CU_ASSERT_EQUAL(came_to(&g), should);
		seen |= 1u << should % N_PLACES;
	}
	for (uint32_t flow = 0; flow < 2; flow++) {
		CU_ASSERT(denied[flow] > 50);
		CU_ASSERT_EQUAL(denied_of(&g, flow), denied[flow]);
	}
	CU_ASSERT_EQUAL(__builtin_popcount(seen), 1 + N_BUCKETS);
	for (uint32_t k = 0; k < N_PLACES; k++)
		close(g.fd[k]);
}

static void the_first_deny_of_a_lone_socket_makes_a_group(void)
{
	struct group g;

	if (!has_rules())
		SKIP("an emulator that passes no rules on");
	open_group(&g);
	for (uint32_t k = 0; k < N_PLACES; k++) {
		close(g.fd[k]);
		g.fd[k] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	}
	g.c.n_classes = 1;
	g.c.classes[0].match.n = 0;
	acl_clear(&g.c.classes[0].acl, ACL_DENY);
	CU_ASSERT_EQUAL_FATAL(listen_bind(&g.c, g.fd, 0), 0);
	CU_ASSERT_FALSE(listen_has_rule(&g.c, g.fd, 0));
	send_from(&g, "127.0.2.2", 0);
	CU_ASSERT_EQUAL(came_to(&g), 0);
	set_list(&g.c.classes[0].acl, ACL_DENY, "127.0.2.0/24");
	CU_ASSERT_EQUAL_FATAL(listen_rule(&g.c, g.fd, 0), 0);
	send_from(&g, "127.0.2.2", 0);
	send_from(&g, "127.0.1.2", 0);
	CU_ASSERT_EQUAL(came_to(&g), 0);
	CU_ASSERT_EQUAL(came_to(&g), N_PLACES);
	CU_ASSERT_EQUAL(denied_of(&g, 0), 1);
	acl_clear(&g.c.classes[0].acl, ACL_DENY);
	CU_ASSERT(listen_has_rule(&g.c, g.fd, 0)); /* else the old rules stay in force */
	CU_ASSERT_EQUAL_FATAL(listen_rule(&g.c, g.fd, 0), 0);
	send_from(&g, "127.0.2.2", 0);
	CU_ASSERT_EQUAL(came_to(&g), 0);
	for (uint32_t k = 0; k < N_PLACES; k++)
		close(g.fd[k]);
}

SUITE(acl_group, TEST(the_kernel_denies_and_spreads_alike), TEST(the_first_deny_of_a_lone_socket_makes_a_group))

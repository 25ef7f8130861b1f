/* spread.c - the sockets of several shards: bound as a group in which the kernel picks as spread_shard() says. */
#include "spread.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config/ids.h"
#include "ingress/inputs.h"
#include "loads.h"
#include "stage/gather.h"
#include "stage/listen.h"
#include "harness/emulated.h"
#include "harness/socket_program.h"
#include "suites.h"

#define SENDERS 300 /* of each number of shards */

struct group {
	struct address at;
	uint32_t n;
	int fd[MOST_SHARDS];
};

/* A port of its own, which the first socket finds. */
static void open_group(struct group *g, const char *text, uint32_t n)
{
	socklen_t len = sizeof(g->at.at);
	int on = 1, probe;

	CU_ASSERT_FATAL(address_parse(text, strlen(text), &g->at));
	memset((uint8_t *)&g->at.at + offsetof(struct sockaddr_in, sin_port), 0, 2);
	probe = socket(g->at.at.ss_family, SOCK_DGRAM, 0);
	CU_ASSERT_EQUAL_FATAL(bind(probe, (const struct sockaddr *)&g->at.at, g->at.len), 0);
	getsockname(probe, (struct sockaddr *)&g->at.at, &len);
	close(probe);
	g->n = n;
	for (uint32_t k = 0; k < n; k++) {
		g->fd[k] = socket(g->at.at.ss_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
		if (g->at.at.ss_family == AF_INET6)
			setsockopt(g->fd[k], SOL_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	}
}

static void close_group(const struct group *g)
{
	for (uint32_t k = 0; k < g->n; k++)
		close(g->fd[k]);
}

/* Which shard has one; n: none. */
static uint32_t came_to(const struct group *g)
{
	uint32_t shard = g->n;
	char byte;

	for (uint32_t k = 0; k < g->n; k++)
		if (recv(g->fd[k], &byte, sizeof(byte), 0) >= 0) {
			CU_ASSERT_EQUAL(shard, g->n); /* else it came twice */
			shard = k;
		}
	return shard;
}

/* From an address and port of its own, some with IP options, which lie in front of the port. */
static int open_sender(const struct group *g, struct sockaddr_in6 *from)
{
	int v4 = g->at.at.ss_family == AF_INET, fd = socket(g->at.at.ss_family, SOCK_DGRAM, 0);
	uint8_t no_operations[] = { 1, 1, 1, 1, 1, 1, 1, 0 };
	socklen_t len = sizeof(*from);
	char text[ADDRESS_BYTES];
	struct address a;

	snprintf(text, sizeof(text), v4 ? "127.%ld.%ld.%ld:1" : "[::1]:1", random() % 200, random() % 200,
		 1 + random() % 200);
	address_parse(text, strlen(text), &a);
	memset((uint8_t *)&a.at + offsetof(struct sockaddr_in, sin_port), 0, 2);
	CU_ASSERT_EQUAL_FATAL(bind(fd, (const struct sockaddr *)&a.at, a.len), 0);
	if (v4 && random() % 4 == 0)
		CU_ASSERT_EQUAL(setsockopt(fd, SOL_IP, IP_OPTIONS, no_operations, sizeof(no_operations)), 0);
	CU_ASSERT_EQUAL_FATAL(connect(fd, (const struct sockaddr *)&g->at.at, g->at.len), 0);
	getsockname(fd, (struct sockaddr *)from, &len);
	return fd;
}

static void judge_senders(const char *text)
{
	for (uint32_t n = 2; n <= MOST_SHARDS; n += n < 4 ? 1 : 6) {
		uint32_t n_wrong = 0, n_of[MOST_SHARDS] = { 0 };
		struct group g;

		open_group(&g, text, n);
		CU_ASSERT_EQUAL_FATAL(gather_bind(&g.at, g.fd, n), 0);
		for (int i = 0; i < SENDERS; i++) {
			struct sockaddr_in6 from;
			int fd = open_sender(&g, &from);
			uint32_t is, should = spread_shard((const struct sockaddr *)&from, n);

			send(fd, "x", 1, 0);
			is = came_to(&g);
			n_wrong += is != should;
			n_of[should]++;
			send(fd, "x", 1, 0);
			CU_ASSERT_EQUAL(came_to(&g), is);
			close(fd);
		}
		CU_ASSERT_EQUAL(n_wrong, 0);
		for (uint32_t k = 0; k < n; k++)
			CU_ASSERT(n_of[k] > 0);
		close_group(&g);
	}
}

static void the_kernel_picks_as_it_is_said_here(void)
{
	if (!has_rules())
		SKIP("an emulator without programs of socket groups");
	srandom(1);
	judge_senders("127.0.0.1:1");
	judge_senders("[::1]:1");
}

static const uint8_t *bytes_of(const void *packet, uint32_t k, uint32_t n_bytes)
{
	(void)n_bytes;
	return (const uint8_t *)packet + (k - (uint32_t)SKF_NET_OFF);
}

/* On a packet that begins with its IP header. */
static uint32_t run(const struct sock_filter *steps, uint32_t n, const uint8_t *packet)
{
	uint32_t shard = n;

	if (socket_program_run(steps, n, bytes_of, packet, 0, &shard))
		CU_FAIL_FATAL("an instruction that is not expected, or a way beyond its end");
	return shard;
}

static void behind_an_extension_header_it_is_the_address_alone(void)
{
	static const uint8_t headers[] = { IPPROTO_UDP, IPPROTO_DSTOPTS, IPPROTO_HOPOPTS, IPPROTO_FRAGMENT };
	struct sockaddr_in6 from = { .sin6_family = AF_INET6 };
	struct sock_filter steps[SPREAD_MOST_STEPS];
	uint8_t packet[48];

	srandom(2);
	for (int i = 0; i < SENDERS; i++) {
		uint8_t header = headers[i % 4];
		uint32_t n_shards = 2 + (uint32_t)i % (MOST_SHARDS - 1);
		uint32_t n = spread_program(AF_INET6, n_shards, steps);

		for (size_t k = 0; k < sizeof(packet); k++)
			packet[k] = (uint8_t)random();
		packet[6] = header;
		memcpy(&from.sin6_addr, packet + 8, sizeof(from.sin6_addr));
		from.sin6_port = 0;
		if (header == IPPROTO_UDP)
			memcpy(&from.sin6_port, packet + 40, sizeof(from.sin6_port));
		CU_ASSERT_EQUAL(run(steps, n, packet), spread_shard((const struct sockaddr *)&from, n_shards));
	}
}

/* Neighbours of all kinds: ports of one address, addresses with one port, both families. */
static void neighbours_are_spread(void)
{
	for (uint32_t n = 2; n <= MOST_SHARDS; n++)
		for (int kind = 0; kind < 4; kind++) {
			uint32_t n_of[MOST_SHARDS] = { 0 }, most = 0, least = UINT32_MAX;

			for (uint32_t i = 0; i < 1024 * n; i++) {
				struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_addr.s6_addr[15] = 1 };
				struct sockaddr_in v4 = { .sin_family = AF_INET };

				v4.sin_port = htons((uint16_t)(kind == 0 ? 1024 + i : 5060));
				v4.sin_addr.s_addr = htonl(0x0a000001 + (kind == 0 ? 0 : i));
				v6.sin6_port = htons((uint16_t)(kind == 2 ? 1024 + i : 5060));
				v6.sin6_addr.s6_addr[6] = kind == 2 ? 0 : (uint8_t)(i >> 8);
				v6.sin6_addr.s6_addr[7] = kind == 2 ? 0 : (uint8_t)i;
				n_of[spread_shard(
					kind < 2 ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6, n)]++;
			}
			for (uint32_t k = 0; k < n; k++) {
				most = n_of[k] > most ? n_of[k] : most;
				least = n_of[k] < least ? n_of[k] : least;
			}
			CU_ASSERT(least > 768);
			CU_ASSERT(most < 1280);
		}
}

static void a_port_that_somebody_has_is_refused(void)
{
	struct group g, other;

	if (is_emulated())
		SKIP("an emulator does not pass on all that a kernel says");
	open_group(&g, "127.0.0.1:1", 2);
	other = g;
	other.fd[0] = socket(AF_INET, SOCK_DGRAM, 0);
	CU_ASSERT_EQUAL_FATAL(bind(other.fd[0], (const struct sockaddr *)&g.at.at, g.at.len), 0);
	CU_ASSERT_EQUAL(gather_bind(&g.at, g.fd, 2), -EADDRINUSE);
	close(other.fd[0]);
	CU_ASSERT_EQUAL(gather_bind(&g.at, g.fd, 2), 0);
	other.fd[0] = socket(AF_INET, SOCK_DGRAM, 0);
	CU_ASSERT_EQUAL(bind(other.fd[0], (const struct sockaddr *)&g.at.at, g.at.len), -1);
	close(other.fd[0]);
	close_group(&g);
}

/* As after a death between any two of its steps: nothing has come in, and the next one completes it. */
static void a_group_that_was_begun_is_gone_on_with(void)
{
	if (!has_rules())
		SKIP("an emulator without programs of socket groups");
	for (uint32_t n_bound = 1; n_bound <= 3; n_bound++) {
		struct group g;
		struct sockaddr_in6 from;
		int fd, err;

		open_group(&g, "127.0.0.1:1", 3);
		err = n_bound > 1 ? gather_bind(&g.at, g.fd, n_bound)
				  : bind(g.fd[0], (const struct sockaddr *)&g.at.at, g.at.len);
		CU_ASSERT_EQUAL_FATAL(err, 0);
		for (uint32_t k = 0; k < n_bound; k++)
			CU_ASSERT_EQUAL(gather_shut(g.fd[k]), 0);
		fd = open_sender(&g, &from);
		send(fd, "x", 1, 0);
		CU_ASSERT_EQUAL(came_to(&g), 3);
		CU_ASSERT_EQUAL(gather_bind(&g.at, g.fd, 3), 0);
		send(fd, "x", 1, 0);
		CU_ASSERT_EQUAL(came_to(&g), spread_shard((const struct sockaddr *)&from, 3));
		close(fd);
		close_group(&g);
	}
}

/* Half made by an ingress that died: the next one must not take it for whole. */
static void the_first_shard_looks_at_the_sockets_of_all(void)
{
	static struct stage stage;
	static struct ingress in;
	struct inputs inputs;
	struct group g;

	for (uint32_t n_bound = 0; n_bound <= 3; n_bound++) {
		open_group(&g, "127.0.0.1:1", 3);
		memset(&stage, 0, sizeof(stage));
		config_defaults(&stage.config);
		stage.seg.n_shards = 3;
		in.n_inputs = 1;
		for (uint32_t k = 0; k < n_bound; k++) {
			int on = 1;

			setsockopt(g.fd[k], SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
			CU_ASSERT_EQUAL_FATAL(bind(g.fd[k], (const struct sockaddr *)&g.at.at, g.at.len), 0);
		}
		inputs_open(&inputs, &stage, &in, &g.fd[0]);
		CU_ASSERT_EQUAL(inputs.unbound, n_bound < 3);
		stage.shard = 1; /* which binds nothing itself */
		inputs_open(&inputs, &stage, &in, &g.fd[1]);
		CU_ASSERT_EQUAL(inputs.unbound, n_bound < 2);
		close_group(&g);
	}
}

SUITE(spread, TEST(the_first_shard_looks_at_the_sockets_of_all), TEST(the_kernel_picks_as_it_is_said_here),
      TEST(behind_an_extension_header_it_is_the_address_alone), TEST(neighbours_are_spread),
      TEST(a_port_that_somebody_has_is_refused), TEST(a_group_that_was_begun_is_gone_on_with))

/* via.c - the addresses that sessions leave from: which session an address is of, and how long it is nobody else's. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/table.h"
#include "hold/unexpected.h"
#include "loads.h"
#include "socket_drops.h"
#include "suites.h"

static struct via via_of(const char *text)
{
	static struct class_config class;
	char reason[REASON_BYTES];

	CU_ASSERT_EQUAL_FATAL(value_parse(&options[option_find(SCOPE_CLASS, "via")], &class, text, NULL, reason), 0);
	return class.via;
}

static void each_session_is_found_by_its_address(void)
{
	static const char *const prefixes[] = { "127.64.0.0/10", "10.1.2.0/24", "fd00:1::/64", "fd00:1::ff00/120" };

	for (size_t p = 0; p < sizeof(prefixes) / sizeof(prefixes[0]); p++) {
		struct via v = via_of(prefixes[p]);
		uint8_t address[16], other[16];

		for (uint32_t n = 1; n <= via_addresses(&v) / 4 && n < 5000; n = 3 * n + 1)
			for (int i = 0; i < 200; i++) {
				uint32_t k = (uint32_t)random() % n, number = (uint32_t)random();

				via_address(&v, n, k, number, address);
				CU_ASSERT_EQUAL(via_session(&v, n, address), (int)k);
				CU_ASSERT_EQUAL(memcmp(address, v.prefix, v.bits / 8), 0);
				via_address(&v, n, k, number + 1, other);
				CU_ASSERT_NOT_EQUAL(memcmp(address, other, sizeof(other)), 0);
			}
	}
}

static void an_address_comes_round_only_after_all_others_of_its_session(void)
{
	struct via v = via_of("10.1.2.0/24");
	uint8_t first[16], address[16];

	via_address(&v, 60, 7, 1, first);
	for (uint32_t number = 2; number < 1 + 255 / 60; number++) {
		via_address(&v, 60, 7, number, address);
		CU_ASSERT_NOT_EQUAL(memcmp(first, address, sizeof(first)), 0);
	}
	via_address(&v, 60, 7, 1 + 255 / 60, address);
	CU_ASSERT_EQUAL(memcmp(first, address, sizeof(first)), 0);
}

static void addresses_of_nobody_are_told(void)
{
	struct via v = via_of("10.1.2.0/24");
	const uint8_t network[16] = { 10, 1, 2, 0 }, beyond[16] = { 10, 1, 2, 241 }, last[16] = { 10, 1, 2, 240 };
	const uint8_t outside[16] = { 10, 1, 3, 1 }, far[16] = { 11, 1, 2, 1 };

	CU_ASSERT_EQUAL(via_session(&v, 60, network), -1);
	CU_ASSERT_EQUAL(via_session(&v, 60, beyond), -1);
	CU_ASSERT_EQUAL(via_session(&v, 60, last), 59);
	CU_ASSERT_EQUAL(via_session(&v, 60, outside), -1);
	CU_ASSERT_EQUAL(via_session(&v, 60, far), -1);
	v = via_of("fd00:1::/64");
	CU_ASSERT_EQUAL(via_session(&v, 60, far), -1);
}

static void a_prefix_is_printed_as_it_is_read_and_others_are_refused(void)
{
	static const char *const bad[] = { "",		 "127.0.0.1", "127.0.0.0/25", "10.0.0.0/7", "10.0.0.0/8x",
					   "fd00::/121", "fd00::/31", "/10",	      "x/10",	    "127.0.0.0/" };
	const struct option *o = &options[option_find(SCOPE_CLASS, "via")];
	struct class_config class = { 0 };
	char text[VALUE_BYTES], reason[REASON_BYTES];

	CU_ASSERT_STRING_EQUAL(value_format(o, &class, text), "");
	CU_ASSERT_EQUAL(value_parse(o, &class, "127.65.3.1/10", NULL, reason), 0);
	CU_ASSERT_STRING_EQUAL(value_format(o, &class, text), "127.64.0.0/10");
	CU_ASSERT_EQUAL(value_parse(o, &class, "fd00:1::5/64", NULL, reason), 0);
	CU_ASSERT_STRING_EQUAL(value_format(o, &class, text), "fd00:1::/64");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		reason[0] = '\0';
		CU_ASSERT_EQUAL(value_parse(o, &class, bad[i], NULL, reason), -EINVAL);
		CU_ASSERT_PTR_NOT_NULL(strstr(reason, "is no prefix"));
	}
}

/* Bound to `host`, with one byte that says nothing in the option field of IP if it has options. */
static int bound(const char *host, int has_options, struct sockaddr_storage *at)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	int is_v4 = inet_pton(AF_INET, host, &v4.sin_addr) == 1;
	int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	static const uint8_t nops[4] = { 1, 1, 1, 1 };
	socklen_t len = sizeof(*at);
	int on = 1;

	if (!is_v4)
		setsockopt(fd, SOL_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	CU_ASSERT(is_v4 || inet_pton(AF_INET6, host, &v6.sin6_addr) == 1);
	CU_ASSERT_EQUAL_FATAL(
		bind(fd, is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6, is_v4 ? sizeof(v4) : sizeof(v6)), 0);
	CU_ASSERT_EQUAL(getsockname(fd, (struct sockaddr *)at, &len), 0);
	if (has_options)
		CU_ASSERT_EQUAL(setsockopt(fd, SOL_IP, IP_OPTIONS, nops, sizeof(nops)), 0);
	return fd;
}

/* A class that sends to these, and the two sockets of its sessions. */
static void open_both(struct class_config *c, const struct sockaddr_storage *dests, int fd[2])
{
	struct sockaddr_storage at;

	*c = (struct class_config){ .name = "ask", .n_dests = 2, .via.bits = 10 };
	c->via.is_v6 = dests[0].ss_family == AF_INET6;
	for (uint32_t i = 0; i < 2; i++)
		c->dests[i] = (struct address){ .at = dests[i], .len = sizeof(dests[i]) };
	fd[0] = bound(c->via.is_v6 ? "::" : "0.0.0.0", 0, &at);
	fd[1] = socket(dests[0].ss_family, SOCK_DGRAM, 0);
	CU_ASSERT_EQUAL_FATAL(unexpected_bind(fd[1], fd[0], c), 0);
}

/* Is what `from` sends to the port of fd[0] taken as an answer? Or -1: it comes to neither. */
static int is_answer(int from, const char *host, const int fd[2])
{
	struct sockaddr_storage at;
	socklen_t len = sizeof(at);
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	uint32_t before = 0, after = 0;
	char byte;
	int got;

	CU_ASSERT_EQUAL(getsockname(fd[0], (struct sockaddr *)&at, &len), 0);
	memcpy(&v4, &at, sizeof(v4));
	memcpy(&v6, &at, sizeof(v6));
	CU_ASSERT(inet_pton(at.ss_family, host, at.ss_family == AF_INET ? (void *)&v4.sin_addr : &v6.sin6_addr) == 1);
	socket_drops(fd[1], &before);
	CU_ASSERT_EQUAL(
		sendto(from, "x", 1, 0, at.ss_family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6, len),
		1);
	got = (int)recv(fd[0], &byte, 1, MSG_DONTWAIT);
	socket_drops(fd[1], &after);
	return got == 1 && after == before ? 1 : got < 0 && after == before + 1 ? 0 : -1;
}

static void what_is_no_answer_comes_to_another_socket(void)
{
	/* strangers: of a destination's address, by another port, and of another address */
	static const struct {
		const char *dests[2], *strangers[2], *host;
	} worlds[] = { { { "127.0.0.1", "127.0.0.2" }, { "127.0.0.1", "127.0.0.3" }, "127.64.0.9" },
		       { { "::1", "::1" }, { "::1", "::1" }, "::1" } };

	if (!has_rules())
		SKIP("an emulator that passes no rules on");
	for (size_t w = 0; w < 2; w++)
		for (int has_options = 0; has_options < (w == 0 ? 2 : 1); has_options++) {
			struct sockaddr_storage dests[2], at;
			struct class_config c;
			int from[4], fd[2], on = 1;

			for (int i = 0; i < 2; i++) {
				from[i] = bound(worlds[w].dests[i], has_options, &dests[i]);
				from[2 + i] = bound(worlds[w].strangers[i], has_options, &at);
			}
			open_both(&c, dests, fd);
			setsockopt(from[2], SOL_SOCKET, SO_BROADCAST, &on, sizeof(on));
			if (w == 0) /* which comes to both */
				CU_ASSERT_EQUAL(is_answer(from[2], "127.255.255.255", fd), 0);
			for (int i = 0; i < 4; i++) {
				CU_ASSERT_EQUAL(is_answer(from[i], worlds[w].host, fd), i < 2);
				close(from[i]);
			}
			close(fd[0]);
			close(fd[1]);
		}
}

SUITE(via, TEST(what_is_no_answer_comes_to_another_socket), TEST(each_session_is_found_by_its_address),
      TEST(an_address_comes_round_only_after_all_others_of_its_session), TEST(addresses_of_nobody_are_told),
      TEST(a_prefix_is_printed_as_it_is_read_and_others_are_refused))

/* acl.c - whose datagrams are taken: the program for the kernel decides as the lists say, and so does the kernel. */
#include "config/acl_program.h"

#include <arpa/inet.h>
#include <CUnit/CUnit.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness/socket_program.h"
#include "loads.h"
#include "suites.h"

#define DENIED 77
#define PASSED 88
#define WORLDS 300
#define SENDERS 400 /* of each world */

static void set_list(struct acl *acl, enum acl_list list, const char *text)
{
	char reason[REASON_BYTES] = "";

	acl_clear(acl, list);
	if (acl_add(acl, list, text, reason))
		CU_FAIL(reason);
}

static const uint8_t *bytes_of(const void *header, uint32_t k, uint32_t n_bytes)
{
	(void)n_bytes;
	return (const uint8_t *)header + (k - (uint32_t)SKF_NET_OFF);
}

static uint32_t run(const struct program *p, const uint8_t *header)
{
	uint32_t verdict = 0;

	if (socket_program_run(p->steps, p->n, bytes_of, header, 0, &verdict))
		CU_FAIL_FATAL("an instruction that these programs do not have, or no end");
	return verdict;
}

/* Of few values, so that prefixes contain each other and touch. */
static void random_address(uint8_t address[16], bool is_v6)
{
	for (int i = 0; i < (is_v6 ? 16 : 4); i++)
		address[i] = random() % 3 ? (uint8_t)(random() % 4 * 85) : (uint8_t)random();
}

static void random_list(struct acl *acl, enum acl_list list, bool is_v6, long n)
{
	char text[INET6_ADDRSTRLEN + 8], address[INET6_ADDRSTRLEN], reason[REASON_BYTES];

	acl_clear(acl, list);
	for (long i = 0; i < n; i++) {
		uint8_t bytes[16];

		random_address(bytes, is_v6);
		inet_ntop(is_v6 ? AF_INET6 : AF_INET, bytes, address, sizeof(address));
		sprintf(text, "%s/%ld", address, random() % 4 ? 1 + random() % (is_v6 ? 128 : 32) : is_v6 ? 128l : 32l);
		CU_ASSERT_EQUAL_FATAL(acl_add(acl, list, text, reason), 0);
	}
}

/* The first or last address of something, or a neighbour of it: where a program would go wrong. */
static void address_at_edge(const struct acl *acl, bool is_v6, uint8_t address[16])
{
	static struct acl_range ranges[ACL_MOST_RANGES];
	uint32_t n = acl_ranges(acl, is_v6, ranges);
	int i = is_v6 ? 15 : 3;

	random_address(address, is_v6);
	if (n == 0 || random() % 4 == 0)
		return;
	memcpy(address, random() % 2 ? ranges[random() % n].first : ranges[random() % n].last, 16);
	if (random() % 2) /* one up or down */
		for (int by = random() % 2 ? 1 : -1; i >= 0; i--) {
			address[i] = (uint8_t)(address[i] + by);
			if (address[i] != (by > 0 ? 0 : 0xff))
				break;
		}
}

static void build(struct program *p, const struct acl *acl, bool is_v6)
{
	p->n = 0;
	acl_program(p, acl, is_v6, DENIED);
	program_put(p, BPF_RET | BPF_K, PASSED);
}

static void program_agrees(bool is_v6)
{
	static struct sock_filter steps[PROGRAM_MOST];
	struct program p = { .steps = steps };
	uint32_t n_wrong = 0, n_denied = 0, n_passed = 0;

	srandom(11);
	for (int world = 0; world < WORLDS; world++) {
		struct acl acl = { 0 };

		random_list(&acl, ACL_ALLOW, is_v6, random() % 2 ? 0 : random() % 40);
		random_list(&acl, ACL_DENY, is_v6, random() % (world % 10 ? 12 : 150));
		build(&p, &acl, is_v6);
		CU_ASSERT_FATAL(p.n <= PROGRAM_MOST);
		for (int i = 0; i < SENDERS; i++) {
			uint8_t header[40] = { 0 }, address[16];
			bool denied;

			address_at_edge(&acl, is_v6, address);
			memcpy(header + (is_v6 ? 8 : 12), address, is_v6 ? 16 : 4);
			denied = acl_denies(&acl, is_v6, address);
			n_wrong += run(&p, header) != (denied ? DENIED : PASSED);
			n_denied += denied;
			n_passed += !denied;
		}
	}
	CU_ASSERT_EQUAL(n_wrong, 0);
	CU_ASSERT(n_denied > WORLDS * SENDERS / 10);
	CU_ASSERT(n_passed > WORLDS * SENDERS / 10);
}

static void the_program_decides_as_the_lists_say_for_ipv4(void)
{
	program_agrees(false);
}

static void the_program_decides_as_the_lists_say_for_ipv6(void)
{
	program_agrees(true);
}

/* With nothing in common, which is what takes most. */
static uint32_t steps_of(bool is_v6, uint32_t n, int bits)
{
	static struct sock_filter steps[PROGRAM_MOST];
	struct program p = { .steps = steps };
	struct acl acl = { 0 };
	char text[INET6_ADDRSTRLEN + 8], address[INET6_ADDRSTRLEN], reason[REASON_BYTES];

	srandom(3);
	for (uint32_t i = 0; i < n; i++) {
		uint8_t bytes[16];

		for (int k = 0; k < 16; k++)
			bytes[k] = (uint8_t)random();
		inet_ntop(is_v6 ? AF_INET6 : AF_INET, bytes, address, sizeof(address));
		sprintf(text, "%s/%d", address, bits);
		CU_ASSERT_EQUAL_FATAL(acl_add(&acl, ACL_DENY, text, reason), 0);
	}
	build(&p, &acl, is_v6);
	return p.n;
}

static void a_thousand_prefixes_of_ipv4_and_256_of_ipv6_fit(void)
{
	CU_ASSERT(steps_of(false, 1000, 32) <= PROGRAM_MOST);
	CU_ASSERT(steps_of(false, 1000, 24) <= PROGRAM_MOST);
	CU_ASSERT(steps_of(true, 256, 48) <= PROGRAM_MOST);
	CU_ASSERT(steps_of(true, 256, 64) <= PROGRAM_MOST);
	CU_ASSERT(steps_of(true, 256, 128) <= PROGRAM_MOST);
}

static void what_touches_becomes_one(void)
{
	struct acl_range ranges[8];
	struct acl acl = { 0 };

	set_list(&acl, ACL_DENY, "10.0.1.0/24 10.0.0.0/24 10.0.0.7 192.168.0.0/16 10.0.2.0/23");
	CU_ASSERT_EQUAL(acl_ranges(&acl, false, ranges), 2);
	CU_ASSERT_EQUAL(memcmp(ranges[0].first, "\x0a\x00\x00\x00", 4), 0);
	CU_ASSERT_EQUAL(memcmp(ranges[0].last, "\x0a\x00\x03\xff", 4), 0);
	CU_ASSERT_EQUAL(acl_ranges(&acl, true, ranges), 0);
}

static void who_is_allowed_may_be_denied(void)
{
	struct acl acl = { 0 };
	char text[128];

	set_list(&acl, ACL_ALLOW, "10.0.0.0/8");
	set_list(&acl, ACL_DENY, "10.1.0.0/16 2001:db8::/32");
	CU_ASSERT_FALSE(acl_denies(&acl, false, (const uint8_t *)"\x0a\x00\x00\x01"));
	CU_ASSERT(acl_denies(&acl, false, (const uint8_t *)"\x0a\x01\x00\x01"));
	CU_ASSERT(acl_denies(&acl, false, (const uint8_t *)"\x0b\x00\x00\x01"));
	CU_ASSERT(acl_denies(&acl, true, (const uint8_t *)"0123456789abcdef")); /* none of `allow` */
	set_list(&acl, ACL_ALLOW, "");
	CU_ASSERT_FALSE(acl_denies(&acl, true, (const uint8_t *)"0123456789abcdef"));
	acl_format(&acl, ACL_DENY, text, sizeof(text));
	check_equal(text, "10.1.0.0/16 2001:db8::/32");
	acl_format(&acl, ACL_ALLOW, text, sizeof(text));
	check_equal(text, "");
}

static void lines_go_on_with_prefixes(void)
{
	struct config c = accepted(CLASS_TEXT "deny = 10.0.0.0/8\n\t192.0.2.7 fe80::/10\n\tcafe:1::/32 ; a comment\n"
					      "allow = 0.0.0.0/0\n");
	char text[128];

	acl_format(&c.classes[0].acl, ACL_DENY, text, sizeof(text));
	check_equal(text, "10.0.0.0/8 192.0.2.7/32 fe80::/10 cafe:1::/32");
	refused(CLASS_TEXT "deny = 10.0.0.0/33\n",
		"FILE:4: deny = \"10.0.0.0/33\": \"10.0.0.0/33\" is no address or prefix (for example 10.0.0.0/8 or "
		"2001:db8::7)");
	refused(CLASS_TEXT "late = drop\n", "FILE:4: late = \"drop\": a key of [pipeline], not of a class");
}

static void what_cannot_be_guarded_is_refused_in_a_line(void)
{
	refused("[pipeline]\nshards = 2\n" CLASS_TEXT "deny = 10.0.0.0/8\n",
		"FILE:6: deny = \"10.0.0.0/8\": the senders of a source may belong to several shards; use shards = 1");
	refused("[class a]\nlisten = 239.1.2.3%lo:1\nsend = 127.0.0.1:2\nfair = 8\n",
		"FILE:4: fair = \"8\": class a cannot have it: it listens on a multicast group, of which each socket "
		"gets each datagram");
	refused("[class a]\nlisten = 127.0.0.1:1\nsend = 127.0.0.1:2\nreplies = b\n[class b]\nsource_rate = 5/s\n",
		"FILE:6: source_rate = \"5/s\": the replies of class a go back as this class, from its destinations "
		"alone");
	refused("[class a]\nlisten = 127.0.0.1:1 127.0.0.1:3 127.0.0.1:4 127.0.0.1:5\nsend = 127.0.0.1:2\nfair = 64\n"
		"[class b]\nlisten = 127.0.0.1:6\nsend = 127.0.0.1:2\nfair = 2\n",
		"FILE:4: fair = \"64\": 258 buckets for the addresses of all classes, and there can be 256\n"
		"FILE:8: fair = \"2\": 258 buckets for the addresses of all classes, and there can be 256");
}

static void too_many_prefixes_are_refused_in_a_line(void)
{
	static char text[40000];
	char why[TEXT_BYTES];
	struct config c;

	strcpy(text, CLASS_TEXT "deny = 10.0.0.0/32\n");
	for (int i = 1; i <= 1000; i++)
		sprintf(text + strlen(text), "\t10.%d.%d.0/32\n", i / 200, i % 200 + 1);
	CU_ASSERT_EQUAL(load_bytes(&c, text, strlen(text), why), -EINVAL);
	check_equal(why, "FILE:1004: deny = \"10.5.1.0/32\": more than 1000 prefixes, or than fit into 5120 bytes for "
			 "`allow` and `deny` of a class (5 for an address of IPv4, 17 for one of IPv6); write shorter "
			 "prefixes, or have a firewall drop them");
}

static void a_reload_takes_lists_but_no_first_limit(void)
{
	struct config none = accepted(CLASS_TEXT), denies = accepted(CLASS_TEXT "deny = 10.0.0.0/8\n"),
		      limits = accepted(CLASS_TEXT "source_rate = 10/s\n"),
		      more = accepted(CLASS_TEXT "source_rate = 20/s\n");
	char text[TEXT_BYTES];

	CU_ASSERT_EQUAL(changes(&none, &denies, text), 0);
	check_equal(text, "a.deny: none -> 10.0.0.0/8\n");
	CU_ASSERT_EQUAL(changes(&none, &limits, text), 1);
	CU_ASSERT_EQUAL(changes(&limits, &more, text), 0);
}

SUITE(acl, TEST(the_program_decides_as_the_lists_say_for_ipv4), TEST(the_program_decides_as_the_lists_say_for_ipv6),
      TEST(a_thousand_prefixes_of_ipv4_and_256_of_ipv6_fit), TEST(what_touches_becomes_one),
      TEST(who_is_allowed_may_be_denied), TEST(lines_go_on_with_prefixes),
      TEST(what_cannot_be_guarded_is_refused_in_a_line), TEST(too_many_prefixes_are_refused_in_a_line),
      TEST(a_reload_takes_lists_but_no_first_limit))

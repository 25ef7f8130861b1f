/* match.c - rules for classes of one address: what they are read as, and what they decide. */
#include "config/match.h"

#include <CUnit/CUnit.h>
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "loads.h"
#include "suites.h"

static struct match rule(const char *text)
{
	struct match m = { 0 };
	char reason[REASON_BYTES] = "";

	if (match_parse(&m, text, reason))
		CU_FAIL(reason);
	return m;
}

static void a_rule_is_read_and_written_again(void)
{
	static const char *const pairs[][2] = {
		{ "dscp ef", "dscp ef" },
		{ "dscp 46,dscp 7", "dscp ef, dscp 7" },
		{ " from 10.1.2.3/16 and size<=200 ", "from 10.1.0.0/16 and size <= 200" },
		{ "from 10.1.2.3, from 2001:db8::ff/33", "from 10.1.2.3/32, from 2001:db8::/33" },
		{ "byte 0=0x80/0xc0 and size >= 12", "byte 0 = 0x80/0xc0 and size >= 12" },
		{ "byte 65534 = 9", "byte 65534 = 0x09/0xff" },
		{ "from 0.0.0.0/0", "from 0.0.0.0/0" },
	};
	char text[MATCH_BYTES];

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct match m = rule(pairs[i][0]), again;

		check_equal(match_format(&m, text), pairs[i][1]);
		again = rule(text);
		CU_ASSERT(memcmp(&m, &again, sizeof(m)) == 0);
	}
}

static void the_longest_rule_is_written_whole(void)
{
	char text[2 * MATCH_BYTES] = "", again[MATCH_BYTES];
	struct match m;

	for (int i = 0; i < MAX_TERMS; i++)
		sprintf(text + strlen(text), "%sfrom 1111:2222:3333:4444:5555:6666:7777:8888/128", i ? " and " : "");
	m = rule(text);
	CU_ASSERT_EQUAL(m.n, MAX_TERMS);
	check_equal(match_format(&m, again), text);
}

static void what_is_no_rule_is_refused_with_its_reason(void)
{
	static const char *const pairs[][2] = {
		{ "", "a term is missing; use dscp" },
		{ "dscp", "\"\" is no code point" },
		{ "dscp 64", "\"64\" is no code point; use ef" },
		{ "dscp efx", "\"efx\" is no code point" },
		{ "dscp ef size <= 3", "\"size\" where `and` or a comma is expected" },
		{ "dscp ef,", "a term is missing" },
		{ "dscp ef and", "a term is missing" },
		{ "port 5", "\"port\" begins no term" },
		{ "from 10.0.0.0/33", "\"10.0.0.0/33\" is no prefix" },
		{ "from 10.0.0/8", "is no prefix" },
		{ "from ::/129", "is no prefix" },
		{ "from nowhere", "is no prefix" },
		{ "size 200", "size needs <= or >=" },
		{ "size < 200", "size needs <= or >=" },
		{ "size <= 65536", "\"65536\" is no size" },
		{ "byte = 3", "a byte needs its place" },
		{ "byte 1 3", "a byte needs its place" },
		{ "byte 1 = 256", "a byte needs its place" },
		{ "byte 1 = 1/x", "a byte needs its place" },
		{ "byte 1 = 0x81/0x80", "byte 1: value 0x81 has bits that the mask 0x80 leaves out" },
		{ "size <= 1 and size <= 2 and size <= 3 and size <= 4 and size <= 5 and size <= 6 and size <= 7 and "
		  "size <= 8 and size <= 9 and size <= 10 and size <= 11 and size <= 12 and size <= 13",
		  "more than 12 terms" },
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		char reason[REASON_BYTES] = "";
		struct match m = { .n = 77 };

		CU_ASSERT_EQUAL(match_parse(&m, pairs[i][0], reason), -EINVAL);
		CU_ASSERT_EQUAL(m.n, 77);
		if (!strstr(reason, pairs[i][1]))
			CU_FAIL(reason);
	}
}

static bool names(const char *text, uint8_t tos, const char *source, const char *payload)
{
	struct match m = rule(text);
	uint8_t address[16];
	struct match_datagram d = { .tos = tos,
				    .is_v6 = strchr(source, ':') != NULL,
				    .source = address,
				    .payload = (const uint8_t *)payload,
				    .len_bytes = (uint32_t)strlen(payload) };

	inet_pton(d.is_v6 ? AF_INET6 : AF_INET, source, address);
	return match_eval(&m, &d);
}

static void terms_hold_together_and_alternatives_each_alone(void)
{
	const struct match none = { 0 };
	const struct match_datagram d = { 0 };

	CU_ASSERT_FALSE(match_eval(&none, &d));
	CU_ASSERT(names("dscp ef", 46 << 2, "10.0.0.1", ""));
	CU_ASSERT(names("dscp ef", 46 << 2 | 3, "10.0.0.1", "")); /* whatever ECN says */
	CU_ASSERT_FALSE(names("dscp ef", 45 << 2, "10.0.0.1", ""));
	CU_ASSERT(names("from 10.0.0.0/31", 0, "10.0.0.1", ""));
	CU_ASSERT_FALSE(names("from 10.0.0.0/32", 0, "10.0.0.1", ""));
	CU_ASSERT_FALSE(names("from 0.0.0.0/0", 0, "::1", ""));
	CU_ASSERT(names("from ::/0", 0, "::1", ""));
	CU_ASSERT(names("from 2001:db8::/33", 0, "2001:db8:7fff::1", ""));
	CU_ASSERT_FALSE(names("from 2001:db8::/33", 0, "2001:db8:8000::1", ""));
	CU_ASSERT(names("size <= 3 and size >= 3", 0, "10.0.0.1", "abc"));
	CU_ASSERT_FALSE(names("size <= 2", 0, "10.0.0.1", "abc"));
	CU_ASSERT_FALSE(names("size >= 4", 0, "10.0.0.1", "abc"));
	CU_ASSERT(names("byte 2 = 0x60/0xf0", 0, "10.0.0.1", "abc"));
	CU_ASSERT_FALSE(names("byte 3 = 0/0", 0, "10.0.0.1", "abc"));
	CU_ASSERT(names("dscp ef and size <= 2, byte 0 = 97", 46 << 2, "10.0.0.1", "abc"));
	CU_ASSERT_FALSE(names("dscp ef and size <= 2, byte 0 = 98", 46 << 2, "10.0.0.1", "abc"));
	CU_ASSERT_FALSE(names("byte 0 = 98, dscp ef and size <= 2", 46 << 2, "10.0.0.1", "abc"));
}

static void a_source_can_ask_for_the_code_point_of_a_rule(void)
{
	struct match m = rule("dscp af41, size <= 3");
	bool only;

	CU_ASSERT_EQUAL(match_dscp(&m, &only), 34);
	CU_ASSERT(only);
	m = rule("dscp af41 and size <= 3");
	CU_ASSERT_EQUAL(match_dscp(&m, &only), 34);
	CU_ASSERT_FALSE(only);
	m = rule("size <= 3, dscp ef");
	CU_ASSERT_EQUAL(match_dscp(&m, &only), -1);
	CU_ASSERT_FALSE(only);
	m.n = 0;
	CU_ASSERT_EQUAL(match_dscp(&m, &only), -1);
	CU_ASSERT_FALSE(only);
}

SUITE(match, TEST(a_rule_is_read_and_written_again), TEST(the_longest_rule_is_written_whole),
      TEST(what_is_no_rule_is_refused_with_its_reason), TEST(terms_hold_together_and_alternatives_each_alone),
      TEST(a_source_can_ask_for_the_code_point_of_a_rule))

/* via.c - the addresses that sessions leave from: which session an address is of, and how long it is nobody else's. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/table.h"
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

SUITE(via, TEST(each_session_is_found_by_its_address),
      TEST(an_address_comes_round_only_after_all_others_of_its_session), TEST(addresses_of_nobody_are_told),
      TEST(a_prefix_is_printed_as_it_is_read_and_others_are_refused))

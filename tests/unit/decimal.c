/* decimal.c - numbers are decimal whatever they begin with, and nothing else is one. */
#include <errno.h>
#include <stdint.h>

#include "decimal.h"
#include "suites.h"

static void digits_are_a_whole_number_and_what_follows_is_told(void)
{
	uint64_t n = 0;
	const char *end;

	CU_ASSERT(decimal_whole("0", 9, &n, &end) == 0 && n == 0 && *end == '\0');
	CU_ASSERT(decimal_whole("010,x", 99, &n, &end) == 0 && n == 10 && *end == ',');
	CU_ASSERT(decimal_whole("0x10", 99, &n, &end) == 0 && n == 0 && *end == 'x');
	CU_ASSERT(decimal_whole("18446744073709551615", UINT64_MAX, &n, &end) == 0 && n == UINT64_MAX);
}

static void what_is_no_digit_or_too_much_is_no_whole_number(void)
{
	static const char *const texts[] = {
		"", "-5", "+5", " 5", "\t5", "five", "1000", "999", "18446744073709551616", "99999999999999999999999"
	};
	uint64_t n = 7;
	const char *end;

	for (unsigned int i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		CU_ASSERT(decimal_whole(texts[i], 998, &n, &end) < 0 && n == 7 && end == texts[i]);
	CU_ASSERT(decimal_whole("18446744073709551616", UINT64_MAX, &n, &end) < 0);
}

static void a_real_number_is_all_of_the_text_and_in_range(void)
{
	static const char *const good[] = { "5", "0.5", ".5", "5.", "1e1", "1E+0", "010" };
	static const char *const bad[] = { "",	  "-5",	 "+5",	 " 5", "5 ", "0x5", "inf", "nan", "5x",
					   "1e9", "5,0", "1e1e", ".",  "5e", "11",  "1-2", "e1" };
	double x = -1;

	for (unsigned int i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		CU_ASSERT(decimal_real(good[i], 0, 10, &x) == 0 && x > 0 && x <= 10);
	x = -1;
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT(decimal_real(bad[i], 0, 10, &x) < 0 && x < 0);
}

static void a_point_moves_the_digits_and_a_unit_makes_them_whole(void)
{
	static const struct {
		const char *text, *rest;
		uint64_t scale, value;
		int err;
	} cases[] = {
		{ "5ms", "ms", 1000000, 5000000, 0 },
		{ "0.5ms", "ms", 1000000, 500000, 0 },
		{ "1.50", "", 2, 3, 0 },
		{ "010.10x", "x", 10, 101, 0 },
		{ "0.000000000000000000000000000000000", "", 1, 0, 0 },
		{ "0.0000001ms", "ms", 1000000, 0, -EDOM },
		{ "18446744073709551615", "", 1, UINT64_MAX, 0 },
		{ "1844674407370955161.5", "", 10, UINT64_MAX, 0 },
		{ "18446744073709551616", "", 1, 0, -ERANGE },
		{ "1844674407370955161.6", "", 10, 0, -EDOM }, /* its digits are more than 64 bits */
		{ "9223372036854775808", "", 2, 0, -ERANGE },
		{ "1.00000000000000000000000000000001", "", 1000, 0, -EDOM },
		{ "1.5.5", ".5", 2, 3, 0 },
	};

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct decimal number;
		uint64_t value = 0;
		const char *end;

		CU_ASSERT_EQUAL(decimal_exact(cases[i].text, &number, &end), 0);
		CU_ASSERT_STRING_EQUAL(end, cases[i].rest);
		CU_ASSERT_EQUAL(decimal_times(&number, cases[i].scale, &value), cases[i].err);
		CU_ASSERT_EQUAL(value, cases[i].value);
	}
}

static void a_number_begins_and_ends_with_a_digit(void)
{
	static const char *const bad[] = { "", ".5", "5.", "5.x", "-1", "+1", " 1", "x" };
	struct decimal number;
	const char *end;

	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT(decimal_exact(bad[i], &number, &end) == -EINVAL && end == bad[i]);
}

SUITE(decimal, TEST(a_point_moves_the_digits_and_a_unit_makes_them_whole), TEST(a_number_begins_and_ends_with_a_digit),
      TEST(digits_are_a_whole_number_and_what_follows_is_told), TEST(what_is_no_digit_or_too_much_is_no_whole_number),
      TEST(a_real_number_is_all_of_the_text_and_in_range))

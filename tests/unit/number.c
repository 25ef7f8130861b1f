/* number.c - quantities in a few columns. */
#include "look/number.h"

#include <string.h>

#include "units.h"
#include "suites.h"

static char number[NUMBER_BYTES];

static void numbers_keep_three_digits_in_five_characters(void)
{
	static const struct {
		double value;
		const char *text;
	} cases[] = { { 0, "0" },	  { 0.25, "0.25" },   { 1, "1" },	   { 12.34, "12.3" },
		      { 999, "999" },	  { 999.6, "1.00k" }, { 1000, "1.00k" },   { 12345, "12.3k" },
		      { 99949, "99.9k" }, { 99960, "100k" },  { 999600, "1.00M" }, { 1.5e9, "1.50G" } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CU_ASSERT_STRING_EQUAL(number_of(cases[i].value, number), cases[i].text);
	for (double v = 0.001; v < 1e17; v *= 1.01)
		CU_ASSERT(strlen(number_of(v, number)) <= 5);
	CU_ASSERT_STRING_EQUAL(number_of_count(123456, 6, number), "123456");
	CU_ASSERT_STRING_EQUAL(number_of_count(1234567, 6, number), "1.23M");
}

static void times_keep_three_digits_in_six_characters(void)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} cases[] = { { 0, "0ns" },
		      { 999, "999ns" },
		      { 139264, "139us" },
		      { 999499, "999us" },
		      { 999500, "1.00ms" },
		      { 1000000, "1ms" },
		      { 2234567, "2.23ms" },
		      { 10000000, "10ms" },
		      { 68719476736, "68.7s" },
		      { 3600000000000, "3600s" } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CU_ASSERT_STRING_EQUAL(number_of_ns(cases[i].ns, number), cases[i].text);
	for (uint64_t ns = 1; ns < 86400 * NS_PER_S; ns += 1 + ns / 97)
		CU_ASSERT(strlen(number_of_ns(ns, number)) <= 6);
	CU_ASSERT_STRING_EQUAL(number_of_age(3725 * NS_PER_S, number), "1h02m");
}

static void a_share_is_cut_and_never_rounded_up(void)
{
	CU_ASSERT_STRING_EQUAL(number_of_share(1, number), "100%");
	CU_ASSERT_STRING_EQUAL(number_of_share(0.999999999, number), "99.99%");
	CU_ASSERT_STRING_EQUAL(number_of_share(0.9712, number), "97.12%");
	CU_ASSERT_STRING_EQUAL(number_of_share(0, number), "0%");
	CU_ASSERT_STRING_EQUAL(number_of_share(-1, number), "-");
}

static void a_count_in_threes_has_all_its_digits(void)
{
	char text[GROUPED_BYTES];

	CU_ASSERT_STRING_EQUAL(number_grouped(0, text), "0");
	CU_ASSERT_STRING_EQUAL(number_grouped(999, text), "999");
	CU_ASSERT_STRING_EQUAL(number_grouped(1321, text), "1,321");
	CU_ASSERT_STRING_EQUAL(number_grouped(100000, text), "100,000");
	CU_ASSERT_STRING_EQUAL(number_grouped(UINT64_MAX, text), "18,446,744,073,709,551,615");
}

SUITE(number, TEST(numbers_keep_three_digits_in_five_characters), TEST(times_keep_three_digits_in_six_characters),
      TEST(a_share_is_cut_and_never_rounded_up), TEST(a_count_in_threes_has_all_its_digits))

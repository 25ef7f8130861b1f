/* decimal.c - numbers are decimal whatever they begin with, and nothing else is one. */
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

SUITE(decimal, TEST(digits_are_a_whole_number_and_what_follows_is_told),
      TEST(what_is_no_digit_or_too_much_is_no_whole_number), TEST(a_real_number_is_all_of_the_text_and_in_range))

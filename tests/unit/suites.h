/*
 * suites.h - how a test file registers its suite: at its end, SUITE(name, TEST(fn), TEST(fn)).
 *
 * A test's name is a sentence that is true of the program. SKIP(reason) ends a test that cannot run here:
 * it is reported as skipped, never as passed; call it from the test function itself.
 */
#ifndef ONTIME_SUITES_H
#define ONTIME_SUITES_H

#include <CUnit/CUnit.h>

struct test {
	const char *name;
	void (*run)(void);
};

struct suite {
	const char *name;
	const struct test *tests;
	unsigned int n_tests;
	struct suite *next;
};

void suite_register(struct suite *suite);
void skip_test(const char *reason);

/* clang-format off */
#define TEST(fn) { #fn, fn }
#define SKIP(reason) do { skip_test(reason); return; } while (0)
/* clang-format on */

#define SUITE(suite_name, ...)                                                                                         \
	static const struct test suite_name##_table[] = { __VA_ARGS__ };                                               \
	static struct suite suite_name##_suite = { #suite_name, suite_name##_table,                                    \
						   sizeof(suite_name##_table) / sizeof(struct test), 0 };              \
	__attribute__((constructor)) static void register_##suite_name(void)                                           \
	{                                                                                                              \
		suite_register(&suite_name##_suite);                                                                   \
	}

#endif

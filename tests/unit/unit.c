/* unit.c - the CUnit runner: `unit [SUITE..]` runs every suite or some; one line per test, then one line of counts. */
#include <CUnit/CUnit.h>
#include <CUnit/TestRun.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suites.h"

static struct suite *suites;
static const char *skipped_because;
static unsigned int n_passed, n_failed, n_skipped;

void suite_register(struct suite *suite)
{
	struct suite **at = &suites;

	while (*at && strcmp((*at)->name, suite->name) < 0)
		at = &(*at)->next;
	suite->next = *at;
	*at = suite;
}

void skip_test(const char *reason)
{
	skipped_because = reason;
}

static void print_sentence(const char *verdict, const CU_pTest test, const CU_pSuite suite)
{
	printf("%-5s %s: ", verdict, suite->pName);
	for (const char *c = test->pName; *c; c++)
		putchar(*c == '_' ? ' ' : *c);
}

static void on_start(const CU_pTest test, const CU_pSuite suite)
{
	(void)test;
	(void)suite;
	skipped_because = NULL;
}

static void on_complete(const CU_pTest test, const CU_pSuite suite, const CU_pFailureRecord failure)
{
	if (failure) {
		n_failed++;
		print_sentence("FAIL", test, suite);
		printf("\n");
		for (CU_pFailureRecord f = failure; f; f = f->pNext)
			printf("      %s:%u: %s\n", f->strFileName, f->uiLineNumber, f->strCondition);
	} else if (skipped_because) {
		n_skipped++;
		print_sentence("skip", test, suite);
		printf(": %s\n", skipped_because);
	} else {
		n_passed++;
		print_sentence("ok", test, suite);
		printf("\n");
	}
	fflush(stdout);
}

static bool is_one_of(const char *name, int n, char **names)
{
	while (n > 0 && strcmp(names[n - 1], name) != 0)
		n--;
	return n > 0;
}

int main(int argc, char **argv)
{
	CU_initialize_registry();
	CU_set_test_start_handler(on_start);
	CU_set_test_complete_handler(on_complete);
	for (struct suite *s = suites; s; s = s->next) {
		CU_pSuite suite;

		if (argc > 1 && !is_one_of(s->name, argc - 1, argv + 1))
			continue;
		suite = CU_add_suite(s->name, NULL, NULL);
		if (!suite) {
			fprintf(stderr, "unit: suite %s: %s\n", s->name, CU_get_error_msg());
			return 1;
		}
		for (unsigned int i = 0; i < s->n_tests; i++)
			CU_add_test(suite, s->tests[i].name, s->tests[i].run);
	}
	if (argc > 1 && CU_get_registry()->uiNumberOfSuites != (unsigned int)argc - 1) {
		fprintf(stderr, "unit: of %d suites asked for there are %u\n", argc - 1,
			CU_get_registry()->uiNumberOfSuites);
		return 2;
	}
	CU_run_all_tests();
	CU_cleanup_registry();
	printf("unit: %u passed, %u failed, %u skipped\n", n_passed, n_failed, n_skipped);
	return n_failed ? 1 : 0;
}

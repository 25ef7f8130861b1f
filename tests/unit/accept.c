/* accept.c - which of two types a client would rather have. */
#include "dash/accept.h"

#include <stddef.h>

#include "suites.h"

static int wants_first(const char *accept)
{
	return accept_prefers(accept, "a/first", "a/second");
}

static void a_type_counts_only_if_it_is_named(void)
{
	CU_ASSERT(!wants_first(NULL));
	CU_ASSERT(!wants_first(""));
	CU_ASSERT(!wants_first("*/*, a/*"));
	CU_ASSERT(!wants_first("a/second"));
	CU_ASSERT(wants_first("a/first"));
	CU_ASSERT(wants_first("text/html, A/First;version=1"));
}

static void of_two_types_the_one_wanted_more_counts_and_the_first_at_a_draw(void)
{
	CU_ASSERT(wants_first("a/second, a/first"));
	CU_ASSERT(wants_first("a/first;q=0.5, a/second;q=0.4"));
	CU_ASSERT(!wants_first("a/first;q=0.5, a/second;q=0.6"));
	CU_ASSERT(!wants_first("a/first; version=1; q=0.5,a/second"));
	CU_ASSERT(wants_first("a/first;q=0.1, a/first;q=0.9, a/second;q=0.5"));
}

static void a_type_with_no_quality_is_not_wanted(void)
{
	CU_ASSERT(!wants_first("a/first;q=0"));
	CU_ASSERT(!wants_first("a/first;q=x"));
	CU_ASSERT(!wants_first("a/first;q=7"));
}

SUITE(accept, TEST(a_type_counts_only_if_it_is_named),
      TEST(of_two_types_the_one_wanted_more_counts_and_the_first_at_a_draw), TEST(a_type_with_no_quality_is_not_wanted))

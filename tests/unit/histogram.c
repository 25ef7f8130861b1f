/* histogram.c - buckets without gaps, as narrow as promised, and percentiles that hold. */
#include <stdlib.h>
#include <string.h>

#include "histogram.h"
#include "random.h"
#include "suites.h"

static void buckets_follow_one_another_without_a_gap(void)
{
	CU_ASSERT_EQUAL(histogram_edge(0), 0);
	for (uint32_t b = 0; b + 1 < HISTOGRAM_BUCKETS; b++) {
		CU_ASSERT(histogram_edge(b) < histogram_edge(b + 1));
		CU_ASSERT_EQUAL(histogram_bucket(histogram_edge(b)), b);
		CU_ASSERT_EQUAL(histogram_bucket(histogram_edge(b + 1) - 1), b);
	}
}

static void a_bucket_is_at_most_a_sixteenth_wide(void)
{
	for (uint32_t b = 1u << HISTOGRAM_BITS; b + 1 < HISTOGRAM_BUCKETS; b++)
		CU_ASSERT((histogram_edge(b + 1) - histogram_edge(b)) * 16 <= histogram_edge(b));
}

static void the_last_bucket_takes_all_that_is_longer(void)
{
	CU_ASSERT_EQUAL(histogram_edge(HISTOGRAM_BUCKETS - 1), 1ULL << HISTOGRAM_TOP);
	CU_ASSERT_EQUAL(histogram_bucket((1ULL << HISTOGRAM_TOP) - 1), HISTOGRAM_BUCKETS - 2);
	CU_ASSERT_EQUAL(histogram_bucket(1ULL << HISTOGRAM_TOP), HISTOGRAM_BUCKETS - 1);
	CU_ASSERT_EQUAL(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}

static void every_value_lies_in_its_bucket(void)
{
	uint64_t random = 88172645463325252ULL;

	for (int i = 0; i < 1000000; i++) {
		uint64_t value = random_next(&random) >> (28 + random_next(&random) % 36);
		uint32_t b = histogram_bucket(value);

		if (value < histogram_edge(b) || value >= histogram_edge(b + 1))
			CU_FAIL_FATAL("a value outside its bucket");
	}
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void a_percentile_is_above_the_exact_one_by_a_sixteenth_at_most(void)
{
	static uint64_t counts[HISTOGRAM_BUCKETS], values[10007];
	static const uint32_t shares[] = { 1, 1000, 500000, 900000, 990000, 999000, 999900, 1000000 };
	uint64_t random = 7, n = sizeof(values) / sizeof(values[0]);

	memset(counts, 0, sizeof(counts));
	for (uint64_t i = 0; i < n; i++) {
		values[i] = 1000 + (random_next(&random) >> (30 + random_next(&random) % 20));
		counts[histogram_bucket(values[i])]++;
	}
	qsort(values, n, sizeof(values[0]), compare);
	for (uint32_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		uint64_t rank = (n * shares[i] + 999999) / 1000000, exact = values[rank - 1];
		uint64_t got = histogram_percentile(counts, shares[i]);

		CU_ASSERT(got >= exact && got <= exact + exact / 16 + 1);
	}
}

static void an_empty_histogram_has_no_percentiles(void)
{
	static const uint64_t counts[HISTOGRAM_BUCKETS];

	CU_ASSERT_EQUAL(histogram_percentile(counts, 500000), 0);
}

SUITE(histogram, TEST(buckets_follow_one_another_without_a_gap), TEST(a_bucket_is_at_most_a_sixteenth_wide),
      TEST(the_last_bucket_takes_all_that_is_longer), TEST(every_value_lies_in_its_bucket),
      TEST(a_percentile_is_above_the_exact_one_by_a_sixteenth_at_most), TEST(an_empty_histogram_has_no_percentiles))

/* predict.c - the line that predicts work, against the least squares of all samples at once. */
#include <stdlib.h>

#include "edf/predict.h"
#include "suites.h"

#define MOST_SAMPLES 63 /* from the next on the oldest are forgotten */

/* Of samples that weigh the same. */
static struct predict_line least_squares(uint32_t n, const double *bytes, const double *ns)
{
	struct predict_line m = { .n_samples = n };

	for (uint32_t i = 0; i < n; i++) {
		m.mean_bytes += bytes[i] / n;
		m.mean_ns += ns[i] / n;
	}
	for (uint32_t i = 0; i < n; i++) {
		m.variance += (bytes[i] - m.mean_bytes) * (bytes[i] - m.mean_bytes) / n;
		m.covariance += (bytes[i] - m.mean_bytes) * (ns[i] - m.mean_ns) / n;
	}
	m.slope = m.variance > 1 ? m.covariance / m.variance : 0;
	return m;
}

static void check_line(const struct predict_line *got, const struct predict_line *expected)
{
	CU_ASSERT_EQUAL(got->n_samples, expected->n_samples);
	CU_ASSERT_DOUBLE_EQUAL(got->mean_bytes, expected->mean_bytes, 1e-6);
	CU_ASSERT_DOUBLE_EQUAL(got->mean_ns, expected->mean_ns, 1e-6);
	CU_ASSERT_DOUBLE_EQUAL(got->slope, expected->slope, 1e-6);
}

static void samples_weigh_the_same_until_there_are_64(void)
{
	double bytes[MOST_SAMPLES], ns[MOST_SAMPLES];

	srandom(3);
	for (int round = 0; round < 20; round++) {
		struct predict_line m = { 0 };

		for (uint32_t i = 0; i < MOST_SAMPLES; i++) {
			struct predict_line expected;

			bytes[i] = (double)(random() % 1500);
			ns[i] = (double)(random() % 100000);
			predict_learn(&m, bytes[i], ns[i]);
			expected = least_squares(i + 1, bytes, ns);
			check_line(&m, &expected);
		}
	}
}

static void then_each_takes_a_64th_of_what_is_known(void)
{
	struct predict_line m = { 0 };
	double rest = 1;

	for (int i = 0; i < 64; i++)
		predict_learn(&m, 100, 1000);
	for (int i = 0; i < 300; i++) {
		predict_learn(&m, 100, 3000);
		rest *= 63.0 / 64;
		CU_ASSERT_DOUBLE_EQUAL(m.mean_ns, 3000 - 2000 * rest, 1e-6);
	}
	for (int i = 0; i < 2000; i++) /* a byte takes 7 ns now: what was before is forgotten */
		predict_learn(&m, i % 2 ? 200 : 1200, i % 2 ? 1400 : 8400);
	CU_ASSERT_DOUBLE_EQUAL(m.slope, 7, 1e-6);
	CU_ASSERT_EQUAL(predict_ns(&m, 700), 4900);
}

static void a_line_is_known_after_eight_samples(void)
{
	struct predict_line m = { 0 };

	for (int i = 0; i < 8; i++) {
		CU_ASSERT(!predict_is_known(&m));
		predict_learn(&m, 100, 1000);
	}
	CU_ASSERT(predict_is_known(&m));
}

/* Two samples have a variance of a quarter of the square of what is between them. */
static void sizes_that_hardly_differ_tell_nothing_of_a_byte(void)
{
	struct predict_line m = { 0 };

	predict_learn(&m, 100, 1000);
	predict_learn(&m, 102, 3000);
	CU_ASSERT_EQUAL(m.slope, 0);
	CU_ASSERT_EQUAL(predict_ns(&m, 1000), 2000);
	m = (struct predict_line){ 0 };
	predict_learn(&m, 100, 1000);
	predict_learn(&m, 102.5, 1500);
	CU_ASSERT_DOUBLE_EQUAL(m.slope, 200, 1e-9);
}

static void a_prediction_is_never_below_0_nor_above_32_bits(void)
{
	volatile uint32_t none = 0; /* worked out by the machine, as in a stage, not by the compiler */
	struct predict_line m = { .mean_bytes = 100, .mean_ns = 1000, .slope = 100 };

	CU_ASSERT_EQUAL(predict_ns(&m, 91), 100);
	CU_ASSERT_EQUAL(predict_ns(&m, 90), 0);
	CU_ASSERT_EQUAL(predict_ns(&m, none), 0);
	CU_ASSERT_EQUAL(predict_ns(&m, 42000000), 42000000U * 100ULL - 9000);
	CU_ASSERT_EQUAL(predict_ns(&m, UINT32_MAX), UINT32_MAX);
	m.slope = 0;
	m.mean_ns = 1; /* the least that is not nothing */
	CU_ASSERT_EQUAL(predict_ns(&m, 0), 1);
}

SUITE(predict, TEST(samples_weigh_the_same_until_there_are_64), TEST(then_each_takes_a_64th_of_what_is_known),
      TEST(a_line_is_known_after_eight_samples), TEST(sizes_that_hardly_differ_tell_nothing_of_a_byte),
      TEST(a_prediction_is_never_below_0_nor_above_32_bits))

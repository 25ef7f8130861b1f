/*
 * histogram.h - log-linear latency buckets and their percentiles, for C and BPF alike.
 *
 * Rules:   16 buckets per power of two: a bucket's width is at most 6.25 % of its lower edge.
 *          Values below 16 ns have a bucket each; the last bucket holds all from 2^36 ns (68 s) on.
 *          Bucket b covers [histogram_edge(b), histogram_edge(b + 1)).
 * Source:  the scheme of HdrHistogram (G. Tene), with a fixed precision of 4 bits.
 */
#ifndef ONTIME_HISTOGRAM_H
#define ONTIME_HISTOGRAM_H

#ifndef __bpf__
#include <stdint.h>
#endif

#define HISTOGRAM_BITS 4
#define HISTOGRAM_TOP 36 /* values from 2^36 ns on share the last bucket */
#define HISTOGRAM_BUCKETS (((HISTOGRAM_TOP - HISTOGRAM_BITS + 1) << HISTOGRAM_BITS) + 1)

/*
 * Position of the highest bit that is set; value > 0. BPF has no such instruction, and its compiler no way around that.
 */
static inline uint32_t histogram_log2(uint64_t value)
{
#ifdef __bpf__
	uint32_t log2 = 0;

	for (uint32_t step = 32; step > 0; step /= 2)
		if (value >> step) {
			value >>= step;
			log2 += step;
		}
	return log2;
#else
	return 63u - (uint32_t)__builtin_clzll(value);
#endif
}

/* histogram_bucket - the bucket of a value; never out of range. */
static inline uint32_t histogram_bucket(uint64_t value)
{
	uint32_t shift;

	if (value < (1u << HISTOGRAM_BITS))
		return (uint32_t)value;
	if (value >= (1ULL << HISTOGRAM_TOP))
		return HISTOGRAM_BUCKETS - 1;
	shift = histogram_log2(value) - HISTOGRAM_BITS;
	return (shift << HISTOGRAM_BITS) + (uint32_t)(value >> shift);
}

/* histogram_edge - the smallest value of a bucket. */
static inline uint64_t histogram_edge(uint32_t bucket)
{
	uint32_t shift;

	if (bucket < (2u << HISTOGRAM_BITS))
		return bucket;
	shift = (bucket >> HISTOGRAM_BITS) - 1;
	return (uint64_t)((bucket & ((1u << HISTOGRAM_BITS) - 1)) + (1u << HISTOGRAM_BITS)) << shift;
}

/*
 * histogram_rank - how many of `total` values lie below the one wanted. per_million: 500000 is the median, 999000
 * p99.9.
 */
static inline uint64_t histogram_rank(uint64_t total, uint32_t per_million)
{
	uint64_t rank = total / 1000000 * per_million + total % 1000000 * per_million / 1000000;

	return rank < total || total == 0 ? rank : total - 1;
}

/*
 * histogram_percentile - the upper edge of the bucket that holds the given share of all values.
 * Returns 0 for an empty histogram.
 */
static inline uint64_t histogram_percentile(const uint64_t counts[HISTOGRAM_BUCKETS], uint32_t per_million)
{
	uint64_t total = 0, rank, seen = 0;
	uint32_t b;

	for (b = 0; b < HISTOGRAM_BUCKETS; b++)
		total += counts[b];
	if (total == 0)
		return 0;
	rank = histogram_rank(total, per_million);
	for (b = 0; b < HISTOGRAM_BUCKETS - 1; b++) {
		seen += counts[b];
		if (seen > rank)
			break;
	}
	return histogram_edge(b + 1);
}

#endif

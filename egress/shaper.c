/* shaper.c - pure: the classes' shares of the way out, and its rate. */
#include "shaper.h"

#include "units.h"

#define MOST_BYTES ((16ULL << 20) + (64 << 10)) /* in a bucket: the largest burst, and the packet that fills it */

static uint64_t bytes_to_ns(const struct shaper *s, uint64_t bytes)
{
	return (bytes * BITS_PER_BYTE * NS_PER_S + s->rate_bits_per_s - 1) / s->rate_bits_per_s;
}

void shaper_init_shares(struct drr *d, const struct config *c)
{
	uint32_t quantum_bytes[MAX_CLASSES];

	for (uint32_t i = 0; i < c->n_classes; i++)
		quantum_bytes[i] = c->classes[i].egress_quantum_bytes;
	drr_init(d, c->n_classes, quantum_bytes);
}

void shaper_init(struct shaper *s, uint64_t rate_bits_per_s, uint32_t burst_bytes)
{
	*s = (struct shaper){ .rate_bits_per_s = rate_bits_per_s };
	if (rate_bits_per_s) /* rounded down, so that the bound holds */
		s->burst_ns = (uint64_t)burst_bytes * BITS_PER_BYTE * NS_PER_S / rate_bits_per_s;
}

void shaper_resume(struct shaper *s, uint64_t empty_at_ns, uint64_t rate_bits_per_s, uint64_t now)
{
	uint64_t ns, most_ns;

	s->empty_at_ns = 0;
	if (rate_bits_per_s == 0 || s->rate_bits_per_s == 0 || empty_at_ns <= now)
		return;
	most_ns = MOST_BYTES * BITS_PER_BYTE * NS_PER_S / rate_bits_per_s;
	ns = empty_at_ns - now < most_ns ? empty_at_ns - now : most_ns;
	if (rate_bits_per_s != s->rate_bits_per_s)
		ns = bytes_to_ns(s, (ns * rate_bits_per_s + BITS_PER_BYTE * NS_PER_S - 1) / (BITS_PER_BYTE * NS_PER_S));
	s->empty_at_ns = now + ns;
}

uint64_t shaper_after_ns(const struct shaper *s, uint32_t bytes, uint64_t now)
{
	if (s->rate_bits_per_s == 0)
		return 0;
	return (s->empty_at_ns < now ? now : s->empty_at_ns) + bytes_to_ns(s, bytes);
}

void shaper_charge(struct shaper *s, uint32_t bytes, uint64_t now)
{
	s->empty_at_ns = shaper_after_ns(s, bytes, now);
}

static uint64_t backlog_ns(const struct shaper *s, uint64_t now)
{
	return s->empty_at_ns > now ? s->empty_at_ns - now : 0;
}

uint32_t shaper_allows_bytes(const struct shaper *s, uint64_t now)
{
	uint64_t backlog = backlog_ns(s, now);

	if (s->rate_bits_per_s == 0)
		return UINT32_MAX;
	if (backlog >= s->burst_ns)
		return 0;
	/*
	 * The time left, at that rate, is at most the burst: nothing overflows. Rounded down, so that the bound holds.
	 */
	return (uint32_t)((s->burst_ns - backlog) * s->rate_bits_per_s / BITS_PER_BYTE / NS_PER_S);
}

uint64_t shaper_next_ns(const struct shaper *s, uint32_t bytes, uint64_t now)
{
	uint64_t cost, backlog = backlog_ns(s, now);

	if (s->rate_bits_per_s == 0)
		return now;
	cost = bytes_to_ns(s, bytes);
	if (cost > s->burst_ns) /* longer than the burst: as soon as the bucket is full */
		cost = s->burst_ns;
	return backlog + cost > s->burst_ns ? now + (backlog + cost - s->burst_ns) : now;
}

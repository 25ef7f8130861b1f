/* shaper.c - pure step: which class may send next. */
#include "shaper.h"

#include <string.h>

#define BITS 8ULL
#define NS 1000000000ULL
#define MOST_BYTES ((16ULL << 20) + (64 << 10)) /* in a bucket: the largest burst, and the packet that fills it */

static uint64_t bytes_to_ns(const struct shaper *s, uint64_t bytes)
{
	return (bytes * BITS * NS + s->rate_bits_per_s - 1) / s->rate_bits_per_s;
}

void egress_init(struct egress *e, const struct config *c)
{
	uint32_t quantum_bytes[MAX_CLASSES];

	memset(e, 0, sizeof(*e));
	for (uint32_t i = 0; i < c->n_classes; i++)
		quantum_bytes[i] = c->classes[i].egress_quantum_bytes;
	drr_init(&e->drr, c->n_classes, quantum_bytes);
	e->shaper.rate_bits_per_s = c->rate_bits_per_s;
	if (c->rate_bits_per_s) /* rounded down, so that the bound holds */
		e->shaper.burst_ns = (uint64_t)c->burst_bytes * BITS * NS / c->rate_bits_per_s;
}

int egress_pick(struct egress *e, const uint32_t *oldest_bytes)
{
	return drr_pick(&e->drr, oldest_bytes);
}

void egress_resume(struct egress *e, uint64_t empty_at_ns, uint64_t rate_bits_per_s, uint64_t now)
{
	uint64_t ns, most_ns;

	e->shaper.empty_at_ns = 0;
	if (rate_bits_per_s == 0 || e->shaper.rate_bits_per_s == 0 || empty_at_ns <= now)
		return;
	most_ns = MOST_BYTES * BITS * NS / rate_bits_per_s;
	ns = empty_at_ns - now < most_ns ? empty_at_ns - now : most_ns;
	if (rate_bits_per_s != e->shaper.rate_bits_per_s)
		ns = bytes_to_ns(&e->shaper, (ns * rate_bits_per_s + BITS * NS - 1) / (BITS * NS));
	e->shaper.empty_at_ns = now + ns;
}

uint64_t egress_after_ns(const struct egress *e, uint32_t bytes, uint64_t now)
{
	const struct shaper *s = &e->shaper;

	if (s->rate_bits_per_s == 0)
		return 0;
	return (s->empty_at_ns < now ? now : s->empty_at_ns) + bytes_to_ns(s, bytes);
}

void egress_charge(struct egress *e, int class, uint32_t bytes, uint64_t now)
{
	drr_charge(&e->drr, class, bytes);
	e->shaper.empty_at_ns = egress_after_ns(e, bytes, now);
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
	/* The time left, at that rate, is at most the burst: nothing overflows. Rounded down, so that the bound holds. */
	return (uint32_t)((s->burst_ns - backlog) * s->rate_bits_per_s / BITS / NS);
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

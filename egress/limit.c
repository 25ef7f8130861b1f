/* limit.c - a rate that is kept across kills. */
#include "limit.h"

#include "mutant.h"

/* relaxed: read when this process is gone */
static void keep(struct limit *l, uint64_t empty_at_ns)
{
	if (l->shaper.rate_bits_per_s)
		atomic_store_explicit(&l->kept->until_ns, empty_at_ns, memory_order_relaxed);
}

void limit_open(struct limit *l, struct shaped *kept, uint64_t rate_bits_per_s, uint32_t burst_bytes,
		uint32_t rescued_bytes, uint64_t now)
{
	/* relaxed, here and below: its own words, of which this process is the only writer now */
	uint64_t before_ns = atomic_load_explicit(&kept->until_ns, memory_order_relaxed), after_ns, rescued_ns;
	uint64_t before_bits_per_s = atomic_load_explicit(&kept->rate_bits_per_s, memory_order_relaxed);

	l->kept = kept;
	shaper_init(&l->shaper, rate_bits_per_s, burst_bytes);
	/* before_ns counts the rescued packets from the time the predecessor noted; they may have left just now. */
	rescued_ns = shaper_after_ns(&l->shaper, rescued_bytes, now);
	shaper_resume(&l->shaper, before_ns, before_bits_per_s, now);
	if (l->shaper.empty_at_ns < rescued_ns)
		l->shaper.empty_at_ns = rescued_ns;
	after_ns = l->shaper.empty_at_ns;
	if (before_ns == after_ns && before_bits_per_s == rate_bits_per_s)
		return;
	atomic_store_explicit(&kept->until_ns, before_ns > after_ns ? before_ns : after_ns, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
	atomic_store_explicit(&kept->rate_bits_per_s, rate_bits_per_s, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
	atomic_store_explicit(&kept->until_ns, after_ns, memory_order_relaxed);
}

void limit_note(struct limit *l, uint32_t bytes, uint64_t now)
{
	if (!mutant_is("no-note"))
		keep(l, shaper_after_ns(&l->shaper, bytes, now));
}

void limit_charge(struct limit *l, uint32_t bytes, uint64_t now)
{
	shaper_charge(&l->shaper, bytes, now);
	keep(l, l->shaper.empty_at_ns);
}

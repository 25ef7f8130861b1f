/* probe.c - the two empty functions, and the call of them. */
#include "probe.h"

#include <string.h>

#include "segment.h"

void probe_init(struct probes *p, const struct segment *seg)
{
	memset(p, 0, sizeof(*p));
	p->segment = seg->shared->header.checksum;
	for (uint32_t class = 0; class < seg->n_classes; class ++) {
		const struct lane_view *v = &seg->views[class];

		p->lanes[class] = (struct probe_lane){
			.arrivals = (uintptr_t)v->arrivals,
			.results = (uintptr_t)v->results,
			.departures = (uintptr_t)v->departures,
			.mask = v->mask,
			.class = class,
		};
	}
}

#ifndef ONTIME_NO_PROBES

/* In the file, not in .bss: the kernel finds it there by its offset. */
__attribute__((section(".probes"), used)) _Atomic uint32_t probe_watchers = 0;

/* By hand: no compiler may put anything in front of the nop, and not each of them knows `naked`. Aligned, since a call over
   the end of a page would not be put there. */
#if defined(__x86_64__)
#define NOP5 ".byte 0x0f, 0x1f, 0x44, 0x00, 0x00\n"
#define NOP1 ".byte 0x90\n"
#else
#define NOP5 "nop\n"
#define NOP1 "nop\n"
#endif
#define EMPTY_FUNCTION(name, nop)                                                                                      \
	__asm__(".pushsection .text\n"                                                                                 \
		".balign 16\n"                                                                                         \
		".globl " name "\n"                                                                                    \
		".type " name ", %function\n" name ":\n" nop "ret\n"                                                   \
		".size " name ", . - " name "\n"                                                                       \
		".popsection\n")

EMPTY_FUNCTION("probe_batch", NOP5);
EMPTY_FUNCTION("probe_batch_nop1", NOP1);

/*
 * What this process has never touched is not mapped, and what is not mapped a tracer cannot read: egress looks at no more than
 * the fate of a packet that was dropped before. After one lap of the ring nothing is left to touch.
 */
static void touch(struct probes *p, uint32_t class, uint64_t first_pkts, uint32_t n_pkts)
{
	const struct probe_lane *l = &p->lanes[class];
	const struct arrival *arrivals = (const struct arrival *)(uintptr_t)l->arrivals;
	const struct result *results = (const struct result *)(uintptr_t)l->results;
	const struct departure *departures = (const struct departure *)(uintptr_t)l->departures;

	if (first_pkts != p->next_pkts[class])
		p->touched_pkts[class] = 0; /* nobody watched meanwhile */
	p->next_pkts[class] = first_pkts + n_pkts;
	if (p->touched_pkts[class] > l->mask)
		return;
	p->touched_pkts[class] += n_pkts;
	for (uint32_t i = 0; i < n_pkts; i++) {
		uint32_t at = (uint32_t)(first_pkts + i) & l->mask;

		__asm__ volatile("" : : "r"(arrivals[at].drop), "r"(results[at].drop), "r"(departures[at].drop));
	}
}

void probe_call(struct probes *p, uint32_t class, uint64_t first_pkts, uint32_t n_pkts, uint64_t at_ns)
{
	uint16_t watchers[2];
	uint32_t both = atomic_load_explicit(&probe_watchers, memory_order_relaxed); /* relaxed: as in probe_commit() */

	if (n_pkts)
		touch(p, class, first_pkts, n_pkts);
	memcpy(watchers, &both, sizeof(both)); /* in memory order, as the kernel counts them */
	if (watchers[0])
		probe_batch(&p->lanes[class], first_pkts, n_pkts, at_ns, p->segment);
	if (watchers[1])
		probe_batch_nop1(&p->lanes[class], first_pkts, n_pkts, at_ns, p->segment);
}
#endif

/* probe.c - the two empty functions, and the call of them. */
#include "probe.h"

#include <string.h>

#include "segment.h"

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

void probe_call(const struct probes *p, uint32_t class, uint64_t first_pkts, uint32_t n_pkts, uint64_t at_ns)
{
	uint16_t watchers[2];
	uint32_t both = atomic_load_explicit(&probe_watchers, memory_order_relaxed); /* relaxed: as in probe_commit() */

	memcpy(watchers, &both, sizeof(both)); /* in memory order, as the kernel counts them */
	if (watchers[0])
		probe_batch(&p->lanes[class], first_pkts, n_pkts, at_ns, p->segment);
	if (watchers[1])
		probe_batch_nop1(&p->lanes[class], first_pkts, n_pkts, at_ns, p->segment);
}

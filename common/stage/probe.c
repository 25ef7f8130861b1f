/* probe.c - the two empty functions, and the call of them. */
#include "probe.h"

#include <string.h>

#include "shm/segment.h"

void probe_init(struct probes *p, const struct segment *seg, enum stage_id stage)
{
	memset(p, 0, sizeof(*p));
	p->views = seg->views;
	p->segment = seg->header.checksum;
	p->stage = stage;
}

#ifndef ONTIME_NO_PROBES

/* In the file, not in .bss: the kernel finds it there by its offset. */
__attribute__((section(".probes"), used)) _Atomic uint32_t probe_watchers = 0;

/*
 * By hand: no compiler may put anything in front of the nop, and not each of them knows `naked`. Aligned, since a call
 * over the end of a page would not be put there.
 */
#if defined(__x86_64__)
#define NOP5 ".byte 0x0f, 0x1f, 0x44, 0x00, 0x00\n"
#define NOP1 ".byte 0x90\n"
#define ARGUMENTS "8@%rdi 8@%rsi 8@%rdx 8@%rcx 8@%r8"
#else
#define NOP5 "nop\n"
#define NOP1 "nop\n"
#define ARGUMENTS "8@x0 8@x1 8@x2 8@x3 8@x4"
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
 * What sdt.h would write: so bpftrace, perf and systemtap know the point as ontime:batch, and raise the counter
 * themselves.
 */
__asm__(".pushsection .stapsdt.base, \"aG\", %progbits, .stapsdt.base, comdat\n"
	".weak _.stapsdt.base\n"
	".hidden _.stapsdt.base\n"
	"_.stapsdt.base: .space 1\n"
	".size _.stapsdt.base, 1\n"
	".popsection\n"
	".pushsection .note.stapsdt, \"\", %note\n"
	".balign 4\n"
	".4byte 992f - 991f, 994f - 993f, 3\n"
	"991: .asciz \"stapsdt\"\n"
	"992: .balign 4\n"
	"993: .8byte probe_batch, _.stapsdt.base, probe_watchers\n"
	".asciz \"ontime\"\n"
	".asciz \"batch\"\n"
	".asciz \"" ARGUMENTS "\"\n"
	"994: .balign 4\n"
	".popsection\n");

/* Clocks are read once per batch: a wait may seem to end before it began. */
static uint64_t span_ns(uint64_t from, uint64_t to)
{
	return to > from ? to - from : 0;
}

static uint64_t *add_ingress(uint64_t *to, const struct arrival *a)
{
	if (a->drop != DROP_NONE)
		return to;
	*to++ = span_ns(a->arrived_at_ns, a->read_at_ns);
	*to++ = span_ns(a->read_at_ns, a->published_at_ns);
	return to;
}

static uint64_t *add_edf(uint64_t *to, const struct arrival *a, const struct result *r)
{
	if (r->drop != DROP_NONE)
		return to;
	*to++ = span_ns(a->published_at_ns, r->started_at_ns);
	*to++ = span_ns(r->started_at_ns, r->done_at_ns);
	return to;
}

static uint64_t *add_egress(uint64_t *to, const struct arrival *a, const struct result *r, const struct departure *d,
			    uint64_t sent_at_ns)
{
	if (r->drop != DROP_NONE || d->drop != DROP_NONE)
		return to;
	*to++ = span_ns(r->done_at_ns, d->handed_at_ns);
	*to++ = span_ns(d->handed_at_ns, sent_at_ns);
	*to++ = span_ns(a->arrived_at_ns, sent_at_ns);
	return to;
}

/* A stage passes on BATCH packets at most that it does not drop, whatever lies between them. Returns how many. */
static uint32_t lay_out(struct probes *p, const struct lane_view *v, uint64_t word, uint32_t n_pkts, uint64_t at_ns)
{
	uint32_t n_spans = p->stage == STAGE_EGRESS ? PROBE_SPANS : PROBE_SPANS - 1;
	uint64_t *to = p->spans_ns, *last = p->spans_ns + BATCH * n_spans;

	for (uint32_t i = 0; i < n_pkts && to < last; i++) {
		uint32_t at = lane_index(v, word, i);

		if (p->stage == STAGE_INGRESS)
			to = add_ingress(to, &v->arrivals[at]);
		else if (p->stage == STAGE_EDF)
			to = add_edf(to, &v->arrivals[at], &v->results[at]);
		else
			to = add_egress(to, &v->arrivals[at], &v->results[at], &v->departures[at], at_ns);
	}
	return (uint32_t)(to - p->spans_ns) / n_spans;
}

void probe_call(struct probes *p, uint32_t class, uint64_t word, uint32_t n_pkts, uint64_t at_ns)
{
	uint64_t n_counted = n_pkts ? lay_out(p, &p->views[class], word, n_pkts, at_ns) : 0;
	uint64_t first_pkts = word >> COUNT_SHIFT, batch = n_pkts | (uint64_t)class << 32;
	uint32_t both = atomic_load_explicit(&probe_watchers, memory_order_relaxed); /* relaxed: as in probe_commit() */
	uint16_t watchers[2];

	memcpy(watchers, &both, sizeof(both)); /* in memory order, as the kernel counts them */
	if (watchers[0])
		probe_batch(p->spans_ns, n_counted, first_pkts, batch, p->segment);
	if (watchers[1])
		probe_batch_nop1(p->spans_ns, n_counted, first_pkts, batch, p->segment);
}
#endif

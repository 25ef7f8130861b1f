/*
 * latency.bpf.c - kernel side: where each packet's time goes, per class and span, as histograms.
 *
 * Memory:  maps, pinned by the loader (run/latency/latency.c), which leaves; they live as long as their pins.
 * Rules:   one hit per batch (common/stage/probe.h) brings the spans of its packets. Only hits of the instance it was
 *          loaded for count.
 *          A row has one writer: its stage is one thread, and a successor starts when that is gone. So plain adds lose
 *          nothing (tests/latency/counts.c holds them to the last packet).
 *          Neighbours mostly fall into the same bucket: they are added up first, as a run.
 * Crash:   a hit is not cut short by SIGKILL. A batch that was hit and not committed is hit again: see struct
 *          latency_progress.
 */
#include "maps.bpf.h"

#define COUNT_MASK (~0ULL >> (64 - LATENCY_COUNT_BITS))

/* The run being added up: values v with v - low < width. */
struct open_run {
	uint64_t low_ns, width_ns, sum_ns, max_ns;
	uint32_t bucket, n_pkts;
};

/* One per stage, as one thread is at work there. */
static struct {
	uint64_t spans_ns[LATENCY_RUNS];
	struct open_run runs[LATENCY_STAGE_SPANS];
} scratch[LATENCY_STAGES];

/* The k-th span that a stage ends. */
static __always_inline uint32_t span_of(uint32_t stage, uint32_t k)
{
	return stage == EGRESS && k == 2 ? LATENCY_TOTAL : 2 * stage + k;
}

static __always_inline uint32_t n_spans_of(uint32_t stage)
{
	return stage == EGRESS ? 3 : 2;
}

/* Add a run to its histogram, and note it: it may have to be taken back. */
static __always_inline void close_run(struct open_run *o, struct latency_histogram *h, struct latency_progress *p,
				      uint32_t span)
{
	uint32_t bucket = o->bucket, i = p->n_runs;

	if (o->n_pkts == 0 || bucket >= HISTOGRAM_BUCKETS || i >= LATENCY_RUNS)
		return;
	h->buckets[bucket] += o->n_pkts;
	h->count += o->n_pkts;
	h->sum_ns += o->sum_ns;
	if (o->max_ns > h->max_ns)
		h->max_ns = o->max_ns;
	p->runs[i].sum_ns = o->sum_ns;
	p->runs[i].span = (uint16_t)span;
	p->runs[i].bucket = (uint16_t)bucket;
	p->runs[i].n_pkts = o->n_pkts;
	p->n_runs = i + 1;
}

static __always_inline void open_run(struct open_run *o, uint64_t ns)
{
	o->bucket = histogram_bucket(ns);
	o->low_ns = histogram_edge(o->bucket);
	o->width_ns = (o->bucket < HISTOGRAM_BUCKETS - 1 ? histogram_edge(o->bucket + 1) : ~0ULL) - o->low_ns;
	o->n_pkts = 0;
	o->sum_ns = o->max_ns = 0;
}

/*
 * A value outside the run: close that, open the one it belongs to. Global, as all that has many paths and many callers.
 */
__noinline int change_run(uint32_t stage, uint32_t class, uint32_t k, uint64_t ns)
{
	struct latency_progress *p = progress_of(stage, class);
	struct latency_histogram *h;
	struct open_run *o;

	if (stage >= LATENCY_STAGES || k >= LATENCY_STAGE_SPANS || !p)
		return 0;
	h = histogram_of(class, span_of(stage, k));
	if (!h)
		return 0;
	o = &scratch[stage].runs[k];
	close_run(o, h, p, span_of(stage, k));
	open_run(o, ns);
	return 0;
}

static __always_inline void add(uint32_t stage, uint32_t class, uint32_t k, uint64_t ns)
{
	struct open_run *o = &scratch[stage].runs[k];

	if (ns - o->low_ns >= o->width_ns)
		change_run(stage, class, k, ns);
	o->n_pkts++;
	o->sum_ns += ns;
	if (ns > o->max_ns)
		o->max_ns = ns;
}

/* n packets of a stage that is known here. */
static __always_inline void count(uint32_t stage, uint32_t class, uint32_t n)
{
	uint32_t n_spans = n_spans_of(stage);

	for (uint32_t i = 0; i < LATENCY_BATCH; i++) {
		const uint64_t *spans_ns = &scratch[stage].spans_ns[i * n_spans];

		asm volatile(
			""
			: "+r"(n)); /* clang 19 infers n <= LATENCY_BATCH and drops that bound, which verifiers need */
		if (i >= n)
			break;
		add(stage, class, 0, spans_ns[0]);
		add(stage, class, 1, spans_ns[1]);
		if (n_spans == 3)
			add(stage, class, 2, spans_ns[2]);
	}
	for (uint32_t k = 0; k < n_spans; k++) {
		change_run(stage, class, k, 0);
		scratch[stage].runs[k].width_ns = 0; /* the next value opens a run */
	}
}

/*
 * The spans of n packets, from the stage's memory. The size is made and compared in one register of 64 bits that the
 * compiler can neither halve nor spill in between: verifiers before Linux 6.8 lose a bound over either. 0, or not.
 */
static __always_inline long copy_spans(uint32_t stage, const uint64_t *from, uint64_t n)
{
	uint64_t bytes = n * n_spans_of(stage) * sizeof(*from);

	asm volatile("" : "+r"(bytes));
	if (bytes > LATENCY_BATCH * n_spans_of(stage) * sizeof(*from))
		return -1;
	return bpf_probe_read_user(scratch[stage].spans_ns, bytes, from);
}

/* The last batch is about to come again: as if it had not been. */
__noinline int take_back(uint32_t stage, uint32_t class)
{
	struct latency_progress *p = progress_of(stage, class);

	if (!p)
		return 0;
	for (uint32_t i = 0; i < LATENCY_RUNS && i < p->n_runs; i++) {
		struct latency_run *run = &p->runs[i];
		struct latency_histogram *h = histogram_of(class, run->span);
		uint32_t bucket = run->bucket;

		if (!h || bucket >= HISTOGRAM_BUCKETS)
			continue;
		h->buckets[bucket] -= run->n_pkts;
		h->count -= run->n_pkts;
		h->sum_ns -= run->sum_ns;
	}
	for (uint32_t k = 0; k < LATENCY_STAGE_SPANS && k < n_spans_of(stage); k++) {
		struct latency_histogram *h = histogram_of(class, span_of(stage, k));

		if (h)
			h->max_ns = p->max_before_ns[k];
	}
	return 0;
}

/* Forget all that was counted before the loader asked to. */
__noinline int start_anew(uint32_t stage, uint32_t class)
{
	struct latency_progress *p = progress_of(stage, class);

	for (uint32_t k = 0; k < LATENCY_STAGE_SPANS && k < n_spans_of(stage); k++)
		clear(class * LATENCY_SPANS + span_of(stage, k));
	if (!p)
		return 0;
	p->missed_pkts = p->batches = p->again_batches = 0;
	p->started = 0;
	p->generation = control.generation;
	return 0;
}

static __always_inline void begin_batch(struct latency_progress *p, uint32_t stage, uint32_t class, uint64_t first,
					uint32_t n)
{
	uint64_t ahead = (first - p->next_pkts) & COUNT_MASK;

	if (p->generation != control.generation)
		start_anew(stage, class);
	if (!p->started) {
		p->since_pkts = first;
		p->started = 1;
	} else if (first == p->first_pkts) {
		take_back(stage, class);
		p->again_batches++;
	} else if (ahead <= COUNT_MASK / 2) {
		p->missed_pkts += ahead;
	}
	p->first_pkts = first;
	p->next_pkts = (first + n) & COUNT_MASK;
	p->n_runs = 0;
	p->batches++;
	for (uint32_t k = 0; k < LATENCY_STAGE_SPANS && k < n_spans_of(stage); k++) {
		struct latency_histogram *h = histogram_of(class, span_of(stage, k));

		if (h)
			p->max_before_ns[k] = h->max_ns;
	}
}

/* A heartbeat tells which process the stage is, and that all this works while nothing comes. */
static __always_inline void note_hit(uint32_t stage, uint32_t n_pkts)
{
	struct latency_stage *s = bpf_map_lookup_elem(&stages, &stage);

	if (!s)
		return;
	s->hits++;
	if (n_pkts == 0)
		s->pid = (uint32_t)(bpf_get_current_pid_tgid() >> 32);
}

/* batch: packets | class << 32 */
static __always_inline int on_batch(uint32_t stage, const uint64_t *spans_ns, uint32_t n, uint64_t first,
				    uint64_t batch, uint64_t segment)
{
	uint32_t n_pkts = batch, class = batch >> 32;
	struct latency_progress *p;

	if (segment != settings.segment)
		return 0;
	note_hit(stage, n_pkts);
	p = progress_of(stage, class);
	if (n_pkts == 0 || !p || class >= settings.n_classes || n > LATENCY_BATCH)
		return 0;
	begin_batch(p, stage, class, first, n_pkts);
	if (copy_spans(stage, spans_ns, n)) {
		p->missed_pkts += n_pkts;
		return 0;
	}
	count(stage, class, n);
	return 0;
}

SEC("uprobe")
int BPF_KPROBE(ingress, const uint64_t *spans_ns, uint64_t n, uint64_t first, uint64_t batch, uint64_t segment)
{
	return on_batch(INGRESS, spans_ns, n, first, batch, segment);
}

SEC("uprobe")
int BPF_KPROBE(edf, const uint64_t *spans_ns, uint64_t n, uint64_t first, uint64_t batch, uint64_t segment)
{
	return on_batch(EDF, spans_ns, n, first, batch, segment);
}

SEC("uprobe")
int BPF_KPROBE(egress, const uint64_t *spans_ns, uint64_t n, uint64_t first, uint64_t batch, uint64_t segment)
{
	return on_batch(EGRESS, spans_ns, n, first, batch, segment);
}

#include "report.bpf.h"
#include "wakeups.bpf.h"

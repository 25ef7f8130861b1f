/*
 * latency.bpf.c - kernel side: where each packet's time goes, per class and span, as histograms.
 *
 * Memory:  maps, pinned by the loader (run/latency.c), which leaves; they live as long as their pins.
 * Rules:   one hit per batch (common/probe.h) brings the spans of its packets. Only hits of the instance it was loaded for count.
 *          A row has one writer: its stage is one thread, and a successor starts when that is gone. So plain adds lose
 *          nothing (tests/latency_counts.c holds them to the last packet).
 *          Neighbours mostly fall into the same bucket: they are added up first, as a run.
 * Crash:   a hit is not cut short by SIGKILL. A batch that was hit and not committed is hit again: see struct latency_progress.
 */
#include "latency_maps.bpf.h"

#define EGRESS_WAIT 4 /* the number of its first span, as in enum span */
#define EGRESS_SEND 5
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
static void close_run(struct open_run *o, struct latency_histogram *h, struct latency_progress *p, uint32_t span)
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

static void open_run(struct open_run *o, uint64_t ns)
{
	o->bucket = histogram_bucket(ns);
	o->low_ns = histogram_edge(o->bucket);
	o->width_ns = (o->bucket < HISTOGRAM_BUCKETS - 1 ? histogram_edge(o->bucket + 1) : ~0ULL) - o->low_ns;
	o->n_pkts = 0;
	o->sum_ns = o->max_ns = 0;
}

static __always_inline void add(struct open_run *o, struct latency_histogram *h, struct latency_progress *p,
				uint32_t span, uint64_t ns)
{
	if (ns - o->low_ns >= o->width_ns) {
		close_run(o, h, p, span);
		open_run(o, ns);
	}
	o->n_pkts++;
	o->sum_ns += ns;
	if (ns > o->max_ns)
		o->max_ns = ns;
}

static __always_inline void finish(struct open_run *o, struct latency_histogram *h, struct latency_progress *p,
				   uint32_t span)
{
	close_run(o, h, p, span);
	o->n_pkts = 0;
	o->width_ns = 0; /* the next value opens a run */
}

/* n packets with two spans, or with three. */
static __always_inline void count_two(uint32_t stage, uint32_t class, uint32_t n)
{
	uint32_t span0 = span_of(stage, 0), span1 = span_of(stage, 1);
	struct latency_histogram *h0 = histogram_of(class, span0), *h1 = histogram_of(class, span1);
	struct latency_progress *p = progress_of(stage, class);
	struct open_run *runs = scratch[stage].runs;

	if (!h0 || !h1 || !p)
		return;
	for (uint32_t i = 0; i < LATENCY_BATCH && i < n; i++) {
		add(&runs[0], h0, p, span0, scratch[stage].spans_ns[2 * i]);
		add(&runs[1], h1, p, span1, scratch[stage].spans_ns[2 * i + 1]);
	}
	finish(&runs[0], h0, p, span0);
	finish(&runs[1], h1, p, span1);
}

/* Not static, and so the next two: each is verified alone, whatever its caller knows. */
__noinline int count_ingress(uint32_t class, uint32_t n)
{
	count_two(INGRESS, class, n);
	return 0;
}

__noinline int count_edf(uint32_t class, uint32_t n)
{
	count_two(EDF, class, n);
	return 0;
}

__noinline int count_egress(uint32_t class, uint32_t n)
{
	struct latency_histogram *wait = histogram_of(class, EGRESS_WAIT), *send = histogram_of(class, EGRESS_SEND);
	struct latency_histogram *total = histogram_of(class, LATENCY_TOTAL);
	struct latency_progress *p = progress_of(EGRESS, class);
	struct open_run *runs = scratch[EGRESS].runs;

	if (!wait || !send || !total || !p)
		return 0;
	for (uint32_t i = 0; i < LATENCY_BATCH && i < n; i++) {
		add(&runs[0], wait, p, EGRESS_WAIT, scratch[EGRESS].spans_ns[3 * i]);
		add(&runs[1], send, p, EGRESS_SEND, scratch[EGRESS].spans_ns[3 * i + 1]);
		add(&runs[2], total, p, LATENCY_TOTAL, scratch[EGRESS].spans_ns[3 * i + 2]);
	}
	finish(&runs[0], wait, p, EGRESS_WAIT);
	finish(&runs[1], send, p, EGRESS_SEND);
	finish(&runs[2], total, p, LATENCY_TOTAL);
	return 0;
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

	for (uint32_t k = 0; k < LATENCY_STAGE_SPANS && k < n_spans_of(stage); k++) {
		struct latency_histogram *h = histogram_of(class, span_of(stage, k));

		if (h)
			clear(h);
	}
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
	if (bpf_probe_read_user(scratch[stage].spans_ns, n * n_spans_of(stage) * sizeof(*spans_ns), spans_ns)) {
		p->missed_pkts += n_pkts;
		return 0;
	}
	return stage == INGRESS ? count_ingress(class, n) : stage == EDF ? count_edf(class, n) : count_egress(class, n);
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

#include "latency_report.bpf.h"
#include "latency_wakeups.bpf.h"

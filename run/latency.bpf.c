/*
 * latency.bpf.c - kernel side: where each packet's time goes, per class and span, as histograms.
 *
 * Memory:  maps, pinned by the loader (run/latency.c), which leaves; they live as long as their pins.
 * Rules:   one hit per batch reads the slots' own time stamps (packet.h) from the stage's memory. Only hits of the instance it was
 *          loaded for count. A row has one writer: its stage is one thread, and a successor starts when that is gone. So
 *          plain adds lose nothing, and a packet costs 10 ns less than with atomic ones.
 *          Neighbours mostly fall into the same bucket: they are added up first, as a run.
 * Crash:   a hit is not cut short by SIGKILL. A batch that was hit and not committed is hit again: see struct latency_progress.
 */
#include "latency_maps.bpf.h"

#define COUNT_MASK (~0ULL >> 8) /* a commit word counts packets modulo 2^56 */
#define CHUNKS 9 /* of LATENCY_BATCH slots: egress passes up to 512 at once, dropped ones among them */

enum { SOCKET, INGRESS_SPAN, EDF_WAIT, EDF_WORK, EGRESS_WAIT, EGRESS_SEND };

/* The run being added up: values v with v - low < width. */
struct open_run {
	uint64_t low_ns, width_ns, sum_ns, max_ns;
	uint32_t bucket, n_pkts;
};

/* One per stage, as one thread is at work there. */
static struct {
	struct arrival arrivals[LATENCY_BATCH];
	struct result results[LATENCY_BATCH];
	struct departure departures[LATENCY_BATCH];
	struct open_run runs[LATENCY_STAGE_SPANS];
} scratch[LATENCY_STAGES];

static uint64_t span_ns(uint64_t from, uint64_t to)
{
	return to > from ? to - from : 0; /* clocks are read once per batch: a wait may seem to end before it began */
}

/* Add a run to its histogram, and note it: it may have to be taken back. */
static void close_run(struct open_run *o, struct latency_histogram *h, struct latency_progress *p, uint32_t span)
{
	uint32_t bucket = o->bucket, i = p->n_runs;

	if (o->n_pkts == 0 || bucket >= HISTOGRAM_BUCKETS)
		return;
	h->buckets[bucket] += o->n_pkts;
	h->count += o->n_pkts;
	h->sum_ns += o->sum_ns;
	if (o->max_ns > h->max_ns)
		h->max_ns = o->max_ns;
	if (i >= LATENCY_RUNS) /* a stage passes on LATENCY_BATCH at most */
		return;
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

/* The three below count what was read to scratch. Not static: each is verified once, not once per caller and loop. */
__noinline int count_ingress(uint32_t class, uint32_t n)
{
	struct latency_histogram *socket = histogram_of(class, SOCKET), *ingress = histogram_of(class, INGRESS_SPAN);
	struct latency_progress *p = progress_of(INGRESS, class);
	struct open_run *runs = scratch[INGRESS].runs;

	if (!socket || !ingress || !p)
		return 0;
	for (uint32_t i = 0; i < LATENCY_BATCH && i < n; i++) {
		const struct arrival *a = &scratch[INGRESS].arrivals[i];

		if (a->drop)
			continue;
		add(&runs[0], socket, p, SOCKET, span_ns(a->arrived_at_ns, a->read_at_ns));
		add(&runs[1], ingress, p, INGRESS_SPAN, span_ns(a->read_at_ns, a->published_at_ns));
	}
	finish(&runs[0], socket, p, SOCKET);
	finish(&runs[1], ingress, p, INGRESS_SPAN);
	return 0;
}

__noinline int count_edf(uint32_t class, uint32_t n)
{
	struct latency_histogram *wait = histogram_of(class, EDF_WAIT), *work = histogram_of(class, EDF_WORK);
	struct latency_progress *p = progress_of(EDF, class);
	struct open_run *runs = scratch[EDF].runs;

	if (!wait || !work || !p)
		return 0;
	for (uint32_t i = 0; i < LATENCY_BATCH && i < n; i++) {
		const struct arrival *a = &scratch[EDF].arrivals[i];
		const struct result *r = &scratch[EDF].results[i];

		if (r->drop)
			continue;
		add(&runs[0], wait, p, EDF_WAIT, span_ns(a->published_at_ns, r->started_at_ns));
		add(&runs[1], work, p, EDF_WORK, span_ns(r->started_at_ns, r->done_at_ns));
	}
	finish(&runs[0], wait, p, EDF_WAIT);
	finish(&runs[1], work, p, EDF_WORK);
	return 0;
}

__noinline int count_egress(uint32_t class, uint32_t n, uint64_t sent_at_ns)
{
	struct latency_histogram *wait = histogram_of(class, EGRESS_WAIT), *send = histogram_of(class, EGRESS_SEND);
	struct latency_histogram *total = histogram_of(class, LATENCY_TOTAL);
	struct latency_progress *p = progress_of(EGRESS, class);
	struct open_run *runs = scratch[EGRESS].runs;

	if (!wait || !send || !total || !p)
		return 0;
	for (uint32_t i = 0; i < LATENCY_BATCH && i < n; i++) {
		const struct arrival *a = &scratch[EGRESS].arrivals[i];
		const struct result *r = &scratch[EGRESS].results[i];
		const struct departure *d = &scratch[EGRESS].departures[i];

		if (r->drop || d->drop) /* `d` says something of what comes here alive only */
			continue;
		add(&runs[0], wait, p, EGRESS_WAIT, span_ns(r->done_at_ns, d->handed_at_ns));
		add(&runs[1], send, p, EGRESS_SEND, span_ns(d->handed_at_ns, sent_at_ns));
		add(&runs[2], total, p, LATENCY_TOTAL, span_ns(a->arrived_at_ns, sent_at_ns));
	}
	finish(&runs[0], wait, p, EGRESS_WAIT);
	finish(&runs[1], send, p, EGRESS_SEND);
	finish(&runs[2], total, p, LATENCY_TOTAL);
	return 0;
}

/* The k-th span that a stage ends. */
static __always_inline uint32_t span_of(uint32_t stage, uint32_t k)
{
	return stage == EGRESS && k == 2 ? LATENCY_TOTAL : 2 * stage + k;
}

static __always_inline uint32_t n_spans_of(uint32_t stage)
{
	return stage == EGRESS ? 3 : 2;
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

/* Copy one array's n entries from slot `at` on. */
#define READ(into, from, at, n)                                                                                        \
	bpf_probe_read_user(into, (n) * sizeof((into)[0]), (void *)(from) + (at) * sizeof((into)[0]))

static __always_inline int read_slots(uint32_t stage, const struct probe_lane *lane, uint32_t at, uint32_t n)
{
	long err = READ(scratch[stage].arrivals, lane->arrivals, at, n);

	if (stage >= EDF)
		err |= READ(scratch[stage].results, lane->results, at, n);
	if (stage >= EGRESS)
		err |= READ(scratch[stage].departures, lane->departures, at, n);
	return (int)err;
}

static __always_inline void count_slots(uint32_t stage, uint32_t class, uint32_t n, uint64_t at_ns)
{
	if (stage == INGRESS)
		count_ingress(class, n);
	else if (stage == EDF)
		count_edf(class, n);
	else
		count_egress(class, n, at_ns);
}

/* A heartbeat tells which process the stage is, and that all this works while nothing comes. */
static __always_inline int note_hit(uint32_t stage, uint32_t n_pkts)
{
	struct latency_stage *s = bpf_map_lookup_elem(&stages, &stage);

	if (!s)
		return 0;
	s->hits++;
	if (n_pkts == 0)
		s->pid = (uint32_t)(bpf_get_current_pid_tgid() >> 32);
	return 0;
}

static __always_inline int on_batch(uint32_t stage, const struct probe_lane *from, uint64_t first, uint32_t n_pkts,
				    uint64_t at_ns, uint64_t segment)
{
	struct latency_progress *p;
	struct probe_lane lane;
	uint32_t done = 0;

	if (segment != settings.segment)
		return 0;
	note_hit(stage, n_pkts);
	if (n_pkts == 0 || bpf_probe_read_user(&lane, sizeof(lane), from))
		return 0;
	p = progress_of(stage, lane.class);
	if (!p || lane.class >= settings.n_classes)
		return 0;
	begin_batch(p, stage, lane.class, first, n_pkts);
	for (uint32_t chunk = 0; chunk < CHUNKS && done < n_pkts; chunk++) {
		uint32_t at = ((uint32_t)first + done) & lane.mask, n = n_pkts - done, to_end = lane.mask + 1 - at;

		n = n < to_end ? n : to_end;
		if (n > LATENCY_BATCH)
			n = LATENCY_BATCH;
		if (read_slots(stage, &lane, at, n))
			p->missed_pkts += n;
		else
			count_slots(stage, lane.class, n, at_ns);
		done += n;
	}
	return 0;
}

SEC("uprobe")
int BPF_KPROBE(ingress, const struct probe_lane *lane, uint64_t first, uint32_t n, uint64_t at_ns, uint64_t segment)
{
	return on_batch(INGRESS, lane, first, n, at_ns, segment);
}

SEC("uprobe")
int BPF_KPROBE(edf, const struct probe_lane *lane, uint64_t first, uint32_t n, uint64_t at_ns, uint64_t segment)
{
	return on_batch(EDF, lane, first, n, at_ns, segment);
}

SEC("uprobe")
int BPF_KPROBE(egress, const struct probe_lane *lane, uint64_t first, uint32_t n, uint64_t at_ns, uint64_t segment)
{
	return on_batch(EGRESS, lane, first, n, at_ns, segment);
}

#include "latency_report.bpf.h"
#include "latency_wakeups.bpf.h"

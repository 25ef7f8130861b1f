/* settle.c - count what leaves. */
#include "settle.h"

#include <stdlib.h>
#include <string.h>

#include "after.h"
#include "log.h"
#include "mutant.h"

#define BUCKET_SHIFT 48 /* an update is bucket << 48 | count; 2^48 packets in one bucket take 8 years at 1M/s */

static void apply_updates(struct settled *s, uint32_t class)
{
	struct lane *l = s->stage->seg.views[class].lane;
	const struct egress_tally *t = &s->tally[class];

	for (uint64_t i = 0; i < t->n_updates && i < BATCH; i++) {
		uint64_t bucket = t->updates[i] >> BUCKET_SHIFT;

		if (bucket < HISTOGRAM_BUCKETS) /* relaxed: each bucket stands alone */
			atomic_store_explicit(&l->latency[bucket], t->updates[i] & ((1ULL << BUCKET_SHIFT) - 1),
					      memory_order_relaxed);
	}
}

/* What a predecessor had measured, if it can be true; else what a margin of auto begins with. */
static uint64_t load_after(const struct settled *s, uint32_t class)
{
	/* relaxed: an estimate that stands alone */
	uint64_t known_ns = atomic_load_explicit(&s->stage->seg.views[class].lane->after_ns, memory_order_relaxed);

	if (known_ns < AFTER_LEAST_NS || known_ns > AFTER_MOST_NS)
		known_ns = MARGIN_START_NS;
	return known_ns << AFTER_SHIFT;
}

/* edf looks at it each time it looks around: so it is stored when it has changed by a sixteenth. */
static void tell_after(const struct settled *s, uint32_t class)
{
	_Atomic uint64_t *told = &s->stage->seg.views[class].lane->after_ns;
	/* relaxed: an estimate that stands alone */
	uint64_t was_ns = atomic_load_explicit(told, memory_order_relaxed), is_ns = s->after[class] >> AFTER_SHIFT;

	if ((was_ns > is_ns ? was_ns - is_ns : is_ns - was_ns) > was_ns / 16)
		atomic_store_explicit(told, is_ns, memory_order_relaxed);
}

void settle_load(struct settled *s, uint32_t class)
{
	struct lane *l = s->stage->seg.views[class].lane;

	lane_read_bank(&l->sent, l->egress[0], &s->tally[class], TALLY_WORDS(s->tally[class]), &s->sent[class]);
	if (s->stage->seg.views[class].copies)
		lane_read_bank(&l->sent, s->stage->seg.views[class].copies->banks[0], &s->copies[class],
			       TALLY_WORDS(s->copies[class]), &s->sent[class]);
	s->after[class] = load_after(s, class);
	if (!mutant_is("no-updates"))
		apply_updates(s, class);
	for (uint32_t b = 0; b < HISTOGRAM_BUCKETS; b++) /* relaxed: this process is the only writer now */
		s->latency[class][b] = atomic_load_explicit(&l->latency[b], memory_order_relaxed);
}

/*
 * Packets in a row that went through the pipeline together, as those of a train do: what is measured of the first holds
 * for all.
 */
struct together {
	uint32_t n_pkts;
	uint64_t ends[N_SPANS + 1]; /* of their spans */
	uint64_t bytes, marked_pkts;
};

static void read_ends(const struct lane_view *v, uint32_t index, uint64_t sent_at_ns, uint64_t ends[N_SPANS + 1])
{
	const struct arrival *a = &v->arrivals[index];
	const struct result *r = &v->results[index];

	ends[SPAN_SOCKET] = a->arrived_at_ns;
	ends[SPAN_INGRESS] = a->read_at_ns;
	ends[SPAN_EDF_WAIT] = a->published_at_ns;
	ends[SPAN_EDF_WORK] = r->started_at_ns;
	ends[SPAN_EGRESS_WAIT] = r->done_at_ns;
	ends[SPAN_EGRESS_SEND] = v->departures[index].handed_at_ns;
	ends[N_SPANS] = sent_at_ns;
}

/* Histogram updates: one for each bucket in a row. */
static void count_latency(struct settled *s, uint32_t class, uint32_t bucket, uint32_t n)
{
	struct egress_tally *t = &s->tally[class];

	s->latency[class][bucket] += n;
	t->updates[t->n_updates++] = (uint64_t)bucket << BUCKET_SHIFT | s->latency[class][bucket];
}

/* What was collected is counted, and the next may be other packets. */
static void count_together(struct settled *s, uint32_t class, struct together *g)
{
	struct egress_tally *t = &s->tally[class];
	uint64_t budget_ns = s->stage->config.classes[class].budget_ns, n = g->n_pkts;
	uint64_t latency_ns = g->ends[N_SPANS] > g->ends[0] ? g->ends[N_SPANS] - g->ends[0] : 0;
	uint64_t span_ns[N_SPANS];
	enum span worst = SPAN_SOCKET;

	if (n == 0)
		return;
	for (int i = 0; i < N_SPANS; i++) {
		span_ns[i] = g->ends[i + 1] > g->ends[i] ? g->ends[i + 1] - g->ends[i] : 0;
		t->span_sum_ns[i] += n * span_ns[i];
		if (span_ns[i] > span_ns[worst])
			worst = (enum span)i;
	}
	for (uint64_t i = 0; i < n; i++)
		s->after[class] = after_learn(s->after[class], span_ns[SPAN_EGRESS_WAIT] + span_ns[SPAN_EGRESS_SEND]);
	t->sent_pkts += n;
	t->sent_bytes += g->bytes;
	t->marked_pkts += g->marked_pkts;
	t->latency_sum_ns += n * latency_ns;
	if (latency_ns > t->latency_max_ns)
		t->latency_max_ns = latency_ns;
	count_latency(s, class, histogram_bucket(latency_ns), (uint32_t)n);
	if (budget_ns != BUDGET_NONE && latency_ns > budget_ns) {
		t->sent_late_pkts += n;
		t->late_span_pkts[worst] += n;
	}
	*g = (struct together){ 0 };
}

/* From the start of the call to its end, as the slot holds it. */
static uint32_t send_ns_of(const uint64_t ends[N_SPANS + 1])
{
	uint64_t from_ns = ends[SPAN_EGRESS_SEND], to_ns = ends[N_SPANS], ns = to_ns > from_ns ? to_ns - from_ns : 0;

	return ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
}

static void count_sent(struct settled *s, uint32_t class, uint32_t index, uint64_t sent_at_ns, struct together *g)
{
	const struct lane_view *v = &s->stage->seg.views[class];
	uint64_t ends[N_SPANS + 1];

	read_ends(v, index, sent_at_ns, ends);
	v->departures[index].send_ns = send_ns_of(ends);
	if (g->n_pkts && memcmp(ends, g->ends, sizeof(ends)) != 0)
		count_together(s, class, g);
	if (g->n_pkts == 0)
		memcpy(g->ends, ends, sizeof(ends));
	g->n_pkts++;
	g->bytes += v->results[index].len_bytes;
	g->marked_pkts += v->departures[index].marked == 1;
}

/* A call takes no more, whatever the segment says. */
static void check_sent(const struct settled *s, uint32_t class, uint32_t n_sent)
{
	if (n_sent <= BATCH)
		return;
	log_error("segment %s: class %s: more packets released by one call than it can take: it is damaged; "
		  "run/stop.sh, then run/launch.sh",
		  s->stage->seg.name, s->stage->config.classes[class].name);
	abort();
}

/* The place of an errno: its own, or else the first free one, or else the last, which takes the rest. */
static uint32_t errno_place(const struct egress_tally *t, uint32_t err)
{
	for (uint32_t i = 0; i < SEND_ERRNOS - 1; i++)
		if (t->send_errno[i] == err || t->send_errno[i] == 0)
			return i;
	return SEND_ERRNOS - 1;
}

static void count_error(struct egress_tally *t, uint32_t err)
{
	uint32_t place = errno_place(t, err);

	if (place < SEND_ERRNOS - 1)
		t->send_errno[place] = err;
	t->send_errno_pkts[place]++;
}

/* Of a class that copies: when the first destination had it. */
static uint64_t taken_at_ns(const struct departure *d)
{
	return d->handed_at_ns + once(d->send_ns);
}

/* What the commit that comes next, from that word on, says of copies: no more than there are destinations. */
static void write_copies(struct settled *s, uint32_t class, uint64_t word)
{
	const struct lane_view *v = &s->stage->seg.views[class];
	const struct copies_tally *t = &s->copies[class];
	size_t bytes = offsetof(struct copies_tally, to) + v->n_copies * sizeof(t->to[0]);

	lane_write_bank(v->copies->banks[0], word, t, TALLY_WORDS(*t), bytes / sizeof(uint64_t));
}

void settle(struct settled *s, uint32_t class, uint32_t n, uint64_t sent_at_ns)
{
	const struct lane_view *v = &s->stage->seg.views[class];
	struct egress_tally *t = &s->tally[class];
	const int copies = v->copies != NULL;
	struct together g = { 0 };
	uint32_t n_sent = 0;

	t->n_updates = 0;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t index = lane_index(v, s->sent[class], i);

		if (v->results[index].drop != DROP_NONE) {
			t->passed_dropped_pkts++;
		} else if (v->departures[index].drop == DROP_LATE_EGRESS) {
			t->late_egress_pkts++;
		} else if (v->departures[index].drop == DROP_NO_DESTINATION) {
			t->no_destination_pkts++;
		} else if (v->departures[index].drop == DROP_SEND_ERROR) {
			count_error(t, v->departures[index].send_errno);
		} else {
			check_sent(s, class, ++n_sent);
			count_sent(s, class, index, copies ? taken_at_ns(&v->departures[index]) : sent_at_ns, &g);
		}
	}
	count_together(s, class, &g);
	if (n)
		probe_commit(&s->stage->probes, class, s->sent[class], n, sent_at_ns);
	if (copies && !mutant_is("copy-apart"))
		write_copies(s, class, s->sent[class]);
	s->sent[class] = lane_release(v->lane, s->sent[class], n, t);
	if (copies && mutant_is("copy-apart"))
		write_copies(s, class, s->sent[class] - 1);
	apply_updates(s, class);
	tell_after(s, class);
	s->unrung_classes |= (uint32_t)(n > 0) << class;
}

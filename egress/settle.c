/* settle.c - count what leaves. */
#include "settle.h"

#include <stdlib.h>

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

/* How long the packet was in each span. Returns the one that took most. */
static enum span measure_spans(const struct arrival *a, const struct result *r, const struct departure *d,
			       uint64_t sent_at_ns, uint64_t span_ns[N_SPANS])
{
	const uint64_t ends[N_SPANS + 1] = { a->arrived_at_ns, a->read_at_ns,	a->published_at_ns, r->started_at_ns,
					     r->done_at_ns,    d->handed_at_ns, sent_at_ns };
	enum span worst = SPAN_SOCKET;

	for (int i = 0; i < N_SPANS; i++) {
		span_ns[i] = ends[i + 1] > ends[i] ? ends[i + 1] - ends[i] : 0;
		if (span_ns[i] > span_ns[worst])
			worst = (enum span)i;
	}
	return worst;
}

static uint32_t fitting(uint64_t ns)
{
	return ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
}

static void count_sent(struct settled *s, uint32_t class, uint32_t index, uint64_t sent_at_ns)
{
	const struct lane_view *v = &s->stage->seg.views[class];
	const struct arrival *a = &v->arrivals[index];
	struct egress_tally *t = &s->tally[class];
	uint64_t latency_ns = sent_at_ns > a->arrived_at_ns ? sent_at_ns - a->arrived_at_ns : 0;
	uint64_t budget_ns = s->stage->config.classes[class].budget_ns;
	uint32_t bucket = histogram_bucket(latency_ns);
	uint64_t span_ns[N_SPANS];
	enum span worst = measure_spans(a, &v->results[index], &v->departures[index], sent_at_ns, span_ns);

	v->departures[index].send_ns = fitting(span_ns[SPAN_EGRESS_SEND]);
	s->after[class] = after_learn(s->after[class], span_ns[SPAN_EGRESS_WAIT] + span_ns[SPAN_EGRESS_SEND]);
	t->sent_pkts++;
	t->sent_bytes += v->results[index].len_bytes;
	t->marked_pkts += v->departures[index].marked == 1;
	t->latency_sum_ns += latency_ns;
	for (int i = 0; i < N_SPANS; i++)
		t->span_sum_ns[i] += span_ns[i];
	if (latency_ns > t->latency_max_ns)
		t->latency_max_ns = latency_ns;
	if (t->n_updates >= BATCH) { /* a call takes no more, whatever the segment says */
		log_error("segment %s: class %s: more packets released by one call than it can take: it is damaged; "
			  "run/stop.sh, then run/launch.sh",
			  s->stage->seg.name, s->stage->config.classes[class].name);
		abort();
	}
	t->updates[t->n_updates++] = (uint64_t)bucket << BUCKET_SHIFT | ++s->latency[class][bucket];
	if (budget_ns == BUDGET_NONE || latency_ns <= budget_ns)
		return;
	t->sent_late_pkts++;
	t->late_span_pkts[worst]++;
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

	t->n_updates = 0;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t index = lane_index(v, s->sent[class], i);

		if (v->results[index].drop != DROP_NONE)
			t->passed_dropped_pkts++;
		else if (v->departures[index].drop == DROP_LATE_EGRESS)
			t->late_egress_pkts++;
		else if (v->departures[index].drop == DROP_NO_DESTINATION)
			t->no_destination_pkts++;
		else if (v->departures[index].drop == DROP_SEND_ERROR)
			count_error(t, v->departures[index].send_errno);
		else
			count_sent(s, class, index, copies ? taken_at_ns(&v->departures[index]) : sent_at_ns);
	}
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

/* account.c - one class read at one instant, by the descriptions in counter.c, and the identity. */
#include "account.h"

#include <errno.h>
#include <string.h>

#include "copied.h"
#include "counter.h"
#include "segment.h"

#define TRIES 10000 /* a commit comes every microsecond at most; a copy takes a tenth of that */

struct snapshot {
	struct ingress_tally ingress;
	struct edf_tally edf;
	struct egress_tally egress;
	struct copies_tally copies; /* of a class that copies */
	uint64_t received, processed, sent; /* commit words */
};

/* All three banks with no commit of any stage in between: read, then look that no word has moved. */
static int read_together(const struct lane_view *v, struct snapshot *s)
{
	const struct lane *l = v->lane;
	uint64_t sent;

	for (int i = 0; i < TRIES; i++) {
		if (lane_read_bank(&l->sent, l->egress[0], &s->egress, TALLY_WORDS(s->egress), &s->sent) ||
		    lane_read_bank(&l->processed, l->edf[0], &s->edf, TALLY_WORDS(s->edf), &s->processed) ||
		    lane_read_bank(&l->received, l->ingress[0], &s->ingress, TALLY_WORDS(s->ingress), &s->received))
			continue;
		if (v->copies &&
		    (lane_read_bank(&l->sent, v->copies->banks[0], &s->copies, TALLY_WORDS(s->copies), &sent) ||
		     sent != s->sent))
			continue;
		if (lane_sent(l) == s->sent && lane_processed(l) == s->processed)
			return 0;
	}
	return -EAGAIN;
}

/* What counter.c says lies in a tally. */
static void copy_counters(const struct snapshot *s, struct account *a)
{
	const void *const tallies[] = {
		[TALLY_INGRESS] = &s->ingress, [TALLY_EDF] = &s->edf, [TALLY_EGRESS] = &s->egress
	};

	for (const struct counter *c = counter_next(NULL); c; c = counter_next(c))
		if (c->tally != TALLY_NONE)
			memcpy((char *)a + c->at, (const char *)tallies[c->tally] + c->from,
			       (size_t)counter_values(c) * sizeof(uint64_t));
	memcpy(a->send_errno, s->egress.send_errno, sizeof(a->send_errno));
	a->latency_sum_ns = s->egress.latency_sum_ns;
	a->refused_events += s->ingress.refused_events;
}

/* By the lists of fate.h: the counters of each stage are in the order of enum drop_reason. */
static void copy_drops(const struct snapshot *s, struct account *a)
{
	memcpy(&a->dropped_pkts[FIRST_INGRESS_DROP], s->ingress.dropped_pkts, sizeof(s->ingress.dropped_pkts));
	memcpy(&a->dropped_pkts[FIRST_EDF_DROP], s->edf.dropped_pkts, sizeof(s->edf.dropped_pkts));
	memcpy(&a->dropped_pkts[FIRST_EGRESS_DROP], s->egress.dropped_pkts, sizeof(s->egress.dropped_pkts));
	for (int i = 0; i < SEND_ERRNOS; i++)
		a->dropped_pkts[DROP_SEND_ERROR] += a->send_errno_pkts[i];
}

/*
 * received = sent + dropped + held. Some packets in the lane are dropped and counted already: they only wait for egress
 * to pass them.
 */
static void balance(const struct snapshot *s, struct account *a)
{
	uint64_t travelled_pkts = 0;

	a->received_pkts = s->ingress.read_pkts;
	for (int r = DROP_NONE + 1; r < N_DROP_REASONS; r++) {
		if (drop_reason_by((enum drop_reason)r) == BY_KERNEL)
			a->received_pkts += a->dropped_pkts[r];
		if (drop_reason_travels((enum drop_reason)r))
			travelled_pkts += a->dropped_pkts[r];
	}
	a->waiting_edf_pkts = lane_distance_pkts(s->received, s->processed);
	a->waiting_egress_pkts = lane_distance_pkts(s->processed, s->sent);
	a->held_pkts = lane_distance_pkts(s->received, s->sent) - (travelled_pkts - s->egress.passed_dropped_pkts);
	a->unbalanced_pkts = (int64_t)(a->received_pkts - a->sent_pkts - account_dropped_pkts(a) - a->held_pkts);
}

/* 50 to 300 us for the most there can be, 16,384. */
static uint64_t count_open(const struct lane_view *v)
{
	uint64_t n = 0;

	for (uint32_t k = 0; k < v->n_sessions; k++) /* relaxed: a count */
		n += atomic_load_explicit(&v->sessions[k].state, memory_order_relaxed) == SESSION_OPEN;
	return n;
}

/* relaxed, all of them: each bucket only grows, and each limit stands alone */
static void read_lane(const struct lane_view *v, struct account *a)
{
	const struct lane *l = v->lane;

	for (uint32_t b = 0; b < HISTOGRAM_BUCKETS; b++)
		a->latency[b] = atomic_load_explicit(&l->latency[b], memory_order_relaxed);
	a->budget_ns = atomic_load_explicit(&l->budget_ns, memory_order_relaxed);
	a->to_edf_limit_pkts = atomic_load_explicit(&l->ingress_to_edf_pkts, memory_order_relaxed);
	a->to_egress_limit_pkts = atomic_load_explicit(&l->edf_to_egress_pkts, memory_order_relaxed);
	a->after_ns = atomic_load_explicit(&l->after_ns, memory_order_relaxed);
	a->slots = v->slots;
	a->sessions = v->n_sessions;
	a->sessions_open = count_open(v);
	a->unexpected_reply_pkts = atomic_load_explicit(&l->stray_pkts, memory_order_relaxed);
	for (int i = 0; i < MAX_DESTS; i++)
		a->unexpected_reply_pkts += atomic_load_explicit(&l->unexpected[i], memory_order_relaxed) >> 32;
}

int account_read(const struct segment *seg, uint32_t class, struct account *a)
{
	const struct lane_view *v = &seg->views[class];
	struct snapshot s;
	int err = read_together(v, &s);

	if (err)
		return err;
	memset(a, 0, sizeof(*a));
	copy_counters(&s, a);
	copy_drops(&s, a);
	balance(&s, a);
	if (v->copies)
		copied_read(v, &s.copies, a);
	read_lane(v, a);
	return 0;
}

/* By what they are of: two shards may have met them in another order. The last place is for the others. */
static void add_errnos(struct account *sum, const struct account *a)
{
	for (int i = 0; i < SEND_ERRNOS; i++) {
		int place = i + 1 < SEND_ERRNOS ? 0 : i;

		while (place + 1 < SEND_ERRNOS && sum->send_errno[place] && sum->send_errno[place] != a->send_errno[i])
			place++;
		if (!a->send_errno_pkts[i])
			continue;
		if (place + 1 < SEND_ERRNOS)
			sum->send_errno[place] = a->send_errno[i];
		sum->send_errno_pkts[place] += a->send_errno_pkts[i];
	}
}

void account_add(struct account *sum, const struct account *a)
{
	const uint64_t max_ns = sum->latency_max_ns, after_ns = sum->after_ns;

	for (const struct counter *c = counter_next(NULL); c; c = counter_next(c)) {
		uint64_t *to = (uint64_t *)counter_values_of(c, sum);
		const uint64_t *from = counter_values_of(c, a);

		for (int i = 0; i < counter_values(c) && c->by != BY_ERRNO; i++)
			to[i] += from[i];
	}
	add_errnos(sum, a);
	for (uint32_t b = 0; b < HISTOGRAM_BUCKETS; b++)
		sum->latency[b] += a->latency[b];
	sum->latency_sum_ns += a->latency_sum_ns;
	sum->latency_max_ns = max_ns > a->latency_max_ns ? max_ns : a->latency_max_ns;
	sum->after_ns = after_ns > a->after_ns ? after_ns : a->after_ns; /* times: the longest of them */
	sum->budget_ns = a->budget_ns;
	copied_add(sum, a);
}

uint64_t account_dropped_pkts(const struct account *a)
{
	uint64_t sum = 0;

	for (int r = DROP_NONE + 1; r < N_DROP_REASONS; r++)
		sum += a->dropped_pkts[r];
	return sum;
}

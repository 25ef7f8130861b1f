/* account.c - drop reasons, counters, and the identity they must satisfy. */
#include "account.h"

#include <errno.h>
#include <string.h>

#include "segment.h"

#define TRIES 10000 /* a commit comes every microsecond at most; a copy takes a tenth of that */

static const char *const reason_names[N_DROP_REASONS] = {
	[DROP_NONE] = "none",
	[DROP_KERNEL] = "kernel",
	[DROP_OVERSIZE] = "oversize",
	[DROP_INGRESS_FULL] = "ingress_full",
	[DROP_EVICTED] = "evicted",
	[DROP_LATE] = "late",
	[DROP_POISON] = "poison",
	[DROP_EGRESS_FULL] = "egress_full",
	[DROP_LATE_EGRESS] = "late_egress",
	[DROP_SEND_ERROR] = "send_error",
};

static const char *const span_names[N_SPANS] = {
	[SPAN_SOCKET] = "socket",     [SPAN_INGRESS] = "ingress",	  [SPAN_EDF_WAIT] = "edf_wait",
	[SPAN_EDF_WORK] = "edf_work", [SPAN_EGRESS_WAIT] = "egress_wait", [SPAN_EGRESS_SEND] = "egress_send",
};

struct snapshot {
	struct ingress_tally ingress;
	struct edf_tally edf;
	struct egress_tally egress;
	uint64_t received, processed, sent; /* commit words */
};

/* All three banks with no commit of any stage in between: read, then look that no word has moved. */
static int read_together(const struct lane *l, struct snapshot *s)
{
	for (int i = 0; i < TRIES; i++) {
		if (lane_read_bank(&l->sent, l->egress[0], &s->egress, TALLY_WORDS(s->egress), &s->sent) ||
		    lane_read_bank(&l->processed, l->edf[0], &s->edf, TALLY_WORDS(s->edf), &s->processed) ||
		    lane_read_bank(&l->received, l->ingress[0], &s->ingress, TALLY_WORDS(s->ingress), &s->received))
			continue;
		if (lane_sent(l) == s->sent && lane_processed(l) == s->processed)
			return 0;
	}
	return -EAGAIN;
}

static void copy_drops(const struct snapshot *s, struct account *a)
{
	uint64_t errors = 0;

	for (int i = 0; i < SEND_ERRNOS; i++) {
		a->send_errno[i] = s->egress.send_errno[i];
		a->send_errno_pkts[i] = s->egress.send_errno_pkts[i];
		errors += a->send_errno_pkts[i];
	}
	a->dropped_pkts[DROP_KERNEL] = s->ingress.kernel_pkts;
	a->dropped_pkts[DROP_OVERSIZE] = s->ingress.oversize_pkts;
	a->dropped_pkts[DROP_INGRESS_FULL] = s->ingress.ingress_full_pkts;
	a->dropped_pkts[DROP_EVICTED] = s->edf.evicted_pkts;
	a->dropped_pkts[DROP_LATE] = s->edf.late_pkts;
	a->dropped_pkts[DROP_POISON] = s->edf.poison_pkts;
	a->dropped_pkts[DROP_EGRESS_FULL] = s->edf.egress_full_pkts;
	a->dropped_pkts[DROP_LATE_EGRESS] = s->egress.late_egress_pkts;
	a->dropped_pkts[DROP_SEND_ERROR] = errors;
}

int account_read(const struct segment *seg, uint32_t class, struct account *a)
{
	const struct lane_view *v = &seg->views[class];
	struct snapshot s;
	int err = read_together(v->lane, &s);

	if (err)
		return err;
	memset(a, 0, sizeof(*a));
	a->received_pkts = s.ingress.read_pkts + s.ingress.kernel_pkts;
	a->sent_pkts = s.egress.sent_pkts;
	a->sent_bytes = s.egress.sent_bytes;
	a->sent_late_pkts = s.egress.sent_late_pkts;
	copy_drops(&s, a);
	a->waiting_edf_pkts = lane_distance_pkts(s.received, s.processed);
	a->waiting_egress_pkts = lane_distance_pkts(s.processed, s.sent);
	/* Some packets in the lane are dropped and counted already: they only wait for egress to pass them. */
	a->held_pkts = lane_distance_pkts(s.received, s.sent) -
		       (s.ingress.oversize_pkts + s.edf.evicted_pkts + s.edf.late_pkts + s.edf.poison_pkts +
			s.edf.egress_full_pkts - s.egress.passed_dropped_pkts);
	a->unbalanced_pkts = (int64_t)(a->received_pkts - a->sent_pkts - account_dropped_pkts(a) - a->held_pkts);
	a->refused_events = s.egress.refused_events;
	a->send_waits = s.egress.send_waits;
	memcpy(a->late_span_pkts, s.egress.late_span_pkts, sizeof(a->late_span_pkts));
	memcpy(a->span_sum_ns, s.egress.span_sum_ns, sizeof(a->span_sum_ns));
	a->latency_sum_ns = s.egress.latency_sum_ns;
	a->latency_max_ns = s.egress.latency_max_ns;
	a->work_ns = s.edf.work_ns;
	for (uint32_t b = 0; b < HISTOGRAM_BUCKETS; b++) /* relaxed: each bucket only grows */
		a->latency[b] = atomic_load_explicit(&v->lane->latency[b], memory_order_relaxed);
	return 0;
}

uint64_t account_dropped_pkts(const struct account *a)
{
	uint64_t sum = 0;

	for (int r = DROP_NONE + 1; r < N_DROP_REASONS; r++)
		sum += a->dropped_pkts[r];
	return sum;
}

const char *drop_reason_name(enum drop_reason reason)
{
	return reason < N_DROP_REASONS ? reason_names[reason] : "unknown";
}

const char *span_name(enum span span)
{
	return span < N_SPANS ? span_names[span] : "unknown";
}

/* lanes.c - the lanes and the account against the ledger, whenever a count has moved. */
#include "ledger.h"

#include "shm/account.h"

#include <errno.h>
#include <stdlib.h>

#define CLOCK_NS 5000 /* between two readings of a clock in a row, at most */

static void must_equal(const char *what, uint32_t class, uint64_t is, uint64_t should)
{
	if (is != should)
		sim_complain("class %u: %s: %llu, not %llu", class, what, (unsigned long long)is,
			     (unsigned long long)should);
}

/* How long it waited, by the stage's account: true but for a step of CLOCK_REALTIME, which must not invent waiting. */
static void check_arrival(uint32_t class, const struct record *r, const struct arrival *a)
{
	uint64_t since_ns = r->d.arrived_at_ns;

	if (r->d.steps != input_clock_steps())
		since_ns = r->not_before_ns;
	if (a->arrived_at_ns > a->read_at_ns || a->arrived_at_ns + CLOCK_NS < since_ns)
		sim_complain("class %u: a packet that came at %lld is said to have come at %lld, and was read at %lld",
			     class, (long long)(r->d.arrived_at_ns - SIM_BEGIN_NS),
			     (long long)(a->arrived_at_ns - SIM_BEGIN_NS), (long long)(a->read_at_ns - SIM_BEGIN_NS));
	else if (r->d.steps == input_clock_steps() && a->arrived_at_ns > r->d.arrived_at_ns + CLOCK_NS)
		sim_complain("class %u: a packet that came at %lld is said to have come at %lld", class,
			     (long long)(r->d.arrived_at_ns - SIM_BEGIN_NS),
			     (long long)(a->arrived_at_ns - SIM_BEGIN_NS));
}

/* Of each source as much passes as if nobody had died, and no more. */
static uint32_t check_limit(uint32_t class, struct ledger *l, const struct record *r, const struct arrival *a)
{
	const struct class_config *c = &sim.config.classes[class];
	uint64_t period_ns, most_ns, *until_ns;
	uint32_t is_limited = a->drop == DROP_LIMITED, passes;

	if (c->source_rate_pps == 0 || r->d.len_bytes > sim.config.payload_bytes)
		return is_limited;
	until_ns = &l->until_ns[c->source_bits[0] < 32 ? 0 : r->d.source / 2];
	period_ns = (NS_PER_S + c->source_rate_pps - 1) / c->source_rate_pps;
	most_ns = a->arrived_at_ns + c->source_burst_pkts * period_ns;
	if (*until_ns < a->arrived_at_ns)
		*until_ns = a->arrived_at_ns;
	passes = *until_ns + period_ns <= most_ns;
	if (passes)
		*until_ns += period_ns;
	if (passes == is_limited)
		sim_complain("class %u: a packet of address %u %s", class, r->d.source / 2,
			     passes ? "is limited, and its source was not over its rate"
				    : "passes, and its source was over its rate");
	return is_limited;
}

static void check_ingress(uint32_t class, struct ledger *l, uint64_t word)
{
	const struct lane_view *v = &sim.seg.views[class];
	struct ingress_tally was = l->ingress;
	uint64_t n = lane_distance_pkts(word, l->word[STAGE_INGRESS]), seen;
	int may_wait;

	if (lane_read_bank(&v->lane->received, v->lane->ingress[0], &l->ingress, TALLY_WORDS(l->ingress), &seen))
		sim_complain("class %u: a count moved while nobody ran", class);
	if (n > l->end - l->published) {
		sim_complain("class %u: more was published than read", class);
		n = l->end - l->published;
	}
	for (uint32_t i = 0; i < n; i++) {
		const struct record *r = record_at(l, l->published + i);
		const struct arrival *a = &v->arrivals[lane_index(v, l->word[STAGE_INGRESS], i)];

		l->oversize_pkts += r->d.len_bytes > sim.config.payload_bytes;
		check_arrival(class, r, a);
		record_at(l, l->published + i)->has_no_session = a->drop == DROP_NO_SESSION;
		l->no_session_pkts += a->drop == DROP_NO_SESSION;
		record_at(l, l->published + i)->is_limited = check_limit(class, l, r, a);
		l->limited_pkts += a->drop == DROP_LIMITED;
	}
	l->published += n;
	may_wait = sim.setup.train_pkts && sim.config.full == FULL_WAIT;
	must_equal("ingress_full", class, l->ingress.ingress_full_pkts - was.ingress_full_pkts,
		   may_wait ? 0 : l->end - l->published);
	if (!may_wait)
		l->end = l->published; /* the newest of a batch that did not fit are gone, and counted */
	must_equal("read", class, l->ingress.read_pkts, l->read_pkts - (l->end - l->published));
	must_equal("no_session", class, l->ingress.no_session_pkts, l->no_session_pkts);
	must_equal("limited", class, l->ingress.limited_pkts, l->limited_pkts);
	must_equal("oversize", class, l->ingress.oversize_pkts, l->oversize_pkts);
	if (l->end == l->published) /* what waits has not told yet */
		must_equal("dropped by the kernel", class, l->ingress.kernel_pkts, input_told_drops(class));
}

static uint64_t sum_of(const uint64_t *counters, int n)
{
	uint64_t sum = 0;

	for (int i = 0; i < n; i++)
		sum += counters[i];
	return sum;
}

static void check_edf(uint32_t class, struct ledger *l, uint64_t word)
{
	const struct lane *lane = lane_of(class);
	uint64_t n = lane_distance_pkts(word, l->word[STAGE_EDF]), seen;
	const struct edf_tally *t = &l->edf;

	lane_read_bank(&lane->processed, lane->edf[0], &l->edf, TALLY_WORDS(l->edf), &seen);
	for (uint64_t i = 0; i < n; i++) {
		const struct record *r = record_at(l, l->processed + i);

		l->oversize_processed_pkts += r->d.len_bytes > sim.config.payload_bytes;
		l->no_session_processed_pkts += r->has_no_session;
		l->limited_processed_pkts += r->is_limited;
	}
	l->processed += n;
	must_equal("processed", class,
		   t->worked_pkts + sum_of(t->dropped_pkts, N_EDF_DROPS) + l->oversize_processed_pkts +
			   l->no_session_processed_pkts + l->limited_processed_pkts,
		   l->processed);
}

static uint64_t send_errors(const struct egress_tally *t)
{
	uint64_t sum = 0;

	for (int i = 0; i < SEND_ERRNOS; i++)
		sum += t->send_errno_pkts[i];
	return sum;
}

static int is_for_want_of_room(uint64_t err)
{
	return err == EAGAIN || err == ENOBUFS || err == ENOMEM || err == EINTR;
}

/*
 * For want of room a packet is given up no sooner than it may be; or just before its deadline where that would drop it.
 */
static void check_given_up(uint32_t class, const struct egress_tally *was, const struct egress_tally *t)
{
	const struct class_config *c = &sim.config.classes[class];
	uint64_t least_ns = c->n_dests > 1 ? ROOM_SHARED_NS : ROOM_ALONE_NS;

	for (int i = 0; i < SEND_ERRNOS; i++)
		if (is_for_want_of_room(t->send_errno[i]) && t->send_errno_pkts[i] != was->send_errno_pkts[i] &&
		    output_full_ns(class) < least_ns && !(sim.config.late == LATE_DROP && c->budget_ns != BUDGET_NONE))
			sim_complain("class %u: errno %llu dropped a packet after %llu us without room", class,
				     (unsigned long long)t->send_errno[i],
				     (unsigned long long)(output_full_ns(class) / NS_PER_US));
}

static void check_egress(uint32_t class, struct ledger *l, uint64_t word)
{
	const struct lane *lane = lane_of(class);
	uint64_t n = lane_distance_pkts(word, l->word[STAGE_EGRESS]), seen, left = 0;
	struct egress_tally was = l->egress;
	const struct egress_tally *t = &l->egress;
	const int copies = sim.seg.views[class].copies != NULL;

	lane_read_bank(&lane->sent, lane->egress[0], &l->egress, TALLY_WORDS(l->egress), &seen);
	for (uint64_t i = 0; i < n; i++)
		left += record_at(l, l->sent + i)->has_left;
	if (copies)
		copies_check(class, l, n);
	l->sent += n;
	if (l->left_at > l->sent && !copies)
		sim_complain("class %u: a packet left and is not released", class);
	must_equal("sent at once", class, t->sent_pkts - was.sent_pkts, left);
	must_equal("sent", class, t->sent_pkts, l->left_pkts);
	must_equal("sent bytes", class, t->sent_bytes, l->left_bytes);
	if (t->marked_pkts < l->marked_pkts || t->marked_pkts > l->marked_pkts + l->unsure_pkts)
		must_equal("marked", class, t->marked_pkts, l->marked_pkts);
	must_equal("dropped", class, t->passed_dropped_pkts + sum_of(t->dropped_pkts, N_EGRESS_DROPS) + send_errors(t),
		   l->sent - l->left_pkts);
	if (!copies)
		check_given_up(class, &was, t);
	if (t->late_egress_pkts != was.late_egress_pkts)
		bounds_reset(class);
}

/*
 * sent <= processed <= received <= sent + slots, and both queue limits. What is dropped only passes through the second
 * queue.
 */
static void check_limits(uint32_t class, const struct ledger *l)
{
	const struct class_config *c = &sim.config.classes[class];
	uint64_t whole = l->edf.worked_pkts - l->egress.sent_pkts - sum_of(l->egress.dropped_pkts, N_EGRESS_DROPS) -
			 send_errors(&l->egress);

	if (l->sent > l->processed || l->processed > l->published ||
	    l->published > l->sent + sim.seg.views[class].slots)
		sim_complain("class %u: the counts are out of order", class);
	if (l->published - l->processed > c->ingress_to_edf_pkts)
		sim_complain("class %u: %llu packets wait for edf", class,
			     (unsigned long long)(l->published - l->processed));
	if (whole > c->edf_to_egress_pkts)
		sim_complain("class %u: %lld packets wait for egress", class, (long long)whole);
}

void check_lanes(void)
{
	static void (*const check[N_STAGES])(uint32_t class, struct ledger * l,
					     uint64_t word) = { check_ingress, check_edf, check_egress };

	for (uint32_t class = 0; class < sim.config.n_classes; class++) {
		struct lane *lane = lane_of(class);
		struct ledger *l = &ledgers[class];
		_Atomic uint64_t *counts[N_STAGES] = { &lane->received, &lane->processed, &lane->sent };
		uint32_t moved = 0;

		for (int id = 0; id < N_STAGES; id++) {
			uint64_t word = atomic_load_explicit(counts[id], memory_order_acquire);

			if (word == l->word[id])
				continue;
			if (lane_distance_pkts(word, l->word[id]) > sim.seg.views[class].slots) {
				sim_complain("class %u: the count of %s jumped", class, stage_name((enum stage_id)id));
				abort(); /* nothing that follows would mean anything */
			}
			check[id](class, l, word);
			l->word[id] = word;
			moved |= 1u << id;
		}
		if (!moved)
			continue;
		check_limits(class, l);
		note_servable(class, l, moved);
	}
}

/* The account as observers read it. */
static void check_account(uint32_t class, const struct ledger *l)
{
	struct account a;
	uint64_t histogram = 0;

	if (account_read(&sim.seg, class, &a))
		sim_complain("class %u: the account cannot be read", class);
	for (uint32_t b = 0; b < HISTOGRAM_BUCKETS; b++)
		histogram += a.latency[b];
	must_equal("unbalanced", class, (uint64_t)a.unbalanced_pkts, 0);
	must_equal("held", class, a.held_pkts, 0);
	must_equal("received", class, a.received_pkts, l->read_pkts + input_told_drops(class));
	must_equal("sent, by the histogram", class, histogram, l->left_pkts);
	must_equal("strays", class, atomic_load_explicit(&lane_of(class)->stray_pkts, memory_order_relaxed),
		   replies_strays(class));
	for (uint32_t d = 0; d < a.n_copies; d++)
		if (a.copies[d].unbalanced_pkts)
			sim_complain("class %u, destination %u: off by %lld", class, d,
				     (long long)a.copies[d].unbalanced_pkts);
	if (a.refused_events > output_refusals(class))
		sim_complain("class %u: more ICMP errors are counted than came", class);
	for (int i = 0; i < SEND_ERRNOS; i++)
		if (a.send_errno[i] == ECONNREFUSED)
			sim_complain("class %u: dropped for what passes: errno %llu", class,
				     (unsigned long long)a.send_errno[i]);
	sim_digest(a.received_pkts);
	sim_digest(a.latency_sum_ns);
	for (int reason = 0; reason < N_DROP_REASONS; reason++)
		sim_digest(a.dropped_pkts[reason]);
}

void check_end(void)
{
	check_lanes();
	for (uint32_t class = 0; class < sim.config.n_classes; class++) {
		check_account(class, &ledgers[class]);
		sim.result.skipped_full_pkts += ledgers[class].skipped_pkts[SKIP_FULL];
		sim.result.skipped_rate_pkts += ledgers[class].skipped_pkts[SKIP_RATE];
		sim.result.skipped_down_pkts += ledgers[class].skipped_pkts[SKIP_DOWN];
		sim.result.failed_pkts += ledgers[class].failed_pkts;
	}
	sim_digest(sim.result.ended_at_ns);
	sim_digest(sim.result.violations);
}

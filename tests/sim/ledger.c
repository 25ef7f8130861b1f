/*
 * ledger.c - every packet exactly once, in order, unchanged, and in account.
 *
 * Memory:  a ledger per class: a record of each datagram from the moment ingress reads it until egress's count passes it.
 * Rules:   the ledger is kept by what passes the sockets alone; a lane is compared with it whenever a count has moved:
 *          before each call that moves datagrams, and after each step. What a dead stage had under way is compared when
 *          its successor has moved the count. Received = sent + dropped + held holds since each of them does.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "egress/shaper.h"
#include "egress/output.h"
#include "log.h"
#include "shm/account.h"
#include "sim.h"

#define MOST_COMPLAINTS 5
#define CLOCK_NS 5000 /* between two readings of a clock in a row, at most */
#define WAKE_NS (3 * NS_PER_MS) /* from something to do to its stage awake, at most */
#define TAIL_BYTES 16
#define UNKNOWN_DEST 0xff
#define N_SOURCES 8

struct record {
	struct sim_datagram d;
	uint64_t not_before_ns; /* its socket had been seen empty then; 0: nobody knows */
	uint32_t has_left;
};

struct ledger {
	struct record *ring;
	uint32_t mask;
	uint64_t end, published, processed, sent; /* records so far: read, and as the counts of the lane */
	uint64_t left_at; /* after the last one that left */
	uint64_t read_pkts, left_pkts, left_bytes;
	uint64_t oversize_pkts, oversize_processed_pkts;
	uint64_t word[N_STAGES]; /* commit words when last compared */
	uint64_t
		servable_since_ns[N_STAGES]; /* the stage could do something for the class since then; UINT64_MAX: no */
	struct ingress_tally ingress;
	struct edf_tally edf;
	struct egress_tally egress;
	uint8_t dest[MAX_FLOWS][N_SOURCES]; /* where datagrams of a sender leave */
	int is_refused;
};

static struct ledger ledgers[MAX_CLASSES];

void sim_complain(const char *format, ...)
{
	va_list args;

	if (sim.result.violations++ >= MOST_COMPLAINTS)
		return;
	printf("     at %llu ns: ", (unsigned long long)(sim_now_ns() - SIM_BEGIN_NS));
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

static struct lane *lane_of(uint32_t class)
{
	return sim.seg.views[class].lane;
}

static struct record *record_at(struct ledger *l, uint64_t n)
{
	return &l->ring[n & l->mask];
}

static void digest(uint64_t value)
{
	sim.result.digest = (sim.result.digest ^ value) * 0x100000001b3ULL;
	sim.result.digest ^= sim.result.digest >> 29;
}

static int is_servable(enum stage_id id, uint32_t class, const struct ledger *l)
{
	const struct class_config *c = &sim.config.classes[class];
	int drops = sim.config.full == FULL_DROP;

	if (id == STAGE_EGRESS)
		return l->processed > l->sent;
	if (id == STAGE_EDF)
		return l->published > l->processed && (drops || l->processed - l->sent < c->edf_to_egress_pkts);
	return l->published - l->sent < sim.seg.views[class].slots &&
	       (drops || l->published - l->processed < c->ingress_to_edf_pkts);
}

static void note_servable(uint32_t class, struct ledger *l, uint32_t moved)
{
	for (int id = 0; id < N_STAGES; id++) {
		uint64_t *since_ns = &l->servable_since_ns[id];

		if (!is_servable((enum stage_id)id, class, l))
			*since_ns = UINT64_MAX;
		else if (*since_ns == UINT64_MAX || (moved >> id & 1))
			*since_ns = sim_now_ns();
	}
}

/* A lane may start just before its counts wrap. */
static void preset_lane(struct lane *lane, struct ledger *l)
{
	uint64_t word = -(uint64_t)sim.setup.start_count << COUNT_SHIFT;

	atomic_store_explicit(&lane->received, word, memory_order_relaxed); /* relaxed: no stage has started */
	atomic_store_explicit(&lane->processed, word, memory_order_relaxed);
	atomic_store_explicit(&lane->sent, word, memory_order_relaxed);
	for (int i = 0; i < N_STAGES; i++)
		l->word[i] = word;
}

void check_open(void)
{
	sim.result = (struct sim_result){ 0 };
	for (uint32_t class = 0; class < sim.config.n_classes; class ++) {
		struct ledger *l = &ledgers[class];
		uint32_t slots = 2 * sim.seg.views[class].slots;

		memset(l, 0, sizeof(*l));
		memset(l->dest, UNKNOWN_DEST, sizeof(l->dest));
		l->ring = calloc(slots, sizeof(*l->ring));
		l->mask = slots - 1;
		if (!l->ring) {
			log_error("no memory for a ledger");
			exit(1);
		}
		preset_lane(lane_of(class), l);
		note_servable(class, l, 1);
	}
}

void check_read(uint32_t class, const struct sim_datagram *d, uint64_t not_before_ns)
{
	struct ledger *l = &ledgers[class];

	*record_at(l, l->end++) = (struct record){ .d = *d, .not_before_ns = not_before_ns };
	l->read_pkts++;
}

static int matches(const struct ledger *l, const struct record *r, uint32_t dest, const uint8_t *payload, uint32_t len)
{
	uint64_t tail = ~r->d.token;
	uint8_t known = l->dest[r->d.flow][r->d.source];

	if (r->d.len_bytes != len || (known != UNKNOWN_DEST && known != dest))
		return 0;
	if (memcmp(payload, &r->d.token, len < sizeof(r->d.token) ? len : sizeof(r->d.token)) != 0)
		return 0;
	return len < TAIL_BYTES || memcmp(payload + len - sizeof(tail), &tail, sizeof(tail)) == 0;
}

static uint64_t latest(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

void check_left(uint32_t class, uint32_t dest, const uint8_t *payload, uint32_t len_bytes, uint64_t now)
{
	struct ledger *l = &ledgers[class];
	const struct address *to = &sim.config.classes[class].dests[dest];
	uint32_t overhead_bytes = to->at.ss_family == AF_INET ? IPV4_UDP_BYTES : IPV6_UDP_BYTES;

	sim.result.left_pkts++;
	for (uint64_t n = latest(l->left_at, l->sent); n < l->processed; n++) {
		struct record *r = record_at(l, n);

		if (!matches(l, r, dest, payload, len_bytes))
			continue;
		r->has_left = 1;
		l->dest[r->d.flow][r->d.source] = (uint8_t)dest;
		l->left_at = n + 1;
		l->left_pkts++;
		l->left_bytes += len_bytes;
		digest(r->d.token);
		digest(now + dest);
		if (l->is_refused)
			bounds_reset(class);
		l->is_refused = 0;
		bounds_note(class, len_bytes + overhead_bytes, sim_step_ns(STAGE_EGRESS));
		return;
	}
	sim_complain("class %u: %u bytes left that are not the next packet's: twice, out of order, or changed", class,
		     len_bytes);
}

void check_refused(uint32_t class)
{
	ledgers[class].is_refused = 1;
	bounds_set_backlog(class, 0);
}

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

static void check_ingress(uint32_t class, struct ledger *l, uint64_t word)
{
	const struct lane_view *v = &sim.seg.views[class];
	struct ingress_tally was = l->ingress;
	uint64_t n = lane_distance_pkts(word, l->word[STAGE_INGRESS]), seen;

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
	}
	must_equal("ingress_full", class, l->ingress.ingress_full_pkts - was.ingress_full_pkts,
		   l->end - l->published - n);
	l->published += n;
	l->end = l->published; /* the newest of a batch that did not fit are gone, and counted */
	must_equal("read", class, l->ingress.read_pkts, l->read_pkts);
	must_equal("oversize", class, l->ingress.oversize_pkts, l->oversize_pkts);
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
	for (uint64_t i = 0; i < n; i++)
		l->oversize_processed_pkts += record_at(l, l->processed + i)->d.len_bytes > sim.config.payload_bytes;
	l->processed += n;
	must_equal("processed", class,
		   t->worked_pkts + sum_of(t->dropped_pkts, N_EDF_DROPS) + l->oversize_processed_pkts, l->processed);
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

/* For want of room a packet is given up no sooner than it may be; or just before its deadline where that would drop it. */
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

	lane_read_bank(&lane->sent, lane->egress[0], &l->egress, TALLY_WORDS(l->egress), &seen);
	for (uint64_t i = 0; i < n; i++)
		left += record_at(l, l->sent + i)->has_left;
	l->sent += n;
	if (l->left_at > l->sent)
		sim_complain("class %u: a packet left and is not released", class);
	must_equal("sent at once", class, t->sent_pkts - was.sent_pkts, left);
	must_equal("sent", class, t->sent_pkts, l->left_pkts);
	must_equal("sent bytes", class, t->sent_bytes, l->left_bytes);
	must_equal("dropped", class, t->passed_dropped_pkts + sum_of(t->dropped_pkts, N_EGRESS_DROPS) + send_errors(t),
		   l->sent - l->left_pkts);
	check_given_up(class, &was, t);
	if (t->late_egress_pkts != was.late_egress_pkts)
		bounds_reset(class);
}

/* sent <= processed <= received <= sent + slots, and both queue limits. What is dropped only passes through the second queue. */
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

	for (uint32_t class = 0; class < sim.config.n_classes; class ++) {
		struct lane *lane = lane_of(class);
		struct ledger *l = &ledgers[class];
		_Atomic uint64_t *counts[N_STAGES] = { &lane->received, &lane->processed, &lane->sent };
		uint32_t moved = 0;

		for (int id = 0; id < N_STAGES; id++) {
			uint64_t word = atomic_load_explicit(counts[id], memory_order_acquire);

			if (word == l->word[id])
				continue;
			if (lane_distance_pkts(word, l->word[id]) > sim.seg.views[class].slots) {
				sim_complain("class %u: the count of %s jumped", class, mortals[id].name);
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

/* Is there a packet in the lane that is neither dropped nor just refused? */
static int is_backlogged(uint32_t class, struct ledger *l, uint64_t now)
{
	const struct lane_view *v = &sim.seg.views[class];
	uint64_t budget_ns = sim.config.classes[class].budget_ns;
	uint64_t processed = lane_processed(v->lane), n = lane_distance_pkts(processed, l->word[STAGE_EGRESS]);

	for (uint32_t i = 0; i < n && !l->is_refused; i++) {
		uint32_t index = lane_index(v, l->word[STAGE_EGRESS], i);
		int is_late = sim.config.late == LATE_DROP && budget_ns != BUDGET_NONE &&
			      now > v->arrivals[index].arrived_at_ns + budget_ns;

		if (v->results[index].drop == DROP_NONE && !is_late)
			return 1;
	}
	return 0;
}

void check_backlog(uint64_t now)
{
	for (uint32_t class = 0; class < sim.config.n_classes; class ++)
		bounds_set_backlog(class, is_backlogged(class, &ledgers[class], now));
}

/*
 * It has slept as if there were nothing to do for it. A ringer that dies may owe a wake: then the length of a sleep bounds the
 * wait, and nothing is said. Who does not run cannot ring.
 */
void check_slept(enum stage_id id, uint64_t since_ns)
{
	uint64_t now = sim_now_ns();

	check_lanes();
	if (sim.result.deaths > 0 || sim_stalled_until_ns() > since_ns || now - since_ns < WAKE_NS)
		return;
	for (uint32_t class = 0; class < sim.config.n_classes; class ++)
		if (ledgers[class].servable_since_ns[id] < now - WAKE_NS &&
		    (id != STAGE_INGRESS || input_has_waited(class, now - WAKE_NS)))
			sim_complain("%s slept on while class %u waited for it", mortals[id].name, class);
}

/* Has it read, or sent, what its count does not show? */
static int is_under_way(enum stage_id id)
{
	for (uint32_t class = 0; class < sim.config.n_classes; class ++) {
		const struct ledger *l = &ledgers[class];

		if (id == STAGE_INGRESS ? l->end > l->published : id == STAGE_EGRESS && l->left_at > l->sent)
			return 1;
	}
	return 0;
}

void check_died(enum stage_id id)
{
	check_lanes();
	sim.result.rescues += (uint64_t)is_under_way(id);
	if (id == STAGE_INGRESS) {
		input_forget();
		for (uint32_t class = 0; class < sim.config.n_classes; class ++)
			for (uint64_t n = ledgers[class].published; n < ledgers[class].end; n++)
				record_at(&ledgers[class], n)->not_before_ns = 0;
	}
	if (id == STAGE_EGRESS) /* deficits are not durable */
		for (uint32_t class = 0; class < sim.config.n_classes; class ++)
			bounds_reset(class);
}

int check_is_drained(void)
{
	for (uint32_t class = 0; class < sim.config.n_classes; class ++)
		if (ledgers[class].end > ledgers[class].published ||
		    lane_distance_pkts(lane_received(lane_of(class)), lane_sent(lane_of(class))))
			return 0;
	return 1;
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
	if (a.refused_events > output_refusals(class))
		sim_complain("class %u: more ICMP errors are counted than came", class);
	for (int i = 0; i < SEND_ERRNOS; i++)
		if (a.send_errno[i] == ECONNREFUSED)
			sim_complain("class %u: dropped for what passes: errno %llu", class,
				     (unsigned long long)a.send_errno[i]);
	digest(a.received_pkts);
	digest(a.latency_sum_ns);
	for (int reason = 0; reason < N_DROP_REASONS; reason++)
		digest(a.dropped_pkts[reason]);
}

void check_end(void)
{
	check_lanes();
	for (uint32_t class = 0; class < sim.config.n_classes; class ++)
		check_account(class, &ledgers[class]);
	digest(sim.result.ended_at_ns);
	digest(sim.result.violations);
}

/*
 * ledger.c - every packet exactly once, in order, unchanged, and in account.
 *
 * Memory:  a ledger per class: a record of each datagram from the moment ingress reads it until egress's count passes
 *          it.
 * Rules:   the ledger is kept by what passes the sockets alone; a lane is compared with it whenever a count has moved:
 *          before each call that moves datagrams, and after each step. What a dead stage had under way is compared when
 *          its successor has moved the count. Received = sent + dropped + held holds since each of them does.
 */
#include "ledger.h"

#include <stdarg.h>
#include <stdlib.h>

#include "config/reply.h"
#include "log.h"

#define MOST_COMPLAINTS 5
#define WAKE_NS (3 * NS_PER_MS) /* from something to do to its stage awake, at most */
#define TAIL_BYTES 16
#define UNKNOWN_DEST 0xff
#define MOST_READ_PKTS 32768 /* beyond a lane: by 64 messages of 128 datagrams, and by 8 */

struct ledger ledgers[MAX_CLASSES];

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

void sim_digest(uint64_t value)
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

void note_servable(uint32_t class, struct ledger *l, uint32_t moved)
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
	for (uint32_t class = 0; class < sim.config.n_classes; class++) {
		struct ledger *l = &ledgers[class];
		uint32_t slots = 2 * sim.seg.views[class].slots;

		while (sim.setup.train_pkts && slots < MOST_READ_PKTS) /* before there is room for them */
			slots *= 2;
		memset(l, 0, sizeof(*l));
		memset(l->dest, UNKNOWN_DEST, sizeof(l->dest));
		for (uint32_t i = 0; i < N_SOURCES && reply_forth(&sim.config, class) >= 0; i++)
			l->dest[0][i] = (uint8_t)i; /* a reply goes to the client that caused it */
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

static int matches(uint32_t class, const struct record *r, uint32_t dest, const uint8_t *payload, uint32_t len)
{
	const struct ledger *l = &ledgers[class];
	uint64_t tail = ~r->d.token;
	uint8_t known = l->dest[r->d.flow][r->d.source];

	if (r->d.len_bytes != len || (known != UNKNOWN_DEST && known != dest && !flaps_has(class)))
		return 0;
	if (memcmp(payload, &r->d.token, len < sizeof(r->d.token) ? len : sizeof(r->d.token)) != 0)
		return 0;
	return len < TAIL_BYTES || memcmp(payload + len - sizeof(tail), &tail, sizeof(tail)) == 0;
}

static uint64_t latest(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Does it leave with the code point and the congestion bits that the class says? */
static void check_tos(uint32_t class, uint8_t came, uint8_t left)
{
	const struct class_config *c = &sim.config.classes[class];
	uint32_t dscp = c->dscp == DSCP_KEEP ? came >> 2 : c->dscp;
	uint8_t ecn = c->ecn == ECN_OFF ? TOS_NOT_ECT : came & TOS_ECN;
	int is_marked = c->ecn == ECN_MARK && (left & TOS_ECN) == TOS_CE && (ecn == TOS_ECT_0 || ecn == TOS_ECT_1);

	ledgers[class].marked_pkts += (uint64_t)is_marked;
	if (left >> 2 != (uint8_t)dscp || (!is_marked && (left & TOS_ECN) != ecn))
		sim_complain("class %u: a packet came with type of service 0x%02x and left with 0x%02x", class, came,
			     left);
}

void check_left(const struct check_left *left, uint64_t now)
{
	uint32_t class = left->class, dest = left->dest, len_bytes = (uint32_t)left->payload->iov_len;
	struct ledger *l = &ledgers[class];
	const struct address *to = &sim.config.classes[class].dests[dest];
	uint32_t overhead_bytes = to->at.ss_family == AF_INET6 ? IPV6_UDP_BYTES : IPV4_UDP_BYTES;

	sim.result.left_pkts++;
	for (uint64_t n = latest(l->left_at, l->sent); n < l->processed; n++) {
		struct record *r = record_at(l, n);

		if (!matches(class, r, dest, left->payload->iov_base, len_bytes))
			continue;
		r->has_left = 1;
		if (len_bytes >= sizeof(r->d.token))
			check_tos(class, sim_tos(r->d.token), left->tos);
		else
			l->unsure_pkts++;
		l->dest[r->d.flow][r->d.source] = (uint8_t)dest;
		l->left_at = n + 1;
		l->left_pkts++;
		l->left_bytes += len_bytes;
		sim_digest(r->d.token);
		sim_digest(now + dest);
		if (l->is_refused)
			bounds_reset(class);
		l->is_refused = 0;
		bounds_note(class, left->header_bytes + len_bytes + overhead_bytes, sim_step_ns(STAGE_EGRESS));
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

/* Is there a packet in the lane that is neither dropped nor just refused? */
static int is_backlogged(uint32_t class, struct ledger *l, uint64_t now)
{
	const struct lane_view *v = &sim.seg.views[class];
	uint64_t budget_ns = sim.config.classes[class].budget_ns;
	uint64_t processed = lane_processed(v->lane), n = lane_distance_pkts(processed, l->word[STAGE_EGRESS]);

	for (uint32_t i = 0; i < n && !l->is_refused && !flaps_none_is_up(class); i++) {
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
	for (uint32_t class = 0; class < sim.config.n_classes; class++)
		bounds_set_backlog(class, is_backlogged(class, &ledgers[class], now));
}

/*
 * It has slept as if there were nothing to do for it. A ringer that dies may owe a wake: then the length of a sleep
 * bounds the wait, and nothing is said. Who does not run cannot ring.
 */
void check_slept(enum stage_id id, uint64_t since_ns)
{
	uint64_t now = sim_now_ns();

	check_lanes();
	if (sim.result.deaths > 0 || sim_stalled_until_ns() > since_ns || now - since_ns < WAKE_NS)
		return;
	if (id == STAGE_EDF && workers_are_busy())
		return;
	for (uint32_t class = 0; class < sim.config.n_classes; class++)
		if (ledgers[class].servable_since_ns[id] < now - WAKE_NS &&
		    !(id == STAGE_EGRESS && flaps_hold(class, now - WAKE_NS)) &&
		    (id != STAGE_INGRESS || input_has_waited(class, now - WAKE_NS)))
			sim_complain("%s slept on while class %u waited for it", stage_name(id), class);
}

/* Has it read, or sent, what its count does not show? */
static int is_under_way(enum stage_id id)
{
	for (uint32_t class = 0; class < sim.config.n_classes; class++) {
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
		for (uint32_t class = 0; class < sim.config.n_classes; class++)
			for (uint64_t n = ledgers[class].published; n < ledgers[class].end; n++)
				record_at(&ledgers[class], n)->not_before_ns = 0;
	}
	if (id == STAGE_EGRESS) /* deficits are not durable */
		for (uint32_t class = 0; class < sim.config.n_classes; class++)
			bounds_reset(class);
}

int check_is_drained(void)
{
	for (uint32_t class = 0; class < sim.config.n_classes; class++)
		if (ledgers[class].end > ledgers[class].published ||
		    lane_distance_pkts(lane_received(lane_of(class)), lane_sent(lane_of(class))))
			return 0;
	return 1;
}

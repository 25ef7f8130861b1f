/* policy.c - pure: the policies. */
#include "policy.h"

#define FOREVER_NS 1000000000000000LL /* 11 days; a thousand times that is still a number */
#define MOST_TAKEN 500 /* permille: more than half is never taken for granted, since some of those above will go too */

static uint64_t margin_ns(const struct edf_rules *rules, const struct edf_queue *q)
{
	return rules->policy == POLICY_GUARDED ? q->margin_ns : 0;
}

/* NO_DEADLINE is later than all. */
static int is_hopeless(uint64_t now, uint64_t deadline_ns, uint64_t service_ns, uint64_t margin)
{
	return now + service_ns + margin > deadline_ns;
}

uint64_t edf_hopeless_from(const struct edf_rules *rules, const struct edf_queue *q, uint64_t deadline_ns,
			   uint64_t service_ns)
{
	uint64_t needs_ns = service_ns + margin_ns(rules, q);

	if (deadline_ns == NO_DEADLINE || (rules->policy == POLICY_EDF && rules->late == LATE_SEND))
		return UINT64_MAX;
	return deadline_ns < needs_ns ? 0 : deadline_ns - needs_ns + 1;
}

int edf_is_hopeless(const struct edf_rules *rules, const struct edf_queue *q, uint64_t now, uint64_t deadline_ns,
		    uint64_t service_ns)
{
	return now >= edf_hopeless_from(rules, q, deadline_ns, service_ns);
}

/* What the head is to be dropped as if it does not go on; DROP_NONE: it can be in time, or need not be. */
static enum drop_reason is_lost(const struct edf_rules *rules, const struct edf_queue *q, uint64_t now)
{
	if (q->lost != DROP_NONE)
		return q->lost;
	return edf_is_hopeless(rules, q, now, q->deadline_ns, q->service_ns) ? DROP_LATE : DROP_NONE;
}

/* Can the head be served? If not, *choice says what becomes of it: -1 nothing for now. */
static int is_servable(const struct edf_rules *rules, const struct edf_queue *q, int class, struct edf_choice *choice)
{
	if (q->room_pkts > 0)
		return 1;
	*choice = (struct edf_choice){ .class = rules->full == FULL_DROP ? class : -1, .drop = DROP_EGRESS_FULL };
	return 0;
}

static struct edf_choice choose_earliest(const struct edf_rules *rules, uint64_t now, const struct edf_queue *queues,
					 uint32_t n_classes)
{
	struct edf_choice best = { .class = -1, .drop = DROP_NONE }, other;

	for (uint32_t i = 0; i < n_classes; i++) {
		const struct edf_queue *q = &queues[i];
		enum drop_reason lost;

		if (q->waiting_pkts == 0)
			continue;
		lost = is_lost(rules, q, now);
		if (lost != DROP_NONE)
			return (struct edf_choice){ .class = (int)i, .drop = lost };
		if (!is_servable(rules, q, (int)i, &other)) {
			if (other.class >= 0)
				return other;
			continue;
		}
		if (best.class < 0 || q->deadline_ns < queues[best.class].deadline_ns)
			best.class = (int)i;
	}
	return best;
}

/*
 * How long may something else take now without making a packet late that waits and can be in time? Below 0: some will
 * be.
 */
static int64_t spare_ns(uint64_t now, const struct edf_queue *queues, uint32_t n_classes)
{
	uint64_t above_ns = 0;
	uint32_t any_over = 0;
	int64_t least_ns = INT64_MAX;

	for (uint32_t over = 0; over <= any_over; over++)
		for (uint32_t i = 0; i < n_classes; i++) {
			const struct edf_queue *q = &queues[i];
			int64_t spare;

			any_over |= q->over_share;
			if (q->waiting_pkts == 0 || q->over_share != over || q->begin_by_ns == INT64_MAX)
				continue;
			spare = q->begin_by_ns - (int64_t)(q->margin_ns + above_ns + now);
			least_ns = spare < least_ns ? spare : least_ns;
			above_ns += q->work_ns - q->late_ns;
		}
	return least_ns;
}

/* How long a lost head may take without costing anybody anything. */
static uint64_t affordable_ns(uint64_t now, const struct edf_queue *queues, uint32_t n_classes)
{
	int64_t spare = spare_ns(now, queues, n_classes), least_ns = spare < FOREVER_NS ? spare : FOREVER_NS;
	uint32_t load_permille = 0;

	for (uint32_t i = 0; i < n_classes; i++) {
		const struct edf_queue *q = &queues[i];
		int64_t half_ns = (int64_t)(q->budget_ns / 2);

		load_permille += q->load_permille;
		if ((q->load_permille || q->waiting_pkts) && q->budget_ns != BUDGET_NONE && half_ns < least_ns)
			least_ns = half_ns;
	}
	return least_ns < 0 || load_permille > 1000 ? 0 : (uint64_t)least_ns * (1000 - load_permille) / 1000;
}

/* May a lost head go on? If not it is dropped. */
static int goes_on(const struct edf_rules *rules, uint64_t now, const struct edf_queue *q, uint64_t afford_ns)
{
	if (rules->policy != POLICY_GUARDED)
		return 0;
	if (rules->late == LATE_DROP && edf_is_hopeless(rules, q, now, q->deadline_ns, q->service_ns))
		return 0;
	return q->cost_ns <= afford_ns;
}

/*
 * The latest time at which other work may start without leaving this class, and those above it, less than half its
 * budget.
 */
static int64_t latest_start_ns(const struct edf_queue *q, uint64_t work_above_ns)
{
	int64_t head, last;

	if (q->deadline_ns == NO_DEADLINE)
		return INT64_MAX;
	head = (int64_t)q->deadline_ns - (int64_t)q->service_ns;
	last = (int64_t)q->last_deadline_ns - (int64_t)(work_above_ns + q->work_ns);
	return (head < last ? head : last) - (int64_t)(q->budget_ns / 2);
}

/*
 * Servable classes in rank order; per rank, the earliest deadline and the latest start among the ranks up to it.
 */
struct ranking {
	uint32_t n;
	uint8_t earliest[MAX_CLASSES]; /* rank of the earliest deadline among the ranks up to this one */
	uint8_t class[MAX_CLASSES];
	int64_t latest_start_ns[MAX_CLASSES]; /* of the ranks up to this one */
	/* of all ranks until now */
	uint64_t work_ns, deadline_ns;
	int64_t latest_ns;
	uint32_t rank;
};

static void add_rank(struct ranking *r, const struct edf_queue *queues, uint32_t class)
{
	const struct edf_queue *q = &queues[class];
	int64_t latest_ns = latest_start_ns(q, r->work_ns);
	uint32_t rank = r->n++;

	r->rank = q->deadline_ns < r->deadline_ns ? rank : r->rank;
	r->deadline_ns = q->deadline_ns < r->deadline_ns ? q->deadline_ns : r->deadline_ns;
	r->latest_ns = latest_ns < r->latest_ns ? latest_ns : r->latest_ns;
	r->work_ns += q->work_ns;
	r->class[rank] = (uint8_t)class;
	r->earliest[rank] = (uint8_t)r->rank;
	r->latest_start_ns[rank] = r->latest_ns;
}

/* The most urgent goes if those above can wait for it; else the most urgent of those above. */
static int pick(const struct ranking *r, uint64_t now, const struct edf_queue *queues)
{
	uint32_t rank;

	if (r->n == 0)
		return -1;
	rank = r->rank;
	while (rank > 0 && (int64_t)(now + queues[r->class[rank]].service_ns) > r->latest_start_ns[rank - 1])
		rank = r->earliest[rank - 1];
	return r->class[rank];
}

static int can_wait(const struct ranking *above, uint64_t until_ns)
{
	return above->n == 0 || (int64_t)until_ns <= above->latest_ns;
}

static struct edf_choice choose_guarded(const struct edf_rules *rules, uint64_t now, const struct edf_queue *queues,
					uint32_t n_classes)
{
	uint64_t afford_ns = UINT64_MAX; /* not known yet */
	struct edf_choice other;
	struct ranking r;
	uint32_t any_over = 0;

	r.n = 0; /* its arrays are read up to there */
	r.rank = 0;
	r.work_ns = 0;
	r.deadline_ns = NO_DEADLINE;
	r.latest_ns = INT64_MAX;
	for (uint32_t over = 0; over <= any_over; over++)
		for (uint32_t i = 0; i < n_classes; i++) {
			const struct edf_queue *q = &queues[i];
			enum drop_reason lost = DROP_NONE;

			if (q->waiting_pkts == 0)
				continue;
			any_over |= q->over_share;
			if (q->over_share != over)
				continue;
			if ((q->lost != DROP_NONE) | is_hopeless(now, q->deadline_ns, q->service_ns, q->margin_ns))
				lost = q->lost != DROP_NONE ? (enum drop_reason)q->lost : DROP_LATE;
			if (lost != DROP_NONE && q->cost_ns > 0 && afford_ns == UINT64_MAX)
				afford_ns = affordable_ns(now, queues, n_classes);
			if (lost != DROP_NONE && !goes_on(rules, now, q, afford_ns))
				return (struct edf_choice){ .class = (int)i, .drop = lost };
			if (!is_servable(rules, q, (int)i, &other)) {
				if (other.class >= 0)
					return other;
			} else if (lost == DROP_NONE) {
				add_rank(&r, queues, i);
			} else if (can_wait(&r, now + q->cost_ns)) {
				return (struct edf_choice){ .class = (int)i, .drop = DROP_NONE };
			}
		}
	return (struct edf_choice){ .class = pick(&r, now, queues), .drop = DROP_NONE };
}

struct edf_choice edf_choose(const struct edf_rules *rules, uint64_t now, const struct edf_queue *queues,
			     uint32_t n_classes)
{
	if (rules->policy == POLICY_GUARDED)
		return choose_guarded(rules, now, queues, n_classes);
	return choose_earliest(rules, now, queues, n_classes);
}

/* No class ranks above itself. */
static int ranks_above(const struct edf_queue *queues, uint32_t a, uint32_t b)
{
	return queues[a].over_share != queues[b].over_share ? queues[a].over_share < queues[b].over_share : a < b;
}

struct edf_choice edf_interrupt(const struct edf_rules *rules, uint64_t now, const struct edf_queue *queues,
				uint32_t n_classes, uint32_t class, uint64_t remaining_ns)
{
	for (uint32_t i = 0; i < n_classes; i++) {
		const struct edf_queue *q = &queues[i];
		uint64_t margin = margin_ns(rules, q);
		enum drop_reason lost;

		if (!ranks_above(queues, i, class) || q->waiting_pkts == 0 || q->room_pkts == 0 || q->started)
			continue;
		lost = is_lost(rules, q, now);
		if (lost != DROP_NONE && !goes_on(rules, now, q, affordable_ns(now, queues, n_classes)))
			return (struct edf_choice){ .class = (int)i, .drop = lost };
		if (q->fresh_deadline_ns == NO_DEADLINE ||
		    is_hopeless(now, q->fresh_deadline_ns, q->fresh_service_ns, margin))
			continue;
		if (is_hopeless(now + remaining_ns, q->fresh_deadline_ns, q->fresh_service_ns, margin) ||
		    now + remaining_ns + q->work_ns - q->late_ns + margin > q->last_deadline_ns)
			return (struct edf_choice){ .class = (int)i, .drop = DROP_NONE };
	}
	return (struct edf_choice){ .class = -1, .drop = DROP_NONE };
}

int edf_is_too_long(const struct edf_queue *queues, uint32_t n_classes, uint32_t class, enum evict evict, uint64_t now,
		    uint64_t service_ns, uint64_t deadline_ns)
{
	uint64_t before_ns = queues[class].work_ns + service_ns;
	uint32_t taken_permille = 0;

	if (deadline_ns == NO_DEADLINE)
		return 0;
	for (uint32_t i = 0; i < n_classes; i++) {
		if (!ranks_above(queues, i, class))
			continue;
		taken_permille += queues[i].load_permille;
		if (queues[i].waiting_pkts && queues[i].deadline_ns != NO_DEADLINE)
			before_ns += queues[i].work_ns;
	}
	if (evict == EVICT_LARGEST)
		before_ns = before_ns * 1000 / (1000 - (taken_permille < MOST_TAKEN ? taken_permille : MOST_TAKEN));
	return now + before_ns > deadline_ns;
}

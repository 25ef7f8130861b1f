/* edf.c - pure: the policies. */
#include "edf.h"

#define MOST_TAKEN 500 /* permille: more than half is never taken for granted, since some of those above will go too */

static int is_hopeless(const struct edf_queue *q, uint64_t now, uint64_t margin_ns)
{
	return q->deadline_ns != NO_DEADLINE && now + q->service_ns + margin_ns > q->deadline_ns;
}

/* Can the head be served? If not, *choice says what becomes of it: -1 nothing for now. */
static int is_servable(const struct edf_queue *q, int class, enum full full, struct edf_choice *choice)
{
	if (q->room_pkts > 0)
		return 1;
	*choice = (struct edf_choice){ .class = full == FULL_DROP ? class : -1, .drop = DROP_EGRESS_FULL };
	return 0;
}

static struct edf_choice choose_earliest(int drop_late, enum full full, uint64_t now, const struct edf_queue *queues,
					 uint32_t n_classes)
{
	struct edf_choice best = { .class = -1, .drop = DROP_NONE }, other;

	for (uint32_t i = 0; i < n_classes; i++) {
		const struct edf_queue *q = &queues[i];

		if (q->waiting_pkts == 0)
			continue;
		if (drop_late && is_hopeless(q, now, 0))
			return (struct edf_choice){ .class = (int)i, .drop = DROP_LATE };
		if (!is_servable(q, (int)i, full, &other)) {
			if (other.class >= 0)
				return other;
			continue;
		}
		if (best.class < 0 || q->deadline_ns < queues[best.class].deadline_ns)
			best.class = (int)i;
	}
	return best;
}

/* Until when something else may be served before this class, with all above it, keeps less than half a budget of slack. */
static int64_t latest_start_ns(const struct edf_queue *q, uint64_t work_above_ns)
{
	int64_t head, last;

	if (q->deadline_ns == NO_DEADLINE)
		return INT64_MAX;
	head = (int64_t)q->deadline_ns - (int64_t)q->service_ns;
	last = (int64_t)q->last_deadline_ns - (int64_t)(work_above_ns + q->work_ns);
	return (head < last ? head : last) - (int64_t)(q->budget_ns / 2);
}

/* The classes that can be served by rank, and for each rank: what is the most urgent up to it, how long may the first ones wait. */
struct ranking {
	uint32_t n;
	uint8_t earliest[MAX_CLASSES]; /* rank of the earliest deadline among the ranks up to this one */
	uint8_t class[MAX_CLASSES];
	int64_t latest_start_ns[MAX_CLASSES]; /* of the ranks up to this one */
	uint64_t work_ns;
};

static void add_rank(struct ranking *r, const struct edf_queue *queues, uint32_t class)
{
	const struct edf_queue *q = &queues[class];
	int64_t latest_ns = latest_start_ns(q, r->work_ns);
	uint32_t rank = r->n++;

	r->class[rank] = (uint8_t) class;
	r->earliest[rank] = (uint8_t)rank;
	r->latest_start_ns[rank] = latest_ns;
	r->work_ns += q->work_ns;
	if (rank == 0)
		return;
	if (r->latest_start_ns[rank - 1] < latest_ns)
		r->latest_start_ns[rank] = r->latest_start_ns[rank - 1];
	if (queues[r->class[r->earliest[rank - 1]]].deadline_ns <= q->deadline_ns)
		r->earliest[rank] = r->earliest[rank - 1];
}

static struct edf_choice choose_guarded(enum full full, uint64_t now, const struct edf_queue *queues,
					uint32_t n_classes)
{
	struct edf_choice choice = { .class = -1, .drop = DROP_NONE }, other;
	struct ranking r = { .n = 0 };
	uint32_t rank;

	for (uint32_t over = 0; over < 2; over++)
		for (uint32_t i = 0; i < n_classes; i++) {
			const struct edf_queue *q = &queues[i];

			if (q->waiting_pkts == 0 || (q->over_share != 0) != (over != 0))
				continue;
			if (is_hopeless(q, now, q->margin_ns))
				return (struct edf_choice){ .class = (int)i, .drop = DROP_LATE };
			if (is_servable(q, (int)i, full, &other))
				add_rank(&r, queues, i);
			else if (other.class >= 0)
				return other;
		}
	if (r.n == 0)
		return choice;
	/* The most urgent goes if those above can wait for it; else the most urgent of those above. */
	rank = r.earliest[r.n - 1];
	while (rank > 0 && (int64_t)(now + queues[r.class[rank]].service_ns) > r.latest_start_ns[rank - 1])
		rank = r.earliest[rank - 1];
	choice.class = r.class[rank];
	return choice;
}

struct edf_choice edf_choose(enum policy policy, enum full full, uint64_t now, const struct edf_queue *queues,
			     uint32_t n_classes)
{
	if (policy == POLICY_GUARDED)
		return choose_guarded(full, now, queues, n_classes);
	return choose_earliest(policy == POLICY_EDF_DROP, full, now, queues, n_classes);
}

static int ranks_above(const struct edf_queue *queues, uint32_t a, uint32_t b)
{
	return queues[a].over_share != queues[b].over_share ? queues[a].over_share < queues[b].over_share : a < b;
}

struct edf_choice edf_interrupt(enum policy policy, uint64_t now, const struct edf_queue *queues, uint32_t n_classes,
				uint32_t class, uint64_t remaining_ns)
{
	for (uint32_t i = 0; i < n_classes; i++) {
		const struct edf_queue *q = &queues[i];
		uint64_t margin_ns = policy == POLICY_GUARDED ? q->margin_ns : 0;

		if (i == class || !ranks_above(queues, i, class) || q->waiting_pkts == 0 || q->room_pkts == 0 ||
		    q->deadline_ns == NO_DEADLINE)
			continue;
		if (is_hopeless(q, now, margin_ns)) {
			if (policy == POLICY_EDF)
				continue;
			return (struct edf_choice){ .class = (int)i, .drop = DROP_LATE };
		}
		if (is_hopeless(q, now + remaining_ns, margin_ns) ||
		    now + remaining_ns + q->work_ns + margin_ns > q->last_deadline_ns)
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
		if (i == class || !ranks_above(queues, i, class))
			continue;
		taken_permille += queues[i].load_permille;
		if (queues[i].waiting_pkts && queues[i].deadline_ns != NO_DEADLINE)
			before_ns += queues[i].work_ns;
	}
	if (evict == EVICT_LARGEST)
		before_ns = before_ns * 1000 / (1000 - (taken_permille < MOST_TAKEN ? taken_permille : MOST_TAKEN));
	return now + before_ns > deadline_ns;
}

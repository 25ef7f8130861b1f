/* plan.c - pure: what edf knows of the packets that wait. */
#include "plan.h"

#include <string.h>

#include "listed.h"
#include "slack.h"
#include "units.h"

#define UNKNOWN_NS UINT32_MAX /* of a prediction: longer than any other */
#define MOST_HEADER_BYTES 48 /* of IPv6 and UDP: on the way out that is on the wire too */
#define OUTLIER 4 /* the machine stalled if a sample took more than that many times the prediction */

uint64_t plan_predict_ns(const struct plan *p, uint32_t class, uint32_t bytes)
{
	const struct predict_line *own = &p->classes[class].model;

	if (p->model.n_samples == 0) /* without work that is for ever */
		return 0;
	return predict_ns(predict_is_known(own) ? own : &p->model, bytes);
}

/* The head's own values, for the decision. */
static void load_head(struct plan *p, uint32_t class)
{
	struct plan_class *c = &p->classes[class];
	struct edf_queue *q = &p->queues[class];
	const struct plan_entry *e;

	q->waiting_pkts = (uint32_t)(c->last - c->first);
	q->lost = DROP_NONE;
	p->sound_until_ns[class] = UINT64_MAX;
	if (q->waiting_pkts == 0)
		return;
	e = plan_entry(c, c->first);
	q->started = e->started;
	q->deadline_ns = q->fresh_deadline_ns = e->deadline_ns;
	q->service_ns = q->fresh_service_ns = plan_predict_ns(p, class, e->bytes); /* more is known by now */
	p->sound_until_ns[class] =
		e->lost || e->gone || e->started ? 0 : edf_hopeless_from(&p->rules, q, q->deadline_ns, q->service_ns);
}

static void configure(struct plan *p, const struct config *c)
{
	p->rules = (struct edf_rules){ .policy = c->policy, .full = c->full, .late = c->late };
	p->evict = c->evict;
	p->rate_bits_per_s = c->rate_bits_per_s;
	p->n_classes = c->n_classes;
	p->payload_bytes = c->payload_bytes;
	p->has_shares = 0;
	p->loads_at_ns = 0;
	p->begin_stale = UINT32_MAX;
	for (uint32_t i = 0; i < c->n_classes; i++) {
		struct plan_class *class = &p->classes[i];

		class->share_percent = c->classes[i].share_percent;
		p->has_shares |= class->share_percent;
		class->edf_to_egress_pkts = c->classes[i].edf_to_egress_pkts;
		class->first = class->fresh = class->last = 0;
		class->tight_first = class->tight_last = class->tight_told = 0;
		class->evict = c->evict == EVICT_NEWEST && c->classes[i].fair ? EVICT_SOURCE : c->evict;
		class->sizes = 0;
		memset(class->listed_ns, 0, sizeof(class->listed_ns));
		class->tokens_ns = 0; /* credit is earned */
		p->queues[i] = (struct edf_queue){ .budget_ns = c->classes[i].budget_ns,
						   .margin_ns = config_margin_ns(&c->classes[i]) };
		load_head(p, i);
	}
}

void plan_init(struct plan *p, const struct config *c, struct plan_entry *const *entries, const uint32_t *slots)
{
	memset(p, 0, sizeof(*p));
	configure(p, c);
	for (uint32_t i = 0; i < c->n_classes; i++) {
		p->classes[i].entries = entries[i];
		p->classes[i].mask = slots[i] - 1;
	}
	plan_set_workers(p, 1);
}

void plan_set_workers(struct plan *p, uint32_t n)
{
	p->n_workers = n;
	for (uint32_t i = 0; i < MAX_CLASSES; i++)
		p->classes[i].n_workers = n;
}

void plan_reload(struct plan *p, const struct config *c)
{
	configure(p, c);
}

/* What was served fades: after a window half of it is left, after two a third. */
static uint64_t served_lately_ns(const struct plan_class *c, uint64_t now)
{
	uint64_t since_ns = now - c->served_at_ns;

	return since_ns > 1000 * LOAD_WINDOW_NS ? 0 : c->served_ns * LOAD_WINDOW_NS / (LOAD_WINDOW_NS + since_ns);
}

void plan_learn(struct plan *p, uint32_t class, uint64_t now, uint32_t bytes, uint64_t took_ns)
{
	struct plan_class *c = &p->classes[class];
	uint64_t most_ns = OUTLIER * plan_predict_ns(p, class, bytes);

	c->tokens_ns -= (int64_t)plan_share_ns(p, took_ns);
	if (predict_is_known(&p->model) && took_ns > most_ns)
		took_ns = most_ns;
	c->served_ns = served_lately_ns(c, now) + plan_share_ns(p, took_ns < NS_PER_S ? took_ns : NS_PER_S);
	c->served_at_ns = now;
	p->loads_at_ns = 0;
	predict_learn(&c->model, bytes, (double)took_ns);
	predict_learn(&p->model, bytes, (double)took_ns);
}

/* The entry counts no more as one that can be evicted. */
static void unlist(struct plan *p, uint32_t class, const struct plan_entry *e)
{
	if (p->classes[class].evict != EVICT_NEWEST && !e->started)
		listed_remove(&p->classes[class], e);
}

/*
 * Pass over those that are lost, from the oldest on; what cannot be in time any more is from now on. The one at work is
 * passed over too if it will be late, but it is not lost.
 */
static void find_fresh(struct plan *p, uint32_t class, uint64_t now)
{
	struct plan_class *c = &p->classes[class];
	struct edf_queue *q = &p->queues[class];

	for (; c->fresh < c->last; c->fresh++) {
		struct plan_entry *e = plan_entry(c, c->fresh);

		if (e->lost || e->gone)
			continue;
		q->fresh_deadline_ns = e->deadline_ns;
		q->fresh_service_ns = e->started	     ? e->service_ns
				      : c->fresh == c->first ? q->service_ns
							     : plan_predict_ns(p, class, e->bytes);
		if (!edf_is_hopeless(&p->rules, q, now, e->deadline_ns, q->fresh_service_ns))
			return;
		if (e->started)
			continue;
		unlist(p, class, e);
		e->lost = DROP_LATE;
		q->late_ns += e->service_ns;
	}
	q->fresh_deadline_ns = NO_DEADLINE;
}

static void evict_chosen(struct plan *p, uint32_t class)
{
	struct plan_class *c = &p->classes[class];
	struct plan_entry *e = &c->entries[c->newest[listed_victims(c)]];

	unlist(p, class, e);
	p->queues[class].work_ns -= e->service_ns;
	e->lost = DROP_EVICTED;
}

static void update_loads(struct plan *p, uint64_t now)
{
	if (p->loads_at_ns == now) /* many are told of, or dropped, at one time */
		return;
	p->loads_at_ns = now;
	for (uint32_t i = 0; i < p->n_classes; i++)
		p->queues[i].load_permille =
			(uint32_t)(served_lately_ns(&p->classes[i], now) / (LOAD_WINDOW_NS / 1000));
}

void plan_arrive(struct plan *p, uint32_t class, uint64_t now, uint64_t deadline_ns, uint32_t bytes, int gone)
{
	plan_arrive_from(p, class, now, deadline_ns, bytes, gone, 0);
}

void plan_arrive_from(struct plan *p, uint32_t class, uint64_t now, uint64_t deadline_ns, uint32_t bytes, int gone,
		      uint32_t source)
{
	struct plan_class *c = &p->classes[class];
	struct edf_queue *q = &p->queues[class];
	struct plan_entry *e = plan_entry(c, c->last);
	uint64_t whole_ns = gone ? 0 : plan_predict_ns(p, class, bytes), service_ns = plan_share_ns(p, whole_ns);
	int too_long, is_lost;

	if (p->evict == EVICT_LARGEST)
		update_loads(p, now);
	too_long = !gone && p->rules.policy == POLICY_GUARDED &&
		   edf_is_too_long(p->queues, p->n_classes, class, c->evict, now, whole_ns, deadline_ns);

	e->deadline_ns = deadline_ns;
	e->service_ns = (uint32_t)service_ns;
	e->bytes = bytes;
	e->size = (uint8_t)listed_which(c, p->payload_bytes, bytes, source);
	e->gone = gone != 0;
	/* by source: no other one is evicted for one that is late whatever goes */
	is_lost = too_long && (c->evict == EVICT_NEWEST || (c->evict == EVICT_SOURCE && now + whole_ns > deadline_ns));
	e->lost = is_lost ? DROP_EVICTED : DROP_NONE;
	e->started = 0;
	e->refused = e->lost || gone;
	if (!e->refused) {
		q->work_ns += service_ns;
		c->total_ns += service_ns;
		if (c->evict != EVICT_NEWEST)
			listed_add(c, c->last);
		q->last_deadline_ns = deadline_ns;
	}
	e->total_ns = c->total_ns;
	p->begin_stale |= 1U << class;
	c->last++;
	if (c->evict != EVICT_NEWEST)
		while (too_long && !is_lost && c->sizes) {
			evict_chosen(p, class);
			too_long = edf_is_too_long(p->queues, p->n_classes, class, c->evict, now, whole_ns - service_ns,
						   deadline_ns);
		}
	/* behind a head for which nothing has been learned since, it changes nothing of what is known of that */
	if (q->waiting_pkts++ == 0 || p->model.n_samples || c->evict != EVICT_NEWEST)
		load_head(p, class);
}

static void refill_shares(struct plan *p, uint64_t now)
{
	uint64_t elapsed_ns = now - p->refilled_at_ns;

	if (elapsed_ns > SHARE_WINDOW_NS)
		elapsed_ns = SHARE_WINDOW_NS;
	p->refilled_at_ns = now;
	for (uint32_t i = 0; i < p->n_classes; i++) {
		struct plan_class *c = &p->classes[i];
		int64_t full_ns = (int64_t)(SHARE_WINDOW_NS * c->share_percent / 100);

		c->tokens_ns += (int64_t)(elapsed_ns * c->share_percent / 100);
		if (c->tokens_ns > full_ns)
			c->tokens_ns = full_ns;
		if (c->tokens_ns <
		    -full_ns) /* what it took while nobody else wanted it is not held against it for long */
			c->tokens_ns = -full_ns;
		p->queues[i].over_share = c->tokens_ns <= 0;
	}
}

/*
 * What the lost heads (a bit per class) take from all others: where the way out is shaped, what waits there and they
 * themselves come first, too. Returns 1 if one of them takes anything.
 */
static int weigh_heads(struct plan *p, uint32_t lost)
{
	int is_known = p->model.n_samples == 0 || predict_is_known(&p->model); /* none: there is no work */
	uint64_t behind_pkts = 1, most_ns = 0;

	for (uint32_t i = 0; p->rate_bits_per_s && i < p->n_classes; i++)
		if (p->queues[i].room_pkts < p->classes[i].edf_to_egress_pkts)
			behind_pkts += p->classes[i].edf_to_egress_pkts - p->queues[i].room_pkts;
	for (; lost; lost &= lost - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(lost);
		struct plan_class *c = &p->classes[i];
		struct edf_queue *q = &p->queues[i];
		uint64_t bits = behind_pkts * (plan_entry(c, c->first)->bytes + MOST_HEADER_BYTES) * BITS_PER_BYTE;

		q->cost_ns = is_known ? plan_share_ns(p, q->service_ns) : UNKNOWN_NS;
		if (p->rate_bits_per_s)
			q->cost_ns += (uint64_t)((double)bits * NS_PER_S / (double)p->rate_bits_per_s);
		most_ns |= q->cost_ns;
	}
	return most_ns > 0;
}

static void update_begin_by(struct plan *p)
{
	for (uint32_t stale = p->begin_stale & ((1U << p->n_classes) - 1); stale; stale &= stale - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(stale);

		p->queues[i].begin_by_ns = slack_begin_by_ns(&p->classes[i]);
	}
	p->begin_stale = 0;
}

/* What a decision needs to know of now. Returns a class whose head is gone and only has to be passed on, or -1. */
static int prepare_choice(struct plan *p, uint64_t now, const uint32_t *room_pkts)
{
	uint32_t lost = 0;

	if (p->has_shares)
		refill_shares(p, now);
	for (uint32_t i = 0; i < p->n_classes; i++) {
		struct plan_class *c = &p->classes[i];
		struct edf_queue *q = &p->queues[i];
		uint64_t was;

		q->room_pkts = room_pkts[i];
		if (now < p->sound_until_ns[i])
			continue;
		if (plan_entry(c, c->first)->gone) /* an empty class is sound for ever */
			return (int)i;
		was = c->fresh;
		find_fresh(p, i, now);
		p->begin_stale |= (uint32_t)(c->fresh != was) << i;
		q->lost = plan_entry(c, c->first)->lost;
		lost |= (uint32_t)(q->lost != DROP_NONE) << i;
	}
	if (lost &&
	    weigh_heads(p, lost)) { /* what takes nothing costs nobody anything: no need to know how much is to spare */
		update_begin_by(p);
		update_loads(p, now);
	}
	return -1;
}

struct edf_choice plan_choose(struct plan *p, uint64_t now, const uint32_t *room_pkts)
{
	int gone = prepare_choice(p, now, room_pkts);

	if (gone >= 0)
		return (struct edf_choice){ .class = gone, .drop = DROP_EVICTED };
	return edf_choose(&p->rules, now, p->queues, p->n_classes);
}

uint64_t plan_start(struct plan *p, uint32_t class)
{
	struct plan_class *c = &p->classes[class];
	struct plan_entry *e = plan_entry(c, c->first);
	struct edf_queue *q = &p->queues[class];

	if (e->lost == DROP_EVICTED) { /* it counts again */
		e->service_ns = (uint32_t)plan_share_ns(p, q->service_ns);
		q->work_ns += e->service_ns;
	} else if (e->lost == DROP_LATE) {
		q->late_ns -= e->service_ns;
	} else {
		unlist(p, class, e);
	}
	e->lost = DROP_NONE;
	c->fresh = c->first;
	e->started = 1;
	q->started = 1;
	p->begin_stale |= 1U << class;
	p->sound_until_ns[class] = 0;
	return q->service_ns;
}

void plan_progress(struct plan *p, uint32_t class, uint64_t remaining_ns)
{
	struct plan_class *c = &p->classes[class];
	struct plan_entry *e = plan_entry(c, c->first);

	p->queues[class].work_ns -= e->service_ns;
	e->service_ns = remaining_ns < UINT32_MAX ? (uint32_t)remaining_ns : UINT32_MAX;
	p->queues[class].work_ns += e->service_ns;
	p->begin_stale |= 1U << class;
}

struct edf_choice plan_interrupt(struct plan *p, uint32_t class, uint64_t now, const uint32_t *room_pkts)
{
	const struct plan_class *c = &p->classes[class];
	uint64_t remaining_ns = c->entries[c->first & c->mask].service_ns;
	int gone = prepare_choice(p, now, room_pkts);

	if (gone >= 0)
		return (struct edf_choice){ .class = gone, .drop = DROP_EVICTED };
	return edf_interrupt(&p->rules, now, p->queues, p->n_classes, class, remaining_ns);
}

void plan_take(struct plan *p, uint32_t class)
{
	struct plan_class *c = &p->classes[class];
	const struct plan_entry *e = plan_entry(c, c->first);

	if (e->lost != DROP_EVICTED && !e->gone)
		p->queues[class].work_ns -= e->service_ns;
	if (e->lost == DROP_LATE)
		p->queues[class].late_ns -= e->service_ns;
	else if (e->lost == DROP_NONE && !e->gone)
		unlist(p, class, e);
	c->first++;
	if (c->fresh < c->first)
		c->fresh = c->first;
	p->begin_stale |= 1U << class;
	load_head(p, class);
}

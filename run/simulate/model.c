/* model.c - a trace, replayed through a policy on a virtual clock. */
#include "model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A class's packets on their way: in the socket [head_of_lane + queued, ...), in the lane before that. */
struct line {
	uint32_t *waiting; /* indices into the trace, in order of arrival */
	size_t first, queued, last;
	size_t passed; /* what came before it has gone on: with workers it may be less than first */
};

struct simulation {
	const struct config *config;
	struct model_setting setting;
	struct trace *trace;
	size_t next; /* packet of the trace that arrives next */
	struct line lines[MAX_CLASSES];
	uint32_t room_pkts[MAX_CLASSES]; /* behind edf: egress is instant */
	struct plan plan;
	/* several workers */
	struct packet *at_work[MOST_WORKERS]; /* NULL: the worker is free */
	uint64_t free_at_ns[MOST_WORKERS];
	uint64_t left_at_ns[MAX_CLASSES]; /* when the newest packet that was given out goes on, as far as is known */
};

/* Ingress: from the socket into the lane, as far as there is room. */
static void fill_lane(struct simulation *s, uint32_t class, uint64_t now)
{
	struct line *l = &s->lines[class];
	uint32_t limit = s->config->classes[class].ingress_to_edf_pkts;

	while (l->queued < l->last && l->queued - l->passed < limit) {
		struct packet *p = &s->trace->packets[l->waiting[l->queued++]];

		plan_arrive(&s->plan, class, now, model_deadline_ns(s->config, p), p->bytes, 0);
	}
}

/* All that has arrived by now. */
static void let_arrive(struct simulation *s, uint64_t now)
{
	struct trace *t = s->trace;

	for (; s->next < t->n && t->packets[s->next].arrival_ns <= now; s->next++) {
		struct packet *p = &t->packets[s->next];
		struct line *l = &s->lines[p->class];

		if (s->config->full == FULL_DROP &&
		    l->last - l->passed >= s->config->classes[p->class].ingress_to_edf_pkts)
			p->drop = DROP_INGRESS_FULL;
		else
			l->waiting[l->last++] = (uint32_t)s->next;
		fill_lane(s, p->class, now);
	}
}

static uint64_t carry_out(struct simulation *s, struct edf_choice choice, uint64_t now);

/* Work on a packet, slice by slice; what must go before it goes between two of them. Returns the time then. */
static uint64_t serve(struct simulation *s, uint32_t class, const struct packet *p, uint64_t now)
{
	uint64_t slice_ns = s->config->slice_ns, left_ns = p->service_ns;
	uint64_t predicted_ns = plan_start(&s->plan, class);

	while (slice_ns && left_ns > slice_ns) {
		struct edf_choice other;
		uint64_t done_ns;

		now += slice_ns;
		left_ns -= slice_ns;
		done_ns = p->service_ns - left_ns;
		plan_progress(&s->plan, class, predicted_ns > done_ns ? predicted_ns - done_ns : 0);
		do {
			let_arrive(s, now);
			other = plan_interrupt(&s->plan, class, now, s->room_pkts);
			if (other.class >= 0)
				now = carry_out(s, other, now);
		} while (other.class >= 0);
	}
	return now + left_ns;
}

/* Serve or drop the head of a class; returns the time then. */
static uint64_t carry_out(struct simulation *s, struct edf_choice choice, uint64_t now)
{
	uint32_t class = (uint32_t)choice.class;
	struct line *l = &s->lines[class];
	struct packet *p = &s->trace->packets[l->waiting[l->first]];

	p->drop = (uint8_t)choice.drop;
	if (choice.drop == DROP_NONE) {
		p->done_ns = now = serve(s, class, p, now);
		plan_learn(&s->plan, class, now, p->bytes, p->service_ns);
		if (s->config->late == LATE_DROP && now > model_deadline_ns(s->config, p))
			p->drop = DROP_LATE_EGRESS;
		now += s->setting.overhead_ns;
	}
	plan_take(&s->plan, class);
	l->passed = ++l->first;
	fill_lane(s, class, now);
	return now;
}

static int is_at_work(const struct simulation *s, const struct packet *p)
{
	for (uint32_t i = 0; i < s->setting.n_workers; i++)
		if (s->at_work[i] == p)
			return 1;
	return 0;
}

/* What is done goes on, in order; then its places in the lane are free. */
static void pass(struct simulation *s, uint32_t class, uint64_t now)
{
	struct line *l = &s->lines[class];

	while (l->passed < l->first && !is_at_work(s, &s->trace->packets[l->waiting[l->passed]]))
		l->passed++;
	fill_lane(s, class, now);
}

/* A free worker gets the head of a class, or it is dropped. */
static void give(struct simulation *s, struct edf_choice choice, uint32_t worker, uint64_t now)
{
	uint32_t class = (uint32_t)choice.class;
	struct line *l = &s->lines[class];
	struct packet *p = &s->trace->packets[l->waiting[l->first]];

	p->drop = (uint8_t)choice.drop;
	if (choice.drop == DROP_NONE) {
		plan_start(&s->plan, class);
		s->at_work[worker] = p;
		s->free_at_ns[worker] = now + p->service_ns + s->setting.overhead_ns;
		if (s->left_at_ns[class] < now + p->service_ns)
			s->left_at_ns[class] = now + p->service_ns;
		p->done_ns = s->left_at_ns[class];
		if (s->config->late == LATE_DROP && p->done_ns > model_deadline_ns(s->config, p))
			p->drop = DROP_LATE_EGRESS;
	}
	plan_take(&s->plan, class);
	l->first++;
	pass(s, class, now);
}

static uint32_t free_worker(const struct simulation *s)
{
	uint32_t worker = 0;

	while (worker < s->setting.n_workers && s->at_work[worker])
		worker++;
	return worker;
}

/* When the next worker is done, or the next packet comes; UINT64_MAX: nothing does. */
static uint64_t next_event_ns(const struct simulation *s)
{
	uint64_t next_ns = s->next < s->trace->n ? s->trace->packets[s->next].arrival_ns : UINT64_MAX;

	for (uint32_t i = 0; i < s->setting.n_workers; i++)
		if (s->at_work[i] && s->free_at_ns[i] < next_ns)
			next_ns = s->free_at_ns[i];
	return next_ns;
}

static void let_finish(struct simulation *s, uint64_t now)
{
	for (uint32_t i = 0; i < s->setting.n_workers; i++) {
		const struct packet *p = s->at_work[i];

		if (!p || s->free_at_ns[i] > now)
			continue;
		plan_learn(&s->plan, p->class, now, p->bytes, p->service_ns);
		s->at_work[i] = NULL;
		pass(s, p->class, now);
	}
}

static void run_workers(struct simulation *s, uint64_t now)
{
	for (; now != UINT64_MAX; now = next_event_ns(s)) {
		let_finish(s, now);
		let_arrive(s, now);
		for (uint32_t worker = free_worker(s); worker < s->setting.n_workers; worker = free_worker(s)) {
			struct edf_choice choice = plan_choose(&s->plan, now, s->room_pkts);

			if (choice.class < 0)
				break;
			give(s, choice, worker, now);
		}
	}
}

/* One worker: the stage itself, whose work may be interrupted. */
static void run_stage(struct simulation *s, uint64_t now)
{
	for (;;) {
		struct edf_choice choice;

		let_arrive(s, now);
		choice = plan_choose(&s->plan, now, s->room_pkts);
		if (choice.class >= 0)
			now = carry_out(s, choice, now);
		else if (s->next < s->trace->n)
			now = s->trace->packets[s->next].arrival_ns;
		else
			break;
	}
}

static int open_simulation(struct simulation *s, const struct config *c, struct trace *t,
			   const struct model_setting *setting)
{
	struct plan_entry *entries[MAX_CLASSES] = { NULL };
	uint32_t slots[MAX_CLASSES];

	memset(s, 0, sizeof(*s));
	s->config = c;
	s->trace = t;
	s->setting = *setting;
	for (uint32_t i = 0; i < c->n_classes; i++) {
		slots[i] = config_slots_pkts(&c->classes[i]);
		s->room_pkts[i] = UINT32_MAX;
		entries[i] = calloc(slots[i], sizeof(*entries[i]));
		s->lines[i].waiting = calloc(t->n + 1, sizeof(uint32_t));
		if (!entries[i] || !s->lines[i].waiting)
			return -ENOMEM;
	}
	plan_init(&s->plan, c, entries, slots);
	plan_set_workers(&s->plan, setting->n_workers);
	return 0;
}

static void close_simulation(struct simulation *s)
{
	for (uint32_t i = 0; i < s->config->n_classes; i++) {
		free(s->plan.classes[i].entries);
		free(s->lines[i].waiting);
	}
}

static void tell(struct outcome *out, const struct config *c, const struct packet *p)
{
	const struct class_config *class = &c->classes[p->class];
	uint64_t latency_ns = p->done_ns - p->arrival_ns;

	out->offered++;
	if (p->drop != DROP_NONE) {
		out->dropped[p->drop]++;
		return;
	}
	out->latency[histogram_bucket(latency_ns)]++;
	out->sent_bytes += p->bytes;
	out->marked += class->ecn == ECN_MARK &&
		       ecn_is_due(p->tos, p->arrival_ns, class->budget_ns, class->ecn_mark_at_percent, p->done_ns);
	if (p->done_ns <= model_deadline_ns(c, p))
		out->on_time++;
	else
		out->late++;
}

int model_run(const struct config *c, struct trace *t, const struct model_setting *setting, struct outcome *outcomes)
{
	static struct simulation s;
	uint64_t begin_ns = t->n ? t->packets[0].arrival_ns : 0;

	if (open_simulation(&s, c, t, setting))
		return -ENOMEM;
	if (setting->n_workers > 1)
		run_workers(&s, begin_ns);
	else
		run_stage(&s, begin_ns);
	memset(outcomes, 0, MAX_CLASSES * sizeof(*outcomes));
	for (size_t i = 0; i < t->n; i++)
		tell(&outcomes[t->packets[i].class], c, &t->packets[i]);
	close_simulation(&s);
	return 0;
}

/* hand_out.c - packets to workers, and back into their order. */
#include "hand_out.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

#define FINISHED 1 /* in `finished`: added to the reason it is counted under */
#define DROP_BEFORE N_DROP_REASONS /* in place of a reason: an earlier stage has counted it */

static uint64_t count_of(uint64_t word)
{
	return word >> COUNT_SHIFT;
}

/* It goes on now: counted once. By what this process has noted of it; the result in its slot is for others. */
static void count(struct edf_loop *l, uint32_t class, uint32_t index)
{
	const struct result *r = &l->stage.seg.views[class].results[index];
	struct edf_tally *t = &l->tally[class];
	uint32_t drop = l->finished[class][index] - FINISHED;

	if (drop == DROP_BEFORE)
		return; /* counted by ingress */
	t->work_ns += r->done_at_ns - r->started_at_ns;
	if (drop != DROP_NONE) {
		t->dropped_pkts[drop - FIRST_EDF_DROP]++;
		return;
	}
	t->worked_pkts++;
	t->worked_bytes += r->len_bytes;
}

/* What is finished, with nothing before it that is not, is pending: no more than one commit tells probes of. */
static uint32_t join(struct edf_loop *l, uint32_t class)
{
	uint32_t n = 0;

	for (; l->out[class] && l->pending[class] < BATCH; n++) {
		uint32_t next = lane_index(&l->stage.seg.views[class], l->word[class], l->pending[class]);

		if (!l->finished[class][next])
			break;
		count(l, class, next);
		l->finished[class][next] = 0;
		l->out[class]--;
		l->pending[class]++;
	}
	return n;
}

uint32_t hand_out_join(struct edf_loop *l)
{
	uint32_t n = 0;

	for (uint32_t class = 0; class < l->stage.config.n_classes; class++)
		n += join(l, class);
	return n;
}

/* A packet that is out is finished; it, and those behind that were, may be pending now. drop: whose count it is in. */
static void finish(struct edf_loop *l, uint32_t class, uint32_t index, const struct result *result, uint32_t drop)
{
	const struct lane_view *v = &l->stage.seg.views[class];

	v->results[index] = *result;
	l->finished[class][index] = (uint8_t)(FINISHED + drop);
	join(l, class);
}

/* The head of a class leaves the plan. */
static struct task take_head(struct edf_loop *l, uint32_t class, uint64_t now)
{
	struct task t = { .class = class,
			  .count = count_of(l->word[class]) + l->pending[class] + l->out[class],
			  .deadline_ns = l->plan.queues[class].deadline_ns,
			  .given_at_ns = now };

	plan_take(&l->plan, class);
	l->out[class]++;
	l->room_pkts[class] -= l->room_pkts[class] > 0;
	return t;
}

static uint32_t index_of(const struct edf_loop *l, const struct task *t)
{
	return (uint32_t)t->count & l->stage.seg.views[t->class].mask;
}

static void drop(struct edf_loop *l, struct edf_choice choice, uint64_t now)
{
	struct task t = take_head(l, (uint32_t)choice.class, now);
	uint32_t index = index_of(l, &t);
	uint8_t before = once(l->stage.seg.views[t.class].arrivals[index].drop);
	struct result r = { .started_at_ns = now, .done_at_ns = now };

	r.drop = before != DROP_NONE ? before : (uint8_t)choice.drop;
	finish(l, t.class, index, &r, before != DROP_NONE ? DROP_BEFORE : choice.drop);
}

static void give_head(struct edf_loop *l, uint32_t class, int worker, uint64_t now)
{
	struct task t;

	plan_start(&l->plan, class);
	t = take_head(l, class, now);
	work_packet(&l->stage, class, index_of(l, &t), t.deadline_ns); /* its worker asks once more */
	workers_give(&l->workers, worker, &t);
}

/* One that has cost workers their lives: again, or not any more. */
static uint32_t try_again(struct edf_loop *l, int worker, uint64_t now)
{
	const struct plan *p = &l->plan;
	struct task t = l->again[0];
	uint32_t bytes = l->stage.seg.views[t.class].arrivals[index_of(l, &t)].len_bytes;

	memmove(l->again, l->again + 1, --l->n_again * sizeof(t));
	if ((p->rules.late == LATE_DROP || p->rules.policy == POLICY_EDF_DROP) &&
	    edf_is_hopeless(&p->rules, &p->queues[t.class], now, t.deadline_ns, plan_predict_ns(p, t.class, bytes))) {
		finish(l, t.class, index_of(l, &t),
		       &(struct result){ .started_at_ns = now, .done_at_ns = now, .drop = DROP_LATE }, DROP_LATE);
		return 1;
	}
	t.given_at_ns = now;
	workers_give(&l->workers, worker, &t);
	return 1;
}

uint32_t hand_out(struct edf_loop *l, uint64_t now)
{
	uint32_t moved = 0;
	int worker;

	while (moved < BATCH && (worker = workers_idle(&l->workers)) >= 0) {
		struct edf_choice choice;

		if (l->n_again) {
			moved += try_again(l, worker, now);
			continue;
		}
		choice = plan_choose(&l->plan, now, l->room_pkts);
		if (choice.class < 0)
			break;
		if (choice.drop != DROP_NONE) /* what ingress has dropped comes so, too */
			drop(l, choice, now);
		else
			give_head(l, (uint32_t)choice.class, worker, now);
		moved++;
	}
	return moved;
}

/* As its worker says, but no longer than one may have it. */
static uint64_t took_ns(const struct edf_loop *l, const struct task *t, const struct result *r)
{
	uint64_t ns = r->done_at_ns > t->given_at_ns ? r->done_at_ns - t->given_at_ns : 0;
	uint64_t most_ns = l->stage.config.hung_ms * NS_PER_MS;

	return ns < most_ns ? ns : most_ns;
}

static void take_back(struct edf_loop *l, const struct task_end *end, uint64_t now)
{
	const struct task *t = &end->task;
	struct result r = end->result;

	if (end->is_done && (r.len_bytes > l->stage.config.payload_bytes || r.drop != DROP_NONE))
		r.drop = DROP_POISON; /* whatever a plugin has written to */
	if (end->is_done) {
		plan_learn(&l->plan, t->class, now, l->stage.seg.views[t->class].arrivals[index_of(l, t)].len_bytes,
			   took_ns(l, t, &r));
		finish(l, t->class, index_of(l, t), &r, r.drop);
	} else if (t->crashes >= CRASHES_UNTIL_POISON) {
		r = (struct result){ .started_at_ns = t->given_at_ns,
				     .done_at_ns = t->given_at_ns,
				     .drop = DROP_POISON };
		finish(l, t->class, index_of(l, t), &r, DROP_POISON);
	} else {
		l->again[l->n_again++] = *t; /* no more than there are workers: none is given another before these */
	}
}

uint32_t hand_out_collect(struct edf_loop *l, uint64_t now)
{
	struct task_end end;
	uint32_t n = 0;

	for (; workers_next(&l->workers, now, &end); n++)
		take_back(l, &end, now);
	return n;
}

int hand_out_waits(const struct edf_loop *l)
{
	uint32_t out = 0;

	for (uint32_t class = 0; class < l->stage.config.n_classes; class++)
		out += l->out[class];
	return out > 0;
}

int hand_out_open(struct edf_loop *l)
{
	struct stage *s = &l->stage;

	l->work.kind = s->config.work; /* the workers do it */
	for (uint32_t class = 0; class < s->config.n_classes; class++) {
		l->finished[class] = calloc(s->seg.views[class].slots, 1);
		if (l->finished[class])
			continue;
		log_error("allocate a byte for each of %u slots of class %s: %s", s->seg.views[class].slots,
			  s->config.classes[class].name, log_text_of(ENOMEM));
		return EXIT_TEMPORARY;
	}
	plan_set_workers(&l->plan, s->config.workers);
	return workers_open(&l->workers, s);
}

void hand_out_close(struct edf_loop *l)
{
	workers_close(&l->workers);
	for (uint32_t class = 0; class < MAX_CLASSES; class++) {
		free(l->finished[class]);
		l->finished[class] = NULL;
	}
}

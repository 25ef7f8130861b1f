/* loop.c - the edf stage: one step, its sleep, and what it does between start and end. */
#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "hand_out.h"
#include "log.h"
#include "pass_on.h"
#include "twins.h"

/*
 * While there is more to do, egress is woken once per this many decisions, as in ingress; or packets, of which those
 * of a train are one decision: that many take no longer.
 */
#define RING_CHOICES 192
#define RING_PKTS 512

static void finish_head(struct edf_loop *l, struct edf_choice choice, uint64_t now);

static struct edf_loop *loop_of(struct stage *s)
{
	return (struct edf_loop *)s;
}

/* The packet at the head of a class, behind the pending ones. */
static uint32_t head_index(const struct edf_loop *l, uint32_t class)
{
	return lane_index(&l->stage.seg.views[class], l->word[class], l->pending[class]);
}

/* Tell the plan of what came. */
static void note_arrivals(struct edf_loop *l, uint32_t class, uint64_t now)
{
	const struct lane_view *v = &l->stage.seg.views[class];
	uint64_t budget_ns = l->stage.config.classes[class].budget_ns, received = lane_received(v->lane);
	uint64_t n = lane_distance_pkts(received, l->told[class]);

	stage_check_counts(&l->stage, class, n + plan_waiting_pkts(&l->plan, class));
	for (uint32_t i = 0; i < n; i++) {
		const struct arrival *a = &v->arrivals[lane_index(v, l->told[class], i)];

		plan_arrive_from(&l->plan, class, now,
				 budget_ns == BUDGET_NONE ? NO_DEADLINE : a->arrived_at_ns + budget_ns, a->len_bytes,
				 a->drop != DROP_NONE, a->source);
	}
	l->told[class] = received;
}

/*
 * A margin of auto is what egress measures, but at most half of what the work on a packet leaves of the budget: else
 * nothing might be sent any more, and nothing measured.
 */
static void measure_margin(struct edf_loop *l, uint32_t class)
{
	const struct class_config *c = &l->stage.config.classes[class];
	uint64_t after_ns, work_ns, most_ns;

	if (c->margin_ns != MARGIN_AUTO || c->budget_ns == BUDGET_NONE)
		return;
	/* relaxed: an estimate that stands alone */
	after_ns = atomic_load_explicit(&l->stage.seg.views[class].lane->after_ns, memory_order_relaxed);
	if (after_ns == 0)
		return;
	work_ns = plan_predict_ns(&l->plan, class, l->stage.config.payload_bytes);
	most_ns = work_ns < c->budget_ns ? (c->budget_ns - work_ns) / 2 : 0;
	plan_set_margin(&l->plan, class, after_ns < most_ns ? after_ns : most_ns);
}

/* Look at all counts. Returns the number of packets waiting in classes that have room behind them. */
static uint32_t look(struct edf_loop *l, uint64_t now)
{
	uint32_t servable = 0;

	for (uint32_t class = 0; class < l->stage.config.n_classes; class++) {
		uint64_t limit = l->stage.config.classes[class].edf_to_egress_pkts;
		uint64_t behind = lane_distance_pkts(l->word[class], lane_sent(l->stage.seg.views[class].lane)) +
				  l->pending[class] + l->out[class];

		stage_check_counts(&l->stage, class, behind);
		measure_margin(l, class);
		note_arrivals(l, class, now);
		l->room_pkts[class] = (uint32_t)(behind < limit ? limit - behind : 0);
		if (l->room_pkts[class] || l->stage.config.full == FULL_DROP)
			servable += plan_waiting_pkts(&l->plan, class);
	}
	return servable;
}

/* Pass one class's finished packets on, with their counters. */
static void commit(struct edf_loop *l, uint32_t class, uint64_t now)
{
	uint32_t n = l->pending[class];

	if (n == 0)
		return;
	probe_commit(&l->stage.probes, class, l->word[class], n, now);
	l->word[class] = lane_pass(l->stage.seg.views[class].lane, l->word[class], n, &l->tally[class]);
	l->pending[class] = 0;
	l->unrung_pkts += n;
}

static void ring_neighbours(struct stage *s)
{
	struct edf_loop *l = loop_of(s);

	if (l->unrung_pkts == 0)
		return;
	l->unrung_pkts = l->unrung_choices = 0;
	stage_ring(s, STAGE_EGRESS, PARKED);
	stage_ring(s, STAGE_INGRESS, PARKED_FOR_SPACE);
}

static void commit_all(struct edf_loop *l, uint64_t now)
{
	for (uint32_t class = 0; class < l->stage.config.n_classes; class++)
		commit(l, class, now);
	if (l->unrung_pkts >= RING_PKTS || l->unrung_choices >= RING_CHOICES || l->work.kind != WORK_NONE)
		ring_neighbours(&l->stage);
}

static void guard(struct edf_loop *l)
{
	if (l->work.kind == WORK_PLUGIN)
		work_guard(&l->work, l->at_work.class, l->at_work.word);
}

/*
 * Between two slices of work: packets that must not wait go first, each with a count of its own. Their work may be
 * interrupted likewise, as deep as there are classes (work.h). Returns how long that took.
 */
static uint64_t let_others_go_first(void *arg, uint64_t worked_ns)
{
	struct edf_loop *l = arg;
	const struct at_work mine = l->at_work;
	uint64_t began_ns = now_ns(), now = began_ns;

	plan_progress(&l->plan, mine.class, mine.predicted_ns > worked_ns ? mine.predicted_ns - worked_ns : 0);
	while (!asked_to_return()) {
		struct edf_choice choice;

		look(l, now);
		choice = plan_interrupt(&l->plan, mine.class, now, l->room_pkts);
		if (choice.class < 0)
			break;
		finish_head(l, choice, now);
		now = now_ns();
		commit(l, (uint32_t)choice.class, now);
		ring_neighbours(&l->stage);
		stage_beat(&l->stage, now, 1); /* this may go on for as long as the classes above are overloaded */
	}
	l->at_work = mine;
	guard(l);
	return now_ns() - began_ns;
}

static void work_on_head(struct edf_loop *l, uint32_t class, uint64_t now, struct result *result)
{
	const struct lane_view *v = &l->stage.seg.views[class];
	uint32_t index = head_index(l, class);
	struct ontime_packet packet = work_packet(&l->stage, class, index, l->plan.queues[class].deadline_ns);
	uint64_t word = lane_next_word(l->word[class], l->pending[class] + 1), others_ns, took_ns;

	if (work_is_poison(&l->work, class, word)) {
		result->drop = DROP_POISON;
		return;
	}
	l->at_work = (struct at_work){ .class = class, .word = word, .predicted_ns = plan_start(&l->plan, class) };
	guard(l);
	others_ns = work_do(&l->work, v, index, &packet, result, now);
	if (l->work.kind == WORK_NONE)
		return;
	result->done_at_ns = now_ns();
	if (l->work.kind == WORK_PLUGIN)
		work_guard(&l->work, class, 0);
	took_ns = result->done_at_ns - now - others_ns;
	l->tally[class].work_ns += took_ns;
	plan_learn(&l->plan, class, result->done_at_ns, packet.in_bytes, took_ns);
}

/* Serve or drop the head of a class; it counts once it is committed. */
static void finish_head(struct edf_loop *l, struct edf_choice choice, uint64_t now)
{
	uint32_t class = (uint32_t)choice.class;
	uint32_t index = head_index(l, class);
	const struct lane_view *v = &l->stage.seg.views[class];
	struct result result = { .started_at_ns = now, .done_at_ns = now, .drop = (uint8_t)choice.drop };
	uint8_t before = once(v->arrivals[index].drop);

	if (before != DROP_NONE) {
		result.drop = before; /* counted by ingress */
	} else {
		if (choice.drop == DROP_NONE)
			work_on_head(l, class, now, &result);
		if (result.drop == DROP_NONE) {
			l->tally[class].worked_pkts++;
			l->tally[class].worked_bytes += result.len_bytes;
		} else {
			l->tally[class].dropped_pkts[result.drop - FIRST_EDF_DROP]++;
		}
	}
	v->results[index] = result;
	l->pending[class]++;
	l->room_pkts[class] -= l->room_pkts[class] > 0;
	plan_take(&l->plan, class);
}

/* Decide and act until a batch is full, or once when work takes time. Returns packets finished. */
static uint32_t serve(struct edf_loop *l, uint64_t now)
{
	const struct config *c = &l->stage.config;
	uint32_t most = c->work == WORK_NONE ? BATCH : 1, done = 0;

	while (done < most) {
		struct edf_choice choice = plan_choose(&l->plan, now, l->room_pkts);
		uint32_t n = 1;

		if (choice.class < 0)
			break;
		if (most > 1 && choice.drop == DROP_NONE)
			n = twins_pkts(&l->plan, (uint32_t)choice.class, most - done);
		if (n > 1)
			pass_on(l, (uint32_t)choice.class, n, now);
		else
			finish_head(l, choice, now);
		done += n;
		l->unrung_choices++;
	}
	commit_all(l, now);
	return done;
}

static int has_input(void *arg)
{
	struct edf_loop *l = arg;

	if (l->workers.n == 0)
		return look(l, now_ns()) > 0;
	return workers_have_news(&l->workers) ||
	       (workers_idle(&l->workers) >= 0 && (l->n_again || look(l, now_ns()) > 0));
}

static int anything_waits(const struct edf_loop *l)
{
	uint32_t waiting = 0;

	for (uint32_t class = 0; class < l->stage.config.n_classes; class++)
		waiting += plan_waiting_pkts(&l->plan, class);
	return waiting > 0;
}

static uint64_t longest_park_ns(const struct edf_loop *l)
{
	uint64_t heartbeat_ns = l->stage.config.heartbeat_ms * NS_PER_MS, now, due_ns;

	if (l->workers.n == 0)
		return heartbeat_ns;
	due_ns = workers_due_ns(&l->workers);
	now = now_ns();
	if (due_ns > now + heartbeat_ns)
		return heartbeat_ns;
	return due_ns > now + NS_PER_MS ? due_ns - now : NS_PER_MS;
}

static void park(struct edf_loop *l)
{
	struct stage *s = &l->stage;
	uint32_t how = anything_waits(l) ? PARKED_FOR_SPACE : PARKED;

	if (how == PARKED && stage_spin(s, has_input, l))
		return;
	bell_announce(&s->self->parked, how);
	if (!has_input(l) && (how == PARKED_FOR_SPACE || !anything_waits(l))) {
		s->parks++;
		stage_sleep(s, how, longest_park_ns(l));
	}
	bell_awake(&s->self->parked);
}

/* What workers have done goes on; what waits is given to those that have nothing to do. Returns packets moved. */
static uint32_t share(struct edf_loop *l, uint64_t now)
{
	uint32_t moved = hand_out_collect(l, now);

	look(l, now);
	moved += hand_out(l, now);
	do
		commit_all(l, now);
	while (hand_out_join(l));
	return moved;
}

static uint32_t act(struct edf_loop *l, uint64_t now)
{
	if (l->workers.n)
		return share(l, now);
	return look(l, now) > 0 ? serve(l, now) : 0;
}

static void step(struct stage *s)
{
	struct edf_loop *l = loop_of(s);
	uint64_t now = now_ns();

	if (act(l, now) > 0) {
		stage_beat(&l->stage, now, 1);
		return;
	}
	ring_neighbours(s);
	stage_beat(&l->stage, now, hand_out_waits(l));
	park(l);
}

/* USR1: stop once nothing waits. */
static int is_drained(struct stage *s)
{
	struct edf_loop *l = loop_of(s);

	look(l, now_ns());
	return !anything_waits(l) && !hand_out_waits(l);
}

/* Memory for the plan: an entry per slot. 0, or the exit status after one line. */
static int open_plan(struct edf_loop *l)
{
	struct plan_entry *entries[MAX_CLASSES] = { NULL };
	uint32_t slots[MAX_CLASSES];

	for (uint32_t class = 0; class < l->stage.config.n_classes; class++) {
		slots[class] = l->stage.seg.views[class].slots;
		entries[class] = calloc(slots[class], sizeof(*entries[class]));
		if (entries[class])
			continue;
		log_error("allocate %u entries of the plan for class %s: %s: make room, or use smaller queue limits",
			  slots[class], l->stage.config.classes[class].name, strerror(ENOMEM));
		return EXIT_TEMPORARY;
	}
	plan_init(&l->plan, &l->stage.config, entries, slots);
	return 0;
}

static void reload(struct stage *s)
{
	struct edf_loop *l = loop_of(s);

	plan_reload(&l->plan, &l->stage.config);
	work_slice(&l->work, l->stage.config.slice_ns, let_others_go_first, l);
	/* budgets may have changed: tell it again of all that wait */
	for (uint32_t class = 0; class < s->config.n_classes; class++)
		l->told[class] = lane_next_word(l->word[class], l->pending[class] + l->out[class]);
}

static int open_loop(struct stage *s)
{
	struct edf_loop *l = loop_of(s);
	int status;

	for (uint32_t class = 0; class < s->config.n_classes; class++) {
		struct lane *lane = s->seg.views[class].lane;

		lane_read_bank(&lane->processed, lane->edf[0], &l->tally[class], TALLY_WORDS(l->tally[class]),
			       &l->word[class]);
	}
	memcpy(l->told, l->word, sizeof(l->told));
	status = open_plan(l);
	if (!status && config_workers(&s->config) > 1)
		return hand_out_open(l);
	/* relaxed: for observers, of a predecessor with workers */
	atomic_store_explicit(&s->self->workers, 0, memory_order_relaxed);
	if (!status)
		status = work_open(&l->work, s, &s->seg.shared->edf_journal);
	if (!status)
		work_slice(&l->work, s->config.slice_ns, let_others_go_first, l);
	return status;
}

static void close_loop(struct stage *s)
{
	struct edf_loop *l = loop_of(s);

	hand_out_close(l);
	work_close(&l->work);
	for (uint32_t class = 0; class < MAX_CLASSES; class++)
		free(l->plan.classes[class].entries);
}

const struct stage_ops edf_ops = { STAGE_EDF,  open_loop,  reload, step,     ring_neighbours,
				   is_drained, close_loop, NULL,   edf_allow };

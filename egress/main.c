/* main.c - egress: finished packets, shared fairly between classes, out. Wiring only. */
#include <string.h>

#include "log.h"
#include "mutant.h"
#include "send.h"

struct loop {
	struct stage stage;
	struct egress egress;
	struct sender sender;
	uint32_t oldest_bytes[MAX_CLASSES];
};

/* Look at all lanes. Returns how many classes have something to send. */
static uint32_t look(struct loop *l, uint64_t now)
{
	uint32_t backlogged = 0;

	for (uint32_t class = 0; class < l->stage.config.n_classes; class ++) {
		l->oldest_bytes[class] = send_oldest_bytes(&l->sender, class, now);
		backlogged += l->oldest_bytes[class] > 0;
	}
	return backlogged;
}

static int has_input(void *arg)
{
	return look(arg, now_ns()) > 0;
}

/* When the next thing happens that nobody rings for: a retry, or the shaper. */
static uint64_t next_event_ns(const struct loop *l, uint64_t now, uint64_t shaped_until_ns)
{
	uint64_t at_ns = now + l->stage.config.heartbeat_ms * NS_PER_MS;

	for (uint32_t class = 0; class < l->stage.config.n_classes; class ++)
		if (l->sender.retry_at_ns[class] > now && l->sender.retry_at_ns[class] < at_ns)
			at_ns = l->sender.retry_at_ns[class];
	return shaped_until_ns > now && shaped_until_ns < at_ns ? shaped_until_ns : at_ns;
}

/* shaped_until_ns: 0 when there is nothing to send, else when the shaper lets the next packet go. */
static void park(struct loop *l, uint64_t shaped_until_ns)
{
	struct stage *s = &l->stage;
	uint64_t now;

	if (!shaped_until_ns && stage_spin(s, has_input, l))
		return;
	bell_announce(&s->self->parked, PARKED);
	now = now_ns();
	if (look(l, now) == 0 || shaped_until_ns > now) {
		s->parks++;
		stage_sleep(s, PARKED, next_event_ns(l, now, shaped_until_ns) - now);
	}
	bell_awake(&s->self->parked);
}

/* For a successor. Before a call the worst case is noted: killed in it, the bound still holds. */
static void note_shaper(struct loop *l, uint64_t empty_at_ns)
{
	/* relaxed, here and below: read when this process is gone */
	if (l->egress.shaper.rate_bits_per_s)
		atomic_store_explicit(&l->sender.journal->shaped_until_ns, empty_at_ns, memory_order_relaxed);
}

/* At start, and when a reload may have changed the rate. Killed between two of the stores, it errs on the slow side. */
static void start_shaper(struct loop *l)
{
	struct egress_journal *j = l->sender.journal;
	uint64_t before_ns = atomic_load_explicit(&j->shaped_until_ns, memory_order_relaxed), after_ns, rescued_ns;

	egress_init(&l->egress, &l->stage.config);
	/* What was rescued is in before_ns as of the predecessor's look at the clock; it may have left just now. */
	rescued_ns = egress_after_ns(&l->egress, l->sender.rescued_wire_bytes, now_ns());
	l->sender.rescued_wire_bytes = 0;
	egress_resume(&l->egress, before_ns, atomic_load_explicit(&j->shaped_rate_bits_per_s, memory_order_relaxed),
		      now_ns());
	if (l->egress.shaper.empty_at_ns < rescued_ns)
		l->egress.shaper.empty_at_ns = rescued_ns;
	after_ns = l->egress.shaper.empty_at_ns;
	atomic_store_explicit(&j->shaped_until_ns, before_ns > after_ns ? before_ns : after_ns, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
	atomic_store_explicit(&j->shaped_rate_bits_per_s, l->stage.config.rate_bits_per_s, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
	atomic_store_explicit(&j->shaped_until_ns, after_ns, memory_order_relaxed);
}

static void step(struct loop *l)
{
	uint64_t now = now_ns(), next_ns, again_ns;
	uint32_t most_bytes, allowed_bytes, bytes, backlogged = look(l, now);
	int class;

	stage_beat(&l->stage, now, backlogged > 0);
	send_look_at_ways(&l->sender, now);
	class = backlogged ? egress_pick(&l->egress, l->oldest_bytes) : -1;
	if (class < 0) {
		park(l, 0);
		return;
	}
	next_ns = shaper_next_ns(&l->egress.shaper, l->oldest_bytes[class], now);
	again_ns = send_again_at_ns(&l->sender, (uint32_t) class, now);
	if (again_ns > next_ns)
		next_ns = again_ns;
	if (next_ns > now) {
		park(l, next_ns);
		return;
	}
	most_bytes = drr_allowance_bytes(&l->egress.drr, class);
	allowed_bytes = shaper_allows_bytes(&l->egress.shaper, now);
	if (allowed_bytes < most_bytes)
		most_bytes = allowed_bytes;
	if (most_bytes < l->oldest_bytes[class]) /* the first packet goes in any case */
		most_bytes = l->oldest_bytes[class];
	if (!mutant_is("no-note"))
		note_shaper(l, egress_after_ns(&l->egress, most_bytes, now));
	bytes = send_batch(&l->sender, (uint32_t) class, most_bytes, now);
	/* As of now, not of the look at the clock before: what a pre-empted call sent late must not be followed early. */
	egress_charge(&l->egress, class, bytes, now_ns());
	note_shaper(l, l->egress.shaper.empty_at_ns);
}

/* For observers: what each class is held to now. */
static void tell_terms(const struct loop *l)
{
	for (uint32_t class = 0; class < l->stage.config.n_classes; class ++) {
		const struct class_config *c = &l->stage.config.classes[class];
		struct lane *lane = l->stage.seg.views[class].lane;

		/* relaxed: each stands alone */
		atomic_store_explicit(&lane->budget_ns, c->budget_ns, memory_order_relaxed);
		atomic_store_explicit(&lane->ingress_to_edf_pkts, c->ingress_to_edf_pkts, memory_order_relaxed);
		atomic_store_explicit(&lane->edf_to_egress_pkts, c->edf_to_egress_pkts, memory_order_relaxed);
	}
}

static void reload(struct loop *l)
{
	struct config fresh;
	uint32_t gso = l->stage.config.gso;

	if (!stage_reload_asked(&l->stage, &fresh))
		return;
	tell_terms(l);
	start_shaper(l);
	if (gso == l->stage.config.gso)
		return;
	for (uint32_t class = 0; class < l->stage.config.n_classes; class ++)
		for (uint32_t i = 0; i < l->stage.config.classes[class].n_dests; i++)
			l->sender.outputs[class][i].gso_below_bytes = gso ? 0 : GSO_NO_LIMIT;
}

/* As stage_open(): 0, or 1 + the exit status. */
static int open_loop(struct loop *l, int argc, char **argv)
{
	int status = stage_open(&l->stage, STAGE_EGRESS, argc, argv);

	if (status)
		return status;
	status = send_init(&l->sender, &l->stage);
	if (status)
		return 1 + status;
	start_shaper(l);
	tell_terms(l);
	stage_ready(&l->stage);
	return 0;
}

int main(int argc, char **argv)
{
	static struct loop l;
	int status = open_loop(&l, argc, argv);

	if (status)
		return status - 1;
	while (!stage_stop_asked() && !(stage_drain_asked() && send_is_idle(&l.sender))) {
		reload(&l);
		step(&l);
	}
	return stage_close(&l.stage);
}

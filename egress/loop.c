/* loop.c - the egress stage: one step, its sleep, and what it does between start and end. */
#include "loop.h"

#include <string.h>

#include "log.h"
#include "mutant.h"

static struct egress_loop *loop_of(struct stage *s)
{
	return (struct egress_loop *)s;
}

/*
 * Of the packet at the head of a class; 0: there is none, or it may not leave yet by a rate of its class or
 * destination, behind which no other class waits. Then *until_ns: when it may.
 */
static uint32_t ready_head_bytes(struct egress_loop *l, uint32_t class, uint64_t now, uint64_t *until_ns)
{
	uint32_t bytes = send_head_bytes(&l->sender, class, now);

	*until_ns = bytes ? limits_next_ns(&l->sender, class, bytes, now) : 0;
	return *until_ns > now ? 0 : bytes;
}

/* Shed what is dropped, then look at what is left. Returns how many classes have something to send. */
static uint32_t shed_and_look(struct egress_loop *l, uint64_t now)
{
	uint32_t backlogged = 0;

	for (uint32_t class = 0; class < l->stage.config.n_classes; class++) {
		send_shed(&l->sender, class, now);
		l->head_bytes[class] = ready_head_bytes(l, class, now, &l->limited_until_ns[class]);
		backlogged += l->head_bytes[class] > 0;
	}
	return backlogged;
}

/* Has a class a packet now that had none in this step? */
static int has_news(struct egress_loop *l, uint64_t now)
{
	uint64_t until_ns;

	for (uint32_t class = 0; class < l->stage.config.n_classes; class++)
		if (l->head_bytes[class] == 0 && ready_head_bytes(l, class, now, &until_ns) > 0)
			return 1;
	return 0;
}

static int has_input(void *arg)
{
	return has_news(arg, now_ns());
}

/*
 * Wake the stages that wait for the room that this step made. A death before it costs them one bounded park (bell.h).
 */
static void ring_neighbours(struct stage *s)
{
	struct egress_loop *l = loop_of(s);

	if (l->sender.settled.unrung_classes == 0)
		return;
	l->sender.settled.unrung_classes = 0;
	if (mutant_is("no-space-ring"))
		return;
	stage_ring(s, STAGE_EDF, PARKED_FOR_SPACE);
	stage_ring(s, STAGE_INGRESS, PARKED_FOR_SPACE);
}

/*
 * Is half of a queue free that this step or one before it made room in? A neighbour that was woken for less would soon
 * wait again: on a shared CPU that is a switch there and back for each call.
 */
static int has_half_free(const struct egress_loop *l)
{
	for (uint32_t classes = l->sender.settled.unrung_classes; classes; classes &= classes - 1) {
		uint32_t class = (uint32_t)__builtin_ctz(classes);
		uint64_t processed = lane_processed(l->stage.seg.views[class].lane);

		if (lane_distance_pkts(processed, l->sender.settled.sent[class]) <=
		    l->stage.config.classes[class].edf_to_egress_pkts / 2)
			return 1;
	}
	return 0;
}

/* When the next thing happens that nobody rings for: a retry, or the shaper. */
static uint64_t next_event_ns(const struct egress_loop *l, uint64_t now, uint64_t shaped_until_ns)
{
	uint64_t at_ns = now + l->stage.config.heartbeat_ms * NS_PER_MS;

	for (uint32_t class = 0; class < l->stage.config.n_classes; class++) {
		if (l->sender.retry_at_ns[class] > now && l->sender.retry_at_ns[class] < at_ns)
			at_ns = l->sender.retry_at_ns[class];
		if (l->limited_until_ns[class] > now && l->limited_until_ns[class] < at_ns)
			at_ns = l->limited_until_ns[class];
	}
	return shaped_until_ns > now && shaped_until_ns < at_ns ? shaped_until_ns : at_ns;
}

/*
 * Sleep until a packet comes. No ring may be owed: the neighbours would wait for room as long as this stage sleeps.
 * shaped_until_ns: 0 when there is nothing to send, else when the shaper lets the next packet go.
 */
static void park(struct egress_loop *l, uint64_t shaped_until_ns)
{
	struct stage *s = &l->stage;
	uint64_t now;

	assert(l->sender.settled.unrung_classes == 0);
	if (!shaped_until_ns && stage_spin(s, has_input, l))
		return;
	bell_announce(&s->self->parked, PARKED);
	now = now_ns();
	if (!has_news(l, now) && (shaped_until_ns == 0 || shaped_until_ns > now)) {
		s->parks++;
		stage_sleep(s, PARKED, next_event_ns(l, now, shaped_until_ns) - now);
	}
	bell_awake(&s->self->parked);
}

/* At start, and when a reload may have changed the rates. */
static void open_limits(struct egress_loop *l)
{
	const struct config *c = &l->stage.config;
	struct sender *s = &l->sender;
	uint64_t now = now_ns();

	shaper_init_shares(&l->drr, c);
	limit_open(&l->limit, &s->journal->shaped, c->rate_bits_per_s, c->burst_bytes, s->rescued.wire_bytes, now);
	limits_open(s, now);
	s->rescued.wire_bytes = 0;
}

/* What a class may send now. The packet at its head goes in any case. */
static uint32_t allowed_bytes(struct egress_loop *l, int class, uint64_t now)
{
	uint32_t most_bytes = drr_allowance_bytes(&l->drr, class);
	uint32_t shaped_bytes = shaper_allows_bytes(&l->limit.shaper, now);
	uint32_t limited_bytes = limits_allow_bytes(&l->sender, (uint32_t)class, now);

	if (shaped_bytes < most_bytes)
		most_bytes = shaped_bytes;
	if (limited_bytes < most_bytes)
		most_bytes = limited_bytes;
	return most_bytes > l->head_bytes[class] ? most_bytes : l->head_bytes[class];
}

static void send_class(struct egress_loop *l, int class, uint64_t now)
{
	uint32_t most_bytes = allowed_bytes(l, class, now), destination, bytes;

	limit_note(&l->limit, most_bytes, now);
	destination = limits_note(&l->sender, (uint32_t)class, most_bytes, now);
	bytes = send_batch(&l->sender, (uint32_t)class, most_bytes, now);
	/* A try that was refused and may be made again at once costs a turn, or the others would not have theirs. */
	drr_charge(&l->drr, class, bytes || l->sender.retry_at_ns[class] > now ? bytes : l->head_bytes[class]);
	/*
	 * Charge at the current time: if the stage was preempted before the call, the packets left late, and the next
	 * must not leave early.
	 */
	now = now_ns();
	limit_charge(&l->limit, bytes, now);
	limits_charge(&l->sender, (uint32_t)class, destination, bytes, now);
}

static void step(struct stage *s)
{
	struct egress_loop *l = loop_of(s);
	uint64_t now = now_ns(), next_ns = 0, again_ns;
	uint32_t backlogged = shed_and_look(l, now);
	int class = backlogged ? drr_pick(&l->drr, l->head_bytes) : -1, is_free;

	stage_beat(s, now, backlogged > 0);
	send_look_at_ways(&l->sender, now);
	if (class >= 0) {
		next_ns = shaper_next_ns(&l->limit.shaper, l->head_bytes[class], now);
		again_ns = send_again_at_ns(&l->sender, (uint32_t)class, now);
		if (again_ns > next_ns)
			next_ns = again_ns;
	}
	is_free = class >= 0 && next_ns <= now;
	if (is_free)
		send_class(l, class, now);
	if (!is_free || has_half_free(l))
		ring_neighbours(s);
	if (!is_free)
		park(l, next_ns);
}

/* For observers: what each class is held to now. */
static void tell_terms(const struct egress_loop *l)
{
	for (uint32_t class = 0; class < l->stage.config.n_classes; class++) {
		const struct class_config *c = &l->stage.config.classes[class];
		struct lane *lane = l->stage.seg.views[class].lane;

		/* relaxed: each stands alone */
		atomic_store_explicit(&lane->budget_ns, c->budget_ns, memory_order_relaxed);
		atomic_store_explicit(&lane->ingress_to_edf_pkts, c->ingress_to_edf_pkts, memory_order_relaxed);
		atomic_store_explicit(&lane->edf_to_egress_pkts, c->edf_to_egress_pkts, memory_order_relaxed);
	}
}

static void reload(struct stage *s)
{
	struct egress_loop *l = loop_of(s);

	tell_terms(l);
	open_limits(l);
	send_apply(&l->sender, l->gso != s->config.gso);
	l->gso = s->config.gso;
}

static int open_loop(struct stage *s)
{
	struct egress_loop *l = loop_of(s);
	int status = send_init(&l->sender, s);

	if (status)
		return status;
	l->gso = s->config.gso;
	open_limits(l);
	tell_terms(l);
	return 0;
}

static void close_loop(struct stage *s)
{
	send_close(&loop_of(s)->sender);
}

static int is_drained(struct stage *s)
{
	return send_is_idle(&loop_of(s)->sender);
}

const struct stage_ops egress_ops = { STAGE_EGRESS, open_loop,	reload,	       step, ring_neighbours,
				      is_drained,   close_loop, &egress_calls, NULL };

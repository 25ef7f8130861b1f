/* copies.c - the batch under copying, and what became of it for each destination. */
#include "copies.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "config/address.h"
#include "log.h"
#include "mutant.h"
#include "target.h"

#define FIRST_PAUSE_NS (50 * NS_PER_US)
#define SAY_AGAIN_NS (10 * NS_PER_S)

/* What the destination whose turn it is has of the batch. */
static struct copied *has_now(struct copies_tally *t)
{
	return &t->to[t->destination].batch;
}

static struct departure *departure_at(const struct sender *s, uint32_t class, uint64_t slot)
{
	return &s->stage->seg.views[class].departures[sender_index(s, class, (uint32_t)slot)];
}

static int is_offered(const struct sender *s, uint32_t class, uint64_t slot)
{
	return batch_is_offered(&s->stage->seg.views[class], sender_index(s, class, (uint32_t)slot));
}

void copies_load(struct sender *s, uint32_t class)
{
	const struct copies_tally *t = &s->settled.copies[class];
	uint32_t n = s->stage->seg.views[class].n_copies;

	if (n)
		memset(&s->copying[class], 0, sizeof(s->copying[class]));
	if (n == 0 || (t->batch_slots <= sender_waiting_pkts(s, class) && t->destination < n &&
		       (t->batch_slots == 0 ? t->done_slots == 0 : t->done_slots < t->batch_slots)))
		return;
	log_error("segment %s: class %s: it tells of copies of %llu packets, to destination %llu: it is damaged; "
		  "run/stop.sh, then run/launch.sh",
		  s->stage->seg.name, s->stage->config.classes[class].name, (unsigned long long)t->batch_slots,
		  (unsigned long long)t->destination);
	abort();
}

/*
 * The first BATCH packets that are to be sent, and what lies between them. None, if the first is not to be sent: edf
 * has passed it on since send_shed() looked, and the next step sheds it, or has it wait.
 */
static void begin_batch(struct sender *s, uint32_t class, uint64_t now)
{
	struct copies_tally *t = &s->settled.copies[class];
	uint32_t n = sender_waiting_pkts(s, class), n_pkts = 0;

	if (target_is_missing(s, class, sender_index(s, class, 0)))
		return;
	for (uint32_t i = 0; i < n && n_pkts < BATCH; i++) {
		struct departure *d = departure_at(s, class, i);

		if (!batch_admits(s, class, sender_index(s, class, i), now)) {
			if (n_pkts == 0)
				return;
			continue;
		}
		d->handed_at_ns = now;
		d->is_taken = 0;
		d->send_errno = 0;
		t->batch_slots = i + 1;
		n_pkts++;
	}
}

/* What no destination has is dropped. Written again by a successor, if this process dies before the commit. */
static void judge(struct sender *s, uint32_t class, uint64_t n_slots)
{
	for (uint64_t i = 0; i < n_slots; i++)
		if (is_offered(s, class, i)) {
			struct departure *d = departure_at(s, class, i);

			d->drop = d->is_taken ? DROP_NONE : DROP_SEND_ERROR;
		}
}

static void add(struct copied *to, const struct copied *more)
{
	to->sent_pkts += more->sent_pkts;
	to->sent_bytes += more->sent_bytes;
	to->error_pkts += more->error_pkts;
	if (more->last_errno)
		to->last_errno = more->last_errno;
	for (int i = 0; i < N_SKIP_REASONS; i++)
		to->skipped_pkts[i] += more->skipped_pkts[i];
}

static void release_batch(struct sender *s, uint32_t class, uint64_t now)
{
	struct copies_tally *t = &s->settled.copies[class];
	uint32_t n_slots = (uint32_t)t->batch_slots;

	judge(s, class, n_slots);
	for (uint32_t i = 0; i < s->stage->seg.views[class].n_copies; i++) {
		add(&t->to[i].released, &t->to[i].batch);
		t->to[i].batch = (struct copied){ 0 };
	}
	t->batch_slots = t->done_slots = t->destination = 0;
	settle(&s->settled, class, n_slots, now);
}

/*
 * Past what is for no destination; and past the last slot it is the next destination's turn. Returns 1 if it was the
 * last one's, and the batch is to be released.
 */
static int move_on(struct sender *s, uint32_t class)
{
	struct copies_tally *t = &s->settled.copies[class];

	while (t->done_slots < t->batch_slots && !is_offered(s, class, t->done_slots))
		t->done_slots++;
	if (t->done_slots < t->batch_slots)
		return 0;
	s->copying[class].refused_since_ns = 0;
	if (t->destination + 1 == s->stage->seg.views[class].n_copies)
		return 1;
	t->done_slots = 0;
	t->destination++;
	return 0;
}

static void commit(struct sender *s, uint32_t class, uint64_t now)
{
	if (move_on(s, class))
		release_batch(s, class, now);
	else
		settle(&s->settled, class, 0, now);
}

/* The next n slots are not for this destination, under that counter. */
static void pass_over(struct sender *s, uint32_t class, uint64_t n_slots, uint64_t *counter, int err)
{
	struct copies_tally *t = &s->settled.copies[class];

	for (uint64_t end = t->done_slots + n_slots; t->done_slots < end; t->done_slots++) {
		struct departure *d = departure_at(s, class, t->done_slots);

		if (!is_offered(s, class, t->done_slots))
			continue;
		++*counter;
		if (!d->is_taken)
			d->send_errno = (uint32_t)err;
	}
}

static uint32_t head_wire_bytes(const struct sender *s, uint32_t class)
{
	const struct lane_view *v = &s->stage->seg.views[class];
	uint32_t index = sender_head(s, class);

	return lane_header_bytes(v, index) + once(v->results[index].len_bytes) + sender_overhead_bytes(s, class, index);
}

/* Returns 1 if a packet was skipped, or more. */
static int skip_beyond_rate(struct sender *s, uint32_t class, uint64_t now)
{
	struct copies_tally *t = &s->settled.copies[class];
	const struct shaper *rate = &s->limits[class].to[t->destination].shaper;
	int has_skipped = 0;

	while (t->done_slots < t->batch_slots && shaper_next_ns(rate, head_wire_bytes(s, class), now) > now) {
		pass_over(s, class, 1, &has_now(t)->skipped_pkts[SKIP_RATE], EDQUOT);
		while (t->done_slots < t->batch_slots && !is_offered(s, class, t->done_slots))
			t->done_slots++;
		has_skipped = 1;
	}
	return has_skipped;
}

/* Returns 1 if the destination is down, and has nothing more of the batch. */
static int skip_down(struct sender *s, uint32_t class)
{
	struct copies_tally *t = &s->settled.copies[class];
	const struct choice *x = s->ways[class].choice;

	if (!x || t->done_slots == t->batch_slots || !choice_is_down(x, (uint32_t)t->destination))
		return 0;
	pass_over(s, class, t->batch_slots - t->done_slots, &has_now(t)->skipped_pkts[SKIP_DOWN], EHOSTUNREACH);
	return 1;
}

int copies_prepare(struct sender *s, uint32_t class, uint64_t now)
{
	const struct copies_tally *t = &s->settled.copies[class];
	int has_changed = !copies_are_under_way(s, class);

	if (has_changed)
		begin_batch(s, class, now);
	if (!copies_are_under_way(s, class))
		return 0;
	while (skip_down(s, class) || skip_beyond_rate(s, class, now)) {
		has_changed = 1;
		if (t->done_slots < t->batch_slots)
			break;
		if (move_on(s, class)) {
			release_batch(s, class, now);
			return 1;
		}
	}
	if (has_changed)
		settle(&s->settled, class, 0, now);
	return 0;
}

static uint32_t saturated(uint64_t ns)
{
	return ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
}

uint32_t copies_taken(struct sender *s, uint32_t class, uint32_t n_slots, uint64_t now)
{
	struct copies_tally *t = &s->settled.copies[class];
	const struct lane_view *v = &s->stage->seg.views[class];
	struct copied *has = has_now(t);
	uint32_t n_pkts = 0;

	for (uint32_t i = 0; i < n_slots; i++, t->done_slots++) {
		struct departure *d = departure_at(s, class, t->done_slots);

		if (!is_offered(s, class, t->done_slots))
			continue;
		if (!d->is_taken) {
			d->send_ns = saturated(now > d->handed_at_ns ? now - d->handed_at_ns : 0);
			atomic_signal_fence(memory_order_seq_cst); /* the time, then the word that there is one */
			d->is_taken = 1;
		}
		has->sent_bytes += once(v->results[sender_index(s, class, (uint32_t)t->done_slots)].len_bytes);
		n_pkts++;
	}
	has->sent_pkts += n_pkts;
	commit(s, class, now);
	return n_pkts;
}

/* Is it about the destination, and no packet in particular? */
static int is_of_way(int err)
{
	return err == ENETUNREACH || err == EHOSTUNREACH || err == ENETDOWN || err == EADDRNOTAVAIL || err == ENODEV ||
	       err == EDESTADDRREQ || err == ENOTCONN;
}

void copies_failed(struct sender *s, uint32_t class, int err, uint64_t now)
{
	struct copies_tally *t = &s->settled.copies[class];

	has_now(t)->last_errno = (uint64_t)err;
	pass_over(s, class, is_of_way(err) ? t->batch_slots - t->done_slots : 1, &has_now(t)->error_pkts, err);
	commit(s, class, now);
}

static void say_full(struct sender *s, uint32_t class, int err, uint64_t now)
{
	const struct class_config *c = &s->stage->config.classes[class];
	uint64_t to = s->settled.copies[class].destination, *said_at_ns = &s->copying[class].said_at_ns[to];
	char text[ADDRESS_BYTES];

	if (*said_at_ns && now < *said_at_ns + SAY_AGAIN_NS)
		return;
	*said_at_ns = now;
	log_warn("class %s: no room for what goes to %s: %s: its copies are skipped (full) where there is none; the "
		 "others have theirs",
		 c->name, address_format(&c->dests[to], text), strerror(err));
}

/* How long the destination may be waited for now; 0: not at all. */
static uint64_t wait_ns(struct sender *s, uint32_t class, uint64_t now)
{
	const uint64_t most_ns = s->stage->config.classes[class].copy_wait_ns;
	struct copying *c = &s->copying[class];
	uint64_t *hurried_until_ns = &c->hurried_until_ns[s->settled.copies[class].destination], waited_ns, pause_ns;

	if (c->refused_since_ns == 0)
		c->refused_since_ns = now;
	waited_ns = now - c->refused_since_ns;
	if (now < *hurried_until_ns || waited_ns >= most_ns) {
		*hurried_until_ns = now + COPY_HURRY_NS;
		return 0;
	}
	pause_ns = waited_ns < FIRST_PAUSE_NS ? FIRST_PAUSE_NS : waited_ns; /* each as long as all before it */
	return pause_ns < most_ns - waited_ns ? pause_ns : most_ns - waited_ns;
}

int copies_refused(struct sender *s, uint32_t class, int err, uint64_t now)
{
	struct copies_tally *t = &s->settled.copies[class];
	uint64_t ns = wait_ns(s, class, now);

	if (ns) {
		s->retry_at_ns[class] = now + ns;
		s->settled.tally[class].send_waits++;
		settle(&s->settled, class, 0, now); /* observers see the wait while it lasts */
		return 1;
	}
	say_full(s, class, err, now);
	pass_over(s, class, t->batch_slots - t->done_slots, &has_now(t)->skipped_pkts[SKIP_FULL], err);
	commit(s, class, now);
	return 0;
}

/* slack.c - pure: a sliding minimum of the time to spare. */
#include "slack.h"

/*
 * When the work on all until this one must have begun, counted from when there was none. With several workers it is
 * done when those before it are, and one worker has given it all of its service.
 */
static int64_t tightness_ns(struct plan_class *c, uint64_t n)
{
	const struct plan_entry *e = plan_entry(c, n);

	return (int64_t)(e->deadline_ns - e->total_ns - (uint64_t)e->service_ns * (c->n_workers - 1));
}

static uint32_t tight_at(struct plan_class *c, uint64_t i)
{
	return plan_entry(c, i)->tight;
}

static void add_tight(struct plan_class *c, uint64_t n)
{
	while (c->tight_first < c->tight_last && tightness_ns(c, tight_at(c, c->tight_last - 1)) >= tightness_ns(c, n))
		c->tight_last--;
	plan_entry(c, c->tight_last++)->tight = (uint32_t)n;
}

/* From now on the oldest tight one is the oldest that is not lost, or younger, and all that came are told of. */
static void update_tight(struct plan_class *c)
{
	if (c->tight_told <= c->fresh) { /* nobody asked for long: the ends of the numbers tell nothing any more */
		c->tight_first = c->tight_last;
		c->tight_told = c->fresh;
	}
	while (c->tight_first < c->tight_last && (int32_t)(tight_at(c, c->tight_first) - (uint32_t)c->fresh) < 0)
		c->tight_first++;
	for (; c->tight_told < c->last; c->tight_told++) {
		const struct plan_entry *e = plan_entry(c, c->tight_told);

		if (!e->refused && e->deadline_ns != NO_DEADLINE)
			add_tight(c, c->tight_told);
	}
}

int64_t slack_begin_by_ns(struct plan_class *c)
{
	const struct plan_entry *e = plan_entry(c, c->fresh);

	update_tight(c);
	if (c->tight_first == c->tight_last)
		return INT64_MAX;
	return tightness_ns(c, tight_at(c, c->tight_first)) + (int64_t)(e->total_ns - e->service_ns);
}

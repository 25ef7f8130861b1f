/* quiet.c - destinations whose sessions ask, and whether any is answered. */
#include "quiet.h"

#include <stdlib.h>

#include "units.h"

#define LOOKS 4 /* in the time after which one is quiet */
#define LEAST_NS (25 * NS_PER_MS)

struct seen {
	uint32_t number, forth, back;
};

/* Of the sessions of each part and class; allocated at the first look. */
static struct seen *all_seen[MOST_SHARDS][MAX_CLASSES];

uint64_t quiet_every_ns(const struct class_config *c)
{
	return c->alive.quiet_ns / LOOKS > LEAST_NS ? c->alive.quiet_ns / LOOKS : LEAST_NS;
}

/* What the sessions of one part have asked and been answered since the last look; a bit for each destination. */
static void look_at_part(const struct roster *r, uint32_t part, uint32_t class, uint64_t *asked, uint64_t *answered)
{
	const struct lane_view *v = &r->parts[part].views[class];
	struct seen **seen = &all_seen[part][class];

	if (!*seen)
		*seen = calloc(v->n_sessions, sizeof(**seen));
	for (uint32_t k = 0; *seen && k < v->n_sessions; k++) {
		const struct session *s = &v->sessions[k];
		struct seen was = (*seen)[k], *now = &(*seen)[k];
		uint8_t i = once(s->destination);

		/* relaxed: counts that are looked at again */
		if (atomic_load_explicit(&s->state, memory_order_relaxed) != SESSION_OPEN || i >= MAX_DESTS)
			continue;
		now->number = once(s->number);
		now->forth = atomic_load_explicit(&s->forth_pkts, memory_order_relaxed);
		now->back = atomic_load_explicit(&s->back_pkts, memory_order_relaxed);
		if (now->number != was.number)
			was = (struct seen){ 0 };
		*asked |= (uint64_t)(now->forth != was.forth) << i;
		*answered |= (uint64_t)(now->back != was.back) << i;
	}
}

static void judge(struct roster *r, struct post *p, int is_asked, int is_answered, uint64_t now)
{
	uint64_t quiet_ns = roster_class(r, p)->alive.quiet_ns;
	int is_anew = is_asked && now >= p->asked_at_ns + quiet_ns; /* an answer that never came is forgotten */

	if (is_asked)
		p->asked_at_ns = now;

	if (p->state.is == DESTINATION_DOWN) {
		p->unanswered_since_ns = 0;
		if (is_answered || now >= p->state.since_ns + QUIET_PAUSES * quiet_ns)
			roster_judge(r, p, DESTINATION_UP, is_answered ? WHY_ANSWERS : WHY_TRIED, 0, now);
		return;
	}
	if (is_answered)
		p->unanswered_since_ns = 0;
	else if (is_asked && (is_anew || p->unanswered_since_ns == 0))
		p->unanswered_since_ns = now;
	else if (is_asked && now >= p->unanswered_since_ns + quiet_ns)
		roster_judge(r, p, DESTINATION_DOWN, WHY_QUIET, 0, now);
}

void quiet_look(struct roster *r, uint32_t class, uint64_t now)
{
	uint64_t asked = 0, answered = 0;

	for (uint32_t part = 0; part < r->n_parts; part++)
		look_at_part(r, part, class, &asked, &answered);
	for (uint32_t i = 0; i < r->n_posts; i++) {
		struct post *p = &r->posts[i];

		if (p->class == class)
			judge(r, p, (int)(asked >> p->i & 1), (int)(answered >> p->i & 1), now);
	}
}

/* target.c - which of several destinations the packets of a class go to. */
#include "target.h"

#include "log.h"

#define LOOK_AGAIN_NS NS_PER_S /* the scout rings when anything changes */
#define AIM_AGAIN_NS NS_PER_MS /* ingress changes a session's destination, and does not ring for it */

int target_open(struct sender *s, uint32_t class)
{
	const struct class_config *c = &s->stage->config.classes[class];
	int err;

	s->ways[class].choice = choice_make(c, &err);
	if (!err)
		return 0;
	log_error("the destinations of class %s: %s", c->name, log_text_of(-err));
	return EXIT_TEMPORARY;
}

void target_apply(struct sender *s)
{
	for (uint32_t class = 0; class < s->stage->config.n_classes; class++) {
		if (s->ways[class].choice)
			choice_forget(s->ways[class].choice);
		else if (!s->ways[class].forth)
			target_open(s, class);
	}
}

int target_is_stale(const struct sender *s, uint32_t class)
{
	const struct choice *x = s->ways[class].choice;

	return x && choice_is_stale(x, &s->stage->seg.views[class]);
}

void target_look(struct sender *s, uint32_t class)
{
	struct way *w = &s->ways[class];
	struct class_config *c = &s->stage->config.classes[class];

	if (!choice_look(w->choice, c, &s->stage->seg.views[class]))
		return;
	w->aims++;
	s->retry_at_ns[class] = 0;
	for (uint64_t moved = w->choice->moved; moved; moved &= moved - 1) {
		struct output *o = &s->outputs[class][__builtin_ctzll(moved)];

		output_follow(o);
		sender_count_remade(s, o);
	}
	w->choice->moved = 0;
}

int target_is_missing(const struct sender *s, uint32_t class, uint32_t index)
{
	const struct way *w = &s->ways[class];

	if (!w->choice)
		return 0;
	return w->n_sessions ? choice_is_down(w->choice, once(sender_session(s, class, index)->destination))
			     : w->choice->n_entries == 0;
}

static uint64_t deadline_ns(const struct sender *s, uint32_t class, uint32_t index)
{
	uint64_t budget_ns = s->stage->config.classes[class].budget_ns;

	return budget_ns == BUDGET_NONE ? UINT64_MAX
					: s->stage->seg.views[class].arrivals[index].arrived_at_ns + budget_ns;
}

int target_is_lost(const struct sender *s, uint32_t class, uint32_t index, uint64_t now)
{
	if (!target_is_missing(s, class, index))
		return 0;
	return now > deadline_ns(s, class, index) ||
	       (s->stage->config.full == FULL_DROP && s->ways[class].choice->n_entries == 0);
}

void target_wait(struct sender *s, uint32_t class, uint64_t now)
{
	uint64_t at_ns = now + (s->ways[class].n_sessions ? AIM_AGAIN_NS : LOOK_AGAIN_NS), until_ns;
	uint32_t index = sender_index(s, class, 0);

	if (sender_waiting_pkts(s, class) == 0 || !target_is_missing(s, class, index))
		return;
	until_ns = deadline_ns(s, class, index);
	s->retry_at_ns[class] = until_ns < at_ns ? until_ns + 1 : at_ns;
}

void target_aim(const struct way *w, struct output *o, const struct address *to)
{
	if (o->aims == w->aims && o->to == to)
		return;
	o->to = to;
	o->aims = w->aims;
	output_follow(o);
}

void target_refused(struct sender *s, uint32_t class, const struct output *o, uint32_t index, uint32_t n)
{
	const struct way *w = &s->ways[class];
	const struct lane_view *v = &s->stage->seg.views[class];
	size_t i;

	if (!w->choice || n == 0)
		return;
	i = w->n_sessions ? once(sender_session(s, class, index)->destination) : (size_t)(o - s->outputs[class]);
	if (i < v->n_destinations)
		choice_count_refused(&v->destinations->all[i].refused_by_egress, n);
}

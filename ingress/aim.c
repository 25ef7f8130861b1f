/* aim.c - which destination a session has. */
#include "aim.h"

#include "log.h"

uint32_t aim_of(const struct sessions *x, const struct session_key *key)
{
	const struct class_config *c = &x->stage->config.classes[x->forth];
	uint32_t hash = 0x811c9dc5u, chosen;

	for (size_t i = 0; i < sizeof(key->address); i++)
		hash = (hash ^ key->address[i]) * 0x01000193u;
	hash ^= hash >> 16;
	chosen = x->choice ? choice_of(x->choice, hash) : CHOICE_NONE;
	return chosen < c->n_dests ? chosen : hash % c->n_dests;
}

void aim_apply(struct sessions *x)
{
	int err = 0;

	if (x->choice)
		choice_forget(x->choice);
	else
		x->choice = choice_make(&x->stage->config.classes[x->forth], &err);
	if (err)
		log_warn("the destinations of class %s: %s: those that are down are not avoided",
			 x->stage->config.classes[x->forth].name, log_text_of(-err));
	if (x->choice)
		aim_look(x);
}

void aim_look(struct sessions *x)
{
	const struct stage *s = x->stage;

	if (!choice_look(x->choice, &x->stage->config.classes[x->forth], &s->seg.views[x->forth]) ||
	    x->choice->n_entries == 0)
		return;
	for (uint32_t k = 0; k < x->n; k++) {
		struct session *one = &x->all[k];
		struct session_key key;

		if (sessions_state(one) != SESSION_OPEN || !choice_is_down(x->choice, one->destination))
			continue;
		key = sessions_key_of(x, one);
		one->destination = (uint8_t)aim_of(x, &key);
	}
}

void aim_count_refused(const struct sessions *x, uint32_t k, uint32_t n)
{
	const struct lane_view *v = &x->stage->seg.views[x->forth];
	uint8_t i = x->all[k].destination;

	if (x->choice && n && i < v->n_destinations)
		choice_count_refused(&v->destinations->all[i].refused_by_ingress, n);
}

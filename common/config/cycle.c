/* cycle.c - whether what an instance sends comes in at one of its own classes again. */
#include "cycle.h"

#include <stdio.h>

#define NOWHERE UINT32_MAX

static bool receives(const struct address *listen, const struct address *dest, const struct address *own,
		     uint32_t n_own)
{
	if (!address_overlap(listen, dest))
		return false;
	if (!(address_traits(listen) & ADDRESS_IS_WILDCARD) || address_traits(dest) & ADDRESS_COMES_BACK)
		return true;
	for (uint32_t i = 0; i < n_own; i++)
		if (address_is_same_host(&dest->at, &own[i].at))
			return true;
	return false;
}

/* What each destination reaches: bit k of reached[] is class k. */
static uint32_t reached_by(const struct config *c, const struct address *dest, const struct address *own,
			   uint32_t n_own)
{
	uint32_t reached = 0;

	for (uint32_t k = 0; k < c->n_classes; k++)
		for (uint32_t i = 0; i < c->classes[k].n_listen; i++)
			if (receives(&c->classes[k].listen[i], dest, own, n_own))
				reached |= 1U << k;
	return reached;
}

/* The shortest way from class `to` back to it, as before[]: which class a class was reached from. */
static bool way_back(const uint32_t reaches[MAX_CLASSES], uint32_t to, uint32_t before[MAX_CLASSES])
{
	uint32_t queue[MAX_CLASSES + 1], n = 0;

	for (uint32_t k = 0; k < MAX_CLASSES; k++)
		before[k] = NOWHERE;
	queue[n++] = to;
	for (uint32_t at = 0; at < n; at++)
		for (uint32_t k = 0; k < MAX_CLASSES; k++) {
			if (!(reaches[queue[at]] >> k & 1) || before[k] != NOWHERE)
				continue;
			before[k] = queue[at];
			if (k == to)
				return true;
			queue[n++] = k;
		}
	return false;
}

/* The loop from `class` to itself; found->next becomes the class after it. */
static void tell(const struct config *c, const uint32_t before[MAX_CLASSES], struct loop_found *found)
{
	uint32_t way[MAX_CLASSES + 1], n = 0, k = found->class;
	size_t len;

	do {
		way[n++] = k;
		k = before[k];
	} while (k != found->class);
	found->next = way[n - 1];
	len = (size_t)snprintf(found->text, sizeof(found->text), "%s", c->classes[k].name);
	while (n > 0 && len < sizeof(found->text))
		len += (size_t)snprintf(found->text + len, sizeof(found->text) - len, " -> %s",
					c->classes[way[--n]].name);
}

bool loop_find(const struct config *c, const struct address *own, uint32_t n_own, struct loop_found *found)
{
	uint32_t reaches[MAX_CLASSES] = { 0 }, before[MAX_CLASSES];

	for (uint32_t i = 0; i < c->n_classes; i++)
		for (uint32_t k = 0; k < c->classes[i].n_dests; k++)
			reaches[i] |= reached_by(c, &c->classes[i].dests[k], own, n_own);
	for (uint32_t i = 0; i < c->n_classes; i++) {
		if (!way_back(reaches, i, before))
			continue;
		found->class = i;
		tell(c, before, found);
		for (found->dest = 0; found->dest < c->classes[i].n_dests - 1; found->dest++)
			if (reached_by(c, &c->classes[i].dests[found->dest], own, n_own) >> found->next & 1)
				break;
		return true;
	}
	return false;
}

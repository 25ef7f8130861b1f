/* scouted.c - classes that look after their destinations. */
#include "scouted.h"

#include <inttypes.h>
#include <stdio.h>

#include "config/destinations.h"
#include "config/table.h"
#include "units.h"

static double seconds(uint64_t ns)
{
	return (double)ns / (double)NS_PER_S;
}

static void print_names(const struct class_config *k)
{
	if (k->resolve_ns && destinations_have_names(k))
		printf("class %s: its names are asked for again each %.0f s, or when their TTL is over\n", k->name,
		       seconds(k->resolve_ns));
	else if (k->resolve_ns)
		printf("note: class %s has `resolve`, and no name among its destinations\n", k->name);
	else if (k->alive.kind != ALIVE_OFF && destinations_have_names(k))
		printf("note: class %s has names among its destinations, and no `resolve`: they are where they were at "
		       "the "
		       "launch\n",
		       k->name);
}

/* A row of looks, and a budget that is shorter: what waits meanwhile is lost by name. */
static void print_health(const struct class_config *k)
{
	uint64_t fall_ns = k->alive.kind == ALIVE_QUIET ? k->alive.quiet_ns : k->health_fall * k->health_every_ns;
	char how[VALUE_BYTES];

	if (k->alive.kind == ALIVE_OFF)
		return;
	alive_format(&k->alive, how);
	printf("class %s: its destinations, %u, are looked after (%s); one is down within %.1f s, and what is sent to "
	       "it "
	       "until "
	       "then is lost\n",
	       k->name, k->n_dests, how, seconds(fall_ns));
	if (k->n_dests == 1)
		printf("note: class %s has one destination: while it is down nothing goes anywhere; add another, or a "
		       "`backup`\n",
		       k->name);
}

void scouted_print(const struct config *c)
{
	for (uint32_t i = 0; i < c->n_classes; i++) {
		print_names(&c->classes[i]);
		print_health(&c->classes[i]);
	}
}

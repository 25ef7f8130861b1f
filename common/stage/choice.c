/* choice.c - which of a class's destinations a sender's datagrams go to. */
#include "choice.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/address.h"
#include "config/destinations.h"
#include "mutant.h"
#include "shm/destination.h"

static_assert(MAX_DESTS <= MAGLEV_MOST && MAX_DESTS * MOST_WEIGHT <= MAGLEV_ENTRIES,
	      "one table for all ways of spreading");
static_assert(MAX_DESTS <= 64, "a bit each");

#define NEVER UINT64_MAX

struct choice *choice_make(const struct class_config *c, int *err)
{
	struct choice *x;

	*err = 0;
	if (!destinations_are_chosen(c))
		return NULL;
	x = calloc(1, sizeof(*x));
	if (!x)
		*err = -ENOMEM;
	else
		choice_forget(x);
	return x;
}

void choice_forget(struct choice *x)
{
	x->seen = NEVER;
}

/* Returns 1 if that became another. */
static int take_address(struct address *a, const struct sockaddr_in6 *now)
{
	struct sockaddr_in6 was;

	memcpy(&was, &a->at, sizeof(was));
	if (now->sin6_family != was.sin6_family || now->sin6_port != was.sin6_port)
		return 0;
	if (now->sin6_family == AF_INET ? memcmp(now, &was, sizeof(struct sockaddr_in)) == 0
					: memcmp(&now->sin6_addr, &was.sin6_addr, sizeof(was.sin6_addr)) == 0)
		return 0;
	memcpy(&a->at, now, now->sin6_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(*now));
	return 1;
}

/* As the scout says; drained destinations take no new senders. Returns a bit for each that may be chosen. */
static uint64_t look_at_each(struct choice *x, struct class_config *c, const struct lane_view *v)
{
	uint64_t may = 0;

	x->down = 0;
	for (uint32_t i = 0; i < c->n_dests; i++) {
		struct destination_state s;

		if (i < v->n_destinations && destination_read(&v->destinations->all[i], &s)) {
			if (c->alive.kind != ALIVE_OFF)
				x->down |= (uint64_t)(s.is == DESTINATION_DOWN) << i;
			if (c->resolve_ns && c->dests[i].host)
				x->moved |= (uint64_t)take_address(&c->dests[i], &s.address) << i;
		}
		if (!(x->down >> i & 1) && !destinations_is_drained(c, i))
			may |= 1ULL << i;
	}
	return may;
}

static void fill_hash(struct choice *x, const struct class_config *c, uint64_t may)
{
	x->n_entries = 0;
	for (; may; may &= may - 1) {
		uint32_t i = (uint32_t)__builtin_ctzll(may);

		for (uint32_t k = 0; k < destinations_weight(c, i); k++)
			x->table[x->n_entries++] = (uint8_t)i;
	}
}

/* Of all in the group; those that may not be chosen give their senders to the others. */
static void fill_maglev(struct choice *x, const struct class_config *c, uint64_t group, uint64_t may)
{
	char names[MAX_DESTS][DESTINATION_BYTES];
	struct maglev_member members[MAX_DESTS];
	uint32_t n = 0;

	for (; group; group &= group - 1, n++) {
		uint32_t i = (uint32_t)__builtin_ctzll(group);

		members[n] = (struct maglev_member){ destinations_name(c, i, names[n]), destinations_weight(c, i),
						     (uint8_t)i, may >> i & 1 };
	}
	maglev_fill(x->table, members, n);
	x->n_entries = MAGLEV_ENTRIES;
}

static uint64_t first_bits(uint32_t n)
{
	return n < 64 ? (1ULL << n) - 1 : UINT64_MAX;
}

static void fill(struct choice *x, const struct class_config *c, uint64_t may)
{
	uint64_t send = first_bits(c->n_dests - c->n_joined);
	uint64_t group = may & send ? send : first_bits(c->n_dests) & ~send;

	may &= group;
	if (may && c->spread == SPREAD_FIRST)
		may &= -may;
	if (may && c->spread == SPREAD_MAGLEV)
		fill_maglev(x, c, group, may);
	else
		fill_hash(x, c, may);
}

int choice_look(struct choice *x, struct class_config *c, const struct lane_view *v)
{
	/*
	 * ORDER destinations: acquire; pairs with the release in destination_raise(). What has changed is there to
	 * read.
	 */
	uint64_t changes = atomic_load_explicit(&v->destinations->changes, memory_order_acquire);

	if (changes == x->seen)
		return 0;
	if (x->seen == NEVER) /* whatever sockets lead to */
		x->moved = first_bits(c->n_dests);
	x->seen = changes;
	fill(x, c, mutant_is("down-is-up") ? first_bits(c->n_dests) : look_at_each(x, c, v));
	return 1;
}

/*
 * choice.h - which of a class's destinations a sender's datagrams go to, as of what the scout says of them.
 *
 * Memory:  private to the stage: a table that follows from the configuration and from which destinations are up. It is
 *          made anew when these change, and nothing of it is durable: a successor makes the same.
 * Rules:   of the destinations of `send` those that are up and not drained take new senders; while there is none, those
 *          of `backup`; while there is none of these either, nobody does. All of a source have one destination, as long
 *          as the table stays.
 *          What is wrong in the segment changes nothing: an address is taken only if it is of the family and has the
 *          port that the configuration says.
 * Crash:   a scout that dies leaves what it knew last.
 */
#ifndef ONTIME_STAGE_CHOICE_H
#define ONTIME_STAGE_CHOICE_H

#include "maglev.h"
#include "shm/segment.h"

#define CHOICE_NONE UINT32_MAX

struct choice {
	uint64_t seen; /* changes, as of the last look */
	uint64_t moved; /* bit per destination: it has had another address since this was set to 0 */
	uint64_t down; /* likewise: it is down */
	uint32_t n_entries; /* of the table; 0: nobody takes new senders */
	uint8_t table[MAGLEV_ENTRIES];
};

/*
 * choice_make - NULL where a sender's hash alone decides, all destinations being alike; else one that is looked at
 * before it is used. *err: 0, or -ENOMEM.
 */
struct choice *choice_make(const struct class_config *c, int *err);

/*
 * choice_look - often. Returns 1 if anything has changed since the last look. Where a destination has another address,
 * it stands in c->dests from now on.
 */
int choice_look(struct choice *x, struct class_config *c, const struct lane_view *v);

/* choice_is_stale - has anything changed since the last look? */
static inline int choice_is_stale(const struct choice *x, const struct lane_view *v)
{
	return atomic_load_explicit(&v->destinations->changes, memory_order_relaxed) != x->seen; /* relaxed: a hint */
}

/* choice_forget - after a reload, which changes weights and addresses: the next look takes all of it anew. */
void choice_forget(struct choice *x);

/* choice_of - the destination of new senders with that hash, or CHOICE_NONE. */
static inline uint32_t choice_of(const struct choice *x, uint32_t hash)
{
	return x->n_entries ? x->table[hash % x->n_entries] : CHOICE_NONE;
}

static inline int choice_is_down(const struct choice *x, uint32_t i)
{
	return i < MAX_DESTS && (x->down >> i & 1);
}

/* choice_count_refused - an ICMP error told of what was sent to a destination. One writer for each word. */
static inline void choice_count_refused(_Atomic uint64_t *word, uint32_t n)
{
	/* relaxed: its own word, for the scout */
	atomic_store_explicit(word, atomic_load_explicit(word, memory_order_relaxed) + n, memory_order_relaxed);
}

#endif

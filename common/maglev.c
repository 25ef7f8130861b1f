/* maglev.c - a table from a sender's hash to one of several destinations. */
#include "maglev.h"

#include <stdlib.h>
#include <string.h>

#define FREE UINT8_MAX /* of an entry: nobody's yet */

struct row {
	uint32_t next, step; /* the entry that is asked for next, and from each to the one after it */
	uint32_t paid;
};

/*
 * FNV-1a, and mixed once more: names of destinations differ in their last digits. Source: Fowler, Noll, Vo;
 * MurmurHash3.
 */
static uint64_t hash_of(const char *name, uint64_t seed)
{
	uint64_t hash = 0xcbf29ce484222325ULL ^ seed;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 0x100000001b3ULL;
	hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccdULL;
	hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53ULL;
	return hash ^ hash >> 33;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct maglev_member *)a)->name, ((const struct maglev_member *)b)->name);
}

/* The first entry of its row that is nobody's. */
static uint32_t next_free(const uint8_t table[MAGLEV_ENTRIES], struct row *r)
{
	uint32_t entry;

	do {
		entry = r->next;
		r->next = (r->next + r->step) % MAGLEV_ENTRIES;
	} while (table[entry] != FREE);
	return entry;
}

/* Those that take part have the free entries, in turns. */
static void share(uint8_t table[MAGLEV_ENTRIES], const struct maglev_member *members, struct row rows[MAGLEV_MOST],
		  uint32_t n, uint32_t left, int only_up)
{
	uint32_t most = 1;

	for (uint32_t i = 0; i < n; i++) {
		rows[i].paid = 0;
		if (members[i].weight > most && (members[i].is_up || !only_up))
			most = members[i].weight;
	}
	while (left > 0)
		for (uint32_t i = 0; i < n && left > 0; i++) {
			if (only_up && !members[i].is_up)
				continue;
			rows[i].paid += members[i].weight;
			if (rows[i].paid < most)
				continue;
			rows[i].paid -= most;
			table[next_free(table, &rows[i])] = (uint8_t)i;
			left--;
		}
}

void maglev_fill(uint8_t table[MAGLEV_ENTRIES], struct maglev_member *members, uint32_t n)
{
	struct row rows[MAGLEV_MOST];
	uint32_t left = 0;

	qsort(members, n, sizeof(*members), compare_names);
	memset(table, FREE, MAGLEV_ENTRIES);
	for (uint32_t i = 0; i < n; i++)
		rows[i] = (struct row){ .next = (uint32_t)(hash_of(members[i].name, 0) % MAGLEV_ENTRIES),
					.step = (uint32_t)(1 + hash_of(members[i].name, 1) % (MAGLEV_ENTRIES - 1)) };
	share(table, members, rows, n, MAGLEV_ENTRIES, 0);
	for (uint32_t e = 0; e < MAGLEV_ENTRIES; e++)
		if (!members[table[e]].is_up) {
			table[e] = FREE;
			left++;
		}
	share(table, members, rows, n, left, 1);
	for (uint32_t e = 0; e < MAGLEV_ENTRIES; e++)
		table[e] = members[table[e]].number;
}

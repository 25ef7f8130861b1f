/*
 * maglev.h - pure: a table from a sender's hash to one of several destinations, of which few senders have another one
 * when a destination comes or goes.
 *
 * Memory:  the caller's table: a byte per entry, since there are no more than MAGLEV_MOST destinations. It fits twice
 *          as well into a cache as one of 16-bit words.
 * Rules:   the table follows from names, weights and which of them are up, not from their order, the machine, or what
 *          was before: each node of a cluster has the same. Each destination takes the entries of a row of its own,
 *          which its name gives, one in turn for each round; in a round that a weight below the largest does not pay
 *          for it takes none. With equal weights their shares differ by one entry at most.
 *          Then those that are not up give theirs to the others, who take them in the same way: so no sender of one
 *          that is up has to move for one that is not, and all senders of that one are back when it is.
 * Source:  Eisenbud et al.: Maglev, a Fast and Reliable Software Network Load Balancer (NSDI 2016), 3.4.
 */
#ifndef ONTIME_MAGLEV_H
#define ONTIME_MAGLEV_H

#include <stdint.h>

#define MAGLEV_ENTRIES 4099 /* prime, so that each row has all entries */
#define MAGLEV_MOST 64

struct maglev_member {
	const char *name;
	uint32_t weight; /* 1 or more */
	uint8_t number; /* what stands in the table for it */
	uint8_t is_up;
};

/* maglev_fill - the table for 1 .. MAGLEV_MOST members, of which one at least is up; their order is changed. */
void maglev_fill(uint8_t table[MAGLEV_ENTRIES], struct maglev_member *members, uint32_t n);

#endif

/*
 * short.h - datagrams too short for a header: which came, told by their sizes between two that have one.
 *
 * Rules:   a window is what came between two headers that are neighbours in the sequence. In it the sizes are compared
 *          with those sent between the two: first in order, then as a set. What one window has too much and its
 *          neighbour too little was moved; what is left over is one too many. Two changes of one size in neighbouring
 *          windows, a loss and a duplicate, cancel out: nothing in such datagrams tells.
 *          Where more than SHORT_WINDOW come without a header between, their order is only known to be right or wrong.
 */
#ifndef ONTIME_LOAD_SHORT_H
#define ONTIME_LOAD_SHORT_H

#include <stdint.h>

#include "packet.h"

#define SHORT_WINDOW 256
#define SHORT_SIZES ((uint32_t)sizeof(struct packet_header)) /* 0 to one less than a header */

struct short_window {
	uint8_t got[SHORT_WINDOW]; /* sizes, as they came */
	uint64_t n_got; /* may exceed SHORT_WINDOW */
	uint64_t got_of[SHORT_SIZES];
	uint64_t missing_of[SHORT_SIZES], extra_of[SHORT_SIZES]; /* left over by the window before */
	int has_left; /* anything in these two */
};

struct short_verdict {
	uint64_t doubled_pkts, reordered_pkts;
};

/* short_note - one came. */
void short_note(struct short_window *w, uint32_t bytes);

/* short_is_exact - whether a full window has just what follows `first`: then it can be emptied, without a header. */
int short_is_exact(const struct short_window *w, const struct packet_sizes *sizes, uint64_t first);

/* short_close - judge the window that should hold the short ones of [first, last). */
struct short_verdict short_close(struct short_window *w, const struct packet_sizes *sizes, uint64_t first,
				 uint64_t last);

/* short_end - after the last window: what is still one too many. */
uint64_t short_end(struct short_window *w);

#endif

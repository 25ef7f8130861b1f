/*
 * header.h - where everything lies in a segment, and does its header make sense?
 *
 * Rules:   for segment.c. The header is judged, and used from then on, as a private copy: its owner may be another
 *          user, who changes it after the look.
 */
#ifndef ONTIME_HEADER_H
#define ONTIME_HEADER_H

#include "segment.h"

#define PAGE 4096u
#define HUGE_PAGE (2u << 20) /* where pages have 4 KiB */

/* header_checksum - FNV-1a over the header behind the magic word, up to the checksum. */
uint64_t header_checksum(const struct header *h);

/*
 * header_check - copy the header into seg->header and judge it. NULL: it makes sense; else what is wrong with it, and
 * *err.
 */
const char *header_check(struct segment *seg, int *err);

/* header_plan - where everything lies: a function of the config alone. Returns the segment's size in bytes. */
uint64_t header_plan(struct header *h, const struct config *c);

/*
 * header_is_as_planned - is what stages go by in their config what the segment was made for? A digest that says so may
 * be of a damaged one.
 */
int header_is_as_planned(const struct header *h, const struct config *c);

#endif

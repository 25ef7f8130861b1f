/*
 * header.h - does the header of a segment make sense?
 *
 * Rules:   for segment.c. The header is judged, and used from then on, as a private copy: its owner may be another
 *          user, who changes it after the look.
 */
#ifndef ONTIME_HEADER_H
#define ONTIME_HEADER_H

#include "segment.h"

/* header_checksum - FNV-1a over the header behind the magic word, up to the checksum. */
uint64_t header_checksum(const struct header *h);

/*
 * header_check - copy the header into seg->header and judge it. NULL: it makes sense; else what is wrong with it, and
 * *err.
 */
const char *header_check(struct segment *seg, int *err);

#endif

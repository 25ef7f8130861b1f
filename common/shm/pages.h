/*
 * pages.h - where the pages of a segment lie, and how large they are.
 *
 * Rules:   for segment.c. Huge pages need room at a multiple of their size, in memory and in the file alike.
 */
#ifndef ONTIME_SHM_PAGES_H
#define ONTIME_SHM_PAGES_H

#include "header.h"

/* pages_place - room for what the handle is to map; NULL: the kernel may choose. */
void *pages_place(const struct segment *seg);

#endif

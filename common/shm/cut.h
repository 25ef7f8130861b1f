/*
 * cut.h - a segment that its owner cuts short under an observer.
 *
 * Memory:  one place for each shard, of the newest handle that observes it.
 * Rules:   for segment.c. What is observed may be cut short at any moment: then it reads as zeros, and the next look
 *          says so.
 */
#ifndef ONTIME_SHM_CUT_H
#define ONTIME_SHM_CUT_H

#include "segment.h"

/* cut_bear - what the handle maps may be cut short from now on. cut_forget - it is to be unmapped. */
void cut_bear(const struct segment *seg);
void cut_forget(const struct segment *seg);

#endif

/*
 * observers.h - the group whose members may look at an instance (`observers`).
 *
 * Rules:   the segment is made for its user alone, and opened to the group for reading when it is whole. What may be
 *          written, and the rest of the instance, stays the user's.
 */
#ifndef ONTIME_HOLD_OBSERVERS_H
#define ONTIME_HOLD_OBSERVERS_H

#include "shm/segment.h"

#define OBSERVERS_NONE ((gid_t)-1)

/* observers_find - the group's number, or OBSERVERS_NONE. 0, or -1 after one line: there is no such group. */
int observers_find(const struct config *c, gid_t *group);

/* observers_let_in - 0, or the exit status after one line. */
int observers_let_in(const struct config *c, const struct segment *seg, gid_t group);

#endif

/*
 * verdict.h - pure: from looks that fail or succeed to a destination that is down or up.
 *
 * Rules:   `fall` looks in a row that fail make one down that is up, `rise` that succeed make one up that is down.
 *          Of one that was never looked at it is not known: the first look that fails makes it down.
 */
#ifndef ONTIME_SCOUT_VERDICT_H
#define ONTIME_SCOUT_VERDICT_H

#include <stdint.h>

struct verdict {
	uint32_t is_down, is_known;
	uint32_t row; /* looks in a row that say otherwise */
};

/* verdict_note - one look more. Returns 1 if the destination is from now on what it was not before. */
static inline int verdict_note(struct verdict *v, int succeeds, uint32_t fall, uint32_t rise)
{
	int is_first = !v->is_known;

	v->is_known = 1;
	if (succeeds != (int)v->is_down) {
		v->row = 0;
		return 0;
	}
	if (++v->row < (v->is_down ? rise : fall) && !(is_first && !v->is_down))
		return 0;
	v->is_down = !v->is_down;
	v->row = 0;
	return 1;
}

#endif

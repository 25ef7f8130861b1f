/*
 * pass_on.h - packets that need no work and go one after the other, for the loop.
 */
#ifndef ONTIME_EDF_PASS_ON_H
#define ONTIME_EDF_PASS_ON_H

#include "loop.h"

/* pass_on - the first n packets of a class, which are twins (twins.h), are finished; they count once committed. */
void pass_on(struct edf_loop *l, uint32_t class, uint32_t n, uint64_t now);

#endif

/* looks.h - two looks at an instance that never ran, for tests of what observers make of them. */
#ifndef ONTIME_UNIT_LOOKS_H
#define ONTIME_UNIT_LOOKS_H

#include "look/view.h"

/* take_looks - a second apart, at n classes that send 1000/s, all on time within 100 us, of a budget of 1 ms each. */
void take_looks(struct view *before, struct view *now, uint32_t n);

#endif

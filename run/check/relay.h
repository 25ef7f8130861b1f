/*
 * relay.h - the answer for a plain relay: no work is done on a packet, so what it costs is the relay's own.
 */
#ifndef ONTIME_CHECK_RELAY_H
#define ONTIME_CHECK_RELAY_H

#include "config/config.h"
#include "cost.h"
#include "feasible.h"

/* relay_is_plain - is no work done, and none expected, on the packets of classes of which a rate is known? */
int relay_is_plain(const struct config *c, const struct feasible_class *classes);

/* relay_decide - print what a packet costs, and for each class whether it fits. 1: all fit. */
int relay_decide(const struct config *c, const struct feasible_class *classes, const struct cost *cost);

#endif

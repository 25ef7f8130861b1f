/*
 * copies.h - what classes that copy send to all their destinations together, and which rates are less than that.
 */
#ifndef ONTIME_CHECK_COPIES_H
#define ONTIME_CHECK_COPIES_H

#include "config/config.h"

/* copies_of - how often a datagram of the class leaves. */
uint32_t copies_of(const struct config *c, uint32_t class);

/* copies_print - a line for each class that copies, or has a rate of its own. */
void copies_print(const struct config *c);

#endif

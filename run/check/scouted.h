/*
 * scouted.h - classes that look after their destinations: what is looked at, how often, and how long it takes until one
 * is down or up again.
 */
#ifndef ONTIME_CHECK_SCOUTED_H
#define ONTIME_CHECK_SCOUTED_H

#include "config/config.h"

/* scouted_print - nothing when no class asks for it. */
void scouted_print(const struct config *c);

#endif

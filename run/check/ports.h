/*
 * ports.h - what a configuration says of ports that several classes share, and of congestion marks: a line a class.
 *
 * Rules:   the rates of classes stay as they are given: what a rule lets in is the senders' to know.
 *          A rule is never met when each of its alternatives is part of one alternative of a class that is asked
 *          before; that is said. One that is covered by several together is not found.
 */
#ifndef ONTIME_CHECK_PORTS_H
#define ONTIME_CHECK_PORTS_H

#include "config/config.h"

/* ports_print - nothing when no class shares a port and none marks. */
void ports_print(const struct config *c);

/* ports_covers - does `above` name each datagram that `below` names? */
int ports_covers(const struct match *above, const struct match *below);

#endif

/*
 * ways.h - classes whose servers see their clients: the right, and the routes and rules that this takes, on this
 * machine and on the server, ready to paste.
 *
 * Rules:   commands are indented and nothing else is. What is not there is told where it can be seen: a rule of routing
 *          by its effect; not one that goes by marks, nor one of the firewall.
 */
#ifndef ONTIME_CHECK_WAYS_H
#define ONTIME_CHECK_WAYS_H

#include "config/config.h"

/* ways_print - nothing when no class shows its senders. */
void ways_print(const struct config *c);

#endif

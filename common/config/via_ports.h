/*
 * via_ports.h - are there local ports for all sessions of classes with `via_ports`?
 *
 * Rules:   no two sockets of an instance have the same local port, whatever they lead to. The kernel chooses at random,
 *          so a class may get ports that lie in another one's range too: each range must hold its own sessions, beside
 *          as many of the others as may have a port in it, and beside the ports that the instance listens on or sends
 *          from.
 *          A class without a range takes ports of the kernel's, which only the machine knows (run/check/room.c).
 */
#ifndef ONTIME_CONFIG_VIA_PORTS_H
#define ONTIME_CONFIG_VIA_PORTS_H

#include "config.h"

/* via_ports_conflict - why a class's range is too small, in reason[REASON_BYTES] (value.h); NULL: it is not. */
const char *via_ports_conflict(const struct config *c, uint32_t class, char *reason);

/* via_ports_sockets - how many ports a class takes: one for each session, or one for all of them (via). */
uint32_t via_ports_sockets(const struct config *c, uint32_t class);

/* via_ports_others - the most ports of a range that other classes with one, and fixed ports, may take. */
uint32_t via_ports_others(const struct config *c, uint32_t class, uint32_t first, uint32_t last);

#endif

/*
 * from.h - the address and port of this machine that the datagrams of a class leave from.
 *
 * Memory:  a socket that is bound stays bound, whatever is killed and however often it is connected again.
 * Rules:   a class has one for each family that it sends to. A wildcard fixes the port only: the address is then the
 *          one that the kernel chooses on the way.
 *          Several destinations have a socket each, all bound alike (SO_REUSEPORT); the kernel tells them apart by
 *          peer.
 *          With replies the one session has it. Its port cannot be given up, so a filter stands before it while it is
 *          nobody's.
 * Errors:  0 or -errno; -EADDRNOTAVAIL, -ENODEV: this machine has no such address, or interface, now.
 * Source:  bind(2), socket(7) SO_REUSEPORT; __udp_disconnect() of Linux keeps what was bound.
 */
#ifndef ONTIME_CONFIG_FROM_H
#define ONTIME_CONFIG_FROM_H

#include "config.h"

/* from_of - where datagrams of the class to destinations of that family leave from; NULL: the kernel chooses. */
const struct address *from_of(const struct class_config *c, int family);

/* from_bind - before connect; nothing is done to a socket that is bound there. */
int from_bind(int fd, const struct class_config *c, int family);

/* from_is_there - whether the machine has the address now: 0, or why not. The port is not asked for. */
int from_is_there(const struct class_config *c, int family);

/* from_conflict - why a class cannot send from there, in reason[REASON_BYTES] (value.h); NULL: it can. */
const char *from_conflict(const struct config *c, uint32_t class, char *reason);

#endif

/*
 * bundle.h - many descriptors kept as one: in the queue of a socket that nobody reads.
 *
 * Rules:   whoever has the bundle can look at what is in it as often as it wants: that takes nothing out. So a service
 *          manager keeps a few bundles instead of thousands of sockets, each of which it would compare with all others.
 * Crash:   what is in the queue lives as long as a copy of the bundle.
 * Source:  unix(7), SCM_RIGHTS, which the kernel limits to 253 descriptors a message; recv(2), MSG_PEEK.
 */
#ifndef ONTIME_HOLD_BUNDLE_H
#define ONTIME_HOLD_BUNDLE_H

#include <stdint.h>

#define BUNDLE_FDS 253

/* bundle_make - of n descriptors, which stay open here too. The bundle, or -errno. */
int bundle_make(const int *fds, uint32_t n);

/* bundle_look - copies of what is in it, closed by an exec. How many, or -errno: then there are none. */
int bundle_look(int bundle, int fds[BUNDLE_FDS]);

#endif

/*
 * store.h - descriptors that a service manager keeps while the unit restarts.
 *
 * Memory:  the service manager has its own copies. They end when the unit is stopped for good.
 * Rules:   sockets, segment and configuration are put there at each start, so that they outlive all processes of the
 *          instance at once. What is kept and not used again is let go before anything is bound: an old wildcard would
 *          be in the way.
 *          Sockets of sessions are put there in bundles (bundle.h), once for each segment; those of an earlier segment
 *          are let go after that. They are counted: what is more than the service manager keeps is told in one line.
 *          The service manager must not watch them (FDPOLL=0): an ICMP error on a socket would end its copy.
 * Errors:  what could not be put there is missing at the next start, which then binds it: one line says so.
 * Source:  sd_pid_notify_with_fds(3), sd_notify_barrier(3), sd_listen_fds_with_names(3).
 */
#ifndef ONTIME_HOLD_STORE_H
#define ONTIME_HOLD_STORE_H

#include "kept.h"

/* store_take - what was kept; none of it is handed on by an exec that does not say so. */
void store_take(struct kept *kept);

/* store_let_go - what is not wanted is closed, here and there. */
void store_let_go(struct kept *kept);

/* store_put - what is handed on, with that segment: after sockets_hand_on(). */
void store_put(const struct sockets *s, const struct segment *seg, const struct kept *kept);

#endif

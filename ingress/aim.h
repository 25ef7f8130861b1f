/*
 * aim.h - which destination a session has, and has from now on when that one is down.
 *
 * Rules:   all sessions of an address have the same destination, as long as the choice stays. A session keeps its own
 *          until that is down: one that is drained, or that another would be chosen over by now, goes on with it. When
 *          it is down, the session goes to another one, with the same sender; egress connects its socket there before
 *          the next datagram leaves. What the destination before has answered by then is still passed on; what is under
 *          way from it at that moment finds no port any more.
 *          A session without a destination that is up keeps the one that it has, and its datagrams wait in egress.
 * Crash:   the destination is a byte in the segment. A successor finds it changed, or changes it.
 */
#ifndef ONTIME_INGRESS_AIM_H
#define ONTIME_INGRESS_AIM_H

#include "sessions.h"

/* aim_of - the destination of a new session. */
uint32_t aim_of(const struct sessions *x, const struct session_key *key);

/* aim_apply - at the start, and after a reload. */
void aim_apply(struct sessions *x);

/* aim_look - often, where there is a choice: has one gone down? */
void aim_look(struct sessions *x);

/* aim_count_refused - ICMP errors told of what session k has sent. */
void aim_count_refused(const struct sessions *x, uint32_t k, uint32_t n);

#endif

/*
 * drops.h - how many datagrams the kernel had no room for, by what each socket says: exact through any death.
 *
 * Rules:   a socket says what it has dropped since it was made. What it had said at the last commit is in the bank that
 *          commits with the counter; on the way back, with sockets by the thousand, the bank says it of one socket, and
 *          the session keeps it; with `fair` likewise, and the class's struct guard keeps it.
 * Source:  socket(7) SO_RXQ_OVFL, with a datagram; sock_diag(7) SK_MEMINFO_DROPS, when asked.
 */
#ifndef ONTIME_INGRESS_DROPS_H
#define ONTIME_INGRESS_DROPS_H

#include "receive.h"

/* drops_note - the socket of a flow has dropped that many. Returns 1 if that is more than was known. */
int drops_note(struct receiver *r, const struct ingress *in, int flow, uint32_t drops);

/* drops_seen - what is known of it. */
uint64_t drops_seen(const struct receiver *r, const struct ingress *in, int flow);

/* drops_keep - what the last commit of a way back says is kept for the session; again by a successor. */
void drops_keep(struct receiver *r, uint32_t class);

#endif

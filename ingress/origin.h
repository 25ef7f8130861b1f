/*
 * origin.h - the true sender of a datagram, in a class that passes it on: the header that the datagram leaves with.
 *
 * Memory:  in the segment, one for each slot (layout.h); only in classes with `source = proxy`.
 * Rules:   the address that it wrote to is the listen address, or where that is a wildcard the one that the kernel
 *          tells.
 * Crash:   it follows from what lies in the journal, so a successor writes the same again.
 */
#ifndef ONTIME_INGRESS_ORIGIN_H
#define ONTIME_INGRESS_ORIGIN_H

#include "beside.h"
#include "config/config.h"

/* The two ends of a datagram's way here. */
struct origin_ends {
	struct sockaddr_in6 from, to; /* or a sockaddr_in */
};

/* origin_ends - of one from `from` to a listen address. */
struct origin_ends origin_ends(const struct address *listen, const struct beside *b, const struct sockaddr_in6 *from);

/* origin_hash - all datagrams of a sender have the same. */
uint16_t origin_hash(const struct sockaddr_in6 *from);

/* origin_write - the slot's packet leaves with a header, if asked_for, else without. */
void origin_write(struct origin *o, const struct origin_ends *ends, int asked_for);

#endif

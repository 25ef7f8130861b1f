/*
 * origin.h - the true sender of a datagram: the header that it came with, from a front that is believed, and the one
 * that it leaves with.
 *
 * Memory:  in the segment, one for each slot (layout.h); only in classes with `accept_proxy`, or a `source`
 *          other than own.
 * Rules:   who sends with a header that is to be believed is a matter of its address (`accept_proxy`); each of its
 *          datagrams must have one. What such a header says is what the datagram leaves with, and what its destination
 *          is chosen by. Sessions go by who really sent it, since replies go there.
 *          The address that it wrote to is the listen address, or where that is a wildcard the one that the kernel
 *          tells.
 * Crash:   it follows from what lies in the journal, so a successor writes the same again.
 */
#ifndef ONTIME_INGRESS_ORIGIN_H
#define ONTIME_INGRESS_ORIGIN_H

#include "beside.h"
#include "receive.h"

/* The two ends of a datagram's way here. */
struct origin_ends {
	struct sockaddr_in6 from, to; /* or a sockaddr_in */
};

/*
 * origin_find - of the packet i places ahead: by the header that it came with if its sender is believed, or else by who
 * sent it. The header is taken off *a; one that makes no sense drops the packet.
 */
struct origin_ends origin_find(const struct receiver *r, const struct ingress *in, int flow, uint32_t i,
			       const struct sockaddr_in6 *from, const struct beside *b, struct arrival *a);

/* origin_hash - all datagrams of a sender have the same. */
uint16_t origin_hash(const struct sockaddr_in6 *from);

/*
 * origin_write - the header or the sender's address that it leaves with; source: its session, which is known by then.
 */
void origin_write(const struct receiver *r, uint32_t class, uint32_t i, uint32_t source,
		  const struct origin_ends *ends);

#endif

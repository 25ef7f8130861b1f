/*
 * lookup.h - which way the kernel takes: out to an address, and in from one.
 *
 * Source:  rtnetlink(7) RTM_GETROUTE: with RTA_IIF the way of a datagram that comes in, source validation included.
 */
#ifndef ONTIME_CHECK_LOOKUP_H
#define ONTIME_CHECK_LOOKUP_H

#include <net/if.h>

#include "config/address.h"

struct lookup_out {
	struct sockaddr_storage local; /* the address that this machine has on the way */
	char interface[IF_NAMESIZE]; /* ""; not known */
	int is_here; /* the destination is this machine */
};

/* lookup_out - the way to an address; 0, or -errno: there is none now. */
int lookup_out(const struct address *to, struct lookup_out *out);

/*
 * lookup_is_taken - does an UDP datagram of that server, which comes in by that interface for a port of a host
 * elsewhere, stay here? 1, 0, or -1: it cannot be asked.
 */
int lookup_is_taken(const struct address *server, const char *interface, uint32_t port);

#endif

/*
 * shown.h - classes whose datagrams leave with the address of the one that sent them: `source = address`, with a port
 * of this machine; `source = transparent`, with the sender's port too.
 *
 * Memory:  what takes a right (CAP_NET_RAW; for an address CAP_NET_ADMIN does too) is done once, where the socket is
 *          made. Using it takes none.
 * Rules:   address      an UDP socket for each destination, connected as any other; each message says whom it is from.
 *                       With replies each session's socket is bound to its sender's address instead. The kernel chooses
 *                       the port, so that both can be given up, and had again by another.
 *          transparent  a raw socket for each destination: IP and UDP header are egress's. A port that is asked for
 *                       stays with a socket for good, so no socket can have one sender's port after another's.
 *                       What is answered goes to the sender's port, so that no socket of a session can have it: a rule
 *                       of the firewall (tproxy) brings it to one socket, which says whom it was meant for.
 * Errors:  0 or -errno; -EPERM: the right is missing.
 * Source:  ip(7) IP_TRANSPARENT, IP_HDRINCL, IP_BIND_ADDRESS_NO_PORT, IP_RECVORIGDSTADDR; raw(7).
 */
#ifndef ONTIME_CONFIG_SHOWN_H
#define ONTIME_CONFIG_SHOWN_H

#include "config.h"

/* shown_is_sender - does the destination see who sent a datagram? */
static inline bool shown_is_sender(const struct class_config *c)
{
	return c->source == SOURCE_ADDRESS || c->source == SOURCE_TRANSPARENT;
}

/* shown_has_port - and by which port? */
static inline bool shown_has_port(const struct class_config *c)
{
	return c->source == SOURCE_TRANSPARENT;
}

/* shown_socket - not connected, for datagrams of the class; whatever its source. Or -errno. */
int shown_socket(const struct class_config *c, int family);

/* shown_allow - of a session's socket: from now on it may be bound to any sender's address. */
int shown_allow(int fd, int family);

/* shown_bind - to the address of a sender, by a port that the kernel chooses when it is connected. */
int shown_bind(int fd, const struct sockaddr_in6 *sender);

/* shown_bind_answers - with replies: the one socket that answers to all senders' ports come to, by that port. */
int shown_bind_answers(int fd, int family, uint32_t port);

/* shown_right_text - behind a message of -EPERM: which right is missing for a class, and how to have it; or "". */
const char *shown_right_text(const struct class_config *c);

/* shown_conflict - what is wrong with the key *key of a class, in reason[REASON_BYTES] (value.h); NULL: nothing. */
const char *shown_conflict(const struct config *c, uint32_t class, const char **key, char *reason);

#endif

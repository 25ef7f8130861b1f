/*
 * sender_seen.h - the sender of a packet, where its destination is to see it (config/shown.h).
 *
 * Memory:  the address lies in the packet's origin. A header is written into the caller's memory, since it follows from
 *          the payload as edf left it, and from the type of service.
 * Rules:   the kernel refuses some senders' addresses, and some runs whoever they are from, both with the same errno.
 *          So a sender of which a run was refused is in doubt, and its datagrams go singly. If one of them is taken,
 *          the fault was the run's (refusal.h); else it was the sender's, which costs other senders nothing. A sender
 *          that gets another one's place in the table costs that one a refused run more.
 * Source:  ip(7) IP_PKTINFO on a socket with IP_TRANSPARENT; raw(7).
 */
#ifndef ONTIME_SENDER_SEEN_H
#define ONTIME_SENDER_SEEN_H

#include "sender.h"
#include "udp_header.h"

/* seen_sender - of the packet in a slot; NULL: the packet leaves as its socket does. */
const struct sockaddr_in6 *seen_sender(const struct sender *s, uint32_t class, uint32_t index);

/* seen_is_same - one socket and one message can carry packets of both. */
int seen_is_same(const struct sockaddr_in6 *a, const struct sockaddr_in6 *b);

/* seen_doubt - a run of that sender was refused. */
void seen_doubt(struct sender *s, const struct sockaddr_in6 *sender, uint64_t until_ns);

/* seen_trust - one of its datagrams was taken. */
void seen_trust(struct sender *s, const struct sockaddr_in6 *sender);

/* seen_is_in_doubt - NULL never is. */
int seen_is_in_doubt(const struct sender *s, const struct sockaddr_in6 *sender, uint64_t now);

/* seen_scope - the interface of a link-local sender, without which the kernel refuses its address; else 0. */
uint32_t seen_scope(const struct sockaddr_in6 *sender);

/* seen_address - as IP_PKTINFO takes it; 4 or 16 bytes. */
void seen_address(const struct sockaddr_in6 *sender, uint8_t address[16]);

/*
 * seen_header - IP and UDP header from that sender to where `to` leads, in front of `payload`. Returns its length;
 * there is always one, unless the segment is damaged: then the stage ends.
 */
uint32_t seen_header(const struct sender *s, const struct output *to, const struct sockaddr_in6 *sender, uint8_t tos,
		     const struct iovec *payload, uint8_t header[UDP_HEADER_MOST_BYTES]);

#endif

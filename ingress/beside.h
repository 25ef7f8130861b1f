/*
 * beside.h - what the kernel says beside a datagram.
 *
 * Source:  socket(7) SO_TIMESTAMPNS and SO_RXQ_OVFL; udp(7) UDP_GRO; ip(7) IP_TOS, IP_PKTINFO and IP_RECVORIGDSTADDR;
 *          ipv6(7).
 */
#ifndef ONTIME_INGRESS_BESIDE_H
#define ONTIME_INGRESS_BESIDE_H

#include "shm/layout.h"

/* What the kernel says beside a datagram. */
struct beside {
	uint64_t stamp_ns; /* CLOCK_REALTIME; 0 if none */
	uint64_t socket_drops; /* the socket's cumulative count; untouched if not told */
	uint32_t piece_bytes; /* of a train: how long its datagrams are, the last one apart; 0: it is none */
	uint8_t tos; /* 0 if not asked for */
	uint8_t local[16]; /* the address it was sent to; zeros if not asked for */
	uint8_t is_v4_local;
	uint32_t local_scope; /* the interface of a link-local one; else 0 */
	in_port_t local_port; /* the port it was sent to, where it was brought here; 0 if not told */
};

/* beside_read - of message i of the journal; what was not told stays as it is. */
void beside_read(const struct ingress_journal *j, uint32_t i, struct beside *b);

#endif

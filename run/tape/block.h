/*
 * block.h - pure: the blocks of a pcapng file, in the byte order of this machine.
 *
 * Rules:   a function writes one whole block to `to`, which has room for it, and returns its length. Times are
 *          nanoseconds since 1970. Packets are Ethernet frames, whose addresses are zeros: libpcap 1.10.3 takes several
 *          interfaces of bare IP for interfaces of different types, and reads no such file.
 * Source:  draft-ietf-opsawg-pcapng: section header, interface description, enhanced packet, interface statistics.
 */
#ifndef ONTIME_TAPE_BLOCK_H
#define ONTIME_TAPE_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "udp_header.h"

#define BLOCK_LINK_BYTES 14 /* of an Ethernet header */
#define BLOCK_HEADER_BYTES (BLOCK_LINK_BYTES + UDP_HEADER_MOST_BYTES)
#define BLOCK_TEXT_BYTES 512 /* of a name or a comment; what is longer is cut */
#define BLOCK_MOST_BYTES 1280 /* of any block, without a packet's payload */
#define BLOCK_CUT_BYTES 262144 /* of one packet; no reader takes more */

enum { BLOCK_INTERFACE = 1, BLOCK_STATISTICS = 5, BLOCK_PACKET = 6, BLOCK_SECTION = 0x0a0d0d0a };

struct block_packet {
	uint32_t interface; /* from 0, in the order of their blocks */
	uint64_t at_ns;
	const uint8_t *header, *payload;
	uint32_t header_bytes, payload_bytes; /* as far as they are there */
	uint32_t len_bytes; /* of the whole datagram */
	uint64_t missed_pkts; /* of the interface, since the packet before */
	const char *comment;
};

struct block_statistics {
	uint32_t interface;
	uint64_t at_ns, received_pkts, accepted_pkts, missed_pkts;
};

size_t block_section(uint8_t *to, const char *program);
size_t block_interface(uint8_t *to, const char *name, const char *description);
size_t block_packet(uint8_t *to, const struct block_packet *p);
size_t block_statistics(uint8_t *to, const struct block_statistics *s);

/* block_link - the header in front of an IP header, which says its version. */
void block_link(uint8_t to[BLOCK_LINK_BYTES], int is_v6);

/* block_read - what a whole block at `from` is: its length, and with *type its type and *interface whose it is. */
size_t block_read(const uint8_t *from, uint32_t *type, uint32_t *interface);

#endif

/*
 * frame.h - pure: the UDP datagram in a captured frame.
 *
 * Rules:   what comes is data of others: nothing in it is believed but what the length of the frame bears out. A frame
 *          may have been cut when it was captured: then less of the payload is there than the datagram had.
 * Source:  RFC 791, RFC 8200, RFC 768; IEEE 802.1Q; pcap-linktype(7).
 */
#ifndef ONTIME_TRAFFIC_FRAME_H
#define ONTIME_TRAFFIC_FRAME_H

#include <stdbool.h>
#include <stdint.h>

enum frame_kind { FRAME_UDP, FRAME_OTHER, FRAME_FRAGMENT };

struct frame {
	const uint8_t *payload;
	uint32_t there_bytes, len_bytes; /* of the payload: in the frame, and in the datagram */
	uint16_t to_port;
	uint8_t tos; /* or the IPv6 traffic class */
	bool is_v6;
	const uint8_t *source; /* 4 or 16 bytes */
};

/* frame_is_known - can frames of that link type (DLT_*) be read? */
bool frame_is_known(int link);

/* frame_read - of n bytes. *f is valid with FRAME_UDP. A fragment of a datagram is none of its own. */
enum frame_kind frame_read(struct frame *f, int link, const uint8_t *bytes, uint32_t n);

#endif

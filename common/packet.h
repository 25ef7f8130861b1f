/*
 * packet.h - what each stage says of a packet, beside its payload: its times, its length, its fate. For C and BPF alike.
 *
 * Memory:  in the segment, packed arrays beside each lane (layout.h); one entry per slot.
 * Rules:   one writer per struct, named below. Times are CLOCK_MONOTONIC nanoseconds.
 */
#ifndef ONTIME_PACKET_H
#define ONTIME_PACKET_H

#ifndef __bpf__
#include <stdint.h>
#endif

/* What ingress says of a packet. One per slot; writer: ingress, before the packet is published. */
struct arrival {
	uint64_t arrived_at_ns; /* kernel receive time */
	uint64_t read_at_ns;
	uint64_t published_at_ns;
	uint32_t len_bytes; /* as received; past payload_bytes when oversize */
	uint16_t source; /* hash of the sender's address; 0 with one destination */
	uint8_t drop; /* enum drop_reason: DROP_NONE or DROP_OVERSIZE */
	uint8_t spare;
};

/* What edf says of it. One per slot; writer: edf, before it passes the packet on. */
struct result {
	uint64_t started_at_ns;
	uint64_t done_at_ns;
	uint32_t len_bytes; /* to send */
	uint8_t drop; /* enum drop_reason; whatever is set here is never sent */
	uint8_t second; /* 1: the bytes to send are in the slot's second half */
	uint16_t spare;
};

/* What egress says of it. One per slot; writer: egress. */
struct departure {
	uint64_t handed_at_ns; /* start of the send call */
	uint32_t drop; /* enum drop_reason: LATE_EGRESS or SEND_ERROR, decided before the call */
	uint32_t send_errno; /* with DROP_SEND_ERROR */
};

#endif

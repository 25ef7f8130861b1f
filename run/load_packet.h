/*
 * load_packet.h - what a test datagram carries: sequence, send time, and a pattern that shows any change.
 */
#ifndef ONTIME_LOAD_PACKET_H
#define ONTIME_LOAD_PACKET_H

#include <stdint.h>
#include <string.h>

#define MAX_LOAD_BYTES 1472 /* an Ethernet frame's worth */

/* What sizes a flow's datagrams have: a function of their sequence, so that one too short for a header has a place too. */
struct packet_sizes {
	uint64_t seed;
	uint32_t smallest_bytes, largest_bytes;
	uint32_t run_pkts, run_bytes; /* every other run_pkts have this size, for UDP_SEGMENT; 0: none */
};

struct packet_header {
	uint64_t sequence; /* from 0, per flow */
	uint64_t due_at_ns; /* scheduled send time, CLOCK_MONOTONIC */
	uint64_t check; /* of sequence, time and length */
};

static inline uint64_t packet_mix(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdULL;
	return x ^ x >> 33;
}

/* packet_bytes - the size of the datagram with that sequence. */
static inline uint32_t packet_bytes(const struct packet_sizes *s, uint64_t sequence)
{
	uint64_t random = packet_mix(packet_mix(sequence + 1) + s->seed);

	if (s->run_pkts && sequence / s->run_pkts % 2)
		return s->run_bytes;
	return s->smallest_bytes + (uint32_t)(random % (s->largest_bytes - s->smallest_bytes + 1));
}

static inline uint64_t packet_check(uint64_t sequence, uint64_t due_at_ns, uint32_t bytes)
{
	return packet_mix(sequence * 3 + packet_mix(due_at_ns + bytes));
}

/* packet_fill - shorter than a header: only the pattern of the length. */
static inline void packet_fill(uint8_t *to, uint32_t bytes, uint64_t sequence, uint64_t due_at_ns)
{
	struct packet_header h = { sequence, due_at_ns, packet_check(sequence, due_at_ns, bytes) };

	if (bytes < sizeof(h)) {
		memset(to, (int)bytes, bytes);
		return;
	}
	memcpy(to, &h, sizeof(h));
	memset(to + sizeof(h), (int)(h.check & 0xff), bytes - sizeof(h));
}

/* packet_read - 1: whole, 0: too short for a header but unchanged, -1: changed. */
static inline int packet_read(const uint8_t *from, uint32_t bytes, struct packet_header *h)
{
	uint8_t pattern;

	if (bytes >= sizeof(*h)) {
		memcpy(h, from, sizeof(*h));
		if (h->check != packet_check(h->sequence, h->due_at_ns, bytes))
			return -1;
		pattern = (uint8_t)h->check;
	} else {
		pattern = (uint8_t)bytes;
	}
	for (uint32_t i = bytes >= sizeof(*h) ? sizeof(*h) : 0; i < bytes; i++)
		if (from[i] != pattern)
			return -1;
	return bytes >= sizeof(*h);
}

#endif

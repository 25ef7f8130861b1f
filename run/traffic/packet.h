/*
 * packet.h - what a test datagram carries: sequence, send time, class, and a pattern that shows any change.
 */
#ifndef ONTIME_LOAD_PACKET_H
#define ONTIME_LOAD_PACKET_H

#include <stdint.h>
#include <string.h>

#define MAX_LOAD_BYTES 1472 /* an Ethernet frame's worth */

/*
 * What sizes a flow's datagrams have: a function of their sequence, so that one too short for a header has a place too.
 */
struct packet_sizes {
	uint64_t seed;
	uint32_t smallest_bytes, largest_bytes;
	uint32_t run_pkts, run_bytes; /* every other run_pkts have this size, for UDP_SEGMENT; 0: none */
};

struct packet_header {
	uint64_t sequence; /* from 0, per class */
	uint64_t due_at_ns; /* scheduled send time, CLOCK_MONOTONIC */
	uint32_t stream; /* of which run and class; 0 where there is but one */
	uint32_t check; /* of all above and the length */
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

static inline uint32_t packet_check(const struct packet_header *h, uint32_t bytes)
{
	return (uint32_t)packet_mix(h->sequence * 3 + packet_mix(h->due_at_ns + bytes) + ((uint64_t)h->stream << 32));
}

/* The eight bytes that what follows the header repeats: a function of the header. */
static inline uint64_t packet_pattern(const struct packet_header *h)
{
	return packet_mix((uint64_t)h->check << 32 | (uint32_t)~h->sequence);
}

/* packet_fill_stream - shorter than a header: only the pattern of the length. */
static inline void packet_fill_stream(uint8_t *to, uint32_t bytes, uint32_t stream, uint64_t sequence,
				      uint64_t due_at_ns)
{
	struct packet_header h = { sequence, due_at_ns, stream, 0 };
	uint64_t pattern;
	uint32_t at;

	if (bytes < sizeof(h)) {
		memset(to, (int)bytes, bytes);
		return;
	}
	h.check = packet_check(&h, bytes);
	pattern = packet_pattern(&h);
	memcpy(to, &h, sizeof(h));
	for (at = sizeof(h); at + sizeof(pattern) <= bytes; at += sizeof(pattern))
		memcpy(to + at, &pattern, sizeof(pattern));
	memcpy(to + at, &pattern, bytes - at);
}

static inline void packet_fill(uint8_t *to, uint32_t bytes, uint64_t sequence, uint64_t due_at_ns)
{
	packet_fill_stream(to, bytes, 0, sequence, due_at_ns);
}

/* Whether n bytes repeat the pattern: their start is it, and each byte is the one eight before. */
static inline int packet_repeats(const uint8_t *from, size_t n, uint64_t pattern)
{
	size_t first = n < sizeof(pattern) ? n : sizeof(pattern);

	return memcmp(from, &pattern, first) == 0 && memcmp(from, from + first, n - first) == 0;
}

/* packet_read - 1: whole, 0: too short for a header but unchanged, -1: changed. */
static inline int packet_read(const uint8_t *from, uint32_t bytes, struct packet_header *h)
{
	if (bytes >= sizeof(*h)) {
		memcpy(h, from, sizeof(*h));
		if (h->check != packet_check(h, bytes))
			return -1;
		return packet_repeats(from + sizeof(*h), bytes - sizeof(*h), packet_pattern(h)) ? 1 : -1;
	}
	for (uint32_t i = 0; i < bytes; i++)
		if (from[i] != bytes)
			return -1;
	return 0;
}

#endif

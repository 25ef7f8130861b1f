/* udp_header.c - IP and UDP header of a datagram. */
#include "udp_header.h"

#include <string.h>

#define HOPS 64 /* what Linux sends with */
#define IP_V4_BYTES 20
#define IP_V6_BYTES 40
#define UDP_BYTES 8

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* Of 16-bit words in the machine's order, which the sum does not depend on; 2^32 of the words of 32 bits fit. */
static uint64_t add_words(uint64_t sum, const uint8_t *bytes, uint32_t n)
{
	uint32_t word = 0;

	for (; n >= sizeof(word); n -= (uint32_t)sizeof(word), bytes += sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		sum += word;
	}
	word = 0;
	memcpy(&word, bytes, n); /* as if zeros followed */
	return sum + word;
}

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* A sum of 0 would mean that there is none. */
static void put_sum(uint8_t *udp, const uint8_t *ends, uint32_t n_ends, const uint8_t *payload, uint32_t len)
{
	uint8_t pseudo[4] = { 0, IPPROTO_UDP };
	uint16_t sum;

	memcpy(pseudo + 2, udp + 4, 2); /* the length, again */
	sum = fold(add_words(add_words(add_words(add_words(0, ends, n_ends), pseudo, sizeof(pseudo)), udp, UDP_BYTES),
			     payload, len));
	sum = sum ? sum : 0xffff;
	memcpy(udp + 6, &sum, sizeof(sum));
}

static void put_udp(uint8_t *udp, in_port_t from, in_port_t to, uint32_t len)
{
	memcpy(udp, &from, 2);
	memcpy(udp + 2, &to, 2);
	put16(udp + 4, len + UDP_BYTES);
}

static uint32_t write_v4(uint8_t *header, const struct sockaddr_in6 *from, const struct sockaddr_in6 *to, uint8_t tos,
			 const uint8_t *payload, uint32_t len)
{
	struct sockaddr_in ends[2];

	memcpy(&ends[0], from, sizeof(ends[0]));
	memcpy(&ends[1], to, sizeof(ends[1]));
	if (len > UINT16_MAX - UDP_HEADER_V4_BYTES)
		return 0;
	memset(header, 0, UDP_HEADER_V4_BYTES);
	header[0] = 0x45; /* version 4, five words */
	header[1] = tos;
	put16(header + 2, len + UDP_HEADER_V4_BYTES);
	header[8] = HOPS;
	header[9] = IPPROTO_UDP;
	memcpy(header + 12, &ends[0].sin_addr, 4);
	memcpy(header + 16, &ends[1].sin_addr, 4);
	put_udp(header + IP_V4_BYTES, ends[0].sin_port, ends[1].sin_port, len);
	put_sum(header + IP_V4_BYTES, header + 12, 8, payload, len);
	return UDP_HEADER_V4_BYTES;
}

static uint32_t write_v6(uint8_t *header, const struct sockaddr_in6 *from, const struct sockaddr_in6 *to, uint8_t tos,
			 const uint8_t *payload, uint32_t len)
{
	if (len > UINT16_MAX - UDP_BYTES)
		return 0;
	memset(header, 0, UDP_HEADER_MOST_BYTES);
	header[0] = (uint8_t)(0x60 | tos >> 4); /* version 6, traffic class, no flow label */
	header[1] = (uint8_t)(tos << 4);
	put16(header + 4, len + UDP_BYTES);
	header[6] = IPPROTO_UDP;
	header[7] = HOPS;
	memcpy(header + 8, &from->sin6_addr, 16);
	memcpy(header + 24, &to->sin6_addr, 16);
	put_udp(header + IP_V6_BYTES, from->sin6_port, to->sin6_port, len);
	put_sum(header + IP_V6_BYTES, header + 8, 32, payload, len);
	return UDP_HEADER_MOST_BYTES;
}

uint32_t udp_header_write(uint8_t header[UDP_HEADER_MOST_BYTES], const struct sockaddr_in6 *from,
			  const struct sockaddr_in6 *to, uint8_t tos, const uint8_t *payload, uint32_t len)
{
	if (from->sin6_family != to->sin6_family)
		return 0;
	if (to->sin6_family == AF_INET6)
		return write_v6(header, from, to, tos, payload, len);
	return to->sin6_family == AF_INET ? write_v4(header, from, to, tos, payload, len) : 0;
}

/* proxy.c - pure: the PROXY protocol, version 2. */
#include "proxy.h"

#include <string.h>

#define START_BYTES 16 /* signature, version and command, family and protocol, length */

static const uint8_t signature[12] = { '\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n' };

enum { VERSION_LOCAL = 0x20, VERSION_PROXY = 0x21, V4_DGRAM = 0x12, V6_DGRAM = 0x22 };
enum { FAMILY_NONE, FAMILY_V4, FAMILY_V6, FAMILY_UNIX, N_FAMILIES };
enum { PROTOCOL_DGRAM = 2 }; /* the highest that there is */

/* What the addresses of a family take. */
static const uint32_t least_bytes[N_FAMILIES] = { 0, PROXY_V4_BYTES - START_BYTES, PROXY_MOST_BYTES - START_BYTES,
						  216 };

static void read_v4(struct proxy_header *h, const uint8_t *at)
{
	struct sockaddr_in ends[2] = { { .sin_family = AF_INET }, { .sin_family = AF_INET } };

	memcpy(&ends[0].sin_addr, at, 4);
	memcpy(&ends[1].sin_addr, at + 4, 4);
	memcpy(&ends[0].sin_port, at + 8, 2);
	memcpy(&ends[1].sin_port, at + 10, 2);
	memcpy(&h->from, &ends[0], sizeof(ends[0]));
	memcpy(&h->to, &ends[1], sizeof(ends[1]));
}

static void read_v6(struct proxy_header *h, const uint8_t *at)
{
	h->from.sin6_family = h->to.sin6_family = AF_INET6;
	memcpy(&h->from.sin6_addr, at, 16);
	memcpy(&h->to.sin6_addr, at + 16, 16);
	memcpy(&h->from.sin6_port, at + 32, 2);
	memcpy(&h->to.sin6_port, at + 34, 2);
}

int proxy_read(const uint8_t *datagram, size_t len, struct proxy_header *h)
{
	uint32_t family, bytes;

	memset(h, 0, sizeof(*h));
	if (len < START_BYTES || memcmp(datagram, signature, sizeof(signature)) != 0)
		return -1;
	family = datagram[13] >> 4;
	bytes = (uint32_t)datagram[14] << 8 | datagram[15];
	if ((datagram[12] != VERSION_PROXY && datagram[12] != VERSION_LOCAL) || bytes > len - START_BYTES)
		return -1;
	h->bytes = START_BYTES + bytes;
	if (datagram[12] == VERSION_LOCAL) /* whatever family it says is to be ignored */
		return 0;
	if (family >= N_FAMILIES || (datagram[13] & 0xf) > PROTOCOL_DGRAM || bytes < least_bytes[family])
		return -1;
	h->has_ends = family == FAMILY_V4 || family == FAMILY_V6;
	if (family == FAMILY_V4)
		read_v4(h, datagram + START_BYTES);
	if (family == FAMILY_V6)
		read_v6(h, datagram + START_BYTES);
	return 0;
}

static uint8_t *write_start(uint8_t *header, uint8_t family, uint32_t bytes)
{
	memcpy(header, signature, sizeof(signature));
	header[12] = VERSION_PROXY;
	header[13] = family;
	header[14] = 0;
	header[15] = (uint8_t)(bytes - START_BYTES);
	return header + START_BYTES;
}

static uint32_t write_v4(uint8_t *header, const struct sockaddr_in6 *from, const struct sockaddr_in6 *to)
{
	uint8_t *at = write_start(header, V4_DGRAM, PROXY_V4_BYTES);
	struct sockaddr_in ends[2];

	memcpy(&ends[0], from, sizeof(ends[0]));
	memcpy(&ends[1], to, sizeof(ends[1]));
	memcpy(at, &ends[0].sin_addr, 4);
	memcpy(at + 4, &ends[1].sin_addr, 4);
	memcpy(at + 8, &ends[0].sin_port, 2);
	memcpy(at + 10, &ends[1].sin_port, 2);
	return PROXY_V4_BYTES;
}

uint32_t proxy_write(uint8_t header[PROXY_MOST_BYTES], const struct sockaddr_in6 *from, const struct sockaddr_in6 *to)
{
	uint8_t *at;

	if (from->sin6_family != to->sin6_family)
		return 0;
	if (from->sin6_family == AF_INET)
		return write_v4(header, from, to);
	if (from->sin6_family != AF_INET6)
		return 0;
	at = write_start(header, V6_DGRAM, PROXY_MOST_BYTES);
	memcpy(at, &from->sin6_addr, 16);
	memcpy(at + 16, &to->sin6_addr, 16);
	memcpy(at + 32, &from->sin6_port, 2);
	memcpy(at + 34, &to->sin6_port, 2);
	return PROXY_MOST_BYTES;
}

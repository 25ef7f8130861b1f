/* origin.c - the true sender of a datagram. */
#include "origin.h"

#include <string.h>

struct origin_ends origin_ends(const struct address *listen, const struct beside *b, const struct sockaddr_in6 *from)
{
	static const uint8_t untold[sizeof(b->local)];
	struct origin_ends ends = { .from = *from };
	struct sockaddr_in v4;

	memcpy(&ends.to, &listen->at, sizeof(ends.to));
	if (memcmp(b->local, untold, sizeof(untold)) == 0)
		return ends;
	if (ends.to.sin6_family == AF_INET6) {
		memcpy(&ends.to.sin6_addr, b->local, sizeof(ends.to.sin6_addr));
		return ends;
	}
	memcpy(&v4, &ends.to, sizeof(v4));
	memcpy(&v4.sin_addr, b->local, sizeof(v4.sin_addr));
	memcpy(&ends.to, &v4, sizeof(v4));
	return ends;
}

uint16_t origin_hash(const struct sockaddr_in6 *from)
{
	const uint8_t *p = (const uint8_t *)from;
	size_t len = from->sin6_family == AF_INET ? 8 : sizeof(*from); /* v4: family, port, address */
	uint32_t hash = 0x811c9dc5u;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ p[i]) * 0x01000193u;
	return (uint16_t)(hash >> 16 ^ hash);
}

void origin_write(struct origin *o, const struct origin_ends *ends, int asked_for)
{
	o->header_bytes = (uint8_t)(asked_for ? proxy_write(o->header, &ends->from, &ends->to) : 0);
}

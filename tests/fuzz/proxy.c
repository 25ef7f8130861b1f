/*
 * proxy.c - any bytes as a datagram with a PROXY header: it has none, or one that lies within the datagram; and what it
 * says is written as a header that is read as the same.
 */
#include "proxy.h"

#include "input.h"

static int is_same(const struct sockaddr_in6 *a, const struct sockaddr_in6 *b)
{
	return memcmp(a, b, a->sin6_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(*a)) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t datagram[65536];
	uint8_t header[PROXY_MOST_BYTES];
	struct proxy_header h, again;
	uint32_t bytes;

	size = size < sizeof(datagram) ? size : sizeof(datagram);
	if (size)
		memcpy(datagram, data, size);
	if (proxy_read(datagram, size, &h))
		return 0;
	must(h.bytes > 0 && h.bytes <= size);
	if (!h.has_ends)
		return 0;
	bytes = proxy_write(header, &h.from, &h.to);
	must(bytes == (h.from.sin6_family == AF_INET ? PROXY_V4_BYTES : PROXY_MOST_BYTES));
	must(proxy_read(header, bytes, &again) == 0 && again.bytes == bytes && again.has_ends);
	must(is_same(&h.from, &again.from) && is_same(&h.to, &again.to));
	return 0;
}

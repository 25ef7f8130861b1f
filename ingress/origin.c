/* origin.c - the true sender of a datagram. */
#include "origin.h"

#include <string.h>

#include "config/shown.h"

/* By who sent it. */
static struct origin_ends ends_of(const struct address *listen, const struct beside *b, const struct sockaddr_in6 *from)
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

/* By the header in front of it. Returns its length, or -1 if it makes no sense. */
static int read_header(const uint8_t *datagram, uint32_t len, struct origin_ends *ends)
{
	uint8_t start[PROXY_MOST_BYTES];
	struct proxy_header h;

	once_copy(start, datagram, len < sizeof(start) ? len : sizeof(start)); /* others may change it meanwhile */
	if (proxy_read(start, len, &h) < 0)
		return -1;
	if (h.has_ends)
		*ends = (struct origin_ends){ h.from, h.to };
	return (int)h.bytes;
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

struct origin_ends origin_find(const struct receiver *r, const struct ingress *in, int flow, uint32_t i,
			       const struct sockaddr_in6 *from, const struct beside *b, struct arrival *a)
{
	const struct lane_view *v = &r->stage->seg.views[in->class_of[flow]];
	const struct class_config *c = &r->stage->config.classes[in->class_of[flow]];
	uint32_t index = lane_index(v, r->word[in->class_of[flow]], i);
	struct origin_ends ends = ends_of(&c->listen[in->listen_of[flow]], b, from);
	int skip;

	v->origins[index].skip_bytes = 0;
	if (a->drop != DROP_NONE || !prefixes_hold(&c->accept_proxy, from))
		return ends;
	skip = read_header(lane_payload(v, index), a->len_bytes, &ends);
	if (skip < 0) {
		a->drop = DROP_BAD_PROXY;
		return ends;
	}
	if (shown_is_sender(c) && ends.from.sin6_family != c->dests[0].at.ss_family) { /* it cannot be seen there */
		a->drop = DROP_BAD_PROXY;
		return ends;
	}
	v->origins[index].skip_bytes = (uint16_t)skip;
	a->len_bytes -= (uint32_t)skip;
	return ends;
}

void origin_write(const struct receiver *r, uint32_t class, uint32_t i, uint32_t source, const struct origin_ends *ends)
{
	const struct lane_view *v = &r->stage->seg.views[class];
	const struct class_config *c = &r->stage->config.classes[class];
	uint32_t index = lane_index(v, r->word[class], i);
	int asked_for = c->source == SOURCE_PROXY &&
			(c->proxy_header == PROXY_EVERY || !r->forth[class] ||
			 sessions_is_first(r->forth[class], source, (r->word[class] >> COUNT_SHIFT) + i + 1));

	if (shown_is_sender(c)) {
		v->origins[index].sender = ends->from;
		v->origins[index].header_bytes = 0;
		return;
	}
	v->origins[index].header_bytes =
		(uint8_t)(asked_for ? proxy_write(v->origins[index].header, &ends->from, &ends->to) : 0);
}

/* sender_seen.c - the sender of a packet, where its destination is to see it. */
#include "sender_seen.h"

#include <stdlib.h>
#include <string.h>

#include "config/shown.h"
#include "log.h"

/* The socket of a session is bound to its sender's address. */
const struct sockaddr_in6 *seen_sender(const struct sender *s, uint32_t class, uint32_t index)
{
	const struct lane_view *v = &s->stage->seg.views[class];

	if (!shown_is_sender(&s->stage->config.classes[class]) || !v->origins || s->ways[class].outputs)
		return NULL;
	return &v->origins[index].sender;
}

int seen_is_same(const struct sockaddr_in6 *a, const struct sockaddr_in6 *b)
{
	uint8_t its[2][16];

	if (!a || !b)
		return a == b;
	seen_address(a, its[0]);
	seen_address(b, its[1]);
	return a->sin6_family == b->sin6_family && seen_scope(a) == seen_scope(b) &&
	       memcmp(its[0], its[1], sizeof(its[0])) == 0;
}

uint32_t seen_scope(const struct sockaddr_in6 *sender)
{
	return sender->sin6_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&sender->sin6_addr) ? sender->sin6_scope_id : 0;
}

static uint32_t place_of(const struct sockaddr_in6 *sender)
{
	uint32_t hash = 0x811c9dc5u;
	uint8_t address[16];

	seen_address(sender, address);
	for (size_t i = 0; i < sizeof(address); i++)
		hash = (hash ^ address[i]) * 0x01000193u;
	return (hash >> 16 ^ hash) % DOUBTS;
}

void seen_doubt(struct sender *s, const struct sockaddr_in6 *sender, uint64_t until_ns)
{
	s->doubts[place_of(sender)] = (struct doubt){ *sender, until_ns };
	s->in_doubt_until_ns = until_ns;
}

void seen_trust(struct sender *s, const struct sockaddr_in6 *sender)
{
	s->doubts[place_of(sender)].until_ns = 0;
}

int seen_is_in_doubt(const struct sender *s, const struct sockaddr_in6 *sender, uint64_t now)
{
	const struct doubt *d;

	if (!sender || now >= s->in_doubt_until_ns)
		return 0;
	d = &s->doubts[place_of(sender)];
	return now < d->until_ns && seen_is_same(&d->sender, sender);
}

void seen_address(const struct sockaddr_in6 *sender, uint8_t address[16])
{
	struct sockaddr_in v4;

	if (sender->sin6_family == AF_INET6) {
		memcpy(address, &sender->sin6_addr, sizeof(sender->sin6_addr));
		return;
	}
	memcpy(&v4, sender, sizeof(v4));
	memset(address, 0, 16);
	memcpy(address, &v4.sin_addr, sizeof(v4.sin_addr));
}

uint32_t seen_header(const struct sender *s, const struct output *to, const struct sockaddr_in6 *sender, uint8_t tos,
		     const struct iovec *payload, uint8_t header[UDP_HEADER_MOST_BYTES])
{
	struct sockaddr_in6 at;
	uint32_t n;

	memcpy(&at, &to->to->at, sizeof(at));
	n = udp_header_write(header, sender, &at, tos, payload->iov_base, (uint32_t)payload->iov_len);
	if (n)
		return n;
	log_error(
		"segment %s: class %s: a packet whose sender is of no family, or another: it is damaged; run/stop.sh, "
		"then run/launch.sh",
		s->stage->seg.name, to->class);
	abort();
}

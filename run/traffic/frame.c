/* frame.c - the UDP datagram in a captured frame. */
#include "frame.h"

#include <netinet/in.h>
#include <stddef.h>

#define TYPE_IPV4 0x0800
#define TYPE_IPV6 0x86dd
#define TYPE_VLAN 0x8100
#define TYPE_SERVICE_VLAN 0x88a8
#define TYPE_NONE 0 /* the link has no such field: the version in the IP header says it */
#define MOST_TAGS 2
#define TAG_BYTES 4
#define IP_V4_BYTES 20
#define IP_V6_BYTES 40
#define UDP_BYTES 8
#define MOST_EXTENSIONS 8 /* of IPv6, one behind the other */

/* Link types, as DLT_*: where the IP header begins, and where its type stands. */
static const struct link {
	int number;
	uint32_t bytes;
	int type_at; /* -1: nowhere */
} links[] = {
	{ 0, 4, -1 }, /* BSD loopback */
	{ 1, 14, 12 }, /* Ethernet */
	{ 12, 0, -1 }, /* raw IP, here and on other systems */
	{ 14, 0, -1 },	 { 101, 0, -1 }, { 108, 4, -1 }, /* OpenBSD loopback */
	{ 113, 16, 14 }, /* Linux cooked */
	{ 228, 0, -1 }, /* IPv4, IPv6 */
	{ 229, 0, -1 },	 { 276, 20, 0 }, /* Linux cooked, version 2 */
};

/* What is left of a frame. */
struct rest {
	const uint8_t *at;
	uint32_t n;
};

static uint32_t get16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static bool skip(struct rest *r, uint32_t bytes)
{
	if (bytes > r->n)
		return false;
	r->at += bytes;
	r->n -= bytes;
	return true;
}

static const struct link *link_of(int number)
{
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (links[i].number == number)
			return &links[i];
	return NULL;
}

bool frame_is_known(int link)
{
	return link_of(link) != NULL;
}

/* To the IP header; false: there is none. */
static bool skip_link(struct rest *r, const struct link *l)
{
	uint32_t type = TYPE_NONE;

	if (r->n < l->bytes)
		return false;
	if (l->type_at >= 0)
		type = get16(r->at + l->type_at);
	skip(r, l->bytes);
	for (int i = 0; i < MOST_TAGS && (type == TYPE_VLAN || type == TYPE_SERVICE_VLAN); i++) {
		if (r->n < TAG_BYTES)
			return false;
		type = get16(r->at + 2);
		skip(r, TAG_BYTES);
	}
	return type == TYPE_NONE || type == TYPE_IPV4 || type == TYPE_IPV6;
}

static enum frame_kind read_udp(struct frame *f, struct rest r)
{
	uint32_t len;

	if (r.n < UDP_BYTES)
		return FRAME_OTHER;
	len = get16(r.at + 4);
	if (len < UDP_BYTES)
		return FRAME_OTHER;
	f->to_port = (uint16_t)get16(r.at + 2);
	f->len_bytes = len - UDP_BYTES;
	f->payload = r.at + UDP_BYTES;
	f->there_bytes = r.n - UDP_BYTES < f->len_bytes ? r.n - UDP_BYTES : f->len_bytes;
	return FRAME_UDP;
}

static enum frame_kind read_v4(struct frame *f, struct rest r)
{
	uint32_t header_bytes, total, fragment;

	if (r.n < IP_V4_BYTES)
		return FRAME_OTHER;
	header_bytes = (r.at[0] & 15u) * 4;
	total = get16(r.at + 2);
	fragment = get16(r.at + 6);
	if (header_bytes < IP_V4_BYTES || r.at[9] != IPPROTO_UDP)
		return FRAME_OTHER;
	if (fragment & 0x3fff) /* more of them, or not the first */
		return FRAME_FRAGMENT;
	f->tos = r.at[1];
	f->is_v6 = false;
	f->source = r.at + 12;
	if (total >= header_bytes && total < r.n) /* what follows fills the frame up; 0: a train that the card cuts */
		r.n = total;
	return skip(&r, header_bytes) ? read_udp(f, r) : FRAME_OTHER;
}

static enum frame_kind read_v6(struct frame *f, struct rest r)
{
	uint32_t len, next;

	if (r.n < IP_V6_BYTES)
		return FRAME_OTHER;
	len = get16(r.at + 4);
	next = r.at[6];
	f->tos = (uint8_t)(get16(r.at) >> 4);
	f->is_v6 = true;
	f->source = r.at + 8;
	skip(&r, IP_V6_BYTES);
	if (len && len < r.n)
		r.n = len;
	for (int i = 0; i < MOST_EXTENSIONS && next != IPPROTO_UDP; i++) {
		if (next == IPPROTO_FRAGMENT)
			return FRAME_FRAGMENT;
		if ((next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS) || r.n < 8)
			return FRAME_OTHER;
		next = r.at[0];
		if (!skip(&r, (r.at[1] + 1u) * 8))
			return FRAME_OTHER;
	}
	return next == IPPROTO_UDP ? read_udp(f, r) : FRAME_OTHER;
}

enum frame_kind frame_read(struct frame *f, int link, const uint8_t *bytes, uint32_t n)
{
	const struct link *l = link_of(link);
	struct rest r = { bytes, n };

	if (!l || !skip_link(&r, l) || r.n == 0)
		return FRAME_OTHER;
	if (r.at[0] >> 4 == 4)
		return read_v4(f, r);
	return r.at[0] >> 4 == 6 ? read_v6(f, r) : FRAME_OTHER;
}

/* block.c - the blocks of a pcapng file. */
#include "block.h"

#include <string.h>

#define BYTE_ORDER_MAGIC 0x1a2b3c4du
#define LINKTYPE_ETHERNET 1
#define LEN_UNKNOWN UINT64_MAX
#define NANOSECONDS 9 /* if_tsresol: 10^-9 s */
#define ALIGN 4

enum {
	OPTION_END = 0,
	OPTION_COMMENT = 1,
	OPTION_PROGRAM = 4, /* of a section */
	OPTION_NAME = 2, /* of an interface */
	OPTION_DESCRIPTION = 3,
	OPTION_RESOLUTION = 9,
	OPTION_MISSED = 4, /* of a packet */
	OPTION_RECEIVED = 4, /* of statistics */
	OPTION_DROPPED = 5,
	OPTION_ACCEPTED = 6,
};

/* Where a block is being written. */
struct cursor {
	uint8_t *begin, *at;
};

static void put(struct cursor *c, const void *bytes, size_t n)
{
	if (n) /* without payload there is no place for it either */
		memcpy(c->at, bytes, n);
	c->at += n;
}

static void put16(struct cursor *c, uint32_t value)
{
	uint16_t word = (uint16_t)value;

	put(c, &word, sizeof(word));
}

static void put32(struct cursor *c, uint32_t value)
{
	put(c, &value, sizeof(value));
}

static void put64(struct cursor *c, uint64_t value)
{
	put(c, &value, sizeof(value));
}

/* The high half first, whatever the byte order. */
static void put_time(struct cursor *c, uint64_t at_ns)
{
	put32(c, (uint32_t)(at_ns >> 32));
	put32(c, (uint32_t)at_ns);
}

static void pad(struct cursor *c)
{
	while ((c->at - c->begin) % ALIGN)
		*c->at++ = 0;
}

static void put_option(struct cursor *c, uint32_t code, const void *value, size_t n)
{
	put16(c, code);
	put16(c, (uint32_t)n);
	put(c, value, n);
	pad(c);
}

static void put_text(struct cursor *c, uint32_t code, const char *text)
{
	if (text && *text)
		put_option(c, code, text, strnlen(text, BLOCK_TEXT_BYTES));
}

static struct cursor begin(uint8_t *to, uint32_t type)
{
	struct cursor c = { to, to };

	put32(&c, type);
	put32(&c, 0); /* the length, of end() */
	return c;
}

static size_t end(struct cursor *c, int has_options)
{
	uint32_t bytes;

	if (has_options)
		put32(c, OPTION_END); /* and its length, 0 */
	bytes = (uint32_t)(c->at - c->begin + (ptrdiff_t)sizeof(bytes));
	put32(c, bytes);
	memcpy(c->begin + sizeof(bytes), &bytes, sizeof(bytes));
	return bytes;
}

size_t block_section(uint8_t *to, const char *program)
{
	struct cursor c = begin(to, BLOCK_SECTION);

	put32(&c, BYTE_ORDER_MAGIC);
	put16(&c, 1); /* version 1.0 */
	put16(&c, 0);
	put64(&c, LEN_UNKNOWN);
	put_text(&c, OPTION_PROGRAM, program);
	return end(&c, 1);
}

size_t block_interface(uint8_t *to, const char *name, const char *description)
{
	static const uint8_t resolution = NANOSECONDS;
	struct cursor c = begin(to, BLOCK_INTERFACE);

	put16(&c, LINKTYPE_ETHERNET);
	put16(&c, 0);
	put32(&c, BLOCK_CUT_BYTES);
	put_text(&c, OPTION_NAME, name);
	put_text(&c, OPTION_DESCRIPTION, description);
	put_option(&c, OPTION_RESOLUTION, &resolution, sizeof(resolution));
	return end(&c, 1);
}

size_t block_packet(uint8_t *to, const struct block_packet *p)
{
	struct cursor c = begin(to, BLOCK_PACKET);

	put32(&c, p->interface);
	put_time(&c, p->at_ns);
	put32(&c, p->header_bytes + p->payload_bytes);
	put32(&c, p->len_bytes);
	put(&c, p->header, p->header_bytes);
	put(&c, p->payload, p->payload_bytes);
	pad(&c);
	put_text(&c, OPTION_COMMENT, p->comment);
	if (p->missed_pkts)
		put_option(&c, OPTION_MISSED, &p->missed_pkts, sizeof(p->missed_pkts));
	return end(&c, 1);
}

size_t block_statistics(uint8_t *to, const struct block_statistics *s)
{
	struct cursor c = begin(to, BLOCK_STATISTICS);

	put32(&c, s->interface);
	put_time(&c, s->at_ns);
	put_option(&c, OPTION_RECEIVED, &s->received_pkts, sizeof(s->received_pkts));
	put_option(&c, OPTION_DROPPED, &s->missed_pkts, sizeof(s->missed_pkts));
	put_option(&c, OPTION_ACCEPTED, &s->accepted_pkts, sizeof(s->accepted_pkts));
	return end(&c, 1);
}

void block_link(uint8_t to[BLOCK_LINK_BYTES], int is_v6)
{
	memset(to, 0, BLOCK_LINK_BYTES);
	memcpy(to + BLOCK_LINK_BYTES - 2, is_v6 ? "\x86\xdd" : "\x08\0", 2);
}

size_t block_read(const uint8_t *from, uint32_t *type, uint32_t *interface)
{
	uint32_t words[3];

	memcpy(words, from, sizeof(words));
	*type = words[0];
	*interface = words[2];
	return words[1];
}

/* via.c - the addresses that sessions leave from. */
#include "via.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "value.h"

#define MOST_BITS 31 /* of an address that tell sessions apart */

static uint32_t free_bits(const struct via *v)
{
	uint32_t bits = (v->is_v6 ? 128 : 32) - v->bits;

	return bits < MOST_BITS ? bits : MOST_BITS;
}

uint32_t via_addresses(const struct via *v)
{
	return (1U << free_bits(v)) - 1;
}

void via_address(const struct via *v, uint32_t n, uint32_t k, uint32_t number, uint8_t address[16])
{
	uint32_t rounds = via_addresses(v) / n, offset = 1 + k + number % rounds * n;
	uint8_t *last = address + (v->is_v6 ? 15 : 3);

	memcpy(address, v->prefix, sizeof(v->prefix));
	for (; offset; offset >>= 8)
		*last-- |= (uint8_t)offset;
}

int via_session(const struct via *v, uint32_t n, const uint8_t address[16])
{
	size_t len = v->is_v6 ? 16 : 4;
	uint32_t offset = 0;

	for (size_t i = 0; i < len; i++) {
		uint8_t rest = address[i] ^ v->prefix[i];

		if (i + sizeof(offset) < len && rest)
			return -1;
		offset = offset << 8 | rest;
	}
	if (offset == 0 || offset > via_addresses(v) / n * n)
		return -1;
	return (int)((offset - 1) % n);
}

static int parse_via(const struct option *o, void *base, const char *text, struct hosts *hosts, char *reason)
{
	char address[INET6_ADDRSTRLEN], *end = NULL;
	size_t len = strcspn(text, "/");
	struct via v = { .is_v6 = strchr(text, ':') != NULL };
	unsigned long bits = text[len] ? strtoul(text + len + 1, &end, 10) : 0;

	(void)hosts;
	snprintf(address, sizeof(address), "%.*s", len < sizeof(address) ? (int)len : 0, text);
	if (inet_pton(v.is_v6 ? AF_INET6 : AF_INET, address, v.prefix) != 1 || !end || *end ||
	    bits < (v.is_v6 ? 32 : 8) || bits > (v.is_v6 ? 120 : 24))
		return value_refuse(
			reason, "\"%.60s\" is no prefix with 256 addresses or more (for example 127.64.0.0/10)", text);
	v.bits = (uint32_t)bits;
	for (uint32_t bit = v.bits; bit < 128; bit++)
		v.prefix[bit / 8] &= (uint8_t) ~(0x80U >> bit % 8);
	memcpy((char *)base + o->offset, &v, sizeof(v));
	return 0;
}

static void format_via(const struct option *o, const void *base, char *text)
{
	const struct via *v = (const struct via *)((const char *)base + o->offset);
	char address[INET6_ADDRSTRLEN];

	text[0] = '\0';
	if (v->bits)
		snprintf(text, VALUE_BYTES, "%s/%u",
			 inet_ntop(v->is_v6 ? AF_INET6 : AF_INET, v->prefix, address, sizeof(address)), v->bits);
}

const struct kind kind_via = { .parse = parse_via, .format = format_via };

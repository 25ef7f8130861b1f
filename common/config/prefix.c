/* prefix.c - a list of addresses and prefixes. */
#include "prefix.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "value.h"

bool prefix_has(const struct prefix *p, const uint8_t *address)
{
	uint32_t whole = p->bits / 8, rest = p->bits % 8;
	uint8_t mask = (uint8_t)(0xff00U >> rest);

	return memcmp(p->address, address, whole) == 0 &&
	       (rest == 0 || ((p->address[whole] ^ address[whole]) & mask) == 0);
}

bool prefixes_hold(const struct prefixes *list, const struct sockaddr_in6 *a)
{
	bool is_v6 = a->sin6_family == AF_INET6;
	struct sockaddr_in v4;
	const uint8_t *address = is_v6 ? a->sin6_addr.s6_addr : (const uint8_t *)&v4.sin_addr;

	memcpy(&v4, a, sizeof(v4));
	for (uint32_t i = 0; i < list->n; i++)
		if ((list->at[i].is_v6 != 0) == is_v6 && prefix_has(&list->at[i], address))
			return true;
	return false;
}

bool prefix_parse(const char *text, size_t len, struct prefix *p)
{
	char address[INET6_ADDRSTRLEN];
	size_t address_len = strcspn(text, "/ \t"), digits;
	unsigned long bits;

	*p = (struct prefix){ .is_v6 = memchr(text, ':', len) != NULL };
	bits = p->is_v6 ? 128 : 32;
	snprintf(address, sizeof(address), "%.*s", address_len < sizeof(address) ? (int)address_len : 0, text);
	if (inet_pton(p->is_v6 ? AF_INET6 : AF_INET, address, p->address) != 1)
		return false;
	if (address_len < len) {
		digits = strspn(text + address_len + 1, "0123456789");
		if (digits == 0 || digits > 3 || address_len + 1 + digits != len ||
		    strtoul(text + address_len + 1, NULL, 10) > bits)
			return false;
		bits = strtoul(text + address_len + 1, NULL, 10);
	}
	p->bits = (uint8_t)bits;
	for (uint32_t bit = p->bits; bit < 128; bit++)
		p->address[bit / 8] &= (uint8_t) ~(0x80U >> bit % 8);
	return true;
}

static int parse_prefixes(const struct option *o, void *base, const char *text, struct hosts *hosts, char *reason)
{
	struct prefixes list = { 0 };

	(void)hosts;
	for (text += strspn(text, " \t"); *text; text += strspn(text, " \t")) {
		size_t len = strcspn(text, " \t");

		if (list.n == MAX_PREFIXES)
			return value_refuse(reason, "more than %d", MAX_PREFIXES);
		if (!prefix_parse(text, len, &list.at[list.n++]))
			return value_refuse(reason,
					    "\"%.*s\" is no address or prefix (for example 10.0.0.0/8 or 2001:db8::7)",
					    len < 80 ? (int)len : 80, text);
		text += len;
	}
	if (list.n == 0)
		return value_refuse(reason, "a value is missing; use addresses or prefixes, with a blank between two");
	memcpy((char *)base + o->offset, &list, sizeof(list));
	return 0;
}

static void format_prefixes(const struct option *o, const void *base, char *text)
{
	const struct prefixes *list = (const struct prefixes *)((const char *)base + o->offset);
	char address[INET6_ADDRSTRLEN];
	size_t len = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < list->n; i++) {
		const struct prefix *p = &list->at[i];

		len += (size_t)snprintf(text + len, VALUE_BYTES - len, "%s%s/%u", i ? " " : "",
					inet_ntop(p->is_v6 ? AF_INET6 : AF_INET, p->address, address, sizeof(address)),
					p->bits);
	}
}

const struct kind kind_prefixes = { .parse = parse_prefixes, .format = format_prefixes };

/* acl.c - lists of prefixes, and the ranges of addresses that follow from them. */
#include "acl.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prefix.h"
#include "value.h"

#define V6 0x80 /* in the byte of a length: of IPv6; a length of 128 is 0xff then */
#define WHOLE_V6 0xff

/* One prefix more than there are makes one range more. */
static_assert(2 * ACL_MOST + 2 <= ACL_MOST_RANGES, "what two lists leave and take away");

static uint32_t address_bytes(uint32_t bits)
{
	return (bits + 7) / 8;
}

/* The prefix at *at, which goes on to the next one. */
static struct prefix take(const uint8_t **at)
{
	uint8_t code = *(*at)++;
	struct prefix p = { .is_v6 = (code & V6) != 0 };

	p.bits = code == WHOLE_V6 ? 128 : (uint8_t)(code & ~V6);
	memcpy(p.address, *at, address_bytes(p.bits));
	*at += address_bytes(p.bits);
	return p;
}

static const uint8_t *begin_of(const struct acl *acl, enum acl_list list)
{
	return acl->packed + (list == ACL_DENY ? acl->bytes[ACL_ALLOW] : 0);
}

static bool put(struct acl *acl, enum acl_list list, const struct prefix *p)
{
	uint32_t n = 1 + address_bytes(p->bits), used = (uint32_t)acl->bytes[ACL_ALLOW] + acl->bytes[ACL_DENY];
	uint8_t *end = acl->packed + (begin_of(acl, list) - acl->packed) + acl->bytes[list];

	if (used + n > ACL_BYTES || acl->n[list] == ACL_MOST)
		return false;
	memmove(end + n, end, (size_t)(acl->packed + used - end));
	end[0] = p->bits == 128 ? WHOLE_V6 : (uint8_t)(p->bits | (p->is_v6 ? V6 : 0));
	memcpy(end + 1, p->address, address_bytes(p->bits));
	acl->bytes[list] = (uint16_t)(acl->bytes[list] + n);
	acl->n[list]++;
	return true;
}

void acl_clear(struct acl *acl, enum acl_list list)
{
	uint8_t *begin = acl->packed + (begin_of(acl, list) - acl->packed);
	uint32_t used = (uint32_t)acl->bytes[ACL_ALLOW] + acl->bytes[ACL_DENY], gone = acl->bytes[list];

	memmove(begin, begin + gone, (size_t)(acl->packed + used - begin) - gone);
	memset(acl->packed + used - gone, 0, gone); /* two configurations that say the same are the same bytes */
	acl->bytes[list] = acl->n[list] = 0;
}

int acl_add(struct acl *acl, enum acl_list list, const char *text, char *reason)
{
	for (text += strspn(text, " \t"); *text; text += strspn(text, " \t")) {
		size_t len = strcspn(text, " \t");
		struct prefix p;

		if (!prefix_parse(text, len, &p))
			return value_refuse(reason,
					    "\"%.*s\" is no address or prefix (for example 10.0.0.0/8 or 2001:db8::7)",
					    len < 80 ? (int)len : 80, text);
		if (!put(acl, list, &p))
			return value_refuse(
				reason,
				"more than %d prefixes, or than fit into %d bytes for `allow` and `deny` of "
				"a class (5 for an address of IPv4, 17 for one of IPv6); write shorter "
				"prefixes, or have a firewall drop them",
				ACL_MOST, ACL_BYTES);
		text += len;
	}
	return 0;
}

void acl_format(const struct acl *acl, enum acl_list list, char *text, uint32_t bytes)
{
	const uint8_t *at = begin_of(acl, list);
	char address[INET6_ADDRSTRLEN];
	uint32_t len = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < acl->n[list]; i++) {
		struct prefix p = take(&at);

		inet_ntop(p.is_v6 ? AF_INET6 : AF_INET, p.address, address, sizeof(address));
		len += (uint32_t)snprintf(text + len, bytes - len, "%s%s/%u", i ? " " : "", address, p.bits);
		assert(len < bytes);
	}
}

static bool names(const struct acl *acl, enum acl_list list, bool is_v6, const uint8_t *address)
{
	const uint8_t *at = begin_of(acl, list);

	for (uint32_t i = 0; i < acl->n[list]; i++) {
		struct prefix p = take(&at);

		if ((p.is_v6 != 0) == is_v6 && prefix_has(&p, address))
			return true;
	}
	return false;
}

bool acl_denies(const struct acl *acl, bool is_v6, const uint8_t *address)
{
	return names(acl, ACL_DENY, is_v6, address) || (acl->n[ACL_ALLOW] && !names(acl, ACL_ALLOW, is_v6, address));
}

static struct acl_range range_of(const struct prefix *p)
{
	struct acl_range r;

	memcpy(r.first, p->address, sizeof(r.first));
	memcpy(r.last, p->address, sizeof(r.last));
	for (uint32_t bit = p->bits; bit < (p->is_v6 ? 128 : 32); bit++)
		r.last[bit / 8] |= (uint8_t)(0x80U >> bit % 8);
	return r;
}

static int by_first(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(((struct acl_range *)0)->first));
}

/* One address up or down; false: there is none. */
static bool step(uint8_t address[16], uint32_t n, int by)
{
	for (uint32_t i = n; i-- > 0;) {
		address[i] = (uint8_t)(address[i] + by);
		if (address[i] != (by > 0 ? 0 : 0xff))
			return true;
	}
	return false;
}

/* In order, and what touches becomes one. */
static uint32_t merge(struct acl_range *ranges, uint32_t n, uint32_t n_bytes)
{
	uint32_t kept = 0;

	qsort(ranges, n, sizeof(ranges[0]), by_first);
	for (uint32_t i = 0; i < n; i++) {
		uint8_t next[16];

		if (kept > 0) {
			memcpy(next, ranges[kept - 1].last, sizeof(next));
			if (!step(next, n_bytes, 1))
				break; /* nothing is behind it */
			if (memcmp(ranges[i].first, next, sizeof(next)) <= 0) {
				if (memcmp(ranges[i].last, ranges[kept - 1].last, sizeof(next)) > 0)
					memcpy(ranges[kept - 1].last, ranges[i].last, sizeof(next));
				continue;
			}
		}
		ranges[kept++] = ranges[i];
	}
	return kept;
}

static uint32_t collect(const struct acl *acl, enum acl_list list, bool is_v6, struct acl_range *ranges)
{
	const uint8_t *at = begin_of(acl, list);
	uint32_t n = 0;

	for (uint32_t i = 0; i < acl->n[list]; i++) {
		struct prefix p = take(&at);

		if ((p.is_v6 != 0) == is_v6)
			ranges[n++] = range_of(&p);
	}
	return merge(ranges, n, is_v6 ? 16 : 4);
}

/* What lies between n ranges and around them, in their place. */
static uint32_t invert(struct acl_range *ranges, uint32_t n, uint32_t n_bytes)
{
	struct acl_range gap = { 0 };
	uint32_t kept = 0;
	bool is_more = true;

	for (uint32_t i = 0; i < n; i++) {
		struct acl_range r = ranges[i];

		memcpy(gap.last, r.first, sizeof(gap.last));
		if (memcmp(gap.first, r.first, sizeof(gap.first)) < 0 && step(gap.last, n_bytes, -1))
			ranges[kept++] = gap;
		memcpy(gap.first, r.last, sizeof(gap.first));
		is_more = step(gap.first, n_bytes, 1);
	}
	if (is_more) {
		memset(gap.last, 0, sizeof(gap.last));
		memset(gap.last, 0xff, n_bytes);
		ranges[kept++] = gap;
	}
	return kept;
}

uint32_t acl_ranges(const struct acl *acl, bool is_v6, struct acl_range *ranges)
{
	uint32_t n = 0, n_bytes = is_v6 ? 16 : 4;

	if (acl->n[ACL_ALLOW])
		n = invert(ranges, collect(acl, ACL_ALLOW, is_v6, ranges), n_bytes);
	n += collect(acl, ACL_DENY, is_v6, ranges + n);
	return merge(ranges, n, n_bytes);
}

static int parse(const struct option *o, void *base, const char *text, char *reason, enum acl_list list)
{
	struct acl *acl = (struct acl *)((char *)base + o->offset), was = *acl;
	int err;

	acl_clear(acl, list);
	err = acl_add(acl, list, text, reason);
	if (!err && acl->n[list] == 0)
		err = value_refuse(reason, "a value is missing; use addresses or prefixes, with a blank between two");
	if (err)
		*acl = was;
	return err;
}

static int parse_allow(const struct option *o, void *base, const char *text, struct hosts *hosts, char *reason)
{
	(void)hosts;
	return parse(o, base, text, reason, ACL_ALLOW);
}

static int parse_deny(const struct option *o, void *base, const char *text, struct hosts *hosts, char *reason)
{
	(void)hosts;
	return parse(o, base, text, reason, ACL_DENY);
}

static void format_allow(const struct option *o, const void *base, char *text)
{
	acl_format((const struct acl *)((const char *)base + o->offset), ACL_ALLOW, text, VALUE_BYTES);
}

static void format_deny(const struct option *o, const void *base, char *text)
{
	acl_format((const struct acl *)((const char *)base + o->offset), ACL_DENY, text, VALUE_BYTES);
}

const struct kind kind_allow = { .parse = parse_allow, .format = format_allow };
const struct kind kind_deny = { .parse = parse_deny, .format = format_deny };

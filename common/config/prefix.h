/*
 * prefix.h - a list of addresses and prefixes: 10.0.0.0/8 192.0.2.7 2001:db8::/32.
 */
#ifndef ONTIME_CONFIG_PREFIX_H
#define ONTIME_CONFIG_PREFIX_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_PREFIXES 8

struct prefix {
	uint8_t address[16]; /* 4 bytes of IPv4; zero behind the prefix */
	uint8_t bits, is_v6;
};

struct prefixes {
	uint32_t n;
	struct prefix at[MAX_PREFIXES];
};

/* prefix_parse - an address, or an address and a length, of so many characters. */
bool prefix_parse(const char *text, size_t len, struct prefix *p);

/* prefix_has - is the address, of its family, in it? */
bool prefix_has(const struct prefix *p, const uint8_t *address);

/* prefixes_hold - is the address of a (or of the sockaddr_in it is) in one of them? */
bool prefixes_hold(const struct prefixes *list, const struct sockaddr_in6 *a);

#endif

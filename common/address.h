/*
 * address.h - an IP address with a port: from text, and whether two clash. (Its struct and
 *             address_format() are in config.h.)
 *
 * Rules:   numeric only, so that reading a config never waits for a name server.
 */
#ifndef ONTIME_ADDRESS_H
#define ONTIME_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"

/* address_parse - "127.0.0.1:8080", "[::1]:8080" or "[fe80::1%eth0]:8080" of len bytes; false if it is none. */
bool address_parse(const char *whole, size_t len, struct address *a);

/* address_overlap - whether no two sockets could be bound to a and b at once: equal, or one is a wildcard. */
bool address_overlap(const struct address *a, const struct address *b);

#endif

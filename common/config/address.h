/*
 * address.h - an IP address with a port: from text, and whether two clash. (Its struct and
 *             address_format() are in config.h.)
 *
 * Rules:   numeric only, so that reading a config never waits for a name server.
 *          A scope given by name (%eth0) stays a name: the interface may come later, go, and come back with another index.
 *          One given by index (%2) stays that index.
 */
#ifndef ONTIME_ADDRESS_H
#define ONTIME_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"

/*
 * address_parse - "127.0.0.1:8080", "[::1]:8080" or "[fe80::1%eth0]:8080" of len bytes; false if it is none. That there is
 * no such interface now is no mistake.
 */
bool address_parse(const char *whole, size_t len, struct address *a);

/* address_resolve - the socket address as of now, in *now: 0, or -ENODEV when there is no interface of the scope's name. */
int address_resolve(const struct address *a, struct sockaddr_storage *now);

/* address_overlap - whether no two sockets could be bound to a and b at once: equal, or one is a wildcard. */
bool address_overlap(const struct address *a, const struct address *b);

#endif

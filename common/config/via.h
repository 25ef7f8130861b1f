/*
 * via.h - the addresses of this machine that sessions leave from: `via = 127.64.0.0/10`.
 *
 * Rules:   all of the prefix must be local (127.0.0.0/8 is; for another one: ip route add local PREFIX dev lo). Session
 *          k of n has one of every n addresses, and another one for each sender, so that an address is had by another
 *          sender only after all of them, and a reply that comes late is known to be nobody's. The first address of the
 *          prefix and what is left over at its end are not used.
 */
#ifndef ONTIME_CONFIG_VIA_H
#define ONTIME_CONFIG_VIA_H

#include <stdint.h>

struct via {
	uint8_t prefix[16]; /* 4 bytes of IPv4 */
	uint32_t bits; /* 0: none is asked for */
	uint32_t is_v6;
};

/* via_addresses - how many there are to have; 2^31 at most. */
uint32_t via_addresses(const struct via *v);

/* via_address - of session k of n when it has its number-th sender: 4 or 16 bytes. */
void via_address(const struct via *v, uint32_t n, uint32_t k, uint32_t number, uint8_t address[16]);

/* via_session - the session of n that may have that address, or -1: none may. It has, if via_address() says so. */
int via_session(const struct via *v, uint32_t n, const uint8_t address[16]);

#endif

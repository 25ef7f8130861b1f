/*
 * proxy.h - pure: the PROXY protocol, version 2, in front of a datagram: who its sender is, and whom it wrote to.
 *
 * Rules:   what comes is data of others: nothing in it is believed but what the length of the datagram bears out. What
 *          stands behind the addresses (TLVs) is passed over. A header that says STREAM is read as well: a front may
 *          have got it by TCP and have sent it on by UDP.
 *          Addresses are a sockaddr_in, or a sockaddr_in6 with no more than address and port; both ends are of one
 *          family.
 * Source:  "The PROXY protocol", haproxy.org, 2.2: signature, version and command, family and protocol, length,
 *          addresses.
 */
#ifndef ONTIME_PROXY_H
#define ONTIME_PROXY_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#define PROXY_V4_BYTES 28
#define PROXY_MOST_BYTES 52 /* IPv6 */

struct proxy_header {
	uint32_t bytes; /* of all of it: the payload begins there */
	int has_ends; /* 0: it names nobody (LOCAL, or no IP address): the sender is the one that sent it */
	struct sockaddr_in6 from, to; /* or a sockaddr_in */
};

/* proxy_read - the header at the beginning of a datagram. 0, or -1: there is none, or it is malformed; *h is spoilt. */
int proxy_read(const uint8_t *datagram, size_t len, struct proxy_header *h);

/* proxy_write - the header of a datagram; how long it is. Ends of two families, or of none: 0, and no header. */
uint32_t proxy_write(uint8_t header[PROXY_MOST_BYTES], const struct sockaddr_in6 *from, const struct sockaddr_in6 *to);

#endif

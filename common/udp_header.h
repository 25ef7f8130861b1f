/*
 * udp_header.h - pure: IP and UDP header of a datagram, from any sender to any destination.
 *
 * Rules:   of IPv4 the kernel adds identification and checksum of the IP header. The datagram may be fragmented on its
 *          way (no DF): what a router says of one that is too long would go to the sender that it names.
 * Source:  RFC 791, RFC 8200, RFC 768; the sum: RFC 1071; raw(7).
 */
#ifndef ONTIME_UDP_HEADER_H
#define ONTIME_UDP_HEADER_H

#include <netinet/in.h>
#include <stdint.h>

#define UDP_HEADER_V4_BYTES 28
#define UDP_HEADER_MOST_BYTES 48 /* IPv6 */

/*
 * udp_header_write - the header of a payload of len bytes; how long it is. Ends are a sockaddr_in6 or a sockaddr_in.
 * Of two families, of none, or longer than a datagram can be: 0, and no header.
 */
uint32_t udp_header_write(uint8_t header[UDP_HEADER_MOST_BYTES], const struct sockaddr_in6 *from,
			  const struct sockaddr_in6 *to, uint8_t tos, const uint8_t *payload, uint32_t len);

#endif

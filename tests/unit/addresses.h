/* addresses.h - socket addresses for suites that compare headers. */
#ifndef ONTIME_TESTS_UNIT_ADDRESSES_H
#define ONTIME_TESTS_UNIT_ADDRESSES_H

#include <arpa/inet.h>
#include <string.h>

#include "suites.h"

static inline struct sockaddr_in6 v4(const char *address, uint16_t port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 both = { 0 };

	CU_ASSERT_EQUAL(inet_pton(AF_INET, address, &v4.sin_addr), 1);
	memcpy(&both, &v4, sizeof(v4));
	return both;
}

static inline struct sockaddr_in6 v6(const char *address, uint16_t port)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	CU_ASSERT_EQUAL(inet_pton(AF_INET6, address, &v6.sin6_addr), 1);
	return v6;
}

#endif

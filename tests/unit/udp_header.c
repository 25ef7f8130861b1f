/* udp_header.c - IP and UDP headers: as their texts have them, and with a sum that a receiver accepts. */
#include "udp_header.h"

#include <string.h>

#include "addresses.h"
#include "random.h"
#include "suites.h"

#define MOST_BYTES 1500
#define ROUNDS 20000

/* As a receiver does it, a byte after the other: 0xffff if it is right. */
static uint32_t sum_of(const uint8_t *bytes, uint32_t n, uint32_t sum)
{
	for (uint32_t i = 0; i < n; i++)
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static uint32_t sum_of_datagram(const uint8_t *header, uint32_t n_header, const uint8_t *payload, uint32_t len)
{
	int is_v4 = n_header == UDP_HEADER_V4_BYTES;
	const uint8_t *udp = header + n_header - 8;
	uint32_t sum = sum_of(is_v4 ? header + 12 : header + 8, is_v4 ? 8 : 32, IPPROTO_UDP + len + 8);

	return sum_of(payload, len, sum_of(udp, 8, sum));
}

static void a_header_is_as_its_text_has_it(void)
{
	static const uint8_t v4_header[] =
		"\x45\xb8\0\x1f\0\0\0\0\x40\x11\0\0\x0a\1\2\3\x7f\0\0\1\x12\x34\x1f\x90\0\x0b";
	static const uint8_t v6_header[] = "\x6b\x80\0\0\0\x0b\x11\x40\x20\1\x0d\xb8";
	struct sockaddr_in6 from = v4("10.1.2.3", 0x1234), to = v4("127.0.0.1", 8080);
	uint8_t header[UDP_HEADER_MOST_BYTES];

	CU_ASSERT_EQUAL(udp_header_write(header, &from, &to, 0xb8, (const uint8_t *)"abc", 3), UDP_HEADER_V4_BYTES);
	CU_ASSERT_EQUAL(memcmp(header, v4_header, 26), 0);
	from = v6("2001:db8::1", 5);
	to = v6("::1", 0x102);
	CU_ASSERT_EQUAL(udp_header_write(header, &from, &to, 0xb8, (const uint8_t *)"abc", 3), UDP_HEADER_MOST_BYTES);
	CU_ASSERT_EQUAL(memcmp(header, v6_header, 12), 0);
	CU_ASSERT_EQUAL(memcmp(header + 23, "\1", 1), 0);
	CU_ASSERT_EQUAL(memcmp(header + 39, "\1\0\5\1\2\0\x0b", 7), 0);
}

static void a_receiver_accepts_the_sum(void)
{
	struct sockaddr_in6 from4 = v4("10.1.2.3", 1), to4 = v4("192.0.2.9", 65535);
	struct sockaddr_in6 from6 = v6("2001:db8::7", 514), to6 = v6("fd00::1", 7);
	uint8_t header[UDP_HEADER_MOST_BYTES], payload[MOST_BYTES];
	uint64_t seed = 20261129;
	uint32_t wrong = 0;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint32_t len = (uint32_t)(random_next(&seed) % MOST_BYTES), at = (uint32_t)(random_next(&seed) % 8);
		int is_v4 = i % 2;
		uint32_t n;

		len = len > at ? len - at : 0; /* from an odd address too */
		for (uint32_t k = 0; k < len; k++)
			payload[at + k] = (uint8_t)(i % 3 ? random_next(&seed) : 0xff);
		n = udp_header_write(header, is_v4 ? &from4 : &from6, is_v4 ? &to4 : &to6, (uint8_t)i, payload + at,
				     len);
		wrong += sum_of_datagram(header, n, payload + at, len) != 0xffff;
	}
	CU_ASSERT_EQUAL(wrong, 0);
}

/* In IPv4 0 would say that there is no sum, and in IPv6 such a datagram is thrown away. */
static void a_sum_is_never_none(void)
{
	struct sockaddr_in6 from = v6("2001:db8::7", 514), to = v6("fd00::1", 7);
	uint8_t header[UDP_HEADER_MOST_BYTES], payload[2] = { 0 };
	uint32_t sum;

	udp_header_write(header, &from, &to, 0, payload, 2);
	sum = (uint32_t)header[46] << 8 | header[47];
	payload[0] = (uint8_t)(sum >> 8); /* what makes the sum of all words 0xffff, whose complement is 0 */
	payload[1] = (uint8_t)sum;
	udp_header_write(header, &from, &to, 0, payload, 2);
	CU_ASSERT_EQUAL(header[46], 0xff);
	CU_ASSERT_EQUAL(header[47], 0xff);
}

static void what_is_no_datagram_has_no_header(void)
{
	struct sockaddr_in6 four = v4("10.1.2.3", 1), six = v6("::1", 1), other = { .sin6_family = AF_UNIX };
	static uint8_t payload[65536];
	uint8_t header[UDP_HEADER_MOST_BYTES];

	CU_ASSERT_EQUAL(udp_header_write(header, &four, &six, 0, payload, 1), 0);
	CU_ASSERT_EQUAL(udp_header_write(header, &six, &four, 0, payload, 1), 0);
	CU_ASSERT_EQUAL(udp_header_write(header, &other, &other, 0, payload, 1), 0);
	CU_ASSERT_EQUAL(udp_header_write(header, &four, &four, 0, payload, 65507), UDP_HEADER_V4_BYTES);
	CU_ASSERT_EQUAL(udp_header_write(header, &four, &four, 0, payload, 65508), 0);
	CU_ASSERT_EQUAL(udp_header_write(header, &six, &six, 0, payload, 65527), UDP_HEADER_MOST_BYTES);
	CU_ASSERT_EQUAL(udp_header_write(header, &six, &six, 0, payload, 65528), 0);
}

SUITE(udp_header, TEST(a_header_is_as_its_text_has_it), TEST(a_receiver_accepts_the_sum), TEST(a_sum_is_never_none),
      TEST(what_is_no_datagram_has_no_header))

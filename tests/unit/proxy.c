/* proxy.c - headers of the PROXY protocol: as its text has them, there and back, and whatever else may come. */
#include "proxy.h"

#include <stdlib.h>
#include <string.h>

#include "addresses.h"
#include "random.h"
#include "suites.h"

#define ROUNDS 1000000 /* headers made up; ONTIME_PROXY_ROUNDS: another number */
#define MOST_BYTES 400

static void a_header_is_as_the_protocol_has_it(void)
{
	static const uint8_t expected[] = "\r\n\r\n\0\r\nQUIT\n\x21\x12\0\x0c\x0a\1\2\3\x7f\0\0\1\x12\x34\x1f\x90";
	struct sockaddr_in6 from = v4("10.1.2.3", 0x1234), to = v4("127.0.0.1", 8080);
	uint8_t header[PROXY_MOST_BYTES];

	CU_ASSERT_EQUAL(proxy_write(header, &from, &to), PROXY_V4_BYTES);
	CU_ASSERT_EQUAL(memcmp(header, expected, PROXY_V4_BYTES), 0);
	from = v6("2001:db8::1", 5);
	CU_ASSERT_EQUAL(proxy_write(header, &from, &to), 0); /* two families */
	to = v6("::1", 0x102);
	CU_ASSERT_EQUAL(proxy_write(header, &from, &to), PROXY_MOST_BYTES);
	CU_ASSERT_EQUAL(header[13], 0x22);
	CU_ASSERT_EQUAL(header[15], 36);
	CU_ASSERT_EQUAL(memcmp(header + 16, "\x20\x01\x0d\xb8", 4), 0);
	CU_ASSERT_EQUAL(memcmp(header + 47, "\1\0\5\1\2", 5), 0);
	from.sin6_family = to.sin6_family = AF_UNIX;
	CU_ASSERT_EQUAL(proxy_write(header, &from, &to), 0);
}

static void what_is_written_is_read(void)
{
	const struct sockaddr_in6 ends[][2] = { { v4("10.1.2.3", 1), v4("192.0.2.9", 65535) },
						{ v6("2001:db8::7", 514), v6("fe80::1", 0) } };
	uint8_t datagram[MOST_BYTES] = { 0 };
	struct proxy_header h;

	for (int i = 0; i < 2; i++) {
		uint32_t n = proxy_write(datagram, &ends[i][0], &ends[i][1]);

		CU_ASSERT_EQUAL(proxy_read(datagram, n, &h), 0); /* before an empty payload */
		CU_ASSERT_EQUAL(h.bytes, n);
		CU_ASSERT(h.has_ends);
		CU_ASSERT_EQUAL(memcmp(&h.from, &ends[i][0], sizeof(h.from)), 0);
		CU_ASSERT_EQUAL(memcmp(&h.to, &ends[i][1], sizeof(h.to)), 0);
		for (uint32_t cut = 0; cut < n; cut++)
			CU_ASSERT_EQUAL(proxy_read(datagram, cut, &h), -1);
		datagram[15] = (uint8_t)(datagram[15] + 7); /* TLVs */
		CU_ASSERT_EQUAL(proxy_read(datagram, n + 6, &h), -1);
		CU_ASSERT_EQUAL(proxy_read(datagram, n + 7, &h), 0);
		CU_ASSERT_EQUAL(h.bytes, n + 7);
		CU_ASSERT_EQUAL(memcmp(&h.from, &ends[i][0], sizeof(h.from)), 0);
	}
}

static int read_as(uint8_t command, uint8_t family, uint16_t bytes, struct proxy_header *h)
{
	const struct sockaddr_in6 end = v4("10.1.2.3", 1);
	uint8_t datagram[MOST_BYTES] = { 0 };

	proxy_write(datagram, &end, &end);
	datagram[12] = command;
	datagram[13] = family;
	datagram[14] = (uint8_t)(bytes >> 8);
	datagram[15] = (uint8_t)bytes;
	return proxy_read(datagram, sizeof(datagram), h);
}

static void a_header_may_name_nobody(void)
{
	struct proxy_header h;

	CU_ASSERT_EQUAL(read_as(0x20, 0x12, 12, &h), 0); /* LOCAL: whatever it says */
	CU_ASSERT(!h.has_ends && h.bytes == 28);
	CU_ASSERT_EQUAL(read_as(0x20, 0xff, 0, &h), 0);
	CU_ASSERT(!h.has_ends && h.bytes == 16);
	CU_ASSERT_EQUAL(read_as(0x21, 0x00, 0, &h), 0);
	CU_ASSERT(!h.has_ends && h.bytes == 16);
	CU_ASSERT_EQUAL(read_as(0x21, 0x32, 216, &h), 0); /* of AF_UNIX */
	CU_ASSERT(!h.has_ends && h.bytes == 232);
	CU_ASSERT_EQUAL(read_as(0x21, 0x11, 12, &h), 0); /* STREAM */
	CU_ASSERT(h.has_ends);
}

static void what_makes_no_sense_is_refused(void)
{
	struct proxy_header h;

	CU_ASSERT_EQUAL(read_as(0x11, 0x12, 12, &h), -1); /* another version */
	CU_ASSERT_EQUAL(read_as(0x22, 0x12, 12, &h), -1); /* no such command */
	CU_ASSERT_EQUAL(read_as(0x21, 0x42, 12, &h), -1); /* ... family */
	CU_ASSERT_EQUAL(read_as(0x21, 0x13, 12, &h), -1); /* ... protocol */
	CU_ASSERT_EQUAL(read_as(0x21, 0x12, 11, &h), -1); /* no room for its addresses */
	CU_ASSERT_EQUAL(read_as(0x21, 0x22, 35, &h), -1);
	CU_ASSERT_EQUAL(read_as(0x21, 0x32, 215, &h), -1);
	CU_ASSERT_EQUAL(read_as(0x21, 0x12, MOST_BYTES - 15, &h), -1); /* longer than the datagram */
	CU_ASSERT_EQUAL(read_as(0x21, 0x12, 65535, &h), -1);
}

/* In memory of exactly that length, so that a sanitizer sees a byte too many. */
static int read_copy(const uint8_t *bytes, size_t len, struct proxy_header *h)
{
	uint8_t *copy = malloc(len ? len : 1);
	int err;

	CU_ASSERT_FATAL(copy != NULL);
	memcpy(copy, bytes, len);
	err = proxy_read(copy, len, h);
	free(copy);
	return err;
}

/* Mostly a header with a few bytes changed, cut anywhere; one in eight is noise. */
static size_t make_up(uint8_t *datagram, uint64_t *seed)
{
	struct sockaddr_in6 from = v6("2001:db8::7", 514), to = v6("::1", 1), from4 = v4("10.0.0.1", 2);
	size_t len = random_next(seed) % MOST_BYTES;
	int is_v6 = random_next(seed) % 2;

	for (size_t i = 0; i < MOST_BYTES; i++)
		datagram[i] = (uint8_t)random_next(seed);
	if (random_next(seed) % 8 == 0)
		return len;
	proxy_write(datagram, is_v6 ? &from : &from4, is_v6 ? &to : &from4);
	for (uint64_t n = random_next(seed) % 4; n > 0; n--)
		datagram[random_next(seed) % 4 ? 12 + random_next(seed) % 4 : random_next(seed) % 60] =
			(uint8_t)random_next(seed);
	return len;
}

static void no_header_makes_it_read_beyond_the_datagram(void)
{
	const char *rounds = getenv("ONTIME_PROXY_ROUNDS");
	uint64_t n = rounds ? strtoull(rounds, NULL, 10) : ROUNDS, seed = 20261129, good = 0;
	uint8_t datagram[MOST_BYTES];
	struct proxy_header h;

	for (uint64_t i = 0; i < n; i++) {
		size_t len = make_up(datagram, &seed);

		if (read_copy(datagram, len, &h))
			continue;
		good++;
		if (h.bytes < 16 || h.bytes > len || (h.has_ends && h.from.sin6_family != h.to.sin6_family))
			CU_FAIL_FATAL("a header longer than its datagram");
	}
	CU_ASSERT(good > n / 10 && good < n / 10 * 9);
}

SUITE(proxy, TEST(a_header_is_as_the_protocol_has_it), TEST(what_is_written_is_read), TEST(a_header_may_name_nobody),
      TEST(what_makes_no_sense_is_refused), TEST(no_header_makes_it_read_beyond_the_datagram))

/* frame.c - the UDP datagram in a captured frame, whatever is around it; and what is told by its bytes alone. */
#include "traffic/frame.h"

#include <stdlib.h>
#include <string.h>

#include "addresses.h"
#include "random.h"
#include "suites.h"
#include "traffic/content.h"
#include "udp_header.h"

#define ETHERNET 1
#define RAW 12
#define COOKED 113
#define COOKED_2 276

/* A datagram behind `before` bytes. Returns how long all of it is. */
static uint32_t make(uint8_t *to, const void *before, uint32_t n, int is_v6, const char *payload)
{
	struct sockaddr_in6 from = is_v6 ? v6("2001:db8::1", 1) : v4("10.0.0.1", 1);
	struct sockaddr_in6 at = is_v6 ? v6("2001:db8::2", 8080) : v4("10.0.0.2", 8080);
	uint32_t len = (uint32_t)strlen(payload), h;

	memcpy(to, before, n);
	h = udp_header_write(to + n, &from, &at, 0xb8, (const uint8_t *)payload, len);
	memcpy(to + n + h, payload, len);
	return n + h + len;
}

static void check_frame(int link, const uint8_t *frame, uint32_t n, const char *payload)
{
	uint32_t len = (uint32_t)strlen(payload);
	struct frame f;

	CU_ASSERT_EQUAL_FATAL(frame_read(&f, link, frame, n), FRAME_UDP);
	CU_ASSERT(f.to_port == 8080 && f.tos == 0xb8 && f.len_bytes == len && f.there_bytes == len);
	CU_ASSERT_EQUAL(memcmp(f.payload, payload, len), 0);
}

static void a_datagram_is_found_behind_each_link(void)
{
	static const uint8_t ethernet[14] = { [12] = 8 }, ethernet_v6[14] = { [12] = 0x86, 0xdd };
	static const uint8_t tagged[22] = { [12] = 0x88, 0xa8, 0, 1, 0x81, 0, 0, 2, 8, 0 };
	static const uint8_t cooked[16] = { [14] = 8 }, cooked_2[20] = { 0x86, 0xdd }, loop[4] = { 2 };
	uint8_t frame[200] = { 0 };

	check_frame(ETHERNET, frame, make(frame, ethernet, 14, 0, "hello") + 20, "hello"); /* filled up */
	check_frame(ETHERNET, frame, make(frame, ethernet_v6, 14, 1, "hello") + 20, "hello");
	check_frame(ETHERNET, frame, make(frame, tagged, 22, 0, "hello"), "hello");
	check_frame(COOKED, frame, make(frame, cooked, 16, 0, "hello"), "hello");
	check_frame(COOKED_2, frame, make(frame, cooked_2, 20, 1, "hello"), "hello");
	check_frame(0, frame, make(frame, loop, 4, 0, ""), "");
	check_frame(RAW, frame, make(frame, loop, 0, 1, "hello"), "hello");
	CU_ASSERT(frame_is_known(228) && !frame_is_known(105));
}

static void what_is_no_whole_datagram_is_none(void)
{
	uint8_t frame[200] = { 0 };
	uint32_t n = make(frame, "", 0, 0, "hello");
	struct frame f;

	CU_ASSERT(frame_read(&f, RAW, frame, n - 3) == FRAME_UDP && f.there_bytes == 2 && f.len_bytes == 5);
	for (uint32_t i = 0; i < 28; i++)
		CU_ASSERT_EQUAL(frame_read(&f, RAW, frame, i), FRAME_OTHER);
	frame[6] = 0x20; /* more fragments follow */
	CU_ASSERT_EQUAL(frame_read(&f, RAW, frame, n), FRAME_FRAGMENT);
	frame[6] = 0x40; /* do not fragment */
	CU_ASSERT_EQUAL(frame_read(&f, RAW, frame, n), FRAME_UDP);
	frame[9] = 6;
	CU_ASSERT_EQUAL(frame_read(&f, RAW, frame, n), FRAME_OTHER);
	frame[9] = 17;
	frame[25] = 7; /* shorter than its own header */
	CU_ASSERT_EQUAL(frame_read(&f, RAW, frame, n), FRAME_OTHER);
	n = make(frame, "", 0, 1, "hello");
	frame[6] = 44;
	CU_ASSERT_EQUAL(frame_read(&f, RAW, frame, n), FRAME_FRAGMENT);
	frame[6] = 0; /* an extension that goes past the end */
	frame[41] = 255;
	CU_ASSERT_EQUAL(frame_read(&f, RAW, frame, n), FRAME_OTHER);
}

static void no_frame_leads_out_of_itself(void)
{
	static const int links[] = { 0, 1, 12, 108, 113, 228, 276, 5 };
	uint8_t room[160];
	uint64_t seed = 3, found = 0;

	for (int i = 0; i < 300000; i++) {
		uint32_t n = (uint32_t)(random_next(&seed) % 120), link = (uint32_t)(random_next(&seed) % 8);
		uint8_t *frame = malloc(n + 1); /* so that a sanitizer sees what is read behind it */
		struct frame f;

		make(room, "\0\0\0\0\0\0\0\0\0\0\0\0\x08\0", i % 3 ? 0 : 14, (int)(random_next(&seed) % 2), "payload");
		for (int k = 0; k < 3; k++)
			room[random_next(&seed) % 70] = (uint8_t)random_next(&seed);
		CU_ASSERT_PTR_NOT_NULL_FATAL(frame);
		memcpy(frame, room, n);
		if (frame_read(&f, links[link], frame, n) == FRAME_UDP) {
			found++;
			CU_ASSERT(f.payload >= frame && f.payload + f.there_bytes <= frame + n);
			CU_ASSERT(f.there_bytes <= f.len_bytes && f.source >= frame && f.source + 4 <= frame + n);
		}
		free(frame);
	}
	CU_ASSERT(found > 1000);
}

static void contents_tell_what_came_and_what_came_twice(void)
{
	static uint8_t bytes[] = "aaabbbaaacccbb";
	struct packet packets[] = { { .bytes = 3, .payload_at = 0 },  { .bytes = 3, .payload_at = 3 },
				    { .bytes = 3, .payload_at = 6 },  { .bytes = 3, .payload_at = 9, .class = 1 },
				    { .bytes = 2, .payload_at = 12 }, { .bytes = 0, .payload_at = 14 } };
	struct trace t = { .packets = packets, .n = 6, .payloads = bytes, .payload_bytes = 14 };
	struct content c;

	packets[4].arrival_ns = 50;
	CU_ASSERT_EQUAL_FATAL(content_open(&c, &t, 0), 0);
	atomic_store_explicit(&c.began_at_ns, 1000, memory_order_relaxed); /* relaxed: there is one thread */
	CU_ASSERT_EQUAL(c.n, 5);
	CU_ASSERT_EQUAL(content_find(&c, bytes + 3, 3), 1);
	CU_ASSERT_EQUAL(content_find(&c, bytes, 3), 0); /* of two alike the first */
	CU_ASSERT(content_is_due(&c, bytes, 3));
	CU_ASSERT_EQUAL(content_find(&c, bytes, 3), 2);
	CU_ASSERT(!content_is_due(&c, bytes, 3));
	CU_ASSERT_EQUAL(content_find(&c, bytes, 3), CONTENT_TWICE);
	CU_ASSERT_EQUAL(content_find(&c, bytes + 9, 3), CONTENT_CHANGED); /* of another class */
	CU_ASSERT_EQUAL(content_find(&c, bytes + 3, 2), 3);
	CU_ASSERT_EQUAL(content_due_at_ns(&c, 3), 1050);
	CU_ASSERT_EQUAL(content_find(&c, bytes, 0), 4);
	CU_ASSERT_EQUAL(content_find(&c, bytes, 1), CONTENT_CHANGED);
	content_close(&c);
}

SUITE(frame, TEST(a_datagram_is_found_behind_each_link), TEST(what_is_no_whole_datagram_is_none),
      TEST(no_frame_leads_out_of_itself), TEST(contents_tell_what_came_and_what_came_twice))

/* tape.c - what tape writes: blocks that a reader takes apart again, comments, and what is kept of the past. */
#include <string.h>

#include "random.h"
#include "suites.h"
#include "tape/before.h"
#include "tape/block.h"
#include "tape/comment.h"
#include "units.h"

#define ROUNDS 2000
#define MOST_PAYLOAD 1500

static uint32_t get32(const uint8_t *at)
{
	uint32_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

/* A whole block of that type: its length twice, in whole words. */
static void check_block(const uint8_t *at, size_t bytes, uint32_t type)
{
	CU_ASSERT_EQUAL(get32(at), type);
	CU_ASSERT_EQUAL(get32(at + 4), bytes);
	CU_ASSERT_EQUAL(get32(at + bytes - 4), bytes);
	CU_ASSERT_EQUAL(bytes % 4, 0);
}

/* The option of that code, from `at` on; NULL: there is none before the end, which must be there. */
static const uint8_t *find_option(const uint8_t *at, const uint8_t *end, uint32_t code, uint32_t *len)
{
	const uint8_t *found = NULL;

	while (at < end && (get32(at) & 0xffff) != 0) {
		uint32_t n = get32(at) >> 16;

		if ((get32(at) & 0xffff) == code) {
			found = at + 4;
			*len = n;
		}
		at += 4 + (n + 3) / 4 * 4;
	}
	CU_ASSERT_EQUAL(at + 4, end);
	return found;
}

static void a_section_and_an_interface_are_as_the_draft_has_them(void)
{
	uint8_t block[BLOCK_MOST_BYTES];
	size_t bytes = block_section(block, "ontime tape");
	const uint8_t *at;
	uint32_t len = 0;

	check_block(block, bytes, BLOCK_SECTION);
	CU_ASSERT_EQUAL(get32(block + 8), 0x1a2b3c4d);
	CU_ASSERT_EQUAL(get32(block + 12), 1);
	at = find_option(block + 24, block + bytes - 4, 4, &len);
	CU_ASSERT(at && len == 11 && memcmp(at, "ontime tape", 11) == 0);
	bytes = block_interface(block, "high", "class high");
	check_block(block, bytes, BLOCK_INTERFACE);
	CU_ASSERT_EQUAL(get32(block + 8), 1); /* Ethernet */
	at = find_option(block + 16, block + bytes - 4, 2, &len);
	CU_ASSERT(at && len == 4 && memcmp(at, "high", 4) == 0);
	at = find_option(block + 16, block + bytes - 4, 9, &len);
	CU_ASSERT(at && len == 1 && *at == 9);
}

static void a_packet_is_taken_apart_again(void)
{
	static uint8_t block[BLOCK_MOST_BYTES + MOST_PAYLOAD], payload[MOST_PAYLOAD];
	uint8_t header[BLOCK_HEADER_BYTES];
	uint64_t seed = 20261130;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint32_t n = (uint32_t)(random_next(&seed) % MOST_PAYLOAD), h = i % 2 ? 42 : 62, len, type, of;
		struct block_packet p = {
			i % 5, random_next(&seed), header, payload, h, n, h + n + i % 3, i % 4, "why"
		};
		const uint8_t *at, *options = block + 28 + (h + n + 3) / 4 * 4;
		size_t bytes;

		for (uint32_t k = 0; k < n; k++)
			payload[k] = (uint8_t)random_next(&seed);
		for (uint32_t k = 0; k < h; k++)
			header[k] = (uint8_t)random_next(&seed);
		bytes = block_packet(block, &p);
		check_block(block, bytes, BLOCK_PACKET);
		CU_ASSERT(block_read(block, &type, &of) == bytes && type == BLOCK_PACKET && of == i % 5);
		CU_ASSERT_EQUAL((uint64_t)get32(block + 12) << 32 | get32(block + 16), p.at_ns);
		CU_ASSERT(get32(block + 20) == h + n && get32(block + 24) == p.len_bytes);
		CU_ASSERT(memcmp(block + 28, header, h) == 0 && memcmp(block + 28 + h, payload, n) == 0);
		at = find_option(options, block + bytes - 4, 1, &len);
		CU_ASSERT(at && len == 3 && memcmp(at, "why", 3) == 0);
		at = find_option(options, block + bytes - 4, 4, &len);
		CU_ASSERT(at ? len == 8 && get32(at) == i % 4 : i % 4 == 0);
	}
}

static void no_text_makes_a_block_too_long(void)
{
	static uint8_t block[BLOCK_MOST_BYTES];
	static char text[2 * BLOCK_TEXT_BYTES];
	const struct block_packet p = { .comment = text, .missed_pkts = 1, .header = block, .header_bytes = 0 };

	memset(text, 'x', sizeof(text) - 1);
	CU_ASSERT(block_interface(block, text, text) <= BLOCK_MOST_BYTES);
	CU_ASSERT(block_section(block, text) <= BLOCK_MOST_BYTES);
	CU_ASSERT(block_packet(block, &p) + BLOCK_HEADER_BYTES + 3 <= BLOCK_MOST_BYTES);
}

static void statistics_are_what_is_known_of_an_interface(void)
{
	uint8_t block[BLOCK_MOST_BYTES];
	size_t bytes = block_statistics(block, &(struct block_statistics){ 3, 1ULL << 33, 10, 7, 2 });
	uint32_t len = 0;
	const uint8_t *at;

	check_block(block, bytes, BLOCK_STATISTICS);
	CU_ASSERT(get32(block + 8) == 3 && get32(block + 12) == 2 && get32(block + 16) == 0);
	at = find_option(block + 20, block + bytes - 4, 4, &len);
	CU_ASSERT(at && len == 8 && get32(at) == 10);
	at = find_option(block + 20, block + bytes - 4, 5, &len);
	CU_ASSERT(at && get32(at) == 2);
	at = find_option(block + 20, block + bytes - 4, 6, &len);
	CU_ASSERT(at && get32(at) == 7);
}

static const struct arrival came = { .arrived_at_ns = 1000000, .read_at_ns = 1100000, .published_at_ns = 1100500 };
static const struct result worked = { .started_at_ns = 4300500, .done_at_ns = 4500500, .len_bytes = 10 };
static const struct departure left = { .handed_at_ns = 4501500, .send_ns = 8000 };

static const char *comment_of(const struct arrival *a, const struct result *r, const struct departure *d,
			      uint64_t budget_ns, struct fate *f)
{
	static char text[COMMENT_BYTES];
	const struct comment c = { .class = "high", .number = 7, .note = "" };

	fate_read(f, a, r, d, budget_ns);
	return comment_write(text, &c, f);
}

static void a_comment_says_what_was_late_and_where_it_was(void)
{
	struct fate f;

	CU_ASSERT_STRING_EQUAL(
		comment_of(&came, &worked, &left, NS_PER_MS, &f),
		"class=high fate=sent_late budget=1.000ms socket=0.100ms ingress=0.000ms edf_wait=3.200ms "
		"edf_work=0.200ms egress_wait=0.001ms egress_send=0.008ms total=3.509ms most=edf_wait "
		"packet=7");
	CU_ASSERT(f.is_late && !f.is_dropped && f.most == SPAN_EDF_WAIT);
	CU_ASSERT_STRING_EQUAL(comment_of(&came, &worked, &left, BUDGET_NONE, &f),
			       "class=high fate=sent budget=none socket=0.100ms ingress=0.000ms edf_wait=3.200ms "
			       "edf_work=0.200ms egress_wait=0.001ms egress_send=0.008ms total=3.509ms packet=7");
	CU_ASSERT(!f.is_late && !f.is_dropped);
}

static void on_time_ends_where_egress_says_it_does(void)
{
	struct fate f;

	comment_of(&came, &worked, &left, 3509500, &f);
	CU_ASSERT(f.total_ns == 3509500 && !f.is_late);
	comment_of(&came, &worked, &left, 3509499, &f);
	CU_ASSERT(f.is_late);
}

/* The slot's other words are of its earlier use. */
static void a_dropped_packet_has_the_spans_that_it_came_through(void)
{
	struct result late = { .started_at_ns = 2100500, .done_at_ns = 2100500, .drop = DROP_LATE };
	struct result poison = { .started_at_ns = 2100500, .done_at_ns = 2100600, .drop = DROP_POISON };
	struct departure too_late = { .handed_at_ns = 5, .drop = DROP_LATE_EGRESS },
			 refused = { .handed_at_ns = 4501500, .drop = DROP_SEND_ERROR, .send_errno = 101 };
	struct fate f;

	CU_ASSERT_STRING_EQUAL(comment_of(&came, &late, &refused, NS_PER_MS, &f),
			       "class=high fate=late budget=1.000ms socket=0.100ms ingress=0.000ms edf_wait=1.000ms "
			       "total=1.100ms most=edf_wait packet=7");
	CU_ASSERT(f.is_dropped && !f.is_late && f.n_spans == 3);
	comment_of(&came, &poison, &left, NS_PER_MS, &f);
	CU_ASSERT(f.n_spans == 4 && strcmp(f.name, "poison") == 0);
	comment_of(&came, &worked, &too_late, NS_PER_MS, &f);
	CU_ASSERT(f.n_spans == 4 && strcmp(f.name, "late_egress") == 0 && f.total_ns == 3500500);
	CU_ASSERT_PTR_NOT_NULL(
		strstr(comment_of(&came, &worked, &refused, NS_PER_MS, &f), "fate=send_error errno=101 "));
	CU_ASSERT(f.n_spans == 5 && f.total_ns == 3501500);
}

static void a_comment_never_exceeds_its_room(void)
{
	struct arrival a = { 0 };
	struct result r = { .started_at_ns = UINT64_MAX, .done_at_ns = UINT64_MAX };
	struct departure d = { .handed_at_ns = UINT64_MAX, .drop = DROP_SEND_ERROR, .send_errno = UINT32_MAX };
	static char note[COMMENT_BYTES];
	char text[COMMENT_BYTES + 1];
	struct fate f;

	memset(note, 'n', sizeof(note) - 1);
	text[COMMENT_BYTES] = 'e';
	fate_read(&f, &a, &r, &d, UINT64_MAX);
	comment_write(text, &(struct comment){ "high", UINT64_MAX, 3, 4, note, UINT32_MAX }, &f);
	CU_ASSERT(text[COMMENT_BYTES] == 'e' && memchr(text, 0, COMMENT_BYTES));
}

/* What is kept, against a plain list of numbers. */
struct expected {
	uint64_t let_go, next, kept_from;
	uint64_t taken;
	int is_wrong;
};

static void one_let_go(void *arg, uint32_t interface)
{
	struct expected *e = arg;

	e->is_wrong |= interface != (uint32_t)(e->kept_from % 16);
	e->kept_from++;
	e->let_go++;
}

static int one_taken(void *arg, const uint8_t *block, size_t bytes)
{
	struct expected *e = arg;
	uint64_t number;

	memcpy(&number, block, sizeof(number));
	e->is_wrong |= number != e->kept_from || bytes != 8 + number % 90;
	e->kept_from++;
	e->taken++;
	return 0;
}

static void what_came_before_is_handed_out_in_order_or_let_go(void)
{
	struct expected e = { 0 };
	uint8_t block[128] = { 0 };
	struct before b;
	uint64_t seed = 5, at_ns = 1;

	CU_ASSERT_EQUAL_FATAL(before_open(&b, 1000, 300, one_let_go, &e), 0);
	for (int i = 0; i < 20000; i++) {
		uint64_t random = random_next(&seed);

		at_ns += random % 40;
		memcpy(block, &e.next, sizeof(e.next));
		before_put(&b, at_ns, (uint32_t)(e.next % 16), block, 8 + e.next % 90);
		e.next++;
		before_expire(&b, at_ns);
		CU_ASSERT(b.used <= b.room);
		if (random % 128 == 0) {
			CU_ASSERT_EQUAL(before_take(&b, at_ns, one_taken, &e), 0);
			CU_ASSERT_EQUAL(e.kept_from, e.next);
		}
	}
	CU_ASSERT(b.was_full && e.taken > 0 && e.let_go > 0);
	before_end(&b);
	CU_ASSERT(!e.is_wrong && e.kept_from == e.next && e.taken + e.let_go == e.next);
	before_close(&b);
}

static void what_is_too_old_is_let_go(void)
{
	struct expected e = { 0 };
	uint8_t block[8] = { 0 };
	struct before b;

	CU_ASSERT_EQUAL_FATAL(before_open(&b, 1000, 100, one_let_go, &e), 0);
	before_put(&b, 1000, 0, block, 8);
	before_put(&b, 1060, 1, block, 8);
	before_expire(&b, 1100);
	CU_ASSERT_EQUAL(e.let_go, 0);
	before_expire(&b, 1101);
	CU_ASSERT_EQUAL(e.let_go, 1);
	before_put(&b, 1200, 2, block, 8);
	e.kept_from = 1;
	CU_ASSERT_EQUAL(before_take(&b, 1161, one_taken, &e), 0); /* 1060 is past then */
	CU_ASSERT(e.let_go == 2 && e.taken == 1);
	before_close(&b);
	CU_ASSERT_EQUAL_FATAL(before_open(&b, 1000, 0, one_let_go, &e), 0);
	before_put(&b, 1, 1, block, 8); /* with nothing to keep */
	CU_ASSERT_EQUAL(e.let_go, 3);
}

SUITE(tape, TEST(a_section_and_an_interface_are_as_the_draft_has_them), TEST(a_packet_is_taken_apart_again),
      TEST(no_text_makes_a_block_too_long), TEST(statistics_are_what_is_known_of_an_interface),
      TEST(a_comment_says_what_was_late_and_where_it_was), TEST(on_time_ends_where_egress_says_it_does),
      TEST(a_dropped_packet_has_the_spans_that_it_came_through), TEST(a_comment_never_exceeds_its_room),
      TEST(what_came_before_is_handed_out_in_order_or_let_go), TEST(what_is_too_old_is_let_go))

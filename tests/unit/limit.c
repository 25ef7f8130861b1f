/* limit.c - the rates of a class and of its destinations: who waits, and that no kill gives a second burst. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "egress/limits.h"
#include "suites.h"

#define NOW (1000 * NS_PER_S)
#define MBIT 1000000ULL
#define BURST_BYTES 10000

static struct shaped kept;

static uint64_t kept_until_ns(void)
{
	return atomic_load_explicit(&kept.until_ns, memory_order_relaxed); /* relaxed: one thread */
}

static struct limit opened(uint64_t rate_bits_per_s, uint32_t rescued_bytes, uint64_t now)
{
	struct limit l;

	memset(&l, 0x5a, sizeof(l));
	limit_open(&l, &kept, rate_bits_per_s, BURST_BYTES, rescued_bytes, now);
	return l;
}

static void begin(void)
{
	memset(&kept, 0, sizeof(kept));
}

static void a_successor_has_no_burst_of_its_own(void)
{
	struct limit l;

	begin();
	l = opened(8 * MBIT, 0, NOW); /* a byte in a us */
	CU_ASSERT_EQUAL(shaper_allows_bytes(&l.shaper, NOW), BURST_BYTES);
	limit_note(&l, 6000, NOW);
	limit_charge(&l, 6000, NOW);
	l = opened(8 * MBIT, 0, NOW);
	CU_ASSERT_EQUAL(shaper_allows_bytes(&l.shaper, NOW), BURST_BYTES - 6000);
	CU_ASSERT_EQUAL(shaper_allows_bytes(&l.shaper, NOW + 1000 * NS_PER_US), BURST_BYTES - 5000);
}

static void one_that_died_in_the_call_had_sent_all_that_it_might(void)
{
	struct limit l;

	begin();
	l = opened(8 * MBIT, 0, NOW);
	limit_note(&l, 9000, NOW);
	l = opened(8 * MBIT, 0, NOW);
	CU_ASSERT_EQUAL(shaper_allows_bytes(&l.shaper, NOW), BURST_BYTES - 9000);
}

/* It was noted before the call, and that may have been long ago. */
static void what_is_rescued_may_have_left_just_now(void)
{
	struct limit l;

	begin();
	l = opened(8 * MBIT, 0, NOW);
	limit_note(&l, 9000, NOW);
	l = opened(8 * MBIT, 4000, NOW + 8000 * NS_PER_US);
	CU_ASSERT_EQUAL(shaper_allows_bytes(&l.shaper, NOW + 8000 * NS_PER_US), BURST_BYTES - 4000);
}

static void without_a_rate_nothing_is_stored(void)
{
	struct limit l;

	begin();
	l = opened(0, 0, NOW);
	limit_note(&l, 9000, NOW);
	limit_charge(&l, 9000, NOW);
	CU_ASSERT_EQUAL(kept_until_ns(), 0);
	CU_ASSERT_EQUAL(shaper_allows_bytes(&l.shaper, NOW), UINT32_MAX);
}

static void another_rate_holds_what_was_sent_at_the_one_before(void)
{
	struct limit l;

	begin();
	l = opened(8 * MBIT, 0, NOW);
	limit_charge(&l, 6000, NOW);
	l = opened(80 * MBIT, 0, NOW);
	CU_ASSERT_EQUAL(shaper_allows_bytes(&l.shaper, NOW), BURST_BYTES - 6000);
	CU_ASSERT_EQUAL(kept_until_ns(), NOW + 600 * NS_PER_US);
	l = opened(0, 0, NOW);
	CU_ASSERT_EQUAL(kept_until_ns(), 0);
}

static struct stage stage;
static struct sender sender;

/* One class with two destinations, whose packets are of sender 0 and sender 1 in turn. */
static void open_sender(uint64_t class_rate, uint64_t destination_rate)
{
	struct class_config *c = &stage.config.classes[0];
	char why[WHY_BYTES];

	memset(&stage, 0, sizeof(stage));
	memset(&sender, 0, sizeof(sender));
	config_defaults(&stage.config);
	c->n_dests = 2;
	c->rate_bits_per_s = class_rate;
	c->burst_bytes = c->destination_burst_bytes = BURST_BYTES;
	c->destination_rate_bits_per_s = destination_rate;
	snprintf(stage.config.instance, sizeof(stage.config.instance), "unit-limit-%d", getpid());
	CU_ASSERT_EQUAL_FATAL(segment_create(&stage.seg, &stage.config, NULL, 0, why), 0);
	segment_remove(stage.config.instance);
	sender.stage = sender.settled.stage = &stage;
	for (uint16_t i = 0; i < 4; i++)
		stage.seg.views[0].arrivals[i].source = i % 2;
	limits_open(&sender, NOW);
}

static uint32_t send_all_allowed(void)
{
	uint32_t bytes = limits_allow_bytes(&sender, 0, NOW);

	limits_charge(&sender, 0, limits_note(&sender, 0, bytes, NOW), bytes, NOW);
	return bytes;
}

static void a_class_that_has_used_its_rate_waits(void)
{
	open_sender(8 * MBIT, 0);
	CU_ASSERT_EQUAL(limits_next_ns(&sender, 0, 1000, NOW), NOW);
	CU_ASSERT_EQUAL(send_all_allowed(), BURST_BYTES);
	CU_ASSERT_EQUAL(limits_next_ns(&sender, 0, 1000, NOW), NOW + 1000 * NS_PER_US);
	CU_ASSERT_EQUAL(limits_next_ns(&sender, 1, 1000, NOW), 0); /* another one does not */
	CU_ASSERT_EQUAL(limits_allow_bytes(&sender, 1, NOW), UINT32_MAX);
	segment_close(&stage.seg);
}

static void a_class_waits_while_the_packet_at_its_head_is_for_a_destination_that_has_used_its_rate(void)
{
	open_sender(0, 8 * MBIT);
	CU_ASSERT_EQUAL(send_all_allowed(), BURST_BYTES);
	CU_ASSERT_EQUAL(limits_next_ns(&sender, 0, 1000, NOW), NOW + 1000 * NS_PER_US);
	sender.settled.sent[0] = lane_next_word(0, 1); /* the next one is for the other */
	CU_ASSERT_EQUAL(limits_next_ns(&sender, 0, 1000, NOW), NOW);
	CU_ASSERT_EQUAL(limits_allow_bytes(&sender, 0, NOW), BURST_BYTES);
	limits_open(&sender, NOW); /* a successor */
	CU_ASSERT_EQUAL(limits_next_ns(&sender, 0, 1000, NOW), NOW);
	sender.settled.sent[0] = 0;
	CU_ASSERT_EQUAL(limits_next_ns(&sender, 0, 1000, NOW), NOW + 1000 * NS_PER_US);
	segment_close(&stage.seg);
}

SUITE(limit, TEST(a_successor_has_no_burst_of_its_own), TEST(one_that_died_in_the_call_had_sent_all_that_it_might),
      TEST(what_is_rescued_may_have_left_just_now), TEST(without_a_rate_nothing_is_stored),
      TEST(another_rate_holds_what_was_sent_at_the_one_before), TEST(a_class_that_has_used_its_rate_waits),
      TEST(a_class_waits_while_the_packet_at_its_head_is_for_a_destination_that_has_used_its_rate))

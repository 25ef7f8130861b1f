/* config_copying.c - which classes can copy, and which rates there can be. */
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

#include "config/copying.h"
#include "config/sharded.h"
#include "loads.h"
#include "suites.h"

#define TWO "[class a]\nlisten = 127.0.0.1:1\nsend = 127.0.0.1:2 127.0.0.1:3\n" /* three lines */

static void a_class_copies_to_all_that_it_sends_to_if_it_says_so(void)
{
	struct config c = accepted(TWO "spread = copy\ncopy_wait = 0us\n");

	CU_ASSERT_EQUAL(copying_count(&c.classes[0]), 2);
	CU_ASSERT_EQUAL(c.classes[0].copy_wait_ns, 0);
	c = accepted(TWO);
	CU_ASSERT_EQUAL(copying_count(&c.classes[0]), 0);
	CU_ASSERT_EQUAL(c.classes[0].copy_wait_ns, 2000000);
	CU_ASSERT_EQUAL(c.classes[0].rate_bits_per_s, 0);
	CU_ASSERT_EQUAL(c.classes[0].destination_rate_bits_per_s, 0);
}

static void copies_have_no_replies(void)
{
	refused(TWO "replies = b\nspread = copy\n[class b]\n", "FILE:5: spread = \"copy\": a sender with `replies` has "
							       "one destination, whose answers are its own; remove "
							       "one of the two");
	refused(TWO "replies = b\n[class b]\nspread = copy\n",
		"FILE:6: spread = \"copy\": a reply goes back to the one sender that caused it; remove this");
}

static void no_destination_has_two_copies(void)
{
	refused("[class a]\nlisten = 127.0.0.1:1\nsend = 127.0.0.1:2 127.0.0.1:3 127.0.0.1:2\nspread = copy\n",
		"FILE:3: send = \"127.0.0.1:2 127.0.0.1:3 127.0.0.1:2\": class a would send each datagram to "
		"127.0.0.1:2 "
		"twice; remove one");
}

static void a_burst_holds_the_longest_datagram(void)
{
	refused(TWO "burst = 1024B\n",
		"FILE:4: burst = \"1KiB\": less than payload_bytes, 1536B: the longest datagram must fit");
	refused(TWO "destination_burst = 1024B\n",
		"FILE:4: destination_burst = \"1KiB\": less than payload_bytes, 1536B: the longest datagram must fit");
}

static void a_destination_of_sessions_has_no_rate_of_its_own(void)
{
	refused(TWO "replies = b\ndestination_rate = 1Mbit\n[class b]\n",
		"FILE:5: destination_rate = \"1Mbit\": datagrams of several sessions leave together, whatever their "
		"destination; use `rate`");
	refused(TWO "replies = b\n[class b]\ndestination_rate = 1Mbit\n",
		"FILE:6: destination_rate = \"1Mbit\": a reply goes back to its sender, and this class has no "
		"destinations; "
		"use `rate`");
}

static void each_shard_has_its_part_of_a_rate(void)
{
	struct config c =
		accepted("[pipeline]\nshards = 3\n" TWO "rate = 9Mbit\nburst = 9000B\ndestination_rate = 3Mbit\n"
			 "destination_burst = 6000B\n");

	sharded_take_part(&c, 3);
	CU_ASSERT_EQUAL(c.classes[0].rate_bits_per_s, 3000000);
	CU_ASSERT_EQUAL(c.classes[0].burst_bytes, 3000);
	CU_ASSERT_EQUAL(c.classes[0].destination_rate_bits_per_s, 1000000);
	CU_ASSERT_EQUAL(c.classes[0].destination_burst_bytes, 2000);
	refused("[pipeline]\nshards = 3\n" TWO "rate = 9Mbit\nburst = 4000B\n",
		"FILE:7: burst = \"4kB\": less than payload_bytes for each of the shards, which have a part of it "
		"each; "
		"raise it, or use shards = 1");
	refused("[pipeline]\nshards = 3\n" TWO "destination_rate = 9Mbit\ndestination_burst = 4000B\n",
		"FILE:7: destination_burst = \"4kB\": less than payload_bytes for each of the shards, which have a "
		"part of "
		"it each; raise it, or use shards = 1");
}

SUITE(config_copying, TEST(a_class_copies_to_all_that_it_sends_to_if_it_says_so), TEST(copies_have_no_replies),
      TEST(no_destination_has_two_copies), TEST(a_burst_holds_the_longest_datagram),
      TEST(a_destination_of_sessions_has_no_rate_of_its_own), TEST(each_shard_has_its_part_of_a_rate))

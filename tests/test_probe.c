/* test_probe.c - the probe points are what the kernel can make cheap, and say where the packets are. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../common/probe.h"
#include "../common/segment.h"
#include "suites.h"

#define PAGE 4096u

static void the_entry_is_a_nop_of_five_bytes_and_a_return(void)
{
#ifdef __x86_64__
	static const uint8_t is[] = { 0x0f, 0x1f, 0x44, 0x00, 0x00, 0xc3 };

	CU_ASSERT_EQUAL(memcmp((const void *)(uintptr_t)probe_batch, is, sizeof(is)), 0);
#else
	SKIP("the length of a nop matters on x86-64 only");
#endif
}

static void the_twin_is_a_nop_of_one_byte_and_a_return(void)
{
#ifdef __x86_64__
	static const uint8_t is[] = { 0x90, 0xc3 };

	CU_ASSERT_EQUAL(memcmp((const void *)(uintptr_t)probe_batch_nop1, is, sizeof(is)), 0);
#else
	SKIP("the length of a nop matters on x86-64 only");
#endif
}

static void the_nop_lies_within_one_page(void)
{
	CU_ASSERT((uintptr_t)probe_batch % PAGE <= PAGE - 5);
	CU_ASSERT_NOT_EQUAL((uintptr_t)probe_batch, (uintptr_t)probe_batch_nop1);
}

static void strip_leaves_the_names(void)
{
	CU_ASSERT_EQUAL(dlsym(RTLD_DEFAULT, "probe_batch"), (void *)(uintptr_t)probe_batch);
	CU_ASSERT_EQUAL(dlsym(RTLD_DEFAULT, "probe_batch_nop1"), (void *)(uintptr_t)probe_batch_nop1);
	CU_ASSERT_EQUAL(dlsym(RTLD_DEFAULT, "probe_watchers"), (void *)&probe_watchers);
}

static void nobody_watches_at_the_start(void)
{
	CU_ASSERT_EQUAL(atomic_load_explicit(&probe_watchers, memory_order_relaxed), 0);
	CU_ASSERT_EQUAL((uintptr_t)&probe_watchers % 2, 0); /* as the kernel demands of its counters */
}

static void a_watched_probe_returns_and_changes_no_packet(void)
{
	static struct arrival arrivals[8], arrivals_before[8];
	static struct result results[8];
	static struct departure departures[8];
	static struct probes p;

	memset(arrivals, 0x5a, sizeof(arrivals));
	memset(arrivals_before, 0x5a, sizeof(arrivals_before));
	p.lanes[1] = (struct probe_lane){ (uintptr_t)arrivals, (uintptr_t)results, (uintptr_t)departures, 7, 1 };
	for (uint32_t watchers = 1; watchers; watchers <<= 8) {
		atomic_store_explicit(&probe_watchers, watchers, memory_order_relaxed);
		for (uint64_t first = 5; first < 50; first += 3)
			probe_commit(&p, 1, first << COUNT_SHIFT, 3, 12345);
		CU_ASSERT_EQUAL(memcmp(arrivals, arrivals_before, sizeof(arrivals)), 0);
	}
	atomic_store_explicit(&probe_watchers, 0, memory_order_relaxed);
	CU_ASSERT(p.touched_pkts[1] >= 8);
}

static void an_unwatched_probe_touches_nothing(void)
{
	static struct probes p; /* its lanes are nowhere */

	probe_commit(&p, 1, 5 << COUNT_SHIFT, 3, 12345);
	CU_ASSERT_EQUAL(p.next_pkts[1], 0);
}

static void each_class_is_where_its_packets_are(void)
{
	static struct config c;
	static struct segment seg;
	static struct probes p;
	char why[WHY_BYTES];

	config_defaults(&c);
	snprintf(c.instance, sizeof(c.instance), "unit-probe-%d", getpid());
	CU_ASSERT_EQUAL_FATAL(segment_create(&seg, &c, NULL, 0, why), 0);
	segment_remove(c.instance);
	probe_init(&p, &seg);
	CU_ASSERT_EQUAL(p.segment, seg.shared->header.checksum);
	for (uint32_t class = 0; class < seg.n_classes; class ++) {
		const struct lane_view *v = &seg.views[class];

		CU_ASSERT_EQUAL(p.lanes[class].class, class);
		CU_ASSERT_EQUAL(p.lanes[class].mask, v->slots - 1);
		CU_ASSERT_EQUAL(p.lanes[class].arrivals, (uintptr_t)v->arrivals);
		CU_ASSERT_EQUAL(p.lanes[class].results, (uintptr_t)v->results);
		CU_ASSERT_EQUAL(p.lanes[class].departures, (uintptr_t)v->departures);
	}
	segment_close(&seg);
}

SUITE(probe, TEST(the_entry_is_a_nop_of_five_bytes_and_a_return), TEST(the_twin_is_a_nop_of_one_byte_and_a_return),
      TEST(the_nop_lies_within_one_page), TEST(strip_leaves_the_names), TEST(nobody_watches_at_the_start),
      TEST(a_watched_probe_returns_and_changes_no_packet), TEST(an_unwatched_probe_touches_nothing),
      TEST(each_class_is_where_its_packets_are))

/* probe.c - the probe points are what the kernel can make cheap, and say where the packets are. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "stage/probe.h"
#include "shm/segment.h"
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

/* One lane of eight slots: packet 6 was dropped by ingress, 7 by edf, 8 by egress; 9 is the first slot again. */
static struct arrival arrivals[8];
static struct result results[8];
static struct departure departures[8];
static const struct lane_view view = { .arrivals = arrivals, .results = results, .departures = departures, .mask = 7 };

static void put_packets(void)
{
	for (uint32_t i = 5; i < 11; i++) {
		arrivals[i % 8] = (struct arrival){ 1000, 1010 + i, 1100, .drop = i == 6 ? DROP_OVERSIZE : DROP_NONE };
		results[i % 8] = (struct result){ 1200, 1300 + i,
						  .drop = i == 6   ? DROP_OVERSIZE
							  : i == 7 ? DROP_LATE
								   : DROP_NONE };
		departures[i % 8] =
			(struct departure){ .handed_at_ns = 1400 + i, .drop = i == 8 ? DROP_LATE_EGRESS : DROP_NONE };
	}
}

static void watch(struct probes *p, enum stage_id stage)
{
	memset(p, 0, sizeof(*p));
	p->views = &view;
	p->stage = stage;
	atomic_store_explicit(&probe_watchers, 0x10001, memory_order_relaxed);
	probe_commit(p, 0, 5 << COUNT_SHIFT, 6, 2000);
	atomic_store_explicit(&probe_watchers, 0, memory_order_relaxed);
}

static void a_watched_batch_shows_the_spans_of_what_is_passed_on(void)
{
	static const uint64_t ingress[] = { 15, 85, 17, 83, 18, 82, 19, 81, 20, 80 };
	static const uint64_t edf[] = { 100, 105, 100, 108, 100, 109, 100, 110 };
	static const uint64_t egress[] = { 100, 595, 1000, 100, 591, 1000, 100, 590, 1000 };
	static struct probes p;

	put_packets();
	watch(&p, STAGE_INGRESS);
	CU_ASSERT_EQUAL(memcmp(p.spans_ns, ingress, sizeof(ingress)), 0);
	CU_ASSERT_EQUAL(p.spans_ns[sizeof(ingress) / sizeof(ingress[0])], 0);
	watch(&p, STAGE_EDF);
	CU_ASSERT_EQUAL(memcmp(p.spans_ns, edf, sizeof(edf)), 0);
	CU_ASSERT_EQUAL(p.spans_ns[sizeof(edf) / sizeof(edf[0])], 0);
	watch(&p, STAGE_EGRESS);
	CU_ASSERT_EQUAL(memcmp(p.spans_ns, egress, sizeof(egress)), 0);
	CU_ASSERT_EQUAL(p.spans_ns[sizeof(egress) / sizeof(egress[0])], 0);
}

static void a_clock_that_goes_back_makes_no_span(void)
{
	static struct probes p;

	put_packets();
	arrivals[5].arrived_at_ns = 3000;
	watch(&p, STAGE_INGRESS);
	CU_ASSERT_EQUAL(p.spans_ns[0], 0);
	CU_ASSERT_EQUAL(p.spans_ns[1], 85);
	watch(&p, STAGE_EGRESS);
	CU_ASSERT_EQUAL(p.spans_ns[2], 0);
}

static void an_unwatched_probe_looks_at_nothing(void)
{
	static struct probes p; /* its lanes are nowhere */

	probe_commit(&p, 1, 5 << COUNT_SHIFT, 3, 12345);
	CU_ASSERT_EQUAL(p.spans_ns[0], 0);
}

static void a_segment_is_told_by_its_checksum(void)
{
	static struct config c;
	static struct segment seg;
	static struct probes p;
	char why[WHY_BYTES];

	config_defaults(&c);
	snprintf(c.instance, sizeof(c.instance), "unit-probe-%d", getpid());
	CU_ASSERT_EQUAL_FATAL(segment_create(&seg, &c, NULL, 0, why), 0);
	segment_remove(c.instance);
	probe_init(&p, &seg, STAGE_EDF);
	CU_ASSERT_EQUAL(p.segment, seg.shared->header.checksum);
	CU_ASSERT_EQUAL(p.stage, STAGE_EDF);
	CU_ASSERT_EQUAL(p.views, seg.views);
	segment_close(&seg);
}

SUITE(probe, TEST(the_entry_is_a_nop_of_five_bytes_and_a_return), TEST(the_twin_is_a_nop_of_one_byte_and_a_return),
      TEST(the_nop_lies_within_one_page), TEST(strip_leaves_the_names), TEST(nobody_watches_at_the_start),
      TEST(a_watched_batch_shows_the_spans_of_what_is_passed_on), TEST(a_clock_that_goes_back_makes_no_span),
      TEST(an_unwatched_probe_looks_at_nothing), TEST(a_segment_is_told_by_its_checksum))

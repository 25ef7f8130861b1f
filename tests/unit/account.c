/* account.c - the identity holds at every instant of a packet's way, for every reason to drop it. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "shm/account.h"
#include "shm/segment.h"
#include "suites.h"

#define N_ROUNDS 200000u

/* One class, driven by hand. */
struct bench {
	struct config config;
	struct segment seg;
	struct lane *lane;
	uint64_t received, processed, sent; /* commit words */
	struct ingress_tally ingress;
	struct edf_tally edf;
	struct egress_tally egress;
};

static void bench_open(struct bench *b)
{
	char why[WHY_BYTES];

	memset(b, 0, sizeof(*b));
	config_defaults(&b->config);
	snprintf(b->config.instance, sizeof(b->config.instance), "unit-account-%d", getpid());
	CU_ASSERT_EQUAL_FATAL(segment_create(&b->seg, &b->config, NULL, 0, why), 0);
	segment_remove(b->config.instance);
	b->lane = b->seg.views[0].lane;
}

static struct account look(const struct bench *b)
{
	struct account a;

	CU_ASSERT_EQUAL_FATAL(account_read(&b->seg, 0, &a), 0);
	CU_ASSERT_EQUAL(a.unbalanced_pkts, 0);
	return a;
}

static void publish(struct bench *b, uint32_t n)
{
	b->received = lane_publish(b->lane, b->received, n, &b->ingress);
}

static void pass(struct bench *b, uint32_t n)
{
	b->processed = lane_pass(b->lane, b->processed, n, &b->edf);
}

static void release(struct bench *b, uint32_t n)
{
	b->sent = lane_release(b->lane, b->sent, n, &b->egress);
}

static void a_packet_is_held_until_it_is_sent(void)
{
	struct bench b;

	bench_open(&b);
	b.ingress.read_pkts = 3;
	publish(&b, 3);
	CU_ASSERT_EQUAL(look(&b).held_pkts, 3);
	CU_ASSERT_EQUAL(look(&b).waiting_edf_pkts, 3);
	pass(&b, 2);
	CU_ASSERT_EQUAL(look(&b).held_pkts, 3);
	CU_ASSERT_EQUAL(look(&b).waiting_egress_pkts, 2);
	b.egress.sent_pkts = 2;
	release(&b, 2);
	CU_ASSERT_EQUAL(look(&b).held_pkts, 1);
	CU_ASSERT_EQUAL(look(&b).sent_pkts, 2);
	segment_close(&b.seg);
}

static void a_packet_dropped_in_the_lane_is_counted_once_and_at_once(void)
{
	struct bench b;
	struct account a;

	bench_open(&b);
	b.ingress.read_pkts = 6;
	b.ingress.oversize_pkts = 1;
	publish(&b, 6);
	CU_ASSERT_EQUAL(look(&b).dropped_pkts[DROP_OVERSIZE], 1);
	CU_ASSERT_EQUAL(look(&b).held_pkts, 5);
	b.edf.late_pkts = b.edf.poison_pkts = b.edf.evicted_pkts = b.edf.egress_full_pkts = 1;
	pass(&b, 6);
	CU_ASSERT_EQUAL(look(&b).held_pkts, 1);
	b.egress.passed_dropped_pkts = 5;
	b.egress.late_egress_pkts = 1;
	release(&b, 6);
	a = look(&b);
	CU_ASSERT_EQUAL(a.held_pkts, 0);
	CU_ASSERT_EQUAL(account_dropped_pkts(&a), 6);
	CU_ASSERT_EQUAL(a.sent_pkts, 0);
	segment_close(&b.seg);
}

static void what_never_came_into_the_lane_is_received_and_dropped(void)
{
	struct bench b;
	struct account a;

	bench_open(&b);
	b.ingress.read_pkts = 4;
	b.ingress.ingress_full_pkts = 4;
	b.ingress.kernel_pkts = 1000;
	publish(&b, 0);
	a = look(&b);
	CU_ASSERT_EQUAL(a.received_pkts, 1004);
	CU_ASSERT_EQUAL(a.dropped_pkts[DROP_INGRESS_FULL], 4);
	CU_ASSERT_EQUAL(a.dropped_pkts[DROP_KERNEL], 1000);
	segment_close(&b.seg);
}

static void each_errno_keeps_its_own_count(void)
{
	struct bench b;
	struct account a;

	bench_open(&b);
	b.ingress.read_pkts = 10;
	publish(&b, 10);
	pass(&b, 10);
	b.egress.send_errno[0] = EMSGSIZE;
	b.egress.send_errno_pkts[0] = 7;
	b.egress.send_errno[1] = EPERM;
	b.egress.send_errno_pkts[1] = 3;
	release(&b, 10);
	a = look(&b);
	CU_ASSERT_EQUAL(a.dropped_pkts[DROP_SEND_ERROR], 10);
	CU_ASSERT_EQUAL(a.send_errno[1], EPERM);
	CU_ASSERT_EQUAL(a.send_errno_pkts[1], 3);
	segment_close(&b.seg);
}

static void a_packet_that_vanished_is_missed(void)
{
	struct bench b;
	struct account a;

	bench_open(&b);
	b.ingress.read_pkts = 5;
	publish(&b, 5);
	pass(&b, 5);
	b.egress.sent_pkts = 4;
	release(&b, 5);
	CU_ASSERT_EQUAL(account_read(&b.seg, 0, &a), 0);
	CU_ASSERT_EQUAL(a.unbalanced_pkts, 1);
	b.egress.sent_pkts = 6;
	release(&b, 0);
	CU_ASSERT_EQUAL(account_read(&b.seg, 0, &a), 0);
	CU_ASSERT_EQUAL(a.unbalanced_pkts, -1);
	segment_close(&b.seg);
}

static void *drive(void *arg)
{
	struct bench *b = arg;

	for (uint32_t i = 0; i < N_ROUNDS; i++) {
		uint32_t n = 1 + i % 9, late = i % 3 == 0;

		b->ingress.read_pkts += n;
		publish(b, n);
		b->edf.late_pkts += late;
		pass(b, n);
		b->egress.sent_pkts += n - late;
		b->egress.passed_dropped_pkts += late;
		release(b, n);
	}
	return NULL;
}

static void the_identity_holds_whenever_one_looks(void)
{
	struct bench b;
	struct account a = { 0 };
	pthread_t thread;
	uint32_t looks = 0, broken = 0;

	bench_open(&b);
	pthread_create(&thread, NULL, drive, &b);
	while (a.received_pkts < N_ROUNDS / 9 * 45) {
		int err = account_read(&b.seg, 0, &a);

		looks += !err;
		broken += !err && a.unbalanced_pkts != 0;
	}
	pthread_join(thread, NULL);
	CU_ASSERT(looks > 0);
	CU_ASSERT_EQUAL(broken, 0);
	segment_close(&b.seg);
}

/*
 * One packet for each reason of a list: each is dropped as its stage would count it, and passed by egress if it
 * travels.
 */
static void every_reason_satisfies_the_identity(void)
{
	uint64_t in_lane_pkts = 0, travelled_pkts = 0, ended_pkts = 0;
	struct account a;
	struct bench b;

	bench_open(&b);
	for (int r = DROP_NONE + 1; r < N_DROP_REASONS; r++) {
		enum drop_reason reason = (enum drop_reason)r;

		b.ingress.read_pkts += drop_reason_by(reason) != BY_KERNEL;
		in_lane_pkts += drop_reason_travels(reason) || drop_reason_by(reason) >= BY_EDF;
		travelled_pkts += (uint64_t)drop_reason_travels(reason);
		ended_pkts += drop_reason_by(reason) == BY_EGRESS;
	}
	for (uint32_t i = 0; i < N_INGRESS_DROPS; i++)
		b.ingress.dropped_pkts[i] = 1;
	publish(&b, (uint32_t)in_lane_pkts);
	look(&b);
	for (uint32_t i = 0; i < N_EDF_DROPS; i++)
		b.edf.dropped_pkts[i] = 1;
	pass(&b, (uint32_t)in_lane_pkts);
	CU_ASSERT_EQUAL(look(&b).held_pkts, ended_pkts);
	for (uint32_t i = 0; i < N_EGRESS_DROPS; i++)
		b.egress.dropped_pkts[i] = 1;
	b.egress.send_errno_pkts[0] = 1;
	b.egress.passed_dropped_pkts = travelled_pkts;
	release(&b, (uint32_t)in_lane_pkts);
	a = look(&b);
	for (int r = DROP_NONE + 1; r < N_DROP_REASONS; r++)
		CU_ASSERT_EQUAL(a.dropped_pkts[r], 1);
	CU_ASSERT_EQUAL(a.received_pkts, N_DROP_REASONS - 1);
	CU_ASSERT_EQUAL(a.held_pkts, 0);
	segment_close(&b.seg);
}

SUITE(account, TEST(a_packet_is_held_until_it_is_sent), TEST(a_packet_dropped_in_the_lane_is_counted_once_and_at_once),
      TEST(what_never_came_into_the_lane_is_received_and_dropped), TEST(each_errno_keeps_its_own_count),
      TEST(a_packet_that_vanished_is_missed), TEST(the_identity_holds_whenever_one_looks),
      TEST(every_reason_satisfies_the_identity))

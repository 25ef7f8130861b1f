/* settle.c - what is counted when slots are released, and that a successor counts it the same. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "egress/after.h"
#include "egress/settle.h"
#include "random.h"
#include "suites.h"
#include "tape/comment.h"

#define MS NS_PER_MS

static struct stage stage;
static struct settled settled;

/* One class of the defaults (high: 1 ms), and a segment without a name. */
static void open_settled(void)
{
	char why[WHY_BYTES];

	memset(&stage, 0, sizeof(stage));
	memset(&settled, 0, sizeof(settled));
	config_defaults(&stage.config);
	snprintf(stage.config.instance, sizeof(stage.config.instance), "unit-settle-%d", getpid());
	CU_ASSERT_EQUAL_FATAL(segment_create(&stage.seg, &stage.config, NULL, 0, why), 0);
	segment_remove(stage.config.instance);
	stage.blocks = stage.seg.shared->stages;
	stage.self = &stage.blocks[STAGE_EGRESS];
	stage.space_fd = -1;
	settled.stage = &stage;
	settle_load(&settled, 0);
}

/* A packet that spends `spans[]` ns in each span, from 1 s on; returns when it is sent. */
static uint64_t put_packet(uint32_t index, const uint64_t spans[N_SPANS])
{
	const struct lane_view *v = &stage.seg.views[0];
	uint64_t at = NS_PER_S;

	v->arrivals[index] = (struct arrival){ .arrived_at_ns = at, .len_bytes = 100 };
	v->arrivals[index].read_at_ns = at += spans[SPAN_SOCKET];
	v->arrivals[index].published_at_ns = at += spans[SPAN_INGRESS];
	v->results[index] = (struct result){ .started_at_ns = at += spans[SPAN_EDF_WAIT], .len_bytes = 100 };
	v->results[index].done_at_ns = at += spans[SPAN_EDF_WORK];
	v->departures[index] = (struct departure){ .handed_at_ns = at += spans[SPAN_EGRESS_WAIT] };
	return at + spans[SPAN_EGRESS_SEND];
}

static void a_late_packet_is_blamed_on_its_longest_span(void)
{
	open_settled();
	for (uint32_t worst = 0; worst < N_SPANS; worst++) {
		uint64_t spans[N_SPANS] = { 1000, 1000, 1000, 1000, 1000, 1000 };

		spans[worst] = 2 * MS;
		settle(&settled, 0, 1, put_packet(worst, spans));
		CU_ASSERT_EQUAL(settled.tally[0].late_span_pkts[worst], 1);
		CU_ASSERT_EQUAL(settled.tally[0].sent_late_pkts, worst + 1);
	}
	segment_close(&stage.seg);
}

static void the_spans_of_what_was_sent_add_up_to_its_latency(void)
{
	uint64_t spans[N_SPANS] = { 1, 20, 300, 4000, 50000, 600000 };

	open_settled();
	settle(&settled, 0, 1, put_packet(0, spans));
	settle(&settled, 0, 1, put_packet(1, spans));
	for (int i = 0; i < N_SPANS; i++)
		CU_ASSERT_EQUAL(settled.tally[0].span_sum_ns[i], 2 * spans[i]);
	CU_ASSERT_EQUAL(settled.tally[0].latency_sum_ns, 2 * 654321);
	segment_close(&stage.seg);
}

/* By which an observer tells what became of each (run/tape/comment.h). */
static void a_slot_says_of_its_packet_what_was_counted(void)
{
	static const uint64_t long_send[N_SPANS] = { [SPAN_EGRESS_SEND] = 5 * NS_PER_S };
	uint64_t seed = 20261130, late_pkts[N_SPANS] = { 0 }, total_ns = 0;
	const struct lane_view *v = &stage.seg.views[0];

	open_settled();
	for (uint32_t i = 0; i < 2000; i++) {
		uint64_t spans[N_SPANS];
		struct fate f;

		for (int k = 0; k < N_SPANS; k++)
			spans[k] = random_next(&seed) % (MS / 3);
		settle(&settled, 0, 1, put_packet(i & v->mask, spans));
		fate_read(&f, &v->arrivals[i & v->mask], &v->results[i & v->mask], &v->departures[i & v->mask], MS);
		late_pkts[f.most] += f.is_late != 0;
		total_ns += f.total_ns;
		CU_ASSERT_EQUAL(f.span_ns[SPAN_EGRESS_SEND], spans[SPAN_EGRESS_SEND]);
	}
	CU_ASSERT_EQUAL(total_ns, settled.tally[0].latency_sum_ns);
	CU_ASSERT(settled.tally[0].sent_late_pkts > 100 && settled.tally[0].sent_late_pkts < 1900);
	CU_ASSERT_EQUAL(memcmp(late_pkts, settled.tally[0].late_span_pkts, sizeof(late_pkts)), 0);
	settle(&settled, 0, 1, put_packet(2000 & v->mask, long_send));
	CU_ASSERT_EQUAL(v->departures[2000 & v->mask].send_ns, UINT32_MAX); /* as much as there is room for */
	segment_close(&stage.seg);
}

static void a_packet_just_in_time_is_not_late(void)
{
	uint64_t spans[N_SPANS] = { 0, 0, 0, MS, 0, 0 };

	open_settled();
	settle(&settled, 0, 1, put_packet(0, spans));
	CU_ASSERT_EQUAL(settled.tally[0].sent_late_pkts, 0);
	spans[SPAN_SOCKET] = 1;
	settle(&settled, 0, 1, put_packet(1, spans));
	CU_ASSERT_EQUAL(settled.tally[0].sent_late_pkts, 1);
	CU_ASSERT_EQUAL(settled.tally[0].sent_pkts, 2);
	CU_ASSERT_EQUAL(settled.tally[0].latency_max_ns, MS + 1);
	CU_ASSERT_EQUAL(settled.tally[0].latency_sum_ns, 2 * MS + 1);
	segment_close(&stage.seg);
}

static void each_slot_is_counted_once_under_its_own_name(void)
{
	uint64_t none[N_SPANS] = { 0 };
	const struct lane_view *v;

	open_settled();
	v = &stage.seg.views[0];
	for (uint32_t i = 0; i < 4; i++)
		put_packet(i, none);
	v->results[1].drop = DROP_LATE;
	v->departures[1].drop = DROP_SEND_ERROR; /* of an earlier lap: edf's word comes first */
	v->departures[2].drop = DROP_LATE_EGRESS;
	v->departures[3].drop = DROP_SEND_ERROR;
	v->departures[3].send_errno = EMSGSIZE;
	settle(&settled, 0, 4, NS_PER_S);
	CU_ASSERT_EQUAL(settled.tally[0].sent_pkts, 1);
	CU_ASSERT_EQUAL(settled.tally[0].passed_dropped_pkts, 1);
	CU_ASSERT_EQUAL(settled.tally[0].late_egress_pkts, 1);
	CU_ASSERT_EQUAL(settled.tally[0].send_errno[0], EMSGSIZE);
	CU_ASSERT_EQUAL(settled.tally[0].send_errno_pkts[0], 1);
	CU_ASSERT_EQUAL(lane_sent(v->lane) >> COUNT_SHIFT, 4);
	segment_close(&stage.seg);
}

static void more_errnos_than_places_share_the_last(void)
{
	uint64_t none[N_SPANS] = { 0 };

	open_settled();
	for (uint32_t i = 0; i < SEND_ERRNOS + 3; i++) {
		put_packet(i, none);
		stage.seg.views[0].departures[i].drop = DROP_SEND_ERROR;
		stage.seg.views[0].departures[i].send_errno = 100 + i;
		settle(&settled, 0, 1, NS_PER_S);
	}
	for (uint32_t i = 0; i + 1 < SEND_ERRNOS; i++) {
		CU_ASSERT_EQUAL(settled.tally[0].send_errno[i], 100 + i);
		CU_ASSERT_EQUAL(settled.tally[0].send_errno_pkts[i], 1);
	}
	CU_ASSERT_EQUAL(settled.tally[0].send_errno_pkts[SEND_ERRNOS - 1], 4);
	segment_close(&stage.seg);
}

static uint64_t histogram_total(void)
{
	uint64_t sum = 0;

	for (uint32_t b = 0; b < HISTOGRAM_BUCKETS; b++)
		sum += stage.seg.views[0].lane->latency[b];
	return sum;
}

static void the_histogram_outlives_a_death_between_commit_and_update(void)
{
	uint64_t spans[N_SPANS] = { 5000, 0, 0, 0, 0, 0 };
	struct lane *l;
	uint32_t bucket = histogram_bucket(5000);

	open_settled();
	l = stage.seg.views[0].lane;
	for (uint32_t i = 0; i < 10; i++)
		settle(&settled, 0, 1, put_packet(i, spans));
	CU_ASSERT_EQUAL(l->latency[bucket], 10);
	/* The stage died after the commit of the tenth, before the update: the bank tells the successor. */
	atomic_store_explicit(&l->latency[bucket], 9, memory_order_relaxed);
	memset(&settled.tally, 0, sizeof(settled.tally));
	memset(&settled.latency, 0, sizeof(settled.latency));
	settle_load(&settled, 0);
	CU_ASSERT_EQUAL(l->latency[bucket], 10);
	CU_ASSERT_EQUAL(settled.tally[0].sent_pkts, 10);
	settle_load(&settled, 0); /* and a successor that dies right there changes nothing */
	settle(&settled, 0, 1, put_packet(10, spans));
	CU_ASSERT_EQUAL(l->latency[bucket], 11);
	CU_ASSERT_EQUAL(histogram_total(), settled.tally[0].sent_pkts);
	segment_close(&stage.seg);
}

/* Both neighbours wait for room: the loop wakes them, once for all that a step released. */
static void counting_says_how_many_slots_to_ring_for_and_rings_for_none(void)
{
	uint64_t none[N_SPANS] = { 0 };

	open_settled();
	for (uint32_t i = 0; i < 3; i++)
		put_packet(i, none);
	atomic_store_explicit(&stage.blocks[STAGE_EDF].parked, PARKED_FOR_SPACE, memory_order_relaxed);
	atomic_store_explicit(&stage.blocks[STAGE_INGRESS].parked, PARKED_FOR_SPACE, memory_order_relaxed);
	settle(&settled, 0, 1, NS_PER_S);
	settle(&settled, 0, 2, NS_PER_S);
	CU_ASSERT_EQUAL(stage.blocks[STAGE_EDF].parked, PARKED_FOR_SPACE);
	CU_ASSERT_EQUAL(stage.blocks[STAGE_INGRESS].parked, PARKED_FOR_SPACE);
	CU_ASSERT_EQUAL(settled.unrung_classes, 1);
	segment_close(&stage.seg);
}

static void after(uint64_t wait_ns, uint64_t send_ns, int n)
{
	uint64_t spans[N_SPANS] = { MS, MS, MS, MS, wait_ns, send_ns };

	while (n--)
		settle(&settled, 0, 1, put_packet(lane_index(&stage.seg.views[0], settled.sent[0], 0), spans));
}

static uint64_t told_ns(void)
{
	return atomic_load_explicit(&stage.seg.views[0].lane->after_ns, memory_order_relaxed);
}

static void half_of_the_packets_need_less_after_edf_than_is_told(void)
{
	open_settled();
	CU_ASSERT_EQUAL(settled.after[0], MARGIN_START_NS << AFTER_SHIFT);
	after(150000, 50000, 1500);
	CU_ASSERT(told_ns() > 180000 && told_ns() < 205000);
	for (int i = 0; i < 6000; i++) { /* one in three is slow */
		after(5000, 3000, 2);
		after(900000, 3000, 1);
	}
	CU_ASSERT(told_ns() > 7500 && told_ns() < 9000);
	for (int i = 0; i < 6000; i++) { /* two in three */
		after(5000, 3000, 1);
		after(900000, 3000, 2);
	}
	CU_ASSERT(told_ns() > 840000 && told_ns() < 960000);
	segment_close(&stage.seg);
}

static void the_time_after_edf_is_within_bounds_and_is_handed_on(void)
{
	uint64_t learned;

	open_settled();
	after(0, 0, 6000);
	CU_ASSERT_EQUAL(settled.after[0], AFTER_LEAST_NS << AFTER_SHIFT);
	CU_ASSERT(told_ns() >= AFTER_LEAST_NS);
	after(10 * NS_PER_S, 0, 16000);
	CU_ASSERT_EQUAL(settled.after[0], AFTER_MOST_NS << AFTER_SHIFT);
	after(60000, 0, 10000);
	learned = told_ns();
	settled.after[0] = 0;
	settle_load(&settled, 0);
	CU_ASSERT_EQUAL(settled.after[0], learned << AFTER_SHIFT);
	atomic_store_explicit(&stage.seg.views[0].lane->after_ns, UINT64_MAX, memory_order_relaxed); /* damaged */
	settle_load(&settled, 0);
	CU_ASSERT_EQUAL(settled.after[0], MARGIN_START_NS << AFTER_SHIFT);
	segment_close(&stage.seg);
}

/* As those of a train do: what is counted together is the same as if each had been counted alone. */
static void packets_that_went_together_count_each(void)
{
	static const uint64_t spans[][N_SPANS] = { { 1, 2, 3, 4, 5, 6 },      { 1, 2, 3, 4, 5, 6 },
						   { 1, 2, 3, 4, 5, 6 },      { 2, 1, 3, 4, 5, 6 },
						   { 2 * MS, 2, 3, 4, 5, 6 }, { 2 * MS, 2, 3, 4, 5, 6 },
						   { 1, 2, 3, 4, 5, 6 } };
	const uint32_t n = sizeof(spans) / sizeof(spans[0]);
	const struct egress_tally *t = &settled.tally[0];
	uint64_t sent_at_ns = 0, sum_ns[N_SPANS] = { 0 }, latency_ns = 0, late = 0;
	uint64_t after = 0;

	open_settled();
	after = settled.after[0];
	for (uint32_t i = 0; i < n; i++) {
		uint64_t at_ns = put_packet(i, spans[i]);

		sent_at_ns = at_ns > sent_at_ns ? at_ns : sent_at_ns;
		stage.seg.views[0].departures[i].marked = i == 1;
	}
	for (uint32_t i = 0; i < n; i++) {
		const struct lane_view *v = &stage.seg.views[0];
		uint64_t send_ns = sent_at_ns - v->departures[i].handed_at_ns;

		for (int k = 0; k < N_SPANS; k++)
			sum_ns[k] += k == SPAN_EGRESS_SEND ? send_ns : spans[i][k];
		latency_ns += sent_at_ns - v->arrivals[i].arrived_at_ns;
		late += sent_at_ns - v->arrivals[i].arrived_at_ns > MS;
		after = after_learn(after, spans[i][SPAN_EGRESS_WAIT] + send_ns);
	}
	settle(&settled, 0, n, sent_at_ns);
	CU_ASSERT_EQUAL(t->sent_pkts, n);
	CU_ASSERT_EQUAL(t->sent_bytes, 100 * n);
	CU_ASSERT_EQUAL(t->marked_pkts, 1);
	CU_ASSERT_EQUAL(t->latency_sum_ns, latency_ns);
	CU_ASSERT_EQUAL(t->sent_late_pkts, late);
	CU_ASSERT_EQUAL(t->late_span_pkts[SPAN_SOCKET], 2);
	CU_ASSERT_EQUAL(memcmp(t->span_sum_ns, sum_ns, sizeof(sum_ns)), 0);
	CU_ASSERT_EQUAL(settled.after[0], after);
	CU_ASSERT_EQUAL(t->n_updates, 4); /* runs */
	/* relaxed: its own store */
	CU_ASSERT_EQUAL(atomic_load_explicit(&stage.seg.views[0].lane->latency[histogram_bucket(latency_ns / n)],
					     memory_order_relaxed),
			n);
	segment_close(&stage.seg);
}

SUITE(settle, TEST(half_of_the_packets_need_less_after_edf_than_is_told),
      TEST(the_time_after_edf_is_within_bounds_and_is_handed_on), TEST(a_late_packet_is_blamed_on_its_longest_span),
      TEST(the_spans_of_what_was_sent_add_up_to_its_latency), TEST(a_slot_says_of_its_packet_what_was_counted),
      TEST(a_packet_just_in_time_is_not_late), TEST(each_slot_is_counted_once_under_its_own_name),
      TEST(more_errnos_than_places_share_the_last), TEST(counting_says_how_many_slots_to_ring_for_and_rings_for_none),
      TEST(the_histogram_outlives_a_death_between_commit_and_update), TEST(packets_that_went_together_count_each))

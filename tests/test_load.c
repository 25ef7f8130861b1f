/* test_load.c - what the load generator counts, and when its datagrams are due. */
#include "../run/load_flow.h"
#include "../run/load_schedule.h"
#include "../run/load_short.h"
#include "clock.h"
#include "suites.h"

#define SEED 7
#define N_PKTS 1000u

static struct flow flow;

static void begin(uint32_t smallest, uint32_t largest)
{
	flow = (struct flow){ .n_orders = 1, .sizes = { SEED, smallest, largest, 0, 0 } };
	flow_reset(&flow, 5 << STREAM_RUN_SHIFT | 1);
}

static void come_as(uint64_t sequence, uint32_t stream)
{
	uint8_t payload[MAX_LOAD_BYTES];
	uint32_t bytes = packet_bytes(&flow.sizes, sequence);

	packet_fill_stream(payload, bytes, stream, sequence, 0);
	flow_note(&flow, payload, bytes, 1000);
}

static void come(uint64_t sequence)
{
	come_as(sequence, flow.stream);
}

static void end(uint64_t sent)
{
	flow.sent_pkts = sent;
	flow_end(&flow, 1);
}

static void check(int64_t lost, uint64_t doubled, uint64_t reordered, uint64_t corrupt)
{
	CU_ASSERT_EQUAL(flow_lost_pkts(&flow), lost);
	CU_ASSERT_EQUAL(flow.doubled_pkts, doubled);
	CU_ASSERT_EQUAL(flow.reordered_pkts, reordered);
	CU_ASSERT_EQUAL(flow.corrupt_pkts, corrupt);
}

static void a_whole_sequence_has_nothing_wrong(void)
{
	for (uint32_t largest = 0; largest < 100; largest++) {
		begin(0, largest);
		for (uint64_t i = 0; i < N_PKTS; i++)
			come(i);
		end(N_PKTS);
		check(0, 0, 0, 0);
	}
}

/* Whichever is lost, doubled or swapped with the next of another size: it is told, whatever its size. */
static void one_change_is_one_count(void)
{
	for (uint64_t at = 0; at < 60; at++) {
		begin(0, 60);
		for (uint64_t i = 0; i < 200; i++)
			if (i != at)
				come(i);
		end(200);
		check(1, 0, 0, 0);
		begin(0, 60);
		for (uint64_t i = 0; i < 200; i++) {
			come(i);
			if (i == at)
				come(i);
		}
		end(200);
		check(0, 1, 0, 0);
		if (packet_bytes(&flow.sizes, at) == packet_bytes(&flow.sizes, at + 1))
			continue;
		begin(0, 60);
		for (uint64_t i = 0; i < 200; i++)
			come(i == at ? i + 1 : i == at + 1 ? at : i);
		end(200);
		check(0, 0, 1, 0);
	}
}

static void a_change_of_the_order_of_nothing_but_short_ones_is_noticed(void)
{
	begin(0, 16);
	for (uint64_t i = 0; i < N_PKTS; i++)
		come(N_PKTS - 1 - i);
	end(N_PKTS);
	check(0, 0, 1, 0);
}

static void a_changed_byte_is_noticed_anywhere(void)
{
	uint8_t payload[MAX_LOAD_BYTES];
	struct packet_header h;

	for (uint32_t bytes = 1; bytes < 80; bytes++)
		for (uint32_t at = 0; at < bytes; at++) {
			packet_fill_stream(payload, bytes, 9, bytes, at);
			CU_ASSERT_EQUAL(packet_read(payload, bytes, &h), bytes >= sizeof(h));
			payload[at] ^= (uint8_t)(1 + at);
			CU_ASSERT_EQUAL(packet_read(payload, bytes, &h), -1);
		}
}

static void another_run_is_a_stray_and_another_class_a_change(void)
{
	begin(24, 40);
	come(0);
	come_as(1, 6 << STREAM_RUN_SHIFT | 1);
	come_as(1, 5 << STREAM_RUN_SHIFT | 2);
	end(2);
	CU_ASSERT_EQUAL(flow.stray_pkts, 1);
	CU_ASSERT_EQUAL(flow.received_pkts, 1);
	CU_ASSERT_EQUAL(flow.corrupt_pkts, 1);
}

static void order_is_told_per_source(void)
{
	begin(24, 40);
	flow.n_orders = 2; /* even and odd */
	come(1);
	come(3);
	come(0);
	come(2);
	CU_ASSERT_EQUAL(flow.reordered_pkts, 0);
	come(6);
	come(4);
	end(7);
	check(1, 0, 1, 0);
}

static void every_kind_of_arrivals_keeps_its_rate(void)
{
	for (int kind = 0; kind < N_ARRIVALS; kind++) {
		struct schedule s;
		double before = -1;

		schedule_start(&s, (enum arrivals)kind, 32, 1000, 0, SEED);
		for (int i = 0; i < 320000; i++) {
			CU_ASSERT_FATAL(s.due_at_ns >= before);
			before = s.due_at_ns;
			schedule_next(&s);
		}
		CU_ASSERT_DOUBLE_EQUAL(s.due_at_ns, 320.0 * NS_PER_S, 0.03 * 320 * NS_PER_S);
	}
}

static void a_burst_is_due_at_once(void)
{
	struct schedule s;
	uint32_t together = 0;

	schedule_start(&s, ARRIVALS_BURSTY, 8, 1000, 0, SEED);
	for (int i = 0; i < 800; i++) {
		double before = s.due_at_ns;

		schedule_next(&s);
		together += s.due_at_ns == before;
	}
	CU_ASSERT_EQUAL(together, 700);
}

SUITE(load, TEST(a_whole_sequence_has_nothing_wrong), TEST(one_change_is_one_count),
      TEST(a_change_of_the_order_of_nothing_but_short_ones_is_noticed), TEST(a_changed_byte_is_noticed_anywhere),
      TEST(another_run_is_a_stray_and_another_class_a_change), TEST(order_is_told_per_source),
      TEST(every_kind_of_arrivals_keeps_its_rate), TEST(a_burst_is_due_at_once))

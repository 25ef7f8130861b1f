/* pick.c - which socket is read next: one flow per listen address, shares by quantum, full lanes left alone. */
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingress/pick.h"
#include "random.h"
#include "suites.h"

#define BATCH_PKTS 64
#define LONGEST_BYTES 1400
#define ALL_READY UINT64_MAX

static uint64_t random_state;

static uint32_t random_below(uint32_t n)
{
	return (uint32_t)((random_next(&random_state) >> 32) % n);
}

static void add_class(struct config *c, uint32_t n_listen, uint32_t quantum_bytes)
{
	c->classes[c->n_classes].n_listen = n_listen;
	c->classes[c->n_classes++].ingress_quantum_bytes = quantum_bytes;
}

/* three_classes - flows 0 | 1 2 3 4 | 5 6, with quanta of 24000, 6000 and 1500 bytes. */
static struct ingress three_classes(void)
{
	struct config c = { 0 };
	struct ingress in;

	add_class(&c, 1, 24000);
	add_class(&c, 4, 6000);
	add_class(&c, 2, 1500);
	memset(&in, 0x5a, sizeof(in));
	ingress_init(&in, &c);
	return in;
}

static const uint32_t room[MAX_CLASSES] = { 64, 1, 65536 };

static void each_listen_address_is_a_flow_in_the_order_of_the_config(void)
{
	static const uint8_t class_of[] = { 0, 1, 1, 1, 1, 2, 2 }, listen_of[] = { 0, 0, 1, 2, 3, 0, 1 };
	struct ingress in = three_classes();

	CU_ASSERT_EQUAL(in.n_flows, 7);
	CU_ASSERT_EQUAL(in.drr.n_flows, 7);
	CU_ASSERT_EQUAL(in.ready, 0);
	CU_ASSERT_EQUAL(memcmp(in.class_of, class_of, sizeof(class_of)), 0);
	CU_ASSERT_EQUAL(memcmp(in.listen_of, listen_of, sizeof(listen_of)), 0);
}

static void each_flow_has_the_whole_quantum_of_its_class_and_no_deficit(void)
{
	static const uint32_t quanta[] = { 24000, 6000, 6000, 6000, 6000, 1500, 1500 };
	struct ingress in = three_classes();

	for (uint32_t flow = 0; flow < 7; flow++) {
		CU_ASSERT_EQUAL(in.drr.quantum_bytes[flow], quanta[flow]);
		CU_ASSERT_EQUAL(in.drr.deficit_bytes[flow], 0);
	}
}

static void sixteen_classes_of_four_addresses_are_64_flows_and_the_last_is_read(void)
{
	struct config c = { 0 };
	uint32_t room_last[MAX_CLASSES] = { 0 };
	struct ingress in;

	for (uint32_t i = 0; i < MAX_CLASSES; i++)
		add_class(&c, MAX_LISTEN, 2000 + i);
	ingress_init(&in, &c);
	CU_ASSERT_EQUAL_FATAL(in.n_flows, MAX_FLOWS);
	for (uint32_t flow = 0; flow < MAX_FLOWS; flow++) {
		CU_ASSERT_EQUAL(in.class_of[flow], flow / MAX_LISTEN);
		CU_ASSERT_EQUAL(in.listen_of[flow], flow % MAX_LISTEN);
		CU_ASSERT_EQUAL(in.drr.quantum_bytes[flow], 2000 + flow / MAX_LISTEN);
	}
	room_last[MAX_CLASSES - 1] = 1;
	in.ready = 1ULL << 63;
	CU_ASSERT_EQUAL(ingress_pick(&in, room_last), 63);
	in.ready = ALL_READY;
	ingress_charge(&in, 63, 2015, 1);
	CU_ASSERT_EQUAL(in.ready, ALL_READY >> 1);
	CU_ASSERT_EQUAL(ingress_pick(&in, room_last), 60);
}

/* Of four classes the second is a way back, of the first, and the last, of the third. */
static void the_ways_back_are_flows_behind_those_of_all_addresses(void)
{
	static const uint8_t class_of[] = { 0, 0, 2, 1, 3 };
	static const uint32_t quanta[] = { 6000, 6000, 1500, 24000, 3000 };
	struct config c = { 0 };
	struct ingress in;

	add_class(&c, 2, 6000);
	add_class(&c, 0, 24000);
	add_class(&c, 1, 1500);
	add_class(&c, 0, 3000);
	for (uint32_t i = 0; i < 4; i++)
		snprintf(c.classes[i].name, sizeof(c.classes[i].name), "class%u", i);
	snprintf(c.classes[0].replies, sizeof(c.classes[0].replies), "class1");
	snprintf(c.classes[2].replies, sizeof(c.classes[2].replies), "class3");
	memset(&in, 0x5a, sizeof(in));
	ingress_init(&in, &c);
	CU_ASSERT_EQUAL(in.n_inputs, 3);
	CU_ASSERT_EQUAL_FATAL(in.n_flows, 5);
	CU_ASSERT_EQUAL(in.drr.n_flows, 5);
	CU_ASSERT_EQUAL(memcmp(in.class_of, class_of, sizeof(class_of)), 0);
	CU_ASSERT_EQUAL(memcmp(in.drr.quantum_bytes, quanta, sizeof(quanta)), 0);
}

static void a_flow_that_is_not_ready_is_not_read(void)
{
	struct ingress in = three_classes();

	CU_ASSERT_EQUAL(ingress_pick(&in, room), -1);
	for (int flow = 6; flow >= 0; flow--) {
		in.ready = 1ULL << flow;
		CU_ASSERT_EQUAL(ingress_pick(&in, room), flow);
	}
}

static void a_flow_whose_lane_has_no_room_is_left_alone(void)
{
	uint32_t some[MAX_CLASSES] = { 5, 0, 1 };
	struct ingress in = three_classes();
	uint32_t picked = 0;

	in.ready = ALL_READY;
	for (int i = 0; i < 300; i++) {
		int flow = ingress_pick(&in, some);

		CU_ASSERT_FATAL(flow >= 0);
		picked |= 1U << flow;
		ingress_charge(&in, flow, LONGEST_BYTES, 0);
	}
	CU_ASSERT_EQUAL(picked, 0x61); /* 0, 5 and 6 */
	CU_ASSERT_EQUAL(in.ready, ALL_READY); /* its datagrams wait */
	some[1] = 1;
	some[0] = some[2] = 0;
	CU_ASSERT_EQUAL(ingress_pick(&in, some), 1);
}

/* When no lane has room nothing is served, so nobody's turn passes and no credit or debt may change. */
static void while_no_lane_has_room_nothing_changes(void)
{
	static const uint32_t none[MAX_CLASSES] = { 0 };
	struct ingress in = three_classes(), before;

	in.ready = 0x7f;
	CU_ASSERT_EQUAL(ingress_pick(&in, room), 0);
	ingress_charge(&in, 0, 90000, 0);
	CU_ASSERT_EQUAL(ingress_pick(&in, room), 1);
	ingress_charge(&in, 1, 100, 0);
	before = in;
	CU_ASSERT_EQUAL(ingress_pick(&in, none), -1);
	CU_ASSERT_EQUAL(memcmp(&in, &before, sizeof(in)), 0);
	CU_ASSERT_EQUAL(ingress_pick(&in, room), 1);
	CU_ASSERT_EQUAL(drr_allowance_bytes(&in.drr, 1), 5900);
	in.ready = 1 << 7; /* of a flow that there is not */
	before = in;
	CU_ASSERT_EQUAL(ingress_pick(&in, room), -1);
	CU_ASSERT_EQUAL(memcmp(&in, &before, sizeof(in)), 0);
}

static void a_drained_flow_is_not_read_again_until_it_is_ready(void)
{
	struct ingress in = three_classes();

	in.ready = 0x6;
	CU_ASSERT_EQUAL(ingress_pick(&in, room), 1);
	ingress_charge(&in, 1, 100, 0);
	CU_ASSERT_EQUAL(in.ready, 0x6);
	CU_ASSERT_EQUAL(ingress_pick(&in, room), 1);
	ingress_charge(&in, 1, 100, 1);
	CU_ASSERT_EQUAL(in.ready, 0x4);
	CU_ASSERT_EQUAL(ingress_pick(&in, room), 2);
	ingress_charge(&in, 2, 0, 1); /* it was ready for nothing */
	CU_ASSERT_EQUAL(in.ready, 0);
	CU_ASSERT_EQUAL(ingress_pick(&in, room), -1);
	in.ready = 0x2;
	CU_ASSERT_EQUAL(ingress_pick(&in, room), 1);
	CU_ASSERT_EQUAL(drr_allowance_bytes(&in.drr, 1), 6000); /* what it had left is forfeited */
}

/* A batch overdraws: 24000 - 89600 = -65600. Two more turns of 24000 leave it in debt, the third gives it 6400. */
static void an_overdrawn_batch_is_paid_back_before_the_flow_is_read_again(void)
{
	static const int expected[] = { 5, 5, 5, 0, 5 };
	struct ingress in = three_classes();

	in.ready = 0x21;
	CU_ASSERT_EQUAL(ingress_pick(&in, room), 0);
	ingress_charge(&in, 0, 64 * 1400, 0);
	CU_ASSERT_EQUAL(in.drr.deficit_bytes[0], -65600);
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		CU_ASSERT_EQUAL_FATAL(ingress_pick(&in, room), expected[i]);
		ingress_charge(&in, expected[i], expected[i] ? 1500 : 6400, 0);
	}
}

/* check_shares - read sockets that never run dry, in batches, and compare the bytes with the quanta. */
static void check_shares(uint32_t batch_pkts, const uint32_t *lengths)
{
	struct ingress in = three_classes();
	uint64_t got[7] = { 0 }, total = 0, quanta = 24000 + 4 * 6000 + 2 * 1500;

	in.ready = 0x7f;
	for (uint32_t i = 0; i < 100000; i++) {
		int flow = ingress_pick(&in, room);
		uint32_t n = 1 + random_below(batch_pkts), bytes = 0;

		CU_ASSERT_FATAL(flow >= 0);
		while (n--)
			bytes += lengths ? lengths[flow] : 64 + random_below(LONGEST_BYTES - 63);
		ingress_charge(&in, flow, bytes, 0);
		CU_ASSERT_FATAL(in.drr.deficit_bytes[flow] > -(int64_t)(batch_pkts * LONGEST_BYTES));
		got[flow] += bytes;
		total += bytes;
	}
	for (uint32_t flow = 0; flow < 7; flow++) {
		uint64_t due = total * in.drr.quantum_bytes[flow] / quanta;

		CU_ASSERT(llabs((long long)(got[flow] - due)) <= (long long)(due / 100));
	}
}

static void bytes_read_are_shared_by_quantum_whatever_the_lengths(void)
{
	static const uint32_t rising[] = { 64, 700, 700, 64, 1400, 1400, 700 };
	static const uint32_t falling[] = { 1400, 64, 700, 1400, 64, 64, 700 };

	random_state = 0x9e3779b97f4a7c15;
	for (uint32_t batch_pkts = 1; batch_pkts <= BATCH_PKTS; batch_pkts *= 8) {
		check_shares(batch_pkts, rising);
		check_shares(batch_pkts, falling);
		check_shares(batch_pkts, NULL);
	}
}

static uint64_t flows_with(const struct ingress *in, const uint32_t *rooms)
{
	uint64_t flows = 0;

	for (uint32_t flow = 0; flow < in->n_flows; flow++)
		flows |= (uint64_t)((in->ready >> flow & 1) && rooms[in->class_of[flow]]) << flow;
	return flows;
}

/* Work conserving, and never a flow that must not be read: over random readiness, room, batches and drained flows. */
static void a_flow_is_found_exactly_when_one_is_ready_and_has_room(void)
{
	struct ingress in = three_classes();

	random_state = 0x2545f4914f6cdd1d;
	for (int i = 0; i < 200000; i++) {
		uint32_t rooms[MAX_CLASSES];
		uint64_t ready, may;
		int flow, drained = random_below(3) == 0;

		for (int j = 0; j < 3; j++)
			rooms[j] = random_below(2) * random_below(100);
		in.ready |= random_below(128) & random_below(128);
		ready = in.ready;
		may = flows_with(&in, rooms);
		flow = ingress_pick(&in, rooms);
		CU_ASSERT_EQUAL_FATAL(in.ready, ready);
		CU_ASSERT_EQUAL_FATAL(flow >= 0, may != 0);
		if (flow < 0)
			continue;
		CU_ASSERT_FATAL(may >> flow & 1);
		CU_ASSERT_FATAL(drr_allowance_bytes(&in.drr, flow) > 0);
		ingress_charge(&in, flow, random_below(BATCH_PKTS * LONGEST_BYTES), drained);
		CU_ASSERT_EQUAL_FATAL(in.ready, drained ? ready & ~(1ULL << flow) : ready);
	}
}

/* A burst is read in calls of 4, 16 and 64, the next in one; then singles bring it down. */
static void a_call_asks_for_what_came_last_and_some_room(void)
{
	static const uint32_t singles[] = { 64, 32, 16, 8, 4, 4 };
	struct ingress in = three_classes();

	CU_ASSERT_EQUAL(ingress_asks_pkts(&in, 3, 100), 4);
	ingress_learn(&in, 3, 4, 4);
	CU_ASSERT_EQUAL(ingress_asks_pkts(&in, 3, 100), 16);
	ingress_learn(&in, 3, 16, 16);
	for (uint32_t got = 64; got >= 16; got -= 8) {
		CU_ASSERT_EQUAL(ingress_asks_pkts(&in, 3, 100), 64);
		ingress_learn(&in, 3, 64, got);
	}
	for (size_t i = 0; i < sizeof(singles) / sizeof(singles[0]); i++) {
		CU_ASSERT_EQUAL(ingress_asks_pkts(&in, 3, 100), singles[i]);
		ingress_learn(&in, 3, singles[i], 1);
	}
	ingress_learn(&in, 3, 4, 0);
	CU_ASSERT_EQUAL(ingress_asks_pkts(&in, 3, 100), 4); /* not less */
	CU_ASSERT_EQUAL(ingress_asks_pkts(&in, 2, 100), 4); /* each flow has its own */
}

/* What a full lane let in says nothing of what waits in the socket. */
static void a_call_asks_for_no_more_than_there_is_room_for_and_learns_nothing_from_that(void)
{
	struct ingress in = three_classes();

	for (int i = 0; i < 3; i++)
		ingress_learn(&in, 0, 64, 64);
	CU_ASSERT_EQUAL(ingress_asks_pkts(&in, 0, 2), 2);
	ingress_learn(&in, 0, 2, 2);
	ingress_learn(&in, 0, 2, 1);
	CU_ASSERT_EQUAL(ingress_asks_pkts(&in, 0, 100), 64);
}

SUITE(ingress, TEST(each_listen_address_is_a_flow_in_the_order_of_the_config),
      TEST(each_flow_has_the_whole_quantum_of_its_class_and_no_deficit),
      TEST(sixteen_classes_of_four_addresses_are_64_flows_and_the_last_is_read),
      TEST(the_ways_back_are_flows_behind_those_of_all_addresses), TEST(a_flow_that_is_not_ready_is_not_read),
      TEST(a_flow_whose_lane_has_no_room_is_left_alone), TEST(while_no_lane_has_room_nothing_changes),
      TEST(a_drained_flow_is_not_read_again_until_it_is_ready),
      TEST(an_overdrawn_batch_is_paid_back_before_the_flow_is_read_again),
      TEST(bytes_read_are_shared_by_quantum_whatever_the_lengths),
      TEST(a_flow_is_found_exactly_when_one_is_ready_and_has_room), TEST(a_call_asks_for_what_came_last_and_some_room),
      TEST(a_call_asks_for_no_more_than_there_is_room_for_and_learns_nothing_from_that))

/* send.c - what is shed, and that a look changes nothing. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "egress/send.h"
#include "suites.h"

#define BUDGET_NS NS_PER_MS /* of the first class of the defaults */
#define ARRIVED_NS NS_PER_S
#define LATE_NS (ARRIVED_NS + BUDGET_NS + 1)
#define MANY 1200 /* more than are judged at once, and so is what lies before the last of them */
#define HEADERS 28

static struct stage stage;
static struct sender sender;
static struct edf_tally edf_tally;
static uint64_t processed;

/* Without outputs: nothing is sent here. */
static void open_sender(enum late late)
{
	char why[WHY_BYTES];

	memset(&stage, 0, sizeof(stage));
	memset(&sender, 0, sizeof(sender));
	processed = 0;
	config_defaults(&stage.config);
	stage.config.late = late;
	stage.config.classes[0].ingress_to_edf_pkts = 2 * MANY;
	snprintf(stage.config.instance, sizeof(stage.config.instance), "unit-send-%d", getpid());
	CU_ASSERT_EQUAL_FATAL(segment_create(&stage.seg, &stage.config, NULL, 0, why), 0);
	segment_remove(stage.config.instance);
	stage.blocks = stage.seg.shared->stages;
	stage.self = &stage.blocks[STAGE_EGRESS];
	sender.stage = sender.settled.stage = &stage;
	sender.journal = &stage.seg.shared->egress_journal;
	sender.outputs[0][0].overhead_bytes = HEADERS;
	settle_load(&sender.settled, 0);
}

/* Edf passes n packets on, all dropped for that reason, or none. */
static void pass(uint32_t n, enum drop_reason drop)
{
	const struct lane_view *v = &stage.seg.views[0];

	for (uint32_t i = 0; i < n; i++) {
		uint32_t index = lane_index(v, processed, i);

		v->arrivals[index] = (struct arrival){ .arrived_at_ns = ARRIVED_NS, .len_bytes = 100 };
		v->results[index] = (struct result){ .len_bytes = 100, .drop = (uint8_t)drop };
		v->departures[index] =
			(struct departure){ .handed_at_ns = 77, .drop = DROP_SEND_ERROR }; /* an earlier lap's */
	}
	processed = lane_pass(v->lane, processed, n, &edf_tally);
}

static uint64_t sent_pkts(void)
{
	return lane_sent(stage.seg.views[0].lane) >> COUNT_SHIFT;
}

static void a_look_at_the_head_releases_marks_and_counts_nothing(void)
{
	const struct departure *d;

	open_sender(LATE_DROP);
	d = &stage.seg.views[0].departures[0];
	CU_ASSERT_EQUAL(send_head_bytes(&sender, 0, ARRIVED_NS), 0);
	CU_ASSERT(send_is_idle(&sender));
	pass(1, DROP_NONE);
	CU_ASSERT_EQUAL(send_head_bytes(&sender, 0, LATE_NS), 100 + HEADERS);
	CU_ASSERT(!send_is_idle(&sender));
	CU_ASSERT_EQUAL(sent_pkts(), 0);
	CU_ASSERT_EQUAL(d->handed_at_ns, 77);
	CU_ASSERT_EQUAL(d->drop, DROP_SEND_ERROR);
	CU_ASSERT_EQUAL(sender.settled.tally[0].late_egress_pkts, 0);
	segment_close(&stage.seg);
}

static void shedding_drops_what_is_late_and_stops_at_what_is_not(void)
{
	open_sender(LATE_DROP);
	pass(2, DROP_NONE);
	send_shed(&sender, 0, LATE_NS - 1);
	CU_ASSERT_EQUAL(sent_pkts(), 0);
	CU_ASSERT_EQUAL(stage.seg.views[0].departures[0].drop, DROP_NONE);
	stage.seg.views[0].arrivals[1].arrived_at_ns++;
	send_shed(&sender, 0, LATE_NS);
	CU_ASSERT_EQUAL(sent_pkts(), 1);
	CU_ASSERT_EQUAL(sender.settled.tally[0].late_egress_pkts, 1);
	CU_ASSERT_EQUAL(sender.settled.unrung_classes, 1);
	CU_ASSERT_EQUAL(stage.seg.views[0].departures[1].handed_at_ns, 77); /* stamped once, when it is handed on */
	segment_close(&stage.seg);
}

static void what_is_late_is_not_shed_where_late_means_send(void)
{
	open_sender(LATE_SEND);
	pass(1, DROP_NONE);
	send_shed(&sender, 0, LATE_NS);
	CU_ASSERT_EQUAL(sent_pkts(), 0);
	CU_ASSERT_EQUAL(send_head_bytes(&sender, 0, LATE_NS), 100 + HEADERS);
	segment_close(&stage.seg);
}

/* A stage that sleeps behind dropped packets is not rung for what it has not looked at. */
static void however_many_are_dropped_the_first_to_be_sent_is_found_in_one_step(void)
{
	open_sender(LATE_SEND);
	pass(MANY, DROP_EVICTED);
	pass(1, DROP_NONE);
	send_shed(&sender, 0, ARRIVED_NS);
	CU_ASSERT_EQUAL(sent_pkts(), MANY);
	CU_ASSERT_EQUAL(sender.settled.tally[0].passed_dropped_pkts, MANY);
	CU_ASSERT_EQUAL(sender.settled.unrung_classes, 1);
	CU_ASSERT_EQUAL(send_head_bytes(&sender, 0, ARRIVED_NS), 100 + HEADERS);
	segment_close(&stage.seg);
}

static void a_class_that_waits_for_a_retry_is_left_alone(void)
{
	open_sender(LATE_DROP);
	pass(1, DROP_NONE);
	sender.retry_at_ns[0] = LATE_NS + 5;
	send_shed(&sender, 0, LATE_NS + 4);
	CU_ASSERT_EQUAL(send_head_bytes(&sender, 0, LATE_NS + 4), 0);
	CU_ASSERT_EQUAL(sent_pkts(), 0);
	CU_ASSERT(!send_is_idle(&sender));
	send_shed(&sender, 0, LATE_NS + 5);
	CU_ASSERT_EQUAL(sent_pkts(), 1);
	segment_close(&stage.seg);
}

/* As when edf passes packets on between the two looks of a step. */
static void what_came_after_the_look_is_not_sent_unjudged(void)
{
	open_sender(LATE_DROP);
	sender.outputs[0][0].fd = -1; /* a call would fail */
	send_shed(&sender, 0, ARRIVED_NS);
	pass(1, DROP_LATE);
	pass(1, DROP_NONE);
	CU_ASSERT_EQUAL(send_batch(&sender, 0, UINT32_MAX, ARRIVED_NS), 0);
	CU_ASSERT_EQUAL(sender.journal->msgs[0].msg_hdr.msg_iovlen, 0);
	send_shed(&sender, 0, ARRIVED_NS);
	CU_ASSERT_EQUAL(sent_pkts(), 1);
	pass(1, DROP_NONE);
	CU_ASSERT_EQUAL(send_batch(&sender, 0, UINT32_MAX, LATE_NS), 0);
	CU_ASSERT_EQUAL(sender.journal->msgs[0].msg_hdr.msg_iovlen, 0);
	segment_close(&stage.seg);
}

SUITE(send, TEST(what_came_after_the_look_is_not_sent_unjudged),
      TEST(a_look_at_the_head_releases_marks_and_counts_nothing),
      TEST(shedding_drops_what_is_late_and_stops_at_what_is_not), TEST(what_is_late_is_not_shed_where_late_means_send),
      TEST(however_many_are_dropped_the_first_to_be_sent_is_found_in_one_step),
      TEST(a_class_that_waits_for_a_retry_is_left_alone))

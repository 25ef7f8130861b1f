/* drops.c - each reason to drop a packet, and when there is none. */
#include "pipeline.h"

#include <sys/wait.h>

static void oversize_is_dropped_and_counted(void)
{
	start_one_class("payload_bytes = 512B", "");
	send_pkts(&rig, 0, 100, 513);
	send_pkts(&rig, 0, 100, LARGEST_BYTES);
	rig.flows[0].next_pkts = 200;
	relay_pkts(&rig, 100, 512);
	expect_balanced(&rig);
	expect_equal(dropped(DROP_OVERSIZE), 200);
	expect_equal(account_of(&rig, 0).sent_pkts, 100);
}

/*
 * Nobody rings again when egress passes what was dropped: it must not sleep before it has come to what is to be sent.
 */
static void a_packet_behind_many_dropped_ones_does_not_wait(void)
{
	uint64_t thawed_at_ns;

	start_one_class("payload_bytes = 512B\nheartbeat = 1s", "ingress_to_edf = 4096\nedf_to_egress = 4096\n");
	stage_freeze(&rig, STAGE_EGRESS);
	for (uint32_t i = 0; i < 30; i++) {
		send_pkts(&rig, 0, 100, 513);
		await(account_of(&rig, 0).received_pkts == rig.flows[0].sent_pkts);
	}
	rig.flows[0].next_pkts = 3000;
	send_pkts(&rig, 0, 1, 100);
	await(account_of(&rig, 0).waiting_egress_pkts == 3001);
	stage_thaw(&rig, STAGE_EGRESS);
	thawed_at_ns = now_ns();
	receive_pkts(&rig, 0, 1);
	expect(now_ns() - thawed_at_ns < 500 * NS_PER_MS);
	expect_balanced(&rig);
	expect_equal(dropped(DROP_OVERSIZE), 3000);
}

static void full_drop_counts_ingress_full(void)
{
	start_one_class("full = drop", SMALL_LANE);
	stage_freeze(&rig, STAGE_EDF);
	send_pkts(&rig, 0, 1000, 100);
	await(account_of(&rig, 0).received_pkts == 1000);
	expect_equal(dropped(DROP_INGRESS_FULL), 1000 - 64);
	stage_thaw(&rig, STAGE_EDF);
	receive_pkts(&rig, 0, 64);
	expect_balanced(&rig);
	expect_equal(account_of(&rig, 0).sent_pkts, 64);
	expect_equal(dropped(DROP_EGRESS_FULL), 0);
}

static void full_drop_counts_egress_full(void)
{
	start_one_class("full = drop", SMALL_LANE);
	stage_freeze(&rig, STAGE_EGRESS);
	send_pkts(&rig, 0, 64, 100);
	await(account_of(&rig, 0).waiting_egress_pkts == 64);
	send_pkts(&rig, 0, 64, 100);
	await(account_of(&rig, 0).waiting_egress_pkts == 128);
	expect_equal(dropped(DROP_EGRESS_FULL), 64);
	stage_thaw(&rig, STAGE_EGRESS);
	receive_pkts(&rig, 0, 64);
	expect_balanced(&rig);
	expect_equal(account_of(&rig, 0).sent_pkts, 64);
}

static void wait_behind(enum stage_id frozen)
{
	start_one_class("full = wait", SMALL_LANE);
	stage_freeze(&rig, frozen);
	send_pkts(&rig, 0, 3000, 200);
	await(account_of(&rig, 0).held_pkts >= 64);
	stage_thaw(&rig, frozen);
	receive_pkts(&rig, 0, 3000);
	expect_balanced(&rig);
	expect_equal(account_of(&rig, 0).sent_pkts, 3000);
}

static void full_wait_drops_nothing_behind_edf(void)
{
	wait_behind(STAGE_EDF);
}

static void full_wait_drops_nothing_behind_egress(void)
{
	wait_behind(STAGE_EGRESS);
}

static void kernel_drops_are_counted(void)
{
	uint32_t came = 0;

	start_one_class("socket_buffer = 64KiB", "");
	stage_freeze(&rig, STAGE_INGRESS);
	send_pkts(&rig, 0, 2000, 200);
	stage_thaw(&rig, STAGE_INGRESS);
	await(account_of(&rig, 0).sent_pkts > 10 && account_of(&rig, 0).held_pkts == 0);
	await(account_of(&rig, 0).received_pkts == 2000); /* though no datagram comes that would tell of them */
	expect_balanced(&rig);
	await((came += drain_sink(&rig, 0)) ==
	      account_of(&rig, 0).sent_pkts); /* before Linux 6.5 some come later (softnet.h) */
	expect(dropped(DROP_KERNEL) > 0);
	expect_equal(dropped(DROP_KERNEL), 2000 - came);
	stage_restart(&rig, STAGE_INGRESS, SIGKILL); /* the count is cumulative: a successor must not add it again */
	send_pkts(&rig, 0, 1, 200);
	await(account_of(&rig, 0).sent_pkts == came + 1);
	expect_equal(dropped(DROP_KERNEL), 2000 - came);
	stage_freeze(
		&rig,
		STAGE_INGRESS); /* told by the socket first, and then by datagrams that came before the last drops */
	send_pkts(&rig, 0, 2000, 200);
	stage_restart(&rig, STAGE_INGRESS, SIGKILL);
	await(account_of(&rig, 0).received_pkts == 4001);
	expect_balanced(&rig);
	expect_equal(dropped(DROP_KERNEL), 4001 - account_of(&rig, 0).sent_pkts);
}

static void edf_drop_counts_late(void)
{
	start_one_class("policy = edf-drop", "budget = 200ms\n"); /* enough for the first, in an emulator too */
	relay_pkts(&rig, 1, 10);
	stage_freeze(&rig, STAGE_EDF);
	send_pkts(&rig, 0, 100, 100);
	await(account_of(&rig, 0).waiting_edf_pkts == 100);
	pass_time(220 * NS_PER_MS);
	stage_thaw(&rig, STAGE_EDF);
	await(dropped(DROP_LATE) >= 100);
	expect_balanced(&rig);
	expect_equal(drain_sink(&rig, 0), 0);
	expect_equal(dropped(DROP_LATE) + account_of(&rig, 0).sent_pkts, 101);
}

static void freeze_edf_past_the_deadline(uint32_t n)
{
	stage_freeze(&rig, STAGE_EDF);
	send_pkts(&rig, 0, n, 100);
	await(account_of(&rig, 0).waiting_edf_pkts == n);
	pass_time(20 * NS_PER_MS);
	stage_thaw(&rig, STAGE_EDF);
}

/* As when the machine had no time for edf: nobody else wants the time that those take. */
static void a_stall_of_edf_sheds_nothing(void)
{
	start_one_class("policy = guarded", "budget = 1ms\n");
	for (int i = 0; i < 5; i++) {
		freeze_edf_past_the_deadline(200);
		receive_pkts(&rig, 0, 200);
	}
	expect_balanced(&rig);
	expect_equal(account_of(&rig, 0).sent_late_pkts, 1000);
}

static void late_drop_counts_at_edf_too(const char *pipeline)
{
	start_one_class(pipeline, "budget = 15ms\n");
	freeze_edf_past_the_deadline(100);
	await(account_of(&rig, 0).held_pkts == 0);
	expect_balanced(&rig);
	expect_equal(dropped(DROP_LATE) + dropped(DROP_EVICTED), 100);
	expect_equal(drain_sink(&rig, 0), 0);
}

static void late_drop_counts_late_with_edf(void)
{
	late_drop_counts_at_edf_too("policy = edf\nlate = drop");
}

static void late_drop_counts_late_with_guarded(void)
{
	late_drop_counts_at_edf_too("policy = guarded\nlate = drop");
}

static void late_drop_counts_late_egress(void)
{
	start_one_class("late = drop", "budget = 500ms\n"); /* so that edf passes all on, in an emulator too */
	freeze_egress_past_the_deadline(100);
	expect_balanced(&rig);
	expect_equal(dropped(DROP_LATE_EGRESS), 100);
	expect_equal(drain_sink(&rig, 0), 0);
}

static void late_send_sends_and_names_the_span(void)
{
	start_one_class("late = send", "budget = 1ms\n");
	freeze_egress_past_the_deadline(100);
	receive_pkts(&rig, 0, 100);
	expect_balanced(&rig);
	expect_equal(account_of(&rig, 0).sent_late_pkts, 100);
	expect_equal(account_of(&rig, 0).late_span_pkts[SPAN_EGRESS_WAIT], 100);
}

const struct harness_test drops_tests[] = {
	TEST(oversize_is_dropped_and_counted),
	TEST(a_packet_behind_many_dropped_ones_does_not_wait),
	TEST(kernel_drops_are_counted),
	TEST(full_drop_counts_ingress_full),
	TEST(full_drop_counts_egress_full),
	TEST(full_wait_drops_nothing_behind_edf),
	TEST(full_wait_drops_nothing_behind_egress),
	TEST(edf_drop_counts_late),
	TEST(late_drop_counts_late_egress),
	TEST(a_stall_of_edf_sheds_nothing),
	TEST(late_drop_counts_late_with_edf),
	TEST(late_drop_counts_late_with_guarded),
	TEST(late_send_sends_and_names_the_span),
	{ NULL, NULL },
};

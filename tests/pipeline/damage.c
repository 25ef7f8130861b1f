/* damage.c - a segment that makes no sense stops its reader with one line, and nothing in it is believed. */
#include "pipeline.h"

#include <sys/prctl.h>
#include <sys/wait.h>

static void a_damaged_count_stops_its_reader_with_one_line(void)
{
	struct lane *lane;

	start_one_class("", "");
	relay_pkts(&rig, 10, 100);
	lane = rig.seg.views[0].lane;
	stage_end(&rig, STAGE_INGRESS, SIGTERM);
	stage_end(&rig, STAGE_EGRESS, SIGTERM);
	atomic_store_explicit(&lane->received, 1ULL << 60, memory_order_relaxed);
	expect_abort(STAGE_EDF);
	for (int i = 0; i < N_STAGES; i++) {
		stage_start(&rig, (enum stage_id)i);
		expect_equal(stage_end(&rig, (enum stage_id)i, 0), W_EXITCODE(2, 0));
	}
	expect_equal(rig_log_lines(&rig, "damaged counts"), N_STAGES);
}

static void a_damaged_length_stops_its_reader_with_one_line(void)
{
	start_one_class("", "");
	stage_freeze(&rig, STAGE_EGRESS);
	send_pkts(&rig, 0, 10, 100);
	await(account_of(&rig, 0).waiting_egress_pkts == 10);
	rig.seg.views[0].results[5].len_bytes = rig.config.payload_bytes + 1;
	stage_thaw(&rig, STAGE_EGRESS);
	expect_abort(STAGE_EGRESS);
	stage_end(&rig, STAGE_EDF, SIGTERM);
	send_pkts(&rig, 0, 1, 100);
	await(account_of(&rig, 0).waiting_edf_pkts == 1);
	rig.seg.views[0].arrivals[10].len_bytes = UINT32_MAX;
	stage_start(&rig, STAGE_EDF);
	expect(WIFSIGNALED(stage_end(&rig, STAGE_EDF, 0)));
	expect_equal(rig_log_lines(&rig, "it is damaged"), 2);
}

/* Every stage, started now, ends with this status and one line that holds the text. */
static void expect_refusal(int status, const char *text)
{
	for (int i = 0; i < N_STAGES; i++) {
		stage_start(&rig, (enum stage_id)i);
		expect_equal(stage_end(&rig, (enum stage_id)i, 0), W_EXITCODE(status, 0));
	}
	expect_equal(rig_log_lines(&rig, text), N_STAGES);
	expect_equal(rig_log_lines(&rig, ""), N_STAGES);
}

static void hold_one_class(void)
{
	rig_begin(&rig, "");
	rig_class(&rig, "only", LOCAL, 1, 1, "");
	hold(&rig, 0);
}

static void a_damaged_header_is_refused(void)
{
	hold_one_class();
	rig.seg.shared->header.created_at_ns ^= 1;
	expect_refusal(2, "damaged");
}

static void another_layout_is_refused(void)
{
	hold_one_class();
	rig.seg.shared->header.layout++;
	expect_refusal(3, "layout");
}

static void another_config_is_refused(void)
{
	hold_one_class();
	rig_replace(&rig, "[class only]", "payload_bytes = 700B\n[class only]");
	expect_refusal(2, "from a config with other");
}

/* All but what a busy machine makes a stage say. */
static uint32_t lines_about_stages(void)
{
	return rig_log_lines(&rig, "") - rig_log_lines(&rig, ": real time ") - rig_log_lines(&rig, ": starved");
}

static void a_second_stage_is_refused(void)
{
	start_one_class("", "");
	await(rig_log_lines(&rig, ": ready (") == N_STAGES);
	for (int i = 0; i < N_STAGES; i++) {
		pid_t first = rig.pids[i];
		uint32_t lines = lines_about_stages();

		stage_start(&rig, (enum stage_id)i);
		expect_equal(stage_end(&rig, (enum stage_id)i, 0), W_EXITCODE(1, 0));
		expect_equal(lines_about_stages(), lines + 1);
		expect_equal(rig_log_lines(&rig, "already running"), i + 1);
		rig.pids[i] = first;
	}
	relay_pkts(&rig, 100, ANY_SIZE);
	expect_balanced(&rig);
}

/* Another process of this user has the segment open for writing, and means ill. */
static pid_t start_vandal(void)
{
	struct ingress_journal *j = &rig.seg.shared->ingress_journal;
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		for (uint32_t i = 0; i < BATCH; i++)
			*(void *volatile *)&j->msgs[i].msg_hdr.msg_control = (void *)(uintptr_t)8;
}

static void pointers_in_the_segment_are_not_followed(void)
{
	pid_t vandal;

	start_one_class("", "");
	relay_pkts(&rig, 100, ANY_SIZE);
	vandal = start_vandal();
	for (int i = 0; i < 20; i++)
		relay_pkts(&rig, 500, ANY_SIZE);
	kill(vandal, SIGKILL);
	waitpid(vandal, NULL, 0);
	expect_balanced(&rig);
	expect_equal(atomic_load_explicit(&rig.seg.shared->stages[STAGE_INGRESS].generation, memory_order_relaxed), 1);
}

const struct harness_test damage_tests[] = {
	TEST(a_damaged_count_stops_its_reader_with_one_line),
	TEST(a_damaged_length_stops_its_reader_with_one_line),
	TEST(a_damaged_header_is_refused),
	TEST(another_layout_is_refused),
	TEST(another_config_is_refused),
	TEST(a_second_stage_is_refused),
	TEST(pointers_in_the_segment_are_not_followed),
	{ NULL, NULL },
};

/* reload.c - a new configuration applies under load, as a whole, or not at all; policies change what they should. */
#include "pipeline.h"

#include <sys/wait.h>

static void reload_all(uint32_t lines, const char *text)
{
	for (int i = 0; i < N_STAGES; i++)
		kill(rig.pids[i], SIGHUP);
	await(rig_log_lines(&rig, text) == lines);
}

/* Has the stage itself done so, not the fork of this test that becomes it? */
static int has_mapped_segment(pid_t pid, enum stage_id id)
{
	char path[64], line[512] = "";
	int found = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	if (readlink(path, line, sizeof(line) - 1) < 0 || !strstr(line, stage_name(id)))
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, "/dev/shm/ontime.") != NULL;
	if (f)
		fclose(f);
	return found;
}

/* It has read the old file, but is not there to be signalled yet: it waits for the one it replaces to be gone. */
static void a_reload_reaches_a_stage_that_is_starting(void)
{
	pid_t old;

	start_one_class("late = send", "");
	old = rig.pids[STAGE_EGRESS];
	stage_freeze(&rig, STAGE_EGRESS);
	stage_start(&rig, STAGE_EGRESS);
	await(has_mapped_segment(rig.pids[STAGE_EGRESS], STAGE_EGRESS));
	rig_replace(&rig, "late = send", "late = drop");
	kill(old, SIGKILL);
	waitpid(old, NULL, 0);
	rig_await_ready(&rig, STAGE_EGRESS, 2);
	await(rig_log_lines(&rig, "reloaded") == 1);
}

static void a_reload_applies(void)
{
	start_one_class("late = send", "budget = 15ms\n");
	relay_pkts(&rig, 10, 100);
	rig_replace(&rig, "late = send", "late = drop");
	reload_all(N_STAGES, "reloaded");
	expect_equal(rig_log_lines(&rig, "late: send -> drop"), N_STAGES);
	freeze_egress_past_the_deadline(50);
	await(dropped(DROP_LATE_EGRESS) == 50);
	expect_balanced(&rig);
}

static void start_guarded(void)
{
	rig_begin(&rig, "policy = guarded\nwork = simulate");
	rig_class(&rig, "high", LOCAL, 1, 1, "budget = 500ms\nmargin = 0us");
	rig_class(&rig, "low", LOCAL, 1, 1, "budget = 60ms\nmargin = 0us\ningress_to_edf = 2048");
	start(&rig);
	relay_pkts(&rig, 20, 100); /* from these it learns how long work takes */
}

/*
 * 600 of 0.2 ms arrive at once for a class that has 60 ms: about half cannot be in time. Those are shed, or sent late
 * when their turn comes and nobody is made late by it.
 */
static void guarded_sheds_low_and_serves_high(void)
{
	uint64_t sent, shed;
	struct account low;

	start_guarded();
	stage_freeze(&rig, STAGE_EDF);
	send_pkts(&rig, 1, 600, 100);
	send_pkts(&rig, 0, 20, 100);
	await(account_of(&rig, 1).waiting_edf_pkts == 600 && account_of(&rig, 0).waiting_edf_pkts == 20);
	stage_thaw(&rig, STAGE_EDF);
	receive_pkts(&rig, 0, 20);
	await(account_of(&rig, 1).held_pkts == 0);
	low = account_of(&rig, 1);
	sent = low.sent_pkts - 20;
	shed = low.dropped_pkts[DROP_EVICTED] + low.dropped_pkts[DROP_LATE];
	expect_equal(sent + shed, 600);
	expect(low.dropped_pkts[DROP_EVICTED] + low.sent_late_pkts > 200);
	expect_equal(account_of(&rig, 0).sent_late_pkts, 0);
	expect_equal(drain_sink(&rig, 1), sent);
	expect_balanced(&rig);
}

static void the_policy_changes_under_load(void)
{
	start_guarded();
	stage_freeze(&rig, STAGE_EDF);
	send_pkts(&rig, 1, 200, 100);
	await(account_of(&rig, 1).waiting_edf_pkts == 200);
	pass_time(80 * NS_PER_MS); /* guarded would drop them all: they are late */
	rig_replace(&rig, "policy = guarded", "policy = edf");
	for (int i = 0; i < N_STAGES; i++)
		kill(rig.pids[i], SIGHUP);
	stage_thaw(&rig, STAGE_EDF);
	await(rig_log_lines(&rig, "reloaded") == N_STAGES);
	receive_pkts(&rig, 1, 200);
	rig_replace(&rig, "policy = edf", "policy = guarded");
	reload_all(2 * N_STAGES, "reloaded");
	relay_pkts(&rig, 50, 100);
	expect_balanced(&rig);
}

static void a_bad_reload_changes_nothing(void)
{
	start_one_class("late = send\npolicy = edf", "budget = 1ms\n");
	rig_replace(&rig, "late = send\npolicy = edf", "late = drop\npolicy = nonsense");
	reload_all(N_STAGES, "nothing was changed");
	rig_replace(&rig, "late = drop\npolicy = nonsense", "late = drop\npayload_bytes = 700B");
	reload_all(2 * N_STAGES, "nothing was changed");
	expect_equal(rig_log_lines(&rig, "reloaded"), 0);
	freeze_egress_past_the_deadline(100);
	receive_pkts(&rig, 0, 100);
	expect_balanced(&rig);
}

const struct harness_test reload_tests[] = {
	TEST(a_reload_applies),
	TEST(a_reload_reaches_a_stage_that_is_starting),
	TEST(guarded_sheds_low_and_serves_high),
	TEST(the_policy_changes_under_load),
	TEST(a_bad_reload_changes_nothing),
	{ NULL, NULL },
};

/* slices.c - long work of a plugin is interrupted for what is more urgent. */
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>

#include "plugin.h"

#define N_PAIRS 100

/* While Low is at work for that many us High comes, whose budget is 1 ms: how often is it late? */
static uint64_t late_beside_work(uint32_t us)
{
	uint64_t before = account_of(&rig, 0).sent_late_pkts;

	for (int i = 0; i < N_PAIRS; i++) {
		send_pkts(&rig, 1, 1, us); /* 1 us a byte */
		pass_time(200 * NS_PER_US); /* by then edf has begun */
		send_pkts(&rig, 0, 1, 100);
		receive_pkts(&rig, 0, 1);
		receive_pkts(&rig, 1, 1);
	}
	return account_of(&rig, 0).sent_late_pkts - before;
}

/* Not in real time: with few CPUs this process, the source, could not send while edf is at work on its CPU. */
static void begin_long_work(const char *pipeline)
{
	rig_begin(&rig, plugin_line("plugins/slow.so", pipeline));
	rig_class(&rig, "high", LOCAL, 1, 1, "budget = 1ms\n");
	rig_class(&rig, "low", LOCAL, 1, 1, "budget = 1s\n");
	start(&rig);
}

void slices_let_high_go_before_long_work_ends(void)
{
	uint64_t late_whole, late_sliced;

	begin_long_work("policy = edf\nfifo = off\nslice = off\n");
	if (late_beside_work(1) > N_PAIRS / 10)
		test_skip("High is late here without long work too");
	late_whole = late_beside_work(1400);
	rig_replace(&rig, "slice = off", "slice = 50us");
	kill(rig.pids[STAGE_EDF], SIGHUP);
	await(rig_log_lines(&rig, "reloaded") == 1);
	late_sliced = late_beside_work(1400);
	expect_balanced(&rig);
	printf("     late of %d: %llu with whole work, %llu in slices\n", N_PAIRS, (unsigned long long)late_whole,
	       (unsigned long long)late_sliced);
	if (late_sliced * 2 >= late_whole && late_beside_work(1) > N_PAIRS / 10)
		test_skip("High is late here without long work too");
	if (late_sliced * 2 >= late_whole)
		test_fail(__LINE__, "%llu late with whole work, %llu in slices", (unsigned long long)late_whole,
			  (unsigned long long)late_sliced);
}

void kills_lose_nothing_while_work_is_interrupted(void)
{
	begin_long_work("policy = edf\nfifo = off\nslice = 50us\n");
	for (uint64_t i = 0; i < 60; i++) {
		send_pkts(&rig, 1, 2, 1400);
		send_pkts(&rig, 0, 3, 100);
		pass_time(i * 37 % 3000 * NS_PER_US);
		stage_restart(&rig, STAGE_EDF, SIGKILL);
	}
	receive_pkts(&rig, 0, 180);
	receive_pkts(&rig, 1, 120);
	expect_balanced(&rig);
	expect_equal(account_of(&rig, 0).sent_pkts, 180);
	expect_equal(account_of(&rig, 1).sent_pkts, 120);
}

/* High has more work than there is time, so Low's long packet hardly gets on: edf must live, and end, all the same. */
void endless_interruptions_do_not_look_like_a_hang(void)
{
	static const uint8_t long_work[60000];
	uint64_t until_ns, oldest_ns = 0;

	rig_begin(&rig, plugin_line("plugins/slow.so", "policy = guarded\nslice = 50us\npayload_bytes = 60000B\n"));
	rig_class(&rig, "high", LOCAL, 1, 1, "budget = 50ms\n");
	rig_class(&rig, "low", LOCAL, 1, 1, "budget = 3600s\n");
	start(&rig);
	for (uint32_t i = 1; i <= 20; i++) { /* from these it learns how long work takes */
		size_t bytes = i % 2 ? 100 + 50 * i : 1000 * i;

		uint32_t class = i % 2 ? 0 : 1;

		expect(send(rig.flows[class].out_fd[0], long_work, bytes, 0) == (ssize_t)bytes);
		await(account_of(&rig, class).received_pkts == (i + 1) / 2 && account_of(&rig, class).held_pkts == 0);
	}
	expect(send(rig.flows[1].out_fd[0], long_work, sizeof(long_work), 0) == sizeof(long_work));
	await(atomic_load_explicit(&rig.seg.shared->edf_journal.working, memory_order_relaxed) != 0);
	for (until_ns = now_ns() + NS_PER_S; now_ns() < until_ns;) {
		uint64_t beat_ns =
			atomic_load_explicit(&rig.seg.shared->stages[STAGE_EDF].beat_at_ns, memory_order_relaxed);
		uint64_t age_ns = now_ns() - beat_ns;

		oldest_ns = age_ns > oldest_ns ? age_ns : oldest_ns;
		send_pkts(&rig, 0, 2, 500);
		pass_time(400 * NS_PER_US);
	}
	if (oldest_ns > rig.config.hung_ms * NS_PER_MS / 2)
		test_fail(__LINE__, "no beat for %llu ms", (unsigned long long)(oldest_ns / NS_PER_MS));
	kill(rig.pids[STAGE_EDF], SIGTERM);
	for (until_ns = now_ns() + 10 * NS_PER_S; now_ns() < until_ns && rig_log_lines(&rig, "edf: stopped") == 0;) {
		send_pkts(&rig, 0, 2, 500);
		pass_time(400 * NS_PER_US);
	}
	expect_equal(rig_log_lines(&rig, "edf: stopped"), 1);
	await(account_of(&rig, 1).held_pkts == 0);
}

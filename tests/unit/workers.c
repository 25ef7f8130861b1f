/* workers.c - packets worked on by processes: in order, once, whoever dies. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "edf/loop.h"
#include "loops.h"
#include "suites.h"

#define PATIENCE_NS (20 * NS_PER_S)

static struct edf_loop loop;
static uint64_t received; /* ingress's commit word, of class 0 */

static void open_loop(uint32_t n_workers)
{
	struct stage *s = &loop.stage;

	memset(&loop, 0, sizeof(loop));
	received = 0;
	config_defaults(&s->config);
	s->config.work = WORK_SIMULATE;
	s->config.workers = n_workers;
	s->config.policy = POLICY_EDF;
	s->config.heartbeat_ms = 10;
	s->config.hung_ms = 150;
	begin_loop(s, &edf_ops);
}

static void close_loop(void)
{
	pid_t pids[MOST_WORKERS];
	uint32_t n = loop.workers.n;

	for (uint32_t k = 0; k < n; k++)
		pids[k] = loop.workers.all[k].pid;
	edf_ops.close(&loop.stage);
	for (uint32_t k = 0; k < n; k++)
		CU_ASSERT(pids[k] == 0 || kill(pids[k], 0) < 0);
	segment_close(&loop.stage.seg);
}

static void offer(uint32_t bytes)
{
	static const struct ingress_tally tally;
	const struct lane_view *v = &loop.stage.seg.views[0];
	uint64_t now = now_ns();

	v->arrivals[lane_index(v, received, 0)] =
		(struct arrival){ .arrived_at_ns = now, .published_at_ns = now, .len_bytes = bytes };
	received = lane_publish(v->lane, received, 1, &tally);
}

static uint64_t passed(void)
{
	return lane_distance_pkts(lane_processed(loop.stage.seg.views[0].lane), 0);
}

static void step_until_passed(uint64_t n)
{
	uint64_t until_ns = now_ns() + PATIENCE_NS;

	while (passed() < n && now_ns() < until_ns)
		edf_ops.step(&loop.stage);
	CU_ASSERT_EQUAL(passed(), n);
}

/* The worker that has a packet now. */
static struct worker *step_until_given(void)
{
	uint64_t until_ns = now_ns() + PATIENCE_NS;

	while (now_ns() < until_ns) {
		for (uint32_t k = 0; k < loop.workers.n; k++)
			if (loop.workers.all[k].has_task)
				return &loop.workers.all[k];
		edf_ops.step(&loop.stage);
	}
	CU_FAIL_FATAL("no worker is given the packet");
	return NULL;
}

static const struct result *result_of(uint32_t n)
{
	return &loop.stage.seg.views[0].results[n];
}

static void order_within_a_class_holds_whoever_is_done_first(void)
{
	open_loop(2);
	offer(1400); /* 0.4 ms */
	offer(0); /* 0.2 ms: done first, unless its worker is slow to wake */
	offer(0);
	step_until_passed(3);
	for (uint32_t i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(result_of(i)->drop, DROP_NONE);
		CU_ASSERT_EQUAL(result_of(i)->len_bytes, i ? 0 : 1400);
	}
	CU_ASSERT(result_of(1)->started_at_ns < result_of(0)->done_at_ns + 200 * NS_PER_MS);
	CU_ASSERT_EQUAL(loop.tally[0].worked_pkts, 3);
	CU_ASSERT_EQUAL(loop.tally[0].worked_bytes, 1400);
	CU_ASSERT_EQUAL(loop.out[0], 0);
	close_loop();
}

/* Two packets and two workers, of which the first is stopped. Its worker. */
static const struct worker *hold_the_first_of_two(void)
{
	const struct worker *first;

	open_loop(2);
	offer(0);
	first = step_until_given();
	kill(first->pid, SIGSTOP);
	offer(0);
	return first;
}

/* One that is done while the one before it is not: nothing goes on, and nothing is counted. */
static void what_is_done_early_waits_uncounted(void)
{
	const struct worker *first = hold_the_first_of_two();

	for (uint64_t until_ns = now_ns() + 20 * NS_PER_MS; now_ns() < until_ns;)
		edf_ops.step(&loop.stage);
	if (passed() == 0) { /* else the first was done before it was stopped */
		CU_ASSERT_EQUAL(loop.tally[0].worked_pkts, 0);
		CU_ASSERT_EQUAL(loop.out[0], 2);
	}
	kill(first->pid, SIGCONT);
	step_until_passed(2);
	CU_ASSERT_EQUAL(loop.tally[0].worked_pkts, 2);
	close_loop();
}

/* While it waits for the one before it, others could write whatever they like into its result. */
static void what_is_done_is_counted_as_it_was_done(void)
{
	struct edf_tally none = { 0 };
	const struct worker *first = hold_the_first_of_two();

	for (uint64_t until_ns = now_ns() + 20 * NS_PER_MS; now_ns() < until_ns && !loop.finished[0][1];)
		edf_ops.step(&loop.stage);
	loop.stage.seg.views[0].results[1].drop = UINT8_MAX;
	loop.stage.seg.views[0].arrivals[1].drop = UINT8_MAX;
	kill(first->pid, SIGCONT);
	if (loop.finished[0][1]) { /* else its worker was too slow to wake */
		step_until_passed(2);
		CU_ASSERT_EQUAL(loop.tally[0].worked_pkts, 2);
		CU_ASSERT_EQUAL(memcmp(loop.tally[0].dropped_pkts, none.dropped_pkts, sizeof(none.dropped_pkts)), 0);
		CU_ASSERT_EQUAL(memcmp(&loop.tally[1], &none, sizeof(none)), 0);
	}
	close_loop();
}

static void what_a_worker_died_with_is_worked_on_again(void)
{
	open_loop(2);
	for (uint32_t i = 0; i < 2 * CRASHES_UNTIL_POISON; i++) { /* SIGKILL is nobody's fault */
		offer(100);
		kill(step_until_given()->pid, SIGKILL);
		step_until_passed(i + 1);
		CU_ASSERT_EQUAL(result_of(i)->drop, DROP_NONE);
	}
	CU_ASSERT_EQUAL(loop.tally[0].poison_pkts, 0);
	CU_ASSERT_EQUAL(loop.tally[0].worked_pkts, 2 * CRASHES_UNTIL_POISON);
	close_loop();
}

static void three_crashes_in_a_row_make_a_packet_poison(void)
{
	open_loop(2);
	offer(1400);
	for (uint32_t i = 0; i < CRASHES_UNTIL_POISON; i++) {
		struct worker *w = step_until_given();
		pid_t pid = w->pid;

		kill(pid, SIGSTOP); /* so that it cannot be done before */
		kill(pid, SIGSEGV);
		kill(pid, SIGCONT);
		for (uint64_t until_ns = now_ns() + PATIENCE_NS; w->pid == pid && now_ns() < until_ns;)
			edf_ops.step(&loop.stage);
		if (passed()) /* it was */
			break;
	}
	if (!passed()) {
		step_until_passed(1);
		CU_ASSERT_EQUAL(result_of(0)->drop, DROP_POISON);
		CU_ASSERT_EQUAL(loop.tally[0].poison_pkts, 1);
	}
	offer(100);
	step_until_passed(2);
	CU_ASSERT_EQUAL(result_of(1)->drop, DROP_NONE);
	close_loop();
}

static void one_that_hangs_is_ended(void)
{
	const struct worker *w;
	pid_t pid;

	open_loop(2);
	offer(1400);
	w = step_until_given();
	pid = w->pid;
	kill(pid, SIGSTOP);
	step_until_passed(1);
	CU_ASSERT_EQUAL(result_of(0)->drop, DROP_NONE);
	CU_ASSERT(w->pid != pid || passed()); /* another one, unless it was done before it was stopped */
	close_loop();
}

static void all_of_a_flood_is_worked_on(void)
{
	uint32_t n = 0;

	open_loop(4);
	for (int round = 0; round < 15; round++) {
		for (int i = 0; i < 16; i++, n++)
			offer((uint32_t)(100 * i));
		step_until_passed(n);
	}
	CU_ASSERT_EQUAL(loop.tally[0].worked_pkts, n);
	CU_ASSERT(edf_ops.is_drained(&loop.stage));
	close_loop();
}

SUITE(workers, TEST(order_within_a_class_holds_whoever_is_done_first), TEST(what_is_done_early_waits_uncounted),
      TEST(what_is_done_is_counted_as_it_was_done), TEST(what_a_worker_died_with_is_worked_on_again),
      TEST(three_crashes_in_a_row_make_a_packet_poison), TEST(one_that_hangs_is_ended),
      TEST(all_of_a_flood_is_worked_on))

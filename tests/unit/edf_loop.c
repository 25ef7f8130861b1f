/* edf_loop.c - the edf stage's steps: how deep work on packets interrupts work on packets. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "edf/loop.h"
#include "loops.h"
#include "suites.h"

#define BYTES 100
/* Predicted, and long before any machine is that late: what is measured here is the nesting, and not the machine. */
#define WORK_NS (4 * NS_PER_S)
#define BUDGET_NS (6 * NS_PER_S) /* enough for one packet's work, and not for one more before it */

static struct edf_loop loop;
static uint64_t received[MAX_CLASSES]; /* ingress's commit words */
static uint32_t depth, deepest, n_worked, seen; /* seen: bit per class */

/* As ingress does; the budget begins in_ns from now. */
static void offer(uint32_t class, uint64_t in_ns)
{
	static const struct ingress_tally tally;
	const struct lane_view *v = &loop.stage.seg.views[class];
	uint64_t now = now_ns();

	v->arrivals[lane_index(v, received[class], 0)] =
		(struct arrival){ .arrived_at_ns = now + in_ns, .published_at_ns = now, .len_bytes = BYTES };
	received[class] = lane_publish(v->lane, received[class], 1, &tally);
}

/*
 * One more packet of each class, with time for all; and the lowest class earns credit for its share: now it ranks above
 * all.
 */
static void tempt(struct ontime_packet *packet)
{
	for (uint32_t class = 0; class < loop.stage.config.n_classes; class++)
		offer(class, 1000 * WORK_NS);
	for (int i = 0; i < 3; i++) {
		usleep(20000);
		packet->checkpoint(packet);
	}
}

/* The first time that a class is worked on, a packet of the next higher class comes; at the top, one of each. */
static int interrupt_once(void *state, struct ontime_packet *packet)
{
	uint32_t *met = state;

	if (++depth > deepest)
		deepest = depth;
	n_worked++;
	if (!(*met >> packet->class_rank & 1)) {
		*met |= 1u << packet->class_rank;
		if (packet->class_rank > 0)
			offer(packet->class_rank - 1, 0);
		else
			tempt(packet);
	}
	packet->checkpoint(packet);
	packet->out_bytes = packet->in_bytes;
	memcpy(packet->out, packet->in, packet->in_bytes);
	depth--;
	return 0;
}

static const struct ontime_plugin interrupting = { .abi = ONTIME_PLUGIN_ABI,
						   .name = "interrupting",
						   .work = interrupt_once };

static void set_up_config(struct config *c, uint32_t n_classes)
{
	config_defaults(c);
	for (uint32_t i = 1; i < n_classes; i++)
		c->classes[i] = c->classes[0];
	for (uint32_t i = 0; i < n_classes; i++)
		c->classes[i].budget_ns = BUDGET_NS;
	c->classes[n_classes - 1].share_percent = 50;
	c->n_classes = n_classes;
}

static void open_loop(uint32_t n_classes)
{
	struct stage *s = &loop.stage;

	memset(&loop, 0, sizeof(loop));
	memset(received, 0, sizeof(received));
	depth = deepest = n_worked = seen = 0;
	set_up_config(&s->config, n_classes);
	begin_loop(s, &edf_ops);
	s->config.work = WORK_PLUGIN; /* one of this file */
	s->config.slice_ns = 1;
	loop.work.kind = WORK_PLUGIN;
	loop.work.plugin = &interrupting;
	loop.work.state = &seen;
	loop.work.slice_ns = 1;
	for (uint32_t class = 0; class < n_classes; class++)
		for (int i = 0; i < 20; i++)
			plan_learn(&loop.plan, class, now_ns(), BYTES, WORK_NS);
}

static void close_loop(void)
{
	loop.work.plugin = NULL;
	edf_ops.close(&loop.stage);
	segment_close(&loop.stage.seg);
}

/* Offered, and not passed on yet. */
static uint64_t left_pkts(void)
{
	uint64_t left = 0;

	for (uint32_t class = 0; class < loop.stage.config.n_classes; class++)
		left += lane_distance_pkts(received[class], lane_processed(loop.stage.seg.views[class].lane));
	return left;
}

static void work_is_interrupted_as_deep_as_there_are_classes_and_no_deeper(void)
{
	for (uint32_t n_classes = 1; n_classes <= MAX_CLASSES; n_classes++) {
		open_loop(n_classes);
		offer(n_classes - 1, 0);
		edf_ops.step(&loop.stage);
		CU_ASSERT_EQUAL(deepest, n_classes);
		for (uint32_t i = 0; left_pkts() && i < 2 * n_classes; i++)
			edf_ops.step(&loop.stage);
		CU_ASSERT_EQUAL(left_pkts(), 0);
		CU_ASSERT_EQUAL(n_worked, 2 * n_classes);
		CU_ASSERT_EQUAL(deepest, n_classes);
		CU_ASSERT_EQUAL(loop.work.depth, 0);
		close_loop();
	}
}

/* What plan_interrupt() would do if it forgot which heads are at work. */
static uint64_t interrupt_anyway(void *arg, uint64_t worked_ns)
{
	struct ontime_packet packet = { .in_bytes = BYTES };
	struct result result;

	(void)worked_ns;
	return work_do(arg, &loop.stage.seg.views[0], 0, &packet, &result, now_ns());
}

static void work_that_is_interrupted_without_end_ends_the_stage(void)
{
	pid_t pid;
	int status = 0;

	open_loop(3);
	pid = fork();
	if (pid == 0) {
		signal(SIGABRT, SIG_DFL); /* a suite before this one may have watched for it */
		if (!freopen("/dev/null", "w", stderr))
			_exit(1);
		loop.work.kind = WORK_SIMULATE;
		work_slice(&loop.work, 1000, interrupt_anyway, &loop.work);
		interrupt_anyway(&loop.work, 0);
		_exit(0);
	}
	CU_ASSERT_EQUAL_FATAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	close_loop();
}

static uint64_t margin_after_a_step_ns(uint64_t after_ns, uint64_t budget_ns, uint64_t margin_ns)
{
	loop.stage.config.classes[0].budget_ns = budget_ns;
	loop.stage.config.classes[0].margin_ns = margin_ns;
	atomic_store_explicit(&loop.stage.seg.views[0].lane->after_ns, after_ns, memory_order_relaxed);
	edf_ops.reload(&loop.stage);
	edf_ops.step(&loop.stage);
	return loop.plan.queues[0].margin_ns;
}

static void a_margin_of_auto_is_what_egress_measures_up_to_half_of_what_work_leaves(void)
{
	open_loop(2);
	memset(&loop.plan.model, 0, sizeof(loop.plan.model));
	memset(&loop.plan.classes[0].model, 0, sizeof(loop.plan.classes[0].model));
	CU_ASSERT_EQUAL(margin_after_a_step_ns(0, NS_PER_MS, MARGIN_AUTO), MARGIN_START_NS); /* not measured yet */
	CU_ASSERT_EQUAL(margin_after_a_step_ns(0, 60000, MARGIN_AUTO), 30000);
	CU_ASSERT_EQUAL(margin_after_a_step_ns(8000, NS_PER_MS, MARGIN_AUTO), 8000);
	CU_ASSERT_EQUAL(margin_after_a_step_ns(UINT64_MAX, NS_PER_MS, MARGIN_AUTO), NS_PER_MS / 2);
	CU_ASSERT_EQUAL(margin_after_a_step_ns(8000, NS_PER_MS, 0), 0); /* one that is given stays */
	CU_ASSERT_EQUAL(margin_after_a_step_ns(8000, BUDGET_NONE, MARGIN_AUTO), MARGIN_START_NS);
	for (int i = 0; i < 20; i++)
		plan_learn(&loop.plan, 0, now_ns(), loop.stage.config.payload_bytes, 600000);
	/* of what work leaves of the budget: or no packet would be fresh any more */
	CU_ASSERT(margin_after_a_step_ns(UINT64_MAX, NS_PER_MS, MARGIN_AUTO) <= 201000);
	CU_ASSERT(margin_after_a_step_ns(UINT64_MAX, NS_PER_MS, MARGIN_AUTO) >= 150000);
	CU_ASSERT_EQUAL(margin_after_a_step_ns(UINT64_MAX, NS_PER_MS / 2, MARGIN_AUTO), 0);
	close_loop();
}

SUITE(edf_loop, TEST(a_margin_of_auto_is_what_egress_measures_up_to_half_of_what_work_leaves),
      TEST(work_is_interrupted_as_deep_as_there_are_classes_and_no_deeper),
      TEST(work_that_is_interrupted_without_end_ends_the_stage))

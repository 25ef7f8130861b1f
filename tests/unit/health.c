/* health.c - what an observer calls ill, and for how long: looks on a virtual time line; and what a look is made of. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shm/lock.h"
#include "clock.h"
#include "look/health.h"
#include "suites.h"

#define STEP_NS (NS_PER_S / 2)

static struct view view;
static struct health health;

/* An instance of two classes in which all is well, first looked at now. */
static void launch(void)
{
	memset(&health, 0, sizeof(health));
	memset(&view, 0, sizeof(view));
	view.at_ns = 100 * NS_PER_S;
	view.created_at_ns = 90 * NS_PER_S;
	view.n_classes = 2;
	view.is_supervised = 1;
	strcpy(view.classes[0].name, "a");
	strcpy(view.classes[1].name, "b");
	for (int i = 0; i < N_STAGES; i++)
		view.stages[i] = (struct stage_view){ .state = "ready", .pid = 100 + (uint32_t)i, .starts = 1 };
	health_note(&health, &view);
}

static void look_after(uint64_t ns)
{
	view.at_ns += ns;
	health_note(&health, &view);
}

static void receive(uint32_t class, uint64_t n)
{
	view.classes[class].account.received_pkts += n;
	view.classes[class].account.held_pkts += n;
}

static void lose(uint32_t class, uint64_t n)
{
	view.classes[class].account.held_pkts -= n;
}

static void pass(uint32_t class, uint64_t n)
{
	lose(class, n);
	view.classes[class].account.sent_pkts += n;
}

static void refuse(uint32_t class, uint64_t n, int err)
{
	lose(class, n);
	view.classes[class].account.send_errno[0] = (uint64_t)err;
	view.classes[class].account.send_errno_pkts[0] += n;
	view.classes[class].account.dropped_pkts[DROP_SEND_ERROR] += n;
}

static int is_well(void)
{
	return health.n_causes == 0;
}

/* Exactly that is wrong. */
static void check_cause(enum cause_kind kind, const char *text)
{
	CU_ASSERT_EQUAL_FATAL(health.n_causes, 1);
	CU_ASSERT_EQUAL(health.causes[0].kind, kind);
	CU_ASSERT_STRING_EQUAL(health.causes[0].text, text);
}

static void an_instance_that_does_nothing_or_its_work_is_well(void)
{
	launch();
	CU_ASSERT(is_well());
	for (int i = 0; i < 100; i++) {
		look_after(STEP_NS);
		CU_ASSERT(is_well());
	}
	for (int i = 0; i < 100; i++) {
		receive(0, 10);
		pass(0, i ? 10 : 5); /* five are always held */
		look_after(STEP_NS);
		CU_ASSERT(is_well());
	}
}

static void a_class_that_holds_packets_and_sends_none_is_stuck_until_it_does(void)
{
	launch();
	look_after(60 * NS_PER_S);
	receive(0, 299);
	look_after(NS_PER_S);
	CU_ASSERT(is_well());
	receive(1, 1);
	pass(1, 1);
	look_after(NS_PER_S); /* seen with packets for a second, and the last look without is two seconds ago */
	check_cause(CAUSE_STUCK, "class a has sent nothing for 2 s with 299 packets held");
	look_after(5 * NS_PER_S);
	check_cause(CAUSE_STUCK, "class a has sent nothing for 7 s with 299 packets held");
	pass(0, 1);
	look_after(STEP_NS);
	CU_ASSERT(is_well());
	look_after(STUCK_NS);
	CU_ASSERT(!is_well());
	lose(0, 298); /* dropped by a stage */
	view.classes[0].account.dropped_pkts[DROP_LATE] += 298;
	look_after(STEP_NS);
	CU_ASSERT(is_well());
}

static void a_class_that_drops_what_it_holds_is_not_stuck(void)
{
	launch();
	receive(0, 100);
	for (int i = 0; i < 50; i++) {
		look_after(STEP_NS);
		CU_ASSERT(is_well());
		receive(0, 1);
		lose(0, 1);
		view.classes[0].account.dropped_pkts[DROP_LATE_EGRESS]++;
	}
}

static void a_class_whose_every_packet_is_refused_is_ill_until_one_is_sent(void)
{
	launch();
	look_after(NS_PER_S);
	receive(1, 100);
	refuse(1, 100, ENETUNREACH);
	look_after(STEP_NS);
	check_cause(CAUSE_REFUSED, "class b: every packet is refused: ENETUNREACH");
	look_after(REFUSED_NS);
	CU_ASSERT(!is_well());
	look_after(STEP_NS); /* nothing was refused lately: there was no traffic */
	CU_ASSERT(is_well());
	receive(1, 2);
	refuse(1, 1, ENETUNREACH);
	look_after(STEP_NS);
	CU_ASSERT(!is_well());
	pass(1, 1);
	look_after(STEP_NS);
	CU_ASSERT(is_well());
}

static void a_class_of_which_some_is_refused_and_some_sent_is_well(void)
{
	launch();
	look_after(NS_PER_S);
	for (int i = 0; i < 50; i++) {
		receive(0, 3);
		refuse(0, 2, EMSGSIZE);
		pass(0, 1);
		look_after(STEP_NS);
		CU_ASSERT(is_well());
	}
}

static void the_errno_told_is_that_of_most_of_what_is_refused_now(void)
{
	struct account *a = &view.classes[0].account;

	launch();
	receive(0, 1000);
	refuse(0, 900, EPERM); /* long ago */
	look_after(NS_PER_S);
	look_after(100 * NS_PER_S);
	a->send_errno[1] = EHOSTUNREACH;
	a->send_errno_pkts[1] = 3;
	a->dropped_pkts[DROP_SEND_ERROR] += 3;
	lose(0, 3);
	receive(0, 1);
	refuse(0, 1, EPERM);
	look_after(STEP_NS);
	CU_ASSERT_STRING_EQUAL(health.causes[0].text, "class a: every packet is refused: EHOSTUNREACH");
}

static void a_call_that_keeps_failing_is_told_with_its_errno(void)
{
	struct stage_view *s = &view.stages[STAGE_INGRESS];

	launch();
	s->failing_errno = ENOMEM;
	s->failing_ns = NS_PER_S / 2;
	look_after(STEP_NS);
	CU_ASSERT(is_well());
	s->failing_ns = 4 * NS_PER_S;
	look_after(STEP_NS);
	check_cause(CAUSE_CALL_FAILS, "stage ingress: a system call has kept failing for 4 s: ENOMEM");
	s->failing_ns = 0;
	look_after(STEP_NS);
	CU_ASSERT(is_well());
}

static void a_stage_may_restart_but_not_stay_down_nor_hang(void)
{
	struct stage_view *s = &view.stages[STAGE_EDF];

	launch();
	s->state = "dead";
	look_after(STEP_NS);
	CU_ASSERT(is_well());
	s->state = "ready";
	look_after(STEP_NS);
	s->state = "starting";
	look_after(STEP_NS);
	look_after(STEP_NS);
	CU_ASSERT(is_well());
	look_after(STEP_NS);
	check_cause(CAUSE_STAGE_DOWN, "stage edf is starting: run/status.sh says more");
	s->state = "ready";
	s->beat_age_ns = 2900 * NS_PER_MS;
	look_after(STEP_NS);
	CU_ASSERT(is_well());
	s->beat_age_ns = 5 * NS_PER_S;
	look_after(STEP_NS);
	check_cause(CAUSE_STAGE_HUNG, "stage edf has not moved for 5 s");
}

static void a_supervisor_is_missed_only_where_there_was_one(void)
{
	launch();
	view.is_supervised = 0;
	look_after(UNSUPERVISED_NS - NS_PER_MS);
	CU_ASSERT(is_well());
	look_after(STEP_NS);
	check_cause(CAUSE_UNSUPERVISED, "no supervisor: a stage that dies stays down; run/launch.sh starts one");
	view.is_supervised = 1;
	look_after(STEP_NS);
	CU_ASSERT(is_well());
	launch();
	view.created_at_ns++; /* another launch, of stages by hand */
	view.is_supervised = 0;
	look_after(STEP_NS);
	look_after(UNSUPERVISED_NS);
	CU_ASSERT(is_well());
}

static void a_new_launch_is_judged_anew(void)
{
	launch();
	receive(0, 10);
	look_after(STUCK_NS);
	look_after(STUCK_NS);
	CU_ASSERT(!is_well());
	view.created_at_ns++;
	look_after(STEP_NS);
	CU_ASSERT(is_well());
}

static void two_looks_are_asked_for_only_while_they_may_tell_more(void)
{
	memset(&health, 0, sizeof(health));
	launch();
	CU_ASSERT(!health_is_undecided(&health));
	memset(&health, 0, sizeof(health));
	receive(0, 10);
	look_after(0);
	CU_ASSERT(health_is_undecided(&health));
	pass(0, 1);
	look_after(50 * NS_PER_MS); /* it moves */
	CU_ASSERT(!health_is_undecided(&health));
	memset(&health, 0, sizeof(health));
	look_after(0);
	look_after(STUCK_NS - NS_PER_MS);
	CU_ASSERT(health_is_undecided(&health));
	look_after(NS_PER_MS);
	CU_ASSERT(!health_is_undecided(&health) && !is_well());
}

static void refusals_of_long_ago_take_a_moment_and_those_of_now_a_second(void)
{
	launch();
	refuse(0, 0, EPERM);
	receive(0, 500);
	refuse(0, 500, EPERM);
	memset(&health, 0, sizeof(health));
	look_after(0);
	CU_ASSERT(health_is_undecided(&health));
	look_after(REFUSAL_SHOWS_NS);
	CU_ASSERT(!health_is_undecided(&health) && is_well());
	memset(&health, 0, sizeof(health));
	look_after(0);
	receive(0, 1);
	refuse(0, 1, EPERM);
	look_after(50 * NS_PER_MS);
	CU_ASSERT(health_is_undecided(&health) && is_well());
	look_after(REFUSED_LEAST_NS);
	CU_ASSERT(!health_is_undecided(&health) && !is_well());
}

static void every_cause_has_a_name_and_all_at_once_have_room(void)
{
	launch();
	for (int k = 0; k < N_CAUSE_KINDS; k++)
		CU_ASSERT_STRING_NOT_EQUAL(cause_name((enum cause_kind)k), "unknown");
	view.n_classes = MAX_CLASSES;
	health_note(&health, &view);
	for (uint32_t i = 0; i < MAX_CLASSES; i++) {
		memset(view.classes[i].name, 'n', CLASS_NAME_BYTES - 1);
		receive(i, 2);
		refuse(i, 1, 4711); /* no errno has that number */
		view.classes[i].account.unbalanced_pkts = INT64_MIN;
	}
	for (int i = 0; i < N_STAGES; i++)
		view.stages[i].beat_age_ns = view.stages[i].failing_ns = UINT64_MAX;
	view.is_supervised = 0;
	view.at_ns += NS_PER_S;
	health_note(&health, &view);
	for (uint32_t i = 0; i < MAX_CLASSES; i++)
		refuse(i, 0, 4711);
	look_after(REFUSED_NS);
	CU_ASSERT(health.n_causes > 3 * MAX_CLASSES && health.n_causes <= MAX_CAUSES);
}

/* A segment of this process's own, with an ingress that says how it fares. */
static void a_look_has_what_a_stage_says_of_itself(void)
{
	static struct config config;
	struct stage_block *b;
	struct segment seg;
	struct viewer viewer;
	char why[WHY_BYTES];

	config_defaults(&config);
	snprintf(config.instance, sizeof(config.instance), "unit-health-%d", getpid());
	CU_ASSERT_EQUAL_FATAL(segment_create(&seg, &config, NULL, 0, why), 0);
	b = &seg.shared->stages[STAGE_INGRESS];
	/* relaxed, all of them: the test is one thread */
	atomic_store_explicit(&b->failed_calls, 12, memory_order_relaxed);
	atomic_store_explicit(&b->failing_errno, ENOMEM, memory_order_relaxed);
	atomic_store_explicit(&b->failing_since_ns, now_ns() - 4 * NS_PER_S, memory_order_relaxed);
	atomic_store_explicit(&b->remade_sockets, 3, memory_order_relaxed);
	atomic_store_explicit(&b->sched_policy, SCHED_FIFO, memory_order_relaxed);
	viewer_open(&viewer, config.instance);
	CU_ASSERT_EQUAL_FATAL(viewer_look(&viewer, &view, why), 0);
	CU_ASSERT_EQUAL(view.stages[STAGE_INGRESS].failed_calls, 12);
	CU_ASSERT_EQUAL(view.stages[STAGE_INGRESS].failing_errno, ENOMEM);
	CU_ASSERT(view.stages[STAGE_INGRESS].failing_ns >= 4 * NS_PER_S);
	CU_ASSERT(view.stages[STAGE_INGRESS].failing_ns < 60 * NS_PER_S);
	CU_ASSERT_EQUAL(view.stages[STAGE_INGRESS].remade_sockets, 3);
	CU_ASSERT_STRING_EQUAL(sched_name(view.stages[STAGE_INGRESS].sched_policy), "fifo");
	CU_ASSERT_EQUAL(view.stages[STAGE_EDF].failing_ns, 0);
	CU_ASSERT_STRING_EQUAL(sched_name(view.stages[STAGE_EDF].sched_policy), "other");
	CU_ASSERT(!view.is_supervised);
	viewer_close(&viewer);
	segment_close(&seg);
	segment_remove(config.instance);
}

static void a_look_goes_on_when_the_name_of_a_live_instance_is_gone(void)
{
	static struct config config;
	struct segment seg;
	struct viewer viewer;
	char why[WHY_BYTES];

	config_defaults(&config);
	snprintf(config.instance, sizeof(config.instance), "unit-health-%d", getpid());
	CU_ASSERT_EQUAL_FATAL(segment_create(&seg, &config, NULL, 0, why), 0);
	CU_ASSERT_EQUAL_FATAL(segment_lock_stage(&seg, STAGE_EDF, 0), 0);
	viewer_open(&viewer, config.instance);
	CU_ASSERT_EQUAL(viewer_look(&viewer, &view, why), 0);
	segment_remove(config.instance); /* as a logout does */
	CU_ASSERT_EQUAL(viewer_look(&viewer, &view, why), 0);
	segment_close(&seg); /* the stage ends */
	CU_ASSERT_EQUAL(viewer_look(&viewer, &view, why), -ENOENT);
	viewer_close(&viewer);
}

SUITE(health, TEST(an_instance_that_does_nothing_or_its_work_is_well),
      TEST(a_class_that_holds_packets_and_sends_none_is_stuck_until_it_does),
      TEST(a_class_that_drops_what_it_holds_is_not_stuck),
      TEST(a_class_whose_every_packet_is_refused_is_ill_until_one_is_sent),
      TEST(a_class_of_which_some_is_refused_and_some_sent_is_well),
      TEST(the_errno_told_is_that_of_most_of_what_is_refused_now),
      TEST(a_call_that_keeps_failing_is_told_with_its_errno), TEST(a_stage_may_restart_but_not_stay_down_nor_hang),
      TEST(a_supervisor_is_missed_only_where_there_was_one), TEST(a_new_launch_is_judged_anew),
      TEST(two_looks_are_asked_for_only_while_they_may_tell_more),
      TEST(refusals_of_long_ago_take_a_moment_and_those_of_now_a_second),
      TEST(every_cause_has_a_name_and_all_at_once_have_room), TEST(a_look_has_what_a_stage_says_of_itself),
      TEST(a_look_goes_on_when_the_name_of_a_live_instance_is_gone))

/* place.c - when real time is given back and taken again, and who comes before whom. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "stage/place.h"
#include "suites.h"

#define LOOK_NS (25 * NS_PER_MS)

/*
 * Looks at a CPU that the stages use so much of, for a while or until the answer is `until`. Returns how long that
 * took.
 */
static uint64_t look_for(struct room *r, uint32_t percent, uint64_t most_ns, int until)
{
	uint64_t passed_ns = 0;

	while (passed_ns < most_ns) {
		passed_ns += LOOK_NS;
		if (room_look(r, LOOK_NS, LOOK_NS * percent / 100) == until)
			return passed_ns;
	}
	return UINT64_MAX;
}

static void real_time_stays_while_others_have_room(void)
{
	struct room r;

	room_init(&r);
	CU_ASSERT_EQUAL(look_for(&r, 75, 3600 * NS_PER_S, 0), UINT64_MAX);
}

static void a_flood_loses_real_time_within_a_fifth_of_a_second(void)
{
	struct room r;

	room_init(&r);
	CU_ASSERT_EQUAL(look_for(&r, 100, 10 * NS_PER_S, 0), 200 * NS_PER_MS);
}

static void a_short_burst_does_not_lose_it(void)
{
	struct room r;

	room_init(&r);
	for (int i = 0; i < 100; i++) {
		CU_ASSERT_EQUAL(look_for(&r, 100, 100 * NS_PER_MS, 0), UINT64_MAX);
		CU_ASSERT_EQUAL(look_for(&r, 30, 200 * NS_PER_MS, 0), UINT64_MAX);
	}
}

static void it_comes_back_a_second_after_the_flood_and_not_between_the_limits(void)
{
	struct room r;
	uint64_t took_ns;

	room_init(&r);
	look_for(&r, 100, 10 * NS_PER_S, 0);
	CU_ASSERT_EQUAL(look_for(&r, 70, 3600 * NS_PER_S, 1), UINT64_MAX);
	took_ns = look_for(&r, 20, 10 * NS_PER_S, 1);
	CU_ASSERT(took_ns >= NS_PER_S && took_ns <= NS_PER_S + 200 * NS_PER_MS);
}

/* Beside busy processes a flood uses half of the CPU at ordinary priority, and all of it at real time. */
static void what_does_not_last_is_tried_ever_more_rarely(void)
{
	uint64_t had_ns = 0, others_ns = 0;
	struct room r;

	room_init(&r);
	for (int i = 0; i < 10; i++) {
		had_ns += look_for(&r, 100, 10 * NS_PER_S, 0);
		others_ns += look_for(&r, 50, 60 * NS_PER_S, 1);
	}
	CU_ASSERT(had_ns * 50 < others_ns);
	look_for(&r, 30, 20 * NS_PER_S, 0); /* it lasted */
	look_for(&r, 100, 10 * NS_PER_S, 0);
	CU_ASSERT(look_for(&r, 30, 20 * NS_PER_S, 1) < 2 * NS_PER_S);
}

static void what_a_signal_took_is_gone_for_a_second_too(void)
{
	struct room r;

	room_init(&r);
	room_refuse(&r);
	CU_ASSERT(look_for(&r, 0, 10 * NS_PER_S, 1) >= NS_PER_S);
}

static void a_look_after_a_long_sleep_counts_as_long_as_it_took(void)
{
	struct room r;

	room_init(&r);
	CU_ASSERT_EQUAL(room_look(&r, 100 * NS_PER_S, 99 * NS_PER_S), 0);
	CU_ASSERT_EQUAL(room_look(&r, 100 * NS_PER_S, 0), 1);
	CU_ASSERT_EQUAL(room_look(&r, NS_PER_MS, NS_PER_S), 1); /* a count that jumps is at most all of the time */
}

static void with_work_ingress_comes_before_edf(void)
{
	for (int work = WORK_NONE; work <= WORK_PLUGIN; work++) {
		int ingress = place_priority(STAGE_INGRESS, (enum work_kind)work, 99);
		int edf = place_priority(STAGE_EDF, (enum work_kind)work, 99);
		int egress = place_priority(STAGE_EGRESS, (enum work_kind)work, 99);

		CU_ASSERT(egress > ingress && egress > edf);
		CU_ASSERT_EQUAL(ingress > edf, work != WORK_NONE);
	}
}

static void the_order_lasts_as_far_as_the_limit_allows(void)
{
	CU_ASSERT_EQUAL(place_priority(STAGE_EGRESS, WORK_PLUGIN, 3), 3);
	CU_ASSERT_EQUAL(place_priority(STAGE_INGRESS, WORK_PLUGIN, 3), 2);
	CU_ASSERT_EQUAL(place_priority(STAGE_EDF, WORK_PLUGIN, 3), 1);
	for (int id = 0; id < N_STAGES; id++)
		CU_ASSERT_EQUAL(place_priority((enum stage_id)id, WORK_PLUGIN, 1), 1);
}

/* An emulator of user programs has no states in the /proc it shows. */
static int tells_states(void)
{
	char text[256] = "";
	FILE *f = fopen("/proc/self/stat", "re");
	const char *text_end = f ? fgets(text, sizeof(text), f) : NULL;
	const char *state = text_end ? strrchr(text, ')') : NULL;

	if (f)
		fclose(f);
	return state && strncmp(state, ") 0", 3) != 0;
}

#define BLOCKS_BYTES (sizeof(struct stage_block) * N_STAGES)

/*
 * Gone is the segment, and real time with it; then the process works on, as a sanitizer's exit does. Returns how it
 * ended.
 */
static int work_after_the_end(const struct config *c)
{
	static struct place p;
	struct stage_block *blocks;
	pid_t child;
	int status = -1;

	/* cppcheck-suppress invalidFunctionArg ; -1 is what MAP_ANONYMOUS wants */
	blocks = mmap(NULL, BLOCKS_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	child = blocks == MAP_FAILED ? -1 : fork();
	if (child == 0) {
		place_open(&p, c, STAGE_EGRESS, blocks);
		place_close();
		munmap(blocks, BLOCKS_BYTES);
		while (clock_read_ns(CLOCK_THREAD_CPUTIME_ID) < 350 * NS_PER_MS)
			continue;
		_exit((sched_getscheduler(0) & ~SCHED_RESET_ON_FORK) == SCHED_OTHER ? 0 : 1);
	}
	if (child > 0)
		waitpid(child, &status, 0);
	if (blocks != MAP_FAILED)
		munmap(blocks, BLOCKS_BYTES);
	return status;
}

static void after_the_end_no_signal_touches_the_segment(void)
{
	static struct config c;

	config_defaults(&c);
	CU_ASSERT_EQUAL(c.fifo, FIFO_AUTO);
	CU_ASSERT_EQUAL(work_after_the_end(&c), 0);
}

static void waits_are_the_second_figure_of_schedstat(void)
{
	struct waits w;

	CU_ASSERT_EQUAL(waits_parse("1234567890123 9876543210 55\n", &w), 0);
	CU_ASSERT_EQUAL(w.cpu_ns, 1234567890123ULL);
	CU_ASSERT_EQUAL(w.queued_ns, 9876543210ULL);
	CU_ASSERT_EQUAL(waits_parse("12\n", &w), -EPROTO);
	CU_ASSERT_EQUAL(waits_parse("", &w), -EPROTO);
	CU_ASSERT_EQUAL(waits_parse("? 1 2", &w), -EPROTO);
	CU_ASSERT_EQUAL(waits_read((uint32_t)getpid(), &w), 0);
	CU_ASSERT_EQUAL(w.is_ready, tells_states());
	CU_ASSERT(waits_read(0x7fffffff, &w) < 0 && w.cpu_ns == 0);
}

static void a_wait_that_has_not_ended_counts(void)
{
	static const struct waits before = { 100, 200, 1 }, still = { 100, 200, 1 }, asleep = { 100, 200, 0 },
				  ran = { 150, 260, 1 };

	CU_ASSERT_EQUAL(waits_between(&before, &still, 1000), 1000);
	CU_ASSERT_EQUAL(waits_between(&before, &asleep, 1000), 0);
	CU_ASSERT_EQUAL(waits_between(&before, &ran, 1000), 60);
	CU_ASSERT_EQUAL(waits_between(&before, &ran, 50), 50);
	CU_ASSERT_EQUAL(waits_between(&ran, &before, 1000), 0); /* another process */
}

SUITE(place, TEST(real_time_stays_while_others_have_room), TEST(a_flood_loses_real_time_within_a_fifth_of_a_second),
      TEST(a_short_burst_does_not_lose_it), TEST(it_comes_back_a_second_after_the_flood_and_not_between_the_limits),
      TEST(what_does_not_last_is_tried_ever_more_rarely), TEST(what_a_signal_took_is_gone_for_a_second_too),
      TEST(a_look_after_a_long_sleep_counts_as_long_as_it_took), TEST(with_work_ingress_comes_before_edf),
      TEST(the_order_lasts_as_far_as_the_limit_allows), TEST(after_the_end_no_signal_touches_the_segment),
      TEST(waits_are_the_second_figure_of_schedstat), TEST(a_wait_that_has_not_ended_counts))

/* work.c - the work on a packet: as long as it says, without burning a CPU for it, and a plugin on its own copy. */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "edf/ending.h"
#include "edf/work.h"
#include "suites.h"

#define N_PKTS 50

static struct stage stage; /* one class, a segment without a name */

static void open_stage(enum work_kind kind, const char *plugin)
{
	char why[WHY_BYTES];

	memset(&stage, 0, sizeof(stage));
	config_defaults(&stage.config);
	snprintf(stage.config.instance, sizeof(stage.config.instance), "unit-work-%d", getpid());
	stage.config.work = kind;
	snprintf(stage.config.plugin, sizeof(stage.config.plugin), "%s", plugin);
	CU_ASSERT_EQUAL_FATAL(segment_create(&stage.seg, &stage.config, NULL, 0, why), 0);
	segment_remove(stage.config.instance);
}

/* The built plugin lies beside this program's directory. */
static void find_plugin(char path[PATH_BYTES])
{
	char self[PATH_BYTES - 32] = "";
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	CU_ASSERT_FATAL(n > 0);
	*strrchr(self, '/') = 0;
	snprintf(path, PATH_BYTES, "%s/../plugins/upper.so", self);
}

static struct result work_on(struct work *w, const char *text)
{
	const struct lane_view *v = &stage.seg.views[0];
	struct ontime_packet packet = { .in = lane_payload(v, 0),
					.in_bytes = (uint32_t)strlen(text),
					.out_room_bytes = stage.config.payload_bytes };
	struct result result = { .drop = 99 };

	memcpy(lane_payload(v, 0), text, strlen(text));
	work_do(w, v, 0, &packet, &result, now_ns());
	return result;
}

static uint64_t cpu_ns(void)
{
	return clock_read_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static void simulated_work_grows_from_a_fifth_to_two_fifths_of_a_millisecond(void)
{
	CU_ASSERT_EQUAL(work_simulated_ns(0), 200000);
	CU_ASSERT_EQUAL(work_simulated_ns(700), 300000);
	CU_ASSERT_EQUAL(work_simulated_ns(1400), 400000);
	CU_ASSERT_EQUAL(work_simulated_ns(65507), 400000);
	for (uint32_t bytes = 1; bytes < 2000; bytes++)
		CU_ASSERT(work_simulated_ns(bytes) >= work_simulated_ns(bytes - 1));
}

static void simulated_work_takes_its_time_and_mostly_sleeps(void)
{
	struct work w;
	uint64_t began_ns, began_cpu_ns, took_ns;

	open_stage(WORK_SIMULATE, "");
	CU_ASSERT_EQUAL_FATAL(work_open(&w, &stage, &stage.seg.shared->edf_journal), 0);
	began_ns = now_ns();
	began_cpu_ns = cpu_ns();
	for (int i = 0; i < N_PKTS; i++) {
		struct result r = work_on(&w, "0123456789");

		CU_ASSERT_EQUAL(r.drop, DROP_NONE);
		CU_ASSERT_EQUAL(r.len_bytes, 10);
		CU_ASSERT_EQUAL(r.second, 0);
	}
	took_ns = now_ns() - began_ns;
	CU_ASSERT(took_ns >= N_PKTS * work_simulated_ns(10));
	CU_ASSERT(cpu_ns() - began_cpu_ns < N_PKTS * work_simulated_ns(10) * 6 / 10);
	work_close(&w);
	segment_close(&stage.seg);
}

static void no_work_changes_nothing(void)
{
	struct work w;
	struct result r;

	open_stage(WORK_NONE, "");
	CU_ASSERT_EQUAL_FATAL(work_open(&w, &stage, &stage.seg.shared->edf_journal), 0);
	r = work_on(&w, "abc");
	CU_ASSERT_EQUAL(r.drop, DROP_NONE);
	CU_ASSERT_EQUAL(r.len_bytes, 3);
	CU_ASSERT_EQUAL(memcmp(lane_payload(&stage.seg.views[0], 0), "abc", 3), 0);
	work_close(&w);
	segment_close(&stage.seg);
}

static void a_plugin_works_on_a_copy_and_again_gives_the_same(void)
{
	char path[PATH_BYTES];
	struct work w;
	struct result r;

	find_plugin(path);
	open_stage(WORK_PLUGIN, path);
	CU_ASSERT_EQUAL_FATAL(work_open(&w, &stage, &stage.seg.shared->edf_journal), 0);
	for (int again = 0; again < 2; again++) {
		const uint8_t *in = lane_payload(&stage.seg.views[0], 0);

		r = work_on(&w, "abc-1");
		CU_ASSERT_EQUAL(r.drop, DROP_NONE);
		CU_ASSERT_EQUAL(r.second, 1);
		CU_ASSERT_EQUAL(r.len_bytes, 5);
		CU_ASSERT_EQUAL(memcmp(in, "abc-1", 5), 0);
		CU_ASSERT_EQUAL(memcmp(in + stage.seg.views[0].second_offset, "ABC-1", 5), 0);
	}
	work_close(&w);
	segment_close(&stage.seg);
}

static int refuse(void *state, struct ontime_packet *packet)
{
	(void)state;
	(void)packet;
	return -EINVAL;
}

static int write_too_much(void *state, struct ontime_packet *packet)
{
	(void)state;
	packet->out_bytes = packet->out_room_bytes + 1;
	return 0;
}

static void what_a_plugin_refuses_or_overfills_is_dropped(void)
{
	struct ontime_plugin plugin = { .abi = ONTIME_PLUGIN_ABI, .name = "test", .work = refuse };
	struct work w;

	open_stage(WORK_PLUGIN, "");
	w = (struct work){
		.kind = WORK_PLUGIN, .plugin = &plugin, .journal = &stage.seg.shared->edf_journal, .n_classes = 1
	};
	CU_ASSERT_EQUAL(work_on(&w, "abc").drop, DROP_POISON);
	plugin.work = write_too_much;
	CU_ASSERT_EQUAL(work_on(&w, "abc").drop, DROP_POISON);
	segment_close(&stage.seg);
}

#define SLICE_NS (50 * NS_PER_US)
#define OTHERS_NS (100 * NS_PER_US)

static uint64_t slices, worked_before_ns;

/* What comes between two slices takes 100 us each time. */
static uint64_t take_others(void *arg, uint64_t worked_ns)
{
	uint64_t began_ns = now_ns();

	CU_ASSERT_PTR_EQUAL(arg, &slices);
	CU_ASSERT(worked_ns >= worked_before_ns + SLICE_NS * 9 / 10);
	worked_before_ns = worked_ns;
	slices++;
	while (now_ns() - began_ns < OTHERS_NS)
		continue;
	return now_ns() - began_ns;
}

static void slice_work(enum work_kind kind, const char *plugin, const char *text, uint64_t takes_ns)
{
	uint64_t began_ns, took_ns, others_ns;
	struct ontime_packet packet = { .in_bytes = (uint32_t)strlen(text) };
	struct result result;
	struct work w;

	open_stage(kind, plugin);
	packet.in = lane_payload(&stage.seg.views[0], 0);
	packet.out_room_bytes = stage.config.payload_bytes;
	CU_ASSERT_EQUAL_FATAL(work_open(&w, &stage, &stage.seg.shared->edf_journal), 0);
	work_slice(&w, SLICE_NS, take_others, &slices);
	memcpy(lane_payload(&stage.seg.views[0], 0), text, strlen(text));
	slices = worked_before_ns = 0;
	began_ns = now_ns();
	others_ns = work_do(&w, &stage.seg.views[0], 0, &packet, &result, began_ns);
	took_ns = now_ns() - began_ns;
	CU_ASSERT_EQUAL(result.drop, DROP_NONE);
	CU_ASSERT(kind == WORK_SIMULATE ? slices == (takes_ns - 1) / SLICE_NS : slices >= 1);
	CU_ASSERT(others_ns >= slices * OTHERS_NS);
	CU_ASSERT(took_ns >= takes_ns + others_ns); /* what others took is not taken from the work */
	work_close(&w);
	segment_close(&stage.seg);
}

static void work_in_slices_takes_its_own_time_and_that_of_the_others(void)
{
	char path[PATH_BYTES], text[401];

	memset(text, 'x', sizeof(text));
	text[400] = 0;
	slice_work(WORK_SIMULATE, "", text, work_simulated_ns(400));
	find_plugin(path);
	strcpy(strrchr(path, '/'), "/slow.so");
	slice_work(WORK_PLUGIN, path, text, 400 * NS_PER_US);
}

static int status_of(const char *file)
{
	struct work w;
	int status;

	open_stage(WORK_PLUGIN, file);
	status = work_open(&w, &stage, &stage.seg.shared->edf_journal);
	work_close(&w);
	segment_close(&stage.seg);
	return status;
}

static void a_file_that_others_may_write_to_is_not_loaded(void)
{
	static const mode_t modes[] = { 0646, 0666, 0777 };
	char path[PATH_BYTES], command[PATH_BYTES * 2], copy[] = "/tmp/ontime-unit-XXXXXX";
	int fd = mkstemp(copy);

	CU_ASSERT_FATAL(fd >= 0);
	close(fd);
	find_plugin(path);
	snprintf(command, sizeof(command), "cat %s > %s", path, copy);
	CU_ASSERT_EQUAL_FATAL(system(command), 0);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		chmod(copy, modes[i]);
		CU_ASSERT_EQUAL(status_of(copy), EXIT_TEMPORARY);
	}
	chmod(copy, 0644);
	CU_ASSERT_EQUAL(status_of(copy), 0);
	if (geteuid() == 0 && chown(copy, 12345, 0) == 0)
		CU_ASSERT_EQUAL(status_of(copy), EXIT_TEMPORARY);
	unlink(copy);
}

static void only_what_is_no_plugin_is_refused_for_good(void)
{
	Dl_info libc;

	CU_ASSERT_EQUAL(status_of("/nonexistent/plugin.so"), EXIT_TEMPORARY);
	CU_ASSERT_EQUAL(status_of("/proc/self/status"), EXIT_TEMPORARY); /* no object, perhaps not yet */
	CU_ASSERT_EQUAL(status_of("/dev/null"), EXIT_TEMPORARY);
	/* Last: it stays loaded, under the name of a descriptor that the next file would have. */
	CU_ASSERT_FATAL(dladdr((void *)(uintptr_t)&strlen, &libc) != 0);
	CU_ASSERT_EQUAL(status_of(libc.dli_fname), EXIT_CONFIG);
}

/* Who ended: only one that ended by itself with a packet at work has that packet to blame. */
static void a_successor_notes_what_its_predecessor_could_not(void)
{
	static const struct {
		const char *last_end;
		uint32_t crashes;
	} ends[] = { { NULL, 0 },   { "signal 9", 0 },	{ "unknown", 0 },   { "exited 0", 1 }, { "exited 2", 2 },
		     { "hung", 3 }, { "signal 15", 3 }, { "signal 11", 4 }, { "signal 31", 5 } };
	struct edf_journal *journal;

	open_stage(WORK_PLUGIN, "");
	journal = &stage.seg.shared->edf_journal;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		journal->working = 77;
		ending_recall(journal, ends[i].last_end);
		CU_ASSERT_EQUAL(journal->crashes, ends[i].crashes);
		CU_ASSERT_EQUAL(journal->working, 0);
		ending_recall(journal, ends[i].last_end); /* nothing was at work */
		CU_ASSERT_EQUAL(journal->crashes, ends[i].crashes);
	}
	CU_ASSERT_EQUAL(journal->crashed_on, 77);
	segment_close(&stage.seg);
}

static void the_third_crash_in_a_row_makes_a_packet_poison(void)
{
	struct edf_journal *journal;
	struct work w;
	uint64_t word = 77ULL << COUNT_SHIFT;

	open_stage(WORK_PLUGIN, "");
	journal = &stage.seg.shared->edf_journal;
	w = (struct work){ .kind = WORK_PLUGIN, .journal = journal };
	work_guard(&w, 2, word);
	journal->crashed_on = journal->working;
	journal->crashes = CRASHES_UNTIL_POISON - 1;
	CU_ASSERT_EQUAL(work_is_poison(&w, 2, word), 0);
	journal->crashes = CRASHES_UNTIL_POISON;
	CU_ASSERT_EQUAL(work_is_poison(&w, 2, word), 1);
	CU_ASSERT_EQUAL(work_is_poison(&w, 1, word), 0); /* the same count of another class */
	CU_ASSERT_EQUAL(work_is_poison(&w, 2, word + (1 << COUNT_SHIFT)), 0);
	w.kind = WORK_NONE;
	CU_ASSERT_EQUAL(work_is_poison(&w, 2, word), 0);
	segment_close(&stage.seg);
}

SUITE(work, TEST(simulated_work_grows_from_a_fifth_to_two_fifths_of_a_millisecond),
      TEST(simulated_work_takes_its_time_and_mostly_sleeps), TEST(no_work_changes_nothing),
      TEST(a_plugin_works_on_a_copy_and_again_gives_the_same), TEST(what_a_plugin_refuses_or_overfills_is_dropped),
      TEST(work_in_slices_takes_its_own_time_and_that_of_the_others),
      TEST(a_file_that_others_may_write_to_is_not_loaded), TEST(only_what_is_no_plugin_is_refused_for_good),
      TEST(a_successor_notes_what_its_predecessor_could_not), TEST(the_third_crash_in_a_row_makes_a_packet_poison))

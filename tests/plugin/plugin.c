/*
 * plugin.c - work done by plugins in the real stages: what is sent is theirs, and however one ends the stage, the next
 * packet goes through.
 *
 * usage: plugin [DIR [PART]]     as pipeline
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cage/cage.h"
#include "harness/emulated.h"
#include "hold/sockets.h"
#include "plugin.h"

struct rig rig;
static const char *build_dir;

const char *plugin_line(const char *file, const char *more)
{
	static char line[PATH_BYTES * 2];
	char path[PATH_BYTES], whole[PATH_BYTES * 16];

	snprintf(path, sizeof(path), "%s/%s", build_dir, file);
	if (!realpath(path, whole))
		test_fail(__LINE__, "%s is not built", path);
	snprintf(line, sizeof(line), "work = plugin:%.200s\n%s", whole, more);
	return line;
}

void start(struct rig *r)
{
	static struct sockets sockets;
	char why[WHY_BYTES];

	rig_load(r);
	expect(sockets_open(&sockets, &r->config) == 0);
	if (segment_create(&r->seg, &r->config, sockets.cookies, sockets.n - sockets.n_uncounted, why))
		test_fail(__LINE__, "%s", why);
	expect(sockets_hand_on(&sockets) == 0);
	rig_start(r);
}

static void say(uint32_t class, const char *text)
{
	expect(send(rig.flows[class].out_fd[0], text, strlen(text), 0) == (ssize_t)strlen(text));
}

/* The next datagram at the class's sink is this one. */
static void hear(uint32_t class, const char *text)
{
	char got[LARGEST_BYTES + 1];
	ssize_t n;

	await((n = recv(rig.flows[class].sink_fd[0], got, LARGEST_BYTES, MSG_DONTWAIT)) >= 0);
	got[n] = 0;
	if (strcmp(got, text) != 0)
		test_fail(__LINE__, "'%s' came, not '%s'", got, text);
}

static void what_a_plugin_writes_is_sent(void)
{
	rig_begin(&rig, plugin_line("plugins/upper.so", ""));
	rig_class(&rig, "only", LOCAL, 1, 1, "");
	start(&rig);
	say(0, "hello");
	hear(0, "HELLO");
	say(0, "");
	hear(0, "");
	stage_restart(&rig, STAGE_EDF, SIGKILL);
	say(0, "again");
	hear(0, "AGAIN");
	await(account_of(&rig, 0).sent_pkts == 3);
	expect(account_of(&rig, 0).work_ns > 0);
}

/* The stage has died of it: a successor, as the supervisor would start it. */
static void survive_crash(void)
{
	int status = stage_end(&rig, STAGE_EDF, 0);

	expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	stage_start(&rig, STAGE_EDF);
}

static void a_packet_that_crashes_three_times_is_poison(void)
{
	rig_begin(&rig, plugin_line("tests/plugins/crash.so", ""));
	rig_class(&rig, "one", LOCAL, 1, 1, "");
	rig_class(&rig, "other", LOCAL, 1, 1, "");
	start(&rig);
	say(0, "before");
	hear(0, "before");
	say(0, "crash me");
	say(0, "after");
	for (int i = 0; i < 3; i++) {
		expect_equal(account_of(&rig, 0).dropped_pkts[DROP_POISON], 0);
		survive_crash();
	}
	hear(0, "after");
	say(1, "unharmed");
	hear(1, "unharmed");
	await(account_of(&rig, 0).held_pkts == 0);
	expect_equal(account_of(&rig, 0).dropped_pkts[DROP_POISON], 1);
	expect_equal(account_of(&rig, 0).sent_pkts, 2);
	expect_equal(account_of(&rig, 0).unbalanced_pkts, 0);
	say(0, "crash again"); /* another packet: it has its own three tries */
	for (int i = 0; i < 3; i++)
		survive_crash();
	await(account_of(&rig, 0).dropped_pkts[DROP_POISON] == 2);
}

/* Twice, so that the count of one packet is not that of another. However it ends, the next one goes through. */
static void a_packet_costs(const char *text, int sig)
{
	uint64_t poison = account_of(&rig, 0).dropped_pkts[DROP_POISON];
	char end[32];

	snprintf(end, sizeof(end), "signal %d", sig); /* what a supervisor tells the successor */
	setenv("ONTIME_LAST_END", end, 1);
	say(0, text);
	say(0, "after");
	for (int i = 0; i < 3; i++) {
		int status;

		expect_equal(account_of(&rig, 0).dropped_pkts[DROP_POISON], poison);
		status = stage_end(&rig, STAGE_EDF, 0);
		/* without a line, where the C library has all signals blocked */
		if (!WIFSIGNALED(status) ||
		    (WTERMSIG(status) != sig && !(sig == SIGSYS && WTERMSIG(status) == SIGABRT)))
			test_fail(__LINE__, "'%s': wait status 0x%x, not signal %d", text, status, sig);
		stage_start(&rig, STAGE_EDF);
	}
	hear(0, "after");
	await(account_of(&rig, 0).held_pkts == 0);
	expect_equal(account_of(&rig, 0).dropped_pkts[DROP_POISON], poison + 1);
	expect_equal(account_of(&rig, 0).unbalanced_pkts, 0);
}

static void start_crashes(const char *more)
{
	rig_begin(&rig, plugin_line("tests/plugins/crash.so", more));
	rig_class(&rig, "one", LOCAL, 1, 1, "");
	start(&rig);
	say(0, "before");
	hear(0, "before");
}

static void start_with_crashes(void)
{
	start_crashes("");
}

static void each_way_of_ending_costs_its_packet_and_not_the_stage(void)
{
	start_with_crashes();
	a_packet_costs("exit 0", SIGABRT);
	a_packet_costs("exit 1", SIGABRT);
	a_packet_costs("_exit 2", SIGABRT);
	a_packet_costs("_Exit 0", SIGABRT);
	a_packet_costs("quick exit", SIGABRT);
	a_packet_costs("segv", SIGSEGV);
	a_packet_costs("usr2", SIGUSR2);
	a_packet_costs("overflow", SIGSEGV);
}

static void a_call_that_is_not_allowed_costs_its_packet(void)
{
	if (CAGE_IS_OPEN || is_emulated())
		test_skip("with a sanitizer, and by an emulator, all calls are allowed");
	start_with_crashes();
	a_packet_costs("group exit", SIGABRT);
	a_packet_costs("bare exit", SIGABRT);
	a_packet_costs("thread", SIGSYS);
	a_packet_costs("fork", SIGSYS);
	a_packet_costs("open", SIGABRT);
	a_packet_costs("execute", SIGABRT);
}

/* The packet is at work, by the successor's word. */
static void await_work(uint32_t generation)
{
	rig_await_ready(&rig, STAGE_EDF, generation);
	await(atomic_load_explicit(&rig.seg.shared->edf_journal.working, memory_order_relaxed) != 0);
}

static void a_packet_that_hangs_is_ended_and_counted(void)
{
	start_with_crashes();
	say(0, "loop");
	say(0, "after");
	for (uint32_t i = 0; i < 3; i++) {
		await_work(i + 1);
		stage_end(&rig, STAGE_EDF, SIGABRT); /* as the watch does */
		stage_start(&rig, STAGE_EDF);
	}
	hear(0, "after");
	expect_equal(account_of(&rig, 0).dropped_pkts[DROP_POISON], 1);
}

/* Nothing of the process is left to note it: the successor is told, as by the supervisor. */
static void a_bare_exit_is_noted_by_the_successor(void)
{
	start_crashes("cage = off\n");
	say(0, "group exit");
	say(0, "after");
	for (int i = 0; i < 3; i++) {
		int status = stage_end(&rig, STAGE_EDF, 0);

		expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		expect(atomic_load_explicit(&rig.seg.shared->stages[STAGE_EDF].state, memory_order_relaxed) ==
		       STATE_READY); /* by which a supervisor tells that it did not mean to */
		setenv("ONTIME_LAST_END", "exited 0", 1);
		stage_start(&rig, STAGE_EDF);
	}
	hear(0, "after");
	expect_equal(account_of(&rig, 0).dropped_pkts[DROP_POISON], 1);
}

#define N_SIGNALS 6

/*
 * Whoever kills the stage from outside, its packet is not to blame: with SIGKILL, or any other signal that nobody
 * handles.
 */
static void kills_from_outside_are_not_the_packets_fault(void)
{
	static const int signals[N_SIGNALS] = { SIGKILL, SIGQUIT, SIGUSR2, SIGALRM, SIGKILL, SIGKILL };

	start_with_crashes();
	say(0, "loop");
	for (uint32_t i = 0; i < N_SIGNALS; i++) {
		char end[32];
		int status;

		await_work(i + 1);
		status = stage_end(&rig, STAGE_EDF, signals[i]);
		expect(WIFSIGNALED(status) && WTERMSIG(status) == signals[i]);
		snprintf(end, sizeof(end), "signal %d", signals[i]);
		setenv("ONTIME_LAST_END", end, 1);
		stage_start(&rig, STAGE_EDF);
	}
	await_work(N_SIGNALS + 1);
	expect_equal(account_of(&rig, 0).dropped_pkts[DROP_POISON], 0);
	expect_equal(atomic_load_explicit(&rig.seg.shared->edf_journal.crashes, memory_order_relaxed), 0);
}

/* All that it and a shell do, and no more. */
static void what_a_plugin_may_do_it_does(void)
{
	if (CAGE_IS_OPEN || is_emulated())
		test_skip("with a sanitizer, and by an emulator, a plugin may do anything");
	start_crashes("plugin_calls = clone clone3 wait4 execve mmap mprotect exit set_robust_list rseq openat "
#ifdef __x86_64__
		      "vfork access arch_prctl "
#endif
		      "set_tid_address prlimit64 getuid getgid getegid kill\n");
	say(0, "spawn");
	hear(0, "spawn");
	say(0, "thread");
	hear(0, "thread");
	say(0, "fork");
	hear(0, "fork");
	say(0, "open");
	hear(0, "open");
	say(0, "create"); /* no file, whatever it may call */
	hear(0, "create");
	expect_equal(account_of(&rig, 0).dropped_pkts[DROP_POISON], 0);
	expect_equal(rig_log_lines(&rig, "edf: ready"), 1);
}

/* Its threads too: there is no other stack for their signals, so the kernel ends the process at once. */
static void a_thread_that_uses_up_its_stack_costs_its_packet(void)
{
	start_crashes("cage = off\n");
	a_packet_costs("deep", SIGSEGV);
}

/* It is seen at a beat; the packet has gone on by then, and each stage has what it needs again. */
static void a_plugin_that_closes_all_ends_its_stage_and_no_more(void)
{
	start_with_crashes();
	for (int i = 0; i < 2; i++) {
		int status;

		say(0, "close");
		hear(0, "close");
		status = stage_end(&rig, STAGE_EDF, 0);
		expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
		stage_start(&rig, STAGE_EDF);
		rig_await_ready(&rig, STAGE_EDF, (uint32_t)i + 2);
	}
	say(0, "after");
	hear(0, "after");
	await(account_of(&rig, 0).held_pkts == 0);
	expect_equal(account_of(&rig, 0).unbalanced_pkts, 0);
}

static void a_child_that_stays_keeps_no_successor_waiting(void)
{
	start_crashes("cage = off\n");
	say(0, "stay");
	hear(0, "stay");
	stage_restart(&rig, STAGE_EDF, SIGKILL);
	say(0, "after");
	hear(0, "after");
}

static void what_ends_nothing_costs_nothing(void)
{
	start_with_crashes();
	say(0, "term"); /* to itself: it is not heard */
	hear(0, "term");
	say(0, "after");
	hear(0, "after");
	expect_equal(account_of(&rig, 0).dropped_pkts[DROP_POISON], 0);
	expect_equal(rig_log_lines(&rig, "edf: ready"), 1);
	expect_equal(stage_end(&rig, STAGE_EDF, SIGTERM), 0); /* from another process it is */
}

/* As on a file system where the plugin is about to be installed again. */
static void a_plugin_file_that_is_missing_comes_back(void)
{
	static const char why[] = "load plugin";
	char file[PATH_BYTES], away[PATH_BYTES + 8], copy[PATH_BYTES * 4], line[PATH_BYTES * 2];
	int status;

	snprintf(file, sizeof(file), "/tmp/ontime-plugin-%d.so", getpid());
	snprintf(away, sizeof(away), "%s.away", file);
	snprintf(copy, sizeof(copy), "cp %s/plugins/upper.so %s && chmod 644 %s", build_dir, file, file);
	expect(system(copy) == 0);
	snprintf(line, sizeof(line), "work = plugin:%s\n", file);
	rig_begin(&rig, line);
	rig_class(&rig, "one", LOCAL, 1, 1, "");
	start(&rig);
	stage_end(&rig, STAGE_EDF, SIGKILL);
	say(0, "meanwhile");
	expect(rename(file, away) == 0);
	stage_start(&rig, STAGE_EDF);
	status = stage_end(&rig, STAGE_EDF, 0);
	expect(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	expect_equal(rig_log_lines(&rig, why), 1);
	snprintf(copy, sizeof(copy), "head -c 100 %s > %s", away, file); /* half-written */
	expect(system(copy) == 0);
	stage_start(&rig, STAGE_EDF);
	status = stage_end(&rig, STAGE_EDF, 0);
	expect(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	expect(rename(away, file) == 0 && chmod(file, 0666) == 0);
	stage_start(&rig, STAGE_EDF);
	status = stage_end(&rig, STAGE_EDF, 0);
	expect(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	expect_equal(rig_log_lines(&rig, "others may write to it"), 1);
	expect(chmod(file, 0644) == 0);
	stage_start(&rig, STAGE_EDF);
	hear(0, "MEANWHILE");
	unlink(file);
}

#define ENTRY(test)                                                                                                    \
	{                                                                                                              \
#test, test                                                                                            \
	}

int main(int argc, char **argv)
{
	static const struct harness_test tests[] = {
		ENTRY(what_a_plugin_writes_is_sent),
		ENTRY(a_packet_that_crashes_three_times_is_poison),
		ENTRY(each_way_of_ending_costs_its_packet_and_not_the_stage),
		ENTRY(a_call_that_is_not_allowed_costs_its_packet),
		ENTRY(a_packet_that_hangs_is_ended_and_counted),
		ENTRY(a_bare_exit_is_noted_by_the_successor),
		ENTRY(kills_from_outside_are_not_the_packets_fault),
		ENTRY(what_a_plugin_may_do_it_does),
		ENTRY(a_thread_that_uses_up_its_stack_costs_its_packet),
		ENTRY(a_plugin_that_closes_all_ends_its_stage_and_no_more),
		ENTRY(a_child_that_stays_keeps_no_successor_waiting),
		ENTRY(what_ends_nothing_costs_nothing),
		ENTRY(a_plugin_file_that_is_missing_comes_back),
		ENTRY(slices_let_high_go_before_long_work_ends),
		ENTRY(kills_lose_nothing_while_work_is_interrupted),
		ENTRY(endless_interruptions_do_not_look_like_a_hang),
	};

	build_dir = argc > 1 ? argv[1] : getenv("ONTIME_BUILD");
	if (!build_dir)
		build_dir = "build";
	return harness_main("plugin", argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}

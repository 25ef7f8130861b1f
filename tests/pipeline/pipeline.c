/*
 * pipeline.c - the three real processes over loopback: what is promised of them, one test per promise.
 *
 * usage: pipeline [DIR [PART]]     DIR: where the stages are (default $ONTIME_BUILD, or build); PART: of the tests'
 * names
 */
#include "pipeline.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define MOST_TESTS 128

struct rig rig;
const char *build_dir;

/* What hold does before it hands on. pmtu_do: refuse to fragment on the way out. */
void hold(struct rig *r, int pmtu_do)
{
	static struct sockets sockets;
	char why[WHY_BYTES];
	int dont = IP_PMTUDISC_DO;

	rig_load(r);
	setenv("ONTIME_LOG", "error", 1); /* of this process: a small receive buffer, or no route, is no news here */
	expect(sockets_open(&sockets, &r->config) == 0);
	unsetenv("ONTIME_LOG");
	for (uint32_t i = 0; pmtu_do && i < sockets.n; i++)
		setsockopt(sockets.fds[i], SOL_IP, IP_MTU_DISCOVER, &dont, sizeof(dont));
	if (segment_create(&r->seg, &r->config, sockets.cookies, sockets.n - sockets.n_uncounted, why))
		test_fail(__LINE__, "%s", why);
	expect(sockets_open_sessions(&sockets, &r->config, &r->seg, NULL) == 0);
	expect(sockets_hand_on(&sockets) == 0);
}

void start(struct rig *r)
{
	hold(r, 0);
	rig_start(r);
}

void begin_four_classes(const char *pipeline)
{
	rig_begin(&rig, pipeline);
	rig_class(&rig, "high", LOCAL, 1, 1, "budget = 1ms\n");
	rig_class(&rig, "medium", LOCAL, 1, 1, "budget = 10ms\n");
	rig_class(&rig, "low", LOCAL, 1, 1, "budget = 100ms\n");
	rig_class(&rig, "besteffort", LOCAL, 1, 1, "budget = none\n");
}

/* Stages started from now on have it loaded before the C library. */
void preload(const char *object)
{
	char path[512], whole[PATH_BYTES * 16];

	snprintf(path, sizeof(path), "%s/tests/plugins/%s", build_dir, object);
	expect(realpath(path, whole));
	setenv("LD_PRELOAD", whole, 1);
	setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1);
}

void start_one_class(const char *pipeline, const char *lines)
{
	rig_begin(&rig, pipeline);
	rig_class(&rig, "only", LOCAL, 1, 1, lines);
	start(&rig);
}

uint64_t dropped(enum drop_reason reason)
{
	return account_of(&rig, 0).dropped_pkts[reason];
}

uint64_t errors_of(int err)
{
	struct account a = account_of(&rig, 0);

	for (int i = 0; i < SEND_ERRNOS; i++)
		if (a.send_errno[i] == (uint64_t)err)
			return a.send_errno_pkts[i];
	return 0;
}

void freeze_egress_past_the_deadline(uint32_t n)
{
	stage_freeze(&rig, STAGE_EGRESS);
	send_pkts(&rig, 0, n, 100);
	await(account_of(&rig, 0).waiting_egress_pkts == n);
	pass_time(rig.config.classes[0].budget_ns + 20 * NS_PER_MS);
	stage_thaw(&rig, STAGE_EGRESS);
}

void expect_abort(enum stage_id id)
{
	int status = stage_end(&rig, id, 0);

	expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	expect_equal(rig_log_lines(&rig, "it is damaged"), 1);
}

uint64_t cpu_ns(pid_t pid)
{
	char path[64];
	unsigned long long ns = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	f = fopen(path, "r");
	if (!f)
		test_skip("the kernel keeps no schedstat");
	expect(fscanf(f, "%llu", &ns) == 1);
	fclose(f);
	return ns;
}

/* CPU time that going to sleep and waking up costs here: some us, and a hundred times that in an emulator. */
static uint64_t wake_cost_ns(void)
{
	const struct timespec pause = { .tv_nsec = 50000 };
	uint64_t before = cpu_ns(getpid());

	for (int i = 0; i < 200; i++)
		nanosleep(&pause, NULL);
	return (cpu_ns(getpid()) - before) / 200;
}

void expect_little_cpu(int line, uint64_t used_ns, uint64_t most_ns, uint64_t most_wakes)
{
	uint64_t wake_ns = wake_cost_ns();

	if (used_ns > most_ns && used_ns > most_wakes * wake_ns)
		test_fail(line, "%.2f ms of CPU, where a wake costs %.3f", (double)used_ns / 1e6,
			  (double)wake_ns / 1e6);
}

/* Append the tests of one file to the others. Returns how many there are now. */
static size_t add_tests(struct harness_test *all, size_t n, const struct harness_test *more)
{
	for (; more->name; more++) {
		expect(n < MOST_TESTS);
		all[n++] = *more;
	}
	return n;
}

int main(int argc, char **argv)
{
	static const struct harness_test *const files[] = { relay_tests,  drops_tests,	errors_tests,  shaper_tests,
							    reload_tests, damage_tests, restart_tests, failing_tests,
							    marks_tests,  from_tests,	source_tests,  accept_tests };
	struct harness_test all[MOST_TESTS];
	size_t n = 0;

	build_dir = argc > 1 ? argv[1] : getenv("ONTIME_BUILD");
	if (!build_dir)
		build_dir = "build";
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		n = add_tests(all, n, files[i]);
	n += failing_rows(all + n, MOST_TESTS - n);
	return harness_main("pipeline", argc, argv, all, n);
}

/*
 * failing.c - system calls that keep failing: waited for, counted, said once; and what is missing at the start is
 * temporary.
 */
#include "pipeline.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define TABLE "tests/operate/calls.table"
#define MOST_ROWS 32
#define PATIENT_WAKES 10000 /* in a second with 20 bursts of 10 to 100 datagrams, and a try each 1 to 10 ms */

/* Stages in which one call fails with err, while a file is there. */
static void hold_with_failing(const char *call, int err, const char *lines)
{
	char number[16], file[96];

	rig_begin(&rig, "cage = off"); /* what is preloaded asks for a file at each call */
	rig_class(&rig, "only", LOCAL, 1, 1, lines);
	hold(&rig, 0);
	preload("fail_call.so");
	snprintf(number, sizeof(number), "%d", err);
	snprintf(file, sizeof(file), "%s.fails", rig.file);
	setenv("FAIL_CALL", call, 1);
	setenv("FAIL_ERRNO", number, 1);
	setenv("FAIL_FILE", file, 1);
}

static void let_fail(int on)
{
	const char *file = getenv("FAIL_FILE");

	if (on)
		close(open(file, O_CREAT | O_WRONLY, 0600));
	else
		unlink(file);
}

static struct stage_block *block_of(enum stage_id id)
{
	return &rig.seg.shared->stages[id];
}

/* For a second it fails, with traffic: little CPU, told to observers and once in the log; then all is well again. */
static void expect_patience(enum stage_id id, int err, void (*traffic)(void))
{
	uint64_t used_ns, began_ns;

	rig_start(&rig);
	unsetenv("LD_PRELOAD");
	relay_pkts(&rig, 10, 100);
	let_fail(1);
	began_ns = now_ns();
	used_ns = cpu_ns(rig.pids[id]);
	for (int i = 0; i < 20; i++) {
		traffic();
		pass_time(50 * NS_PER_MS);
	}
	used_ns = cpu_ns(rig.pids[id]) - used_ns;
	expect_little_cpu(__LINE__, used_ns, (now_ns() - began_ns) / 5, PATIENT_WAKES);
	await(block_of(id)->failing_since_ns != 0 && block_of(id)->failed_calls > 10);
	expect_equal(block_of(id)->failing_errno, err);
	let_fail(0);
	receive_pkts(&rig, 0, rig.flows[0].sent_pkts - rig.flows[0].next_pkts);
	await(block_of(id)->failing_since_ns == 0);
	relay_pkts(&rig, 100, 100);
	expect_balanced(&rig);
	expect_equal(account_of(&rig, 0).sent_pkts, rig.flows[0].sent_pkts);
	expect(rig_log_lines(&rig, " fails: ") >= 1 && rig_log_lines(&rig, " fails: ") <= N_STAGES);
	expect_equal(rig_log_lines(&rig, "works again"), rig_log_lines(&rig, " fails: "));
}

static void send_five(void)
{
	send_pkts(&rig, 0, 5, 100);
}

static void relay_five(void)
{
	relay_pkts(&rig, 5, 100);
}

/* Behind a full lane: the wake for room is left unread, or the socket goes on being polled. */
static void overfill(void)
{
	stage_freeze(&rig, STAGE_EDF);
	send_pkts(&rig, 0, 100, 100);
	pass_time(5 * NS_PER_MS);
	stage_thaw(&rig, STAGE_EDF);
	receive_pkts(&rig, 0, 100);
}

/* Sends are not the stage's trouble alone: the packets are counted, by errno. */
static void expect_counted(int err)
{
	uint64_t used_ns, began_ns;

	hold_with_failing("sendmmsg", err, "");
	rig_start(&rig);
	unsetenv("LD_PRELOAD");
	relay_pkts(&rig, 10, 100);
	let_fail(1);
	began_ns = now_ns();
	used_ns = cpu_ns(rig.pids[STAGE_EGRESS]);
	for (int i = 0; i < 20; i++) {
		send_pkts(&rig, 0, 10, 100);
		pass_time(50 * NS_PER_MS);
	}
	used_ns = cpu_ns(rig.pids[STAGE_EGRESS]) - used_ns;
	expect_little_cpu(__LINE__, used_ns, (now_ns() - began_ns) / 5, PATIENT_WAKES);
	await(errors_of(err) == 200);
	let_fail(0);
	rig.flows[0].next_pkts += 200;
	relay_pkts(&rig, 100, 100);
	expect_balanced(&rig);
}

/* A row of the table about calls that fail while there is traffic, and one of its errors. */
struct row {
	char stage[16], call[32], outcome[16], name[96];
	int err;
};

static struct row rows[MOST_ROWS];
static size_t n_rows;

/* What makes the stage call it. */
static const struct {
	const char *call, *lines;
	void (*traffic)(void);
} sites[] = { { "recvmmsg", "", send_five },
	      { "epoll_wait", "", relay_five },
	      { "futex", "", relay_five },
	      { "read", SMALL_LANE, overfill }, /* the wake for room is left unread */
	      { "epoll_ctl", SMALL_LANE, overfill } }; /* the socket goes on being polled */

static enum stage_id stage_of(const char *name)
{
	uint32_t id = 0;

	while (id < N_STAGES && strcmp(stage_name((enum stage_id)id), name) != 0)
		id++;
	expect(id < N_STAGES);
	return (enum stage_id)id;
}

static void run_row(const struct row *row)
{
	if (strcmp(row->outcome, "counted") == 0) {
		expect_equal(stage_of(row->stage), STAGE_EGRESS);
		expect_counted(row->err);
		return;
	}
	for (size_t i = 0; i < sizeof(sites) / sizeof(sites[0]); i++)
		if (strcmp(sites[i].call, row->call) == 0) {
			hold_with_failing(row->call, row->err, sites[i].lines);
			expect_patience(stage_of(row->stage), row->err, sites[i].traffic);
			return;
		}
	test_fail(__LINE__, "nothing is known that makes a stage call %s", row->call);
}

/* A test is a function without arguments. */
/* clang-format off */
#define EACH_ROW(X) \
	X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) \
	X(16) X(17) X(18) X(19) X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31)
/* clang-format on */
#define ROW_TEST(n)                                                                                                    \
	static void row_##n(void)                                                                                      \
	{                                                                                                              \
		run_row(&rows[n]);                                                                                     \
	}
#define ROW_NAME(n) row_##n,
EACH_ROW(ROW_TEST)
static void (*const row_tests[])(void) = { EACH_ROW(ROW_NAME) };

static int error_of(const char *name)
{
	for (int err = 1; err < 134; err++)
		if (strerrorname_np(err) && strcmp(strerrorname_np(err), name) == 0)
			return err;
	return 0;
}

static void add_row(const char *stage, const char *call, const char *error, const char *outcome)
{
	struct row *row = &rows[n_rows];

	if (n_rows == MOST_ROWS || error_of(error) == 0) {
		fprintf(stderr, "pipeline: %s: %s %s %s: too many rows, or no error of that name\n", TABLE, stage, call,
			error);
		exit(1);
	}
	snprintf(row->stage, sizeof(row->stage), "%s", stage);
	snprintf(row->call, sizeof(row->call), "%s", call);
	snprintf(row->outcome, sizeof(row->outcome), "%s", outcome);
	snprintf(row->name, sizeof(row->name), "failing_%.15s_%.31s_%.15s_is_%.15s", stage, call, error, outcome);
	row->err = error_of(error);
	n_rows++;
}

size_t failing_rows(struct harness_test *to, size_t room)
{
	char line[256], stage[16], call[32], errors[128], outcome[16], *rest;
	FILE *f = fopen(TABLE, "re");

	while (f && fgets(line, sizeof(line), f)) {
		if (line[0] == '#' || sscanf(line, "%15s %31s %127s %15s", stage, call, errors, outcome) != 4 ||
		    (strcmp(outcome, "waits") != 0 && strcmp(outcome, "counted") != 0))
			continue;
		for (char *error = strtok_r(errors, ",", &rest); error; error = strtok_r(NULL, ",", &rest))
			add_row(stage, call, error, outcome);
	}
	if (f)
		fclose(f);
	if (n_rows == 0 || n_rows > room) {
		fprintf(stderr, "pipeline: %s: %zu rows\n", TABLE, n_rows);
		exit(1);
	}
	for (size_t i = 0; i < n_rows; i++)
		to[i] = (struct harness_test){ rows[i].name, row_tests[i] };
	return n_rows;
}

/* Exit status 1, not 2: the next start may find it well. */
static void expect_temporary(const char *call, int err)
{
	hold_with_failing(call, err, "");
	let_fail(1);
	stage_start(&rig, STAGE_INGRESS);
	expect_equal(stage_end(&rig, STAGE_INGRESS, 0), W_EXITCODE(1, 0));
	expect_equal(rig_log_lines(&rig, strerror(err)), 1);
	let_fail(0);
	rig_start(&rig);
	relay_pkts(&rig, 10, 100);
}

static void no_epoll_at_the_start_is_temporary(void)
{
	expect_temporary("epoll_create1", EMFILE);
}

static void no_memory_at_the_start_is_temporary(void)
{
	expect_temporary("epoll_ctl", ENOMEM);
}

static void no_answer_about_a_socket_at_the_start_is_temporary(void)
{
	expect_temporary("getsockopt", ENOBUFS);
}

const struct harness_test failing_tests[] = {
	TEST(no_epoll_at_the_start_is_temporary),
	TEST(no_memory_at_the_start_is_temporary),
	TEST(no_answer_about_a_socket_at_the_start_is_temporary),
	{ NULL, NULL },
};

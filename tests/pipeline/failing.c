/*
 * failing.c - system calls that keep failing: waited for, counted, said once; and what is missing at the start is
 * temporary.
 */
#include "pipeline.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>

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

static void receiving_that_keeps_failing_waits_and_loses_nothing(void)
{
	hold_with_failing("recvmmsg", ENOMEM, "");
	expect_patience(STAGE_INGRESS, ENOMEM, send_five);
}

static void waiting_for_input_that_keeps_failing_goes_on_without(void)
{
	hold_with_failing("epoll_wait", ENOMEM, "");
	expect_patience(STAGE_INGRESS, ENOMEM, relay_five);
}

static void waiting_that_is_interrupted_each_time_goes_on_without(void)
{
	hold_with_failing("epoll_wait", EINTR, "");
	expect_patience(STAGE_INGRESS, EINTR, relay_five);
}

static void a_futex_that_is_not_there_is_done_without(void)
{
	hold_with_failing("futex", ENOSYS, "");
	expect_patience(STAGE_EDF, ENOSYS, relay_five);
}

static void a_futex_that_never_sleeps_is_done_without(void)
{
	hold_with_failing("futex", EAGAIN, "");
	expect_patience(STAGE_EGRESS, EAGAIN, relay_five);
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

static void a_wake_that_cannot_be_read_ends_no_sleep(void)
{
	hold_with_failing("read", ENOMEM, SMALL_LANE);
	expect_patience(STAGE_INGRESS, ENOMEM, overfill);
}

static void a_socket_that_cannot_be_muted_is_looked_at_slowly(void)
{
	hold_with_failing("epoll_ctl", ENOMEM, SMALL_LANE);
	expect_patience(STAGE_INGRESS, ENOMEM, overfill);
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

static void a_send_that_is_interrupted_each_time_is_counted(void)
{
	expect_counted(EINTR);
}

static void a_send_without_a_destination_each_time_is_counted(void)
{
	expect_counted(EDESTADDRREQ);
}

static void a_send_without_room_each_time_is_counted(void)
{
	expect_counted(ENOBUFS);
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
	TEST(receiving_that_keeps_failing_waits_and_loses_nothing),
	TEST(waiting_for_input_that_keeps_failing_goes_on_without),
	TEST(waiting_that_is_interrupted_each_time_goes_on_without),
	TEST(a_futex_that_is_not_there_is_done_without),
	TEST(a_futex_that_never_sleeps_is_done_without),
	TEST(a_wake_that_cannot_be_read_ends_no_sleep),
	TEST(a_socket_that_cannot_be_muted_is_looked_at_slowly),
	TEST(a_send_that_is_interrupted_each_time_is_counted),
	TEST(a_send_without_a_destination_each_time_is_counted),
	TEST(a_send_without_room_each_time_is_counted),
	TEST(no_epoll_at_the_start_is_temporary),
	TEST(no_memory_at_the_start_is_temporary),
	TEST(no_answer_about_a_socket_at_the_start_is_temporary),
	{ NULL, NULL },
};

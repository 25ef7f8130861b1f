/* stage.c - what a service manager is told; what a stage owes others before it pauses. */
#include "stage/stage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "stage/notify.h"
#include "stage/run.h"
#include "suites.h"

static struct stage stage;
static char path[64]; /* of the service manager's socket */

static void open_stage(void)
{
	char why[WHY_BYTES];

	memset(&stage, 0, sizeof(stage));
	config_defaults(&stage.config);
	snprintf(stage.config.instance, sizeof(stage.config.instance), "unit-stage-%d", getpid());
	CU_ASSERT_EQUAL_FATAL(segment_create(&stage.seg, &stage.config, NULL, 0, why), 0);
	segment_remove(stage.config.instance);
	stage.blocks = stage.place.blocks = stage.seg.shared->stages;
	stage.place.n_cpus = 1;
	stage.self = &stage.blocks[STAGE_INGRESS];
	stage.space_fd = -1;
	probe_init(&stage.probes, &stage.seg, STAGE_INGRESS);
}

static int open_manager(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(path, sizeof(path), "/tmp/ontime-unit-notify-%d", getpid());
	setenv("NOTIFY_SOCKET", path, 1);
	memcpy(at.sun_path, path, strlen(path));
	CU_ASSERT_EQUAL_FATAL(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static void close_manager(int fd)
{
	unsetenv("NOTIFY_SOCKET");
	unlink(path);
	close(fd);
}

/* The next line that came; "" if none. */
static const char *next_line(int fd)
{
	static char line[64];
	ssize_t n = recv(fd, line, sizeof(line) - 1, MSG_DONTWAIT);

	line[n > 0 ? n : 0] = 0;
	return line;
}

static void a_service_manager_is_told(void)
{
	int fd = open_manager();

	CU_ASSERT_EQUAL(notify_send("READY=1"), 0);
	CU_ASSERT_STRING_EQUAL(next_line(fd), "READY=1");
	CU_ASSERT_STRING_EQUAL(next_line(fd), "");
	close_manager(fd);
}

static void a_service_manager_is_given_a_descriptor(void)
{
	char control[CMSG_SPACE(sizeof(int))], text[64], got[8] = "";
	struct iovec iov = { .iov_base = text, .iov_len = sizeof(text) };
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	int fd = open_manager(), ends[2], handed;

	CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
	CU_ASSERT_EQUAL(notify_send_fd("FDSTORE=1", ends[1]), 0);
	CU_ASSERT_EQUAL(recvmsg(fd, &message, MSG_DONTWAIT), (ssize_t)strlen("FDSTORE=1"));
	CU_ASSERT_PTR_NOT_NULL_FATAL(CMSG_FIRSTHDR(&message));
	memcpy(&handed, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(handed));
	CU_ASSERT_EQUAL(write(handed, "it", 2), 2);
	CU_ASSERT_EQUAL(read(ends[0], got, sizeof(got)), 2);
	CU_ASSERT_STRING_EQUAL(got, "it");
	close(handed);
	close(ends[0]);
	close(ends[1]);
	close_manager(fd);
}

static void one_that_is_not_there_is_a_failure_and_none_at_all_is_not(void)
{
	CU_ASSERT(notify_send_to("/nowhere/notify", "READY=1") < 0);
	unsetenv("NOTIFY_SOCKET");
	CU_ASSERT_EQUAL(notify_send("READY=1"), 0);
	CU_ASSERT_EQUAL(notify_send_fd("READY=1", 0), 0);
}

static uint64_t failed_at_ns, rung_at_ns;

static void step_that_fails(struct stage *s)
{
	stage_call_failed(s, "a call", ENOMEM);
	failed_at_ns = now_ns();
}

static void ring(struct stage *s)
{
	(void)s;
	rung_at_ns = now_ns();
}

/* What was passed on before the call failed is not to wait for the pause. */
static void nobody_waits_for_a_ring_while_a_stage_pauses(void)
{
	const struct stage_ops ops = { .id = STAGE_INGRESS, .step = step_that_fails, .ring = ring };

	open_stage();
	stage_step(&ops, &stage);
	CU_ASSERT(failed_at_ns > 0 && rung_at_ns >= failed_at_ns);
	CU_ASSERT(rung_at_ns - failed_at_ns < now_ns() - rung_at_ns); /* the pause of 1 ms is after it */
	CU_ASSERT(now_ns() - rung_at_ns >= NS_PER_MS);
	CU_ASSERT_EQUAL(stage.failing.owed_pause_ns, 0);
	segment_close(&stage.seg);
}

SUITE(stage, TEST(a_service_manager_is_told), TEST(a_service_manager_is_given_a_descriptor),
      TEST(one_that_is_not_there_is_a_failure_and_none_at_all_is_not),
      TEST(nobody_waits_for_a_ring_while_a_stage_pauses))

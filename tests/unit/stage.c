/* stage.c - what a stage tells the service manager; what it owes others before it pauses. */
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

#define BEATS_NS (10 * NS_PER_S) /* a beat is due by then */

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
	snprintf(path, sizeof(path), "/tmp/ontime-unit-notify-%d", getpid());
	setenv("NOTIFY_SOCKET", path, 1);
}

static void close_stage(int manager_fd)
{
	unsetenv("NOTIFY_SOCKET");
	unlink(path);
	close(manager_fd);
	segment_close(&stage.seg);
}

static int open_manager(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(at.sun_path, path, strlen(path));
	CU_ASSERT_EQUAL_FATAL(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

/* The next line that came; "" if none. */
static const char *next_line(int fd)
{
	static char line[64];
	ssize_t n = recv(fd, line, sizeof(line) - 1, MSG_DONTWAIT);

	line[n > 0 ? n : 0] = 0;
	return line;
}

static void a_service_manager_that_cannot_be_told_at_once_is_told_with_a_beat(void)
{
	uint64_t now = now_ns();
	int fd;

	open_stage();
	stage_ready(&stage);
	fd = open_manager();
	stage_beat(&stage, now, 0);
	CU_ASSERT_STRING_EQUAL(next_line(fd), "READY=1");
	CU_ASSERT_STRING_EQUAL(next_line(fd), "WATCHDOG=1");
	stage_beat(&stage, now + BEATS_NS, 0);
	CU_ASSERT_STRING_EQUAL(next_line(fd), "WATCHDOG=1");
	CU_ASSERT_STRING_EQUAL(next_line(fd), "");
	close_stage(fd);
}

static void a_service_manager_that_is_told_at_once_is_told_once(void)
{
	int fd;

	open_stage();
	fd = open_manager();
	stage_ready(&stage);
	CU_ASSERT_STRING_EQUAL(next_line(fd), "READY=1");
	stage_beat(&stage, now_ns(), 0);
	CU_ASSERT_STRING_EQUAL(next_line(fd), "WATCHDOG=1");
	CU_ASSERT_STRING_EQUAL(next_line(fd), "");
	close_stage(fd);
}

static void without_a_service_manager_nobody_is_told(void)
{
	unsetenv("NOTIFY_SOCKET");
	CU_ASSERT_EQUAL(notify_send("READY=1"), 0);
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
	unsetenv("NOTIFY_SOCKET");
	segment_close(&stage.seg);
}

SUITE(stage, TEST(a_service_manager_that_cannot_be_told_at_once_is_told_with_a_beat),
      TEST(a_service_manager_that_is_told_at_once_is_told_once), TEST(without_a_service_manager_nobody_is_told),
      TEST(nobody_waits_for_a_ring_while_a_stage_pauses))

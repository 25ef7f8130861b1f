/* shaper.c - the rate and the burst hold at every packet, across restarts, reloads and late sends. */
#include "pipeline.h"

#include <stdlib.h>
#include <sys/wait.h>

/* The shaper's bound over every window of what has come: at_ns from the kernel's stamps. */
static void expect_shaped(const uint64_t *at_ns, uint32_t n, uint64_t bytes_each, double bytes_per_ns, double burst)
{
	double worst = 0;

	for (uint32_t from = 0; from < n; from++)
		for (uint32_t to = from; to < n; to++) {
			/* 500 us: the time from the shaper's look at the clock to the stamp varies by that */
			double span_ns = (double)(at_ns[to] - at_ns[from] + 500 * NS_PER_US);
			double excess = (double)((to - from + 1) * bytes_each) - burst - bytes_per_ns * span_ns;

			worst = excess > worst ? excess : worst;
		}
	if (worst > 0)
		test_fail(__LINE__, "%.0f bytes more than rate * t + burst in one window", worst);
}

static uint64_t receive_stamped(int fd)
{
	uint8_t payload[2048], control[128];
	struct iovec vector = { payload, sizeof(payload) };
	struct msghdr m = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control };
	struct timespec t = { 0 };
	struct cmsghdr *c;

	m.msg_controllen = sizeof(control);
	await((m.msg_controllen = sizeof(control), recvmsg(fd, &m, MSG_DONTWAIT)) >= 0);
	c = CMSG_FIRSTHDR(&m);
	expect(c && c->cmsg_type == SCM_TIMESTAMPNS);
	memcpy(&t, CMSG_DATA(c), sizeof(t));
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

enum disturbance { NOTHING, RESTARTS, RELOADS };

static void shape(enum disturbance by)
{
	static uint64_t at_ns[500];
	int on = 1;

	start_one_class("rate = 8Mbit\nburst = 16KiB", "");
	setsockopt(rig.flows[0].sink_fd[0], SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
	relay_pkts(&rig, 1, 1000 - UDP4_BYTES); /* stamping takes a moment to begin */
	pass_time(50 * NS_PER_MS);
	send_pkts(&rig, 0, 500, 1000 - UDP4_BYTES);
	for (uint32_t i = 0; i < 500; i++) {
		at_ns[i] = receive_stamped(rig.flows[0].sink_fd[0]);
		if (i % 100 != 99 || i == 499)
			continue;
		if (by == RESTARTS)
			stage_restart(&rig, STAGE_EGRESS, SIGKILL);
		else if (by == RELOADS)
			kill(rig.pids[STAGE_EGRESS], SIGHUP);
	}
	rig.flows[0].next_pkts = 501;
	expect_balanced(&rig);
	expect_shaped(at_ns, 500, 1000, 1e6 / 1e9, 16384);
	if (by == NOTHING) /* 484 kB at 1 MB/s: it must not be much slower either */
		expect(at_ns[499] - at_ns[0] < 600 * NS_PER_MS);
}

static void the_shaper_keeps_its_bound(void)
{
	shape(NOTHING);
}

static void the_shaper_keeps_its_bound_over_restarts(void)
{
	shape(RESTARTS);
}

static void the_shaper_keeps_its_bound_over_reloads(void)
{
	shape(RELOADS);
}

/*
 * A whole burst leaves in a call that is 20 ms late; what follows, from the same process or a successor, must wait for
 * it.
 */
static void shape_late_sends(int dies)
{
	static uint64_t at_ns[40];
	int on = 1;

	rig_begin(&rig, "rate = 8Mbit\nburst = 16KiB");
	rig_class(&rig, "only", LOCAL, 1, 1, "");
	hold(&rig, 0);
	preload("slow_send.so");
	if (dies)
		setenv("SLOW_SEND_DIES", "1", 1);
	setsockopt(rig.flows[0].sink_fd[0], SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
	pass_time(50 * NS_PER_MS); /* stamping takes a moment to begin */
	rig_start(&rig);
	unsetenv("LD_PRELOAD");
	stage_freeze(&rig, STAGE_EDF);
	send_pkts(&rig, 0, 40, 1000 - UDP4_BYTES);
	await(account_of(&rig, 0).waiting_edf_pkts == 40);
	stage_thaw(&rig, STAGE_EDF);
	if (dies)
		stage_restart(&rig, STAGE_EGRESS, 0);
	for (uint32_t i = 0; i < 40; i++)
		at_ns[i] = receive_stamped(rig.flows[0].sink_fd[0]);
	rig.flows[0].next_pkts = 40;
	expect_balanced(&rig);
	expect_shaped(at_ns, 40, 1000, 1e6 / 1e9, 16384);
}

static void the_shaper_keeps_its_bound_when_sends_are_late(void)
{
	shape_late_sends(0);
}

static void the_shaper_keeps_its_bound_when_a_late_send_is_killed(void)
{
	shape_late_sends(1);
}

const struct harness_test shaper_tests[] = {
	TEST(the_shaper_keeps_its_bound),
	TEST(the_shaper_keeps_its_bound_over_restarts),
	TEST(the_shaper_keeps_its_bound_over_reloads),
	TEST(the_shaper_keeps_its_bound_when_sends_are_late),
	TEST(the_shaper_keeps_its_bound_when_a_late_send_is_killed),
	{ NULL, NULL },
};

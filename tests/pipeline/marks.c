/*
 * marks.c - type of service from end to end: code points and congestion bits as real sockets get them, and what is
 * marked for want of time.
 */
#include "pipeline.h"

#include <signal.h>

#define EF (46 << 2)
#define ROUNDS 400

static int v4(void)
{
	return rig.config.classes[0].listen[0].at.ss_family == AF_INET;
}

static void start_class(const char *host, const char *lines)
{
	int on = 1;

	rig_begin(&rig, "policy = edf");
	rig_class(&rig, "only", host, 1, 1, lines);
	start(&rig);
	setsockopt(rig.flows[0].sink_fd[0], v4() ? SOL_IP : SOL_IPV6, v4() ? IP_RECVTOS : IPV6_RECVTCLASS, &on,
		   sizeof(on));
}

static void send_with(int tos, uint32_t bytes)
{
	expect(setsockopt(rig.flows[0].out_fd[0], v4() ? SOL_IP : SOL_IPV6, v4() ? IP_TOS : IPV6_TCLASS, &tos,
			  sizeof(tos)) == 0);
	send_pkts(&rig, 0, 1, bytes);
}

/* The type of service of the next datagram at the sink; it is not looked at otherwise. */
static int came_with(void)
{
	uint8_t payload[LARGEST_BYTES], control[256];
	struct iovec v = { payload, sizeof(payload) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	int tos = -1;

	await(recvmsg(rig.flows[0].sink_fd[0], &m, MSG_DONTWAIT) >= 0);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_level == SOL_IP && c->cmsg_type == IP_TOS)
			tos = *CMSG_DATA(c);
		if (c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_TCLASS)
			memcpy(&tos, CMSG_DATA(c), sizeof(tos));
	}
	rig.flows[0].next_pkts++;
	return tos;
}

/* Each of the 256 values, in runs and alone, comes as `becomes` says. */
static void relay_each(const char *host, const char *lines, int (*becomes)(int tos))
{
	start_class(host, lines);
	for (int tos = 0; tos < 256; tos++)
		for (int i = 0; i < 1 + tos % 3; i++)
			send_with(tos, 100);
	for (int tos = 0; tos < 256; tos++)
		for (int i = 0; i < 1 + tos % 3; i++)
			expect_equal(came_with(), becomes(tos));
	expect_balanced(&rig);
}

static int nothing(int tos)
{
	(void)tos;
	return 0;
}

static int all(int tos)
{
	return tos;
}

static int code_point(int tos)
{
	return tos & ~3;
}

static int congestion(int tos)
{
	return tos & 3;
}

static int ef_and_congestion(int tos)
{
	return EF | (tos & 3);
}

static void nothing_of_it_is_kept_by_default(void)
{
	relay_each(LOCAL, "", nothing);
}

static void a_code_point_is_kept_where_that_is_asked_for(void)
{
	relay_each(LOCAL, "dscp = keep\n", code_point);
}

static void congestion_bits_are_kept_where_that_is_asked_for(void)
{
	relay_each(LOCAL, "ecn = keep\n", congestion);
}

static void both_are_kept_of_ipv4(void)
{
	relay_each(LOCAL, "dscp = keep\necn = keep\n", all);
}

static void both_are_kept_of_ipv6(void)
{
	struct sockaddr_in6 at = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		test_skip("no IPv6 loopback here");
	/* cppcheck-suppress invalidFunctionArg ; test_skip() does not return */
	close(fd);
	relay_each("[::1]", "dscp = keep\necn = keep\n", all);
}

static void a_fixed_code_point_goes_with_the_congestion_bits_of_each(void)
{
	relay_each(LOCAL, "dscp = ef\necn = keep\n", ef_and_congestion);
}

static void a_reload_changes_the_code_point(void)
{
	start_class(LOCAL, "dscp = ef\n");
	send_with(4, 100);
	expect_equal(came_with(), EF);
	rig_replace(&rig, "dscp = ef", "dscp = keep");
	for (int i = 0; i < N_STAGES; i++)
		kill(rig.pids[i], SIGHUP);
	await(rig_log_lines(&rig, "reloaded") == N_STAGES);
	send_with(4, 100);
	expect_equal(came_with(), 4);
	stage_restart(&rig, STAGE_EGRESS, SIGKILL);
	stage_restart(&rig, STAGE_INGRESS, SIGKILL);
	send_with(8, 100);
	expect_equal(came_with(), 8);
}

/* What has used more than half of its 200 ms when egress gets to it. */
static void send_slowly(void)
{
	stage_freeze(&rig, STAGE_EGRESS);
	for (int i = 0; i < ROUNDS; i++)
		send_with(EF | (i & 3), 100);
	await(account_of(&rig, 0).waiting_egress_pkts == ROUNDS);
	pass_time(120 * NS_PER_MS);
	stage_thaw(&rig, STAGE_EGRESS);
}

static void what_runs_short_of_time_is_marked_if_it_is_capable(void)
{
	uint32_t n_marked = 0;

	start_class(LOCAL, "budget = 200ms\ndscp = keep\necn = mark\nedf_to_egress = 1024\ningress_to_edf = 1024\n");
	for (int i = 0; i < 4; i++) {
		send_with(i, 100);
		expect_equal(came_with(), i); /* in a few ms: none of it */
	}
	send_slowly();
	for (int i = 0; i < ROUNDS; i++) {
		expect_equal(came_with(), EF | ((i & 3) ? 3 : 0));
		n_marked += (i & 3) == 1 || (i & 3) == 2;
	}
	expect_balanced(&rig);
	expect_equal(account_of(&rig, 0).marked_pkts, n_marked);
	expect_equal(account_of(&rig, 0).sent_pkts, ROUNDS + 4);
}

static void marks_are_counted_once_through_kills(void)
{
	start_class(LOCAL, "budget = 200ms\ndscp = keep\necn = mark\necn_mark_at = 1%\nedf_to_egress = 1024\n");
	for (int round = 0; round < 5; round++) {
		uint64_t marked = account_of(&rig, 0).marked_pkts, seen = 0;

		stage_freeze(&rig, STAGE_EDF);
		for (int i = 0; i < 200; i++)
			send_with(1, 100);
		await(account_of(&rig, 0).waiting_edf_pkts == 200);
		pass_time(5 * NS_PER_MS);
		stage_thaw(&rig, STAGE_EDF);
		stage_restart(&rig, STAGE_EGRESS, SIGKILL);
		for (int i = 0; i < 200; i++)
			seen += came_with() == 3;
		expect_balanced(&rig);
		expect_equal(account_of(&rig, 0).marked_pkts - marked, seen);
		expect(seen > 0);
	}
}

const struct harness_test marks_tests[] = {
	TEST(nothing_of_it_is_kept_by_default),
	TEST(a_code_point_is_kept_where_that_is_asked_for),
	TEST(congestion_bits_are_kept_where_that_is_asked_for),
	TEST(both_are_kept_of_ipv4),
	TEST(both_are_kept_of_ipv6),
	TEST(a_fixed_code_point_goes_with_the_congestion_bits_of_each),
	TEST(a_reload_changes_the_code_point),
	TEST(what_runs_short_of_time_is_marked_if_it_is_capable),
	TEST(marks_are_counted_once_through_kills),
	{ 0 },
};

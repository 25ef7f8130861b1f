/*
 * pipeline.c - the three real processes over loopback: what is promised of them, one test per promise.
 *
 * usage: pipeline [DIR [PART]]     DIR: where the stages are (default $ONTIME_BUILD, or build); PART: of the tests' names
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../run/hold_sockets.h"
#include "../run/load_packet.h"
#include "harness.h"
#include "journal.h"

#define LOCAL "127.0.0.1"
#define SMALL_LANE "ingress_to_edf = 64\nedf_to_egress = 64\n"
#define UDP4_BYTES 28 /* IPv4 and UDP headers, as the shaper counts them */

static struct rig rig;
static const char *build_dir;

/* What hold does before it hands on. pmtu_do: refuse to fragment on the way out. */
static void hold(struct rig *r, int pmtu_do)
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
	expect(sockets_hand_on(&sockets) == 0);
}

static void start(struct rig *r)
{
	hold(r, 0);
	rig_start(r);
}

static void begin_four_classes(const char *pipeline)
{
	rig_begin(&rig, pipeline);
	rig_class(&rig, "high", LOCAL, 1, 1, "budget = 1ms\n");
	rig_class(&rig, "medium", LOCAL, 1, 1, "budget = 10ms\n");
	rig_class(&rig, "low", LOCAL, 1, 1, "budget = 100ms\n");
	rig_class(&rig, "besteffort", LOCAL, 1, 1, "budget = none\n");
}

/* Stages started from now on have it loaded before the C library. */
static void preload(const char *object)
{
	char path[512], whole[PATH_BYTES * 16];

	snprintf(path, sizeof(path), "%s/tests/plugins/%s", build_dir, object);
	expect(realpath(path, whole));
	setenv("LD_PRELOAD", whole, 1);
	setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1);
}

static void start_one_class(const char *pipeline, const char *lines)
{
	rig_begin(&rig, pipeline);
	rig_class(&rig, "only", LOCAL, 1, 1, lines);
	start(&rig);
}

static uint64_t dropped(enum drop_reason reason)
{
	return account_of(&rig, 0).dropped_pkts[reason];
}

static void four_classes_are_relayed_in_order(void)
{
	begin_four_classes("");
	start(&rig);
	relay_pkts(&rig, 5000, ANY_SIZE);
	expect_balanced(&rig);
	for (uint32_t class = 0; class < rig.n_classes; class ++)
		expect_equal(account_of(&rig, class).sent_pkts, 5000);
}

static void relay_every_size(const char *pipeline)
{
	start_one_class(pipeline, "");
	for (uint32_t bytes = 0; bytes <= LARGEST_BYTES; bytes++) {
		send_pkts(&rig, 0, 3, bytes);
		if (bytes % 8 == 7 || bytes == LARGEST_BYTES)
			receive_pkts(&rig, 0, rig.flows[0].sent_pkts - rig.flows[0].next_pkts);
	}
	expect_balanced(&rig);
}

static void every_size_is_relayed_with_gso(void)
{
	relay_every_size("gso = on");
}

static void every_size_is_relayed_without_gso(void)
{
	relay_every_size("gso = off");
}

static void ipv6_is_relayed(void)
{
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);
	struct sockaddr_in6 at = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		test_skip("no IPv6 loopback here");
	/* cppcheck-suppress invalidFunctionArg ; test_skip() does not return */
	close(fd);
	rig_begin(&rig, "");
	rig_class(&rig, "six", "[::1]", 1, 1, "");
	start(&rig);
	relay_pkts(&rig, 2000, ANY_SIZE);
	expect_balanced(&rig);
}

static void all_listen_addresses_of_a_class_are_read(void)
{
	rig_begin(&rig, "");
	rig_class(&rig, "many", LOCAL, 4, 1, "");
	start(&rig);
	for (uint32_t i = 0; i < 4; i++) {
		rig.flows[0].out_fd[0] = rig.flows[0].out_fd[i];
		relay_pkts(&rig, 500, ANY_SIZE);
	}
	expect_balanced(&rig);
}

static void oversize_is_dropped_and_counted(void)
{
	start_one_class("payload_bytes = 512B", "");
	send_pkts(&rig, 0, 100, 513);
	send_pkts(&rig, 0, 100, LARGEST_BYTES);
	rig.flows[0].next_pkts = 200;
	relay_pkts(&rig, 100, 512);
	expect_balanced(&rig);
	expect_equal(dropped(DROP_OVERSIZE), 200);
	expect_equal(account_of(&rig, 0).sent_pkts, 100);
}

/* Nobody rings again when egress passes what was dropped: it must not sleep before it has come to what is to be sent. */
static void a_packet_behind_many_dropped_ones_does_not_wait(void)
{
	uint64_t thawed_at_ns;

	start_one_class("payload_bytes = 512B\nheartbeat = 1s", "ingress_to_edf = 4096\nedf_to_egress = 4096\n");
	stage_freeze(&rig, STAGE_EGRESS);
	for (uint32_t i = 0; i < 30; i++) {
		send_pkts(&rig, 0, 100, 513);
		await(account_of(&rig, 0).received_pkts == rig.flows[0].sent_pkts);
	}
	rig.flows[0].next_pkts = 3000;
	send_pkts(&rig, 0, 1, 100);
	await(account_of(&rig, 0).waiting_egress_pkts == 3001);
	stage_thaw(&rig, STAGE_EGRESS);
	thawed_at_ns = now_ns();
	receive_pkts(&rig, 0, 1);
	expect(now_ns() - thawed_at_ns < 500 * NS_PER_MS);
	expect_balanced(&rig);
	expect_equal(dropped(DROP_OVERSIZE), 3000);
}

static void refusals_are_counted_and_all_is_sent(void)
{
	char closed[ADDRESS_BYTES];

	rig_begin(&rig, "");
	rig_closed_port(closed);
	rig_class_to(&rig, "refused", closed, "");
	start(&rig);
	for (int i = 0; i < 50; i++) {
		send_pkts(&rig, 0, 10, 100);
		pass_time(NS_PER_MS);
	}
	expect_balanced(&rig);
	expect_equal(account_of(&rig, 0).sent_pkts, 500);
	expect_equal(dropped(DROP_SEND_ERROR), 0);
	expect(account_of(&rig, 0).refused_events > 0);
}

/* No ICMP error tells of it, and the next try is refused as well: it is this datagram that cannot be sent. */
static void a_refusal_that_lasts_is_counted_send_error(void)
{
	rig_begin(&rig, "");
	rig_class(&rig, "only", LOCAL, 1, 1, "");
	hold(&rig, 0);
	preload("refuse_send.so");
	rig_start(&rig);
	unsetenv("LD_PRELOAD");
	send_pkts(&rig, 0, 10, 100);
	await(dropped(DROP_SEND_ERROR) == 10);
	expect_balanced(&rig);
	expect_equal(account_of(&rig, 0).send_errno[0], ECONNREFUSED);
}

static void full_drop_counts_ingress_full(void)
{
	start_one_class("full = drop", SMALL_LANE);
	stage_freeze(&rig, STAGE_EDF);
	send_pkts(&rig, 0, 1000, 100);
	await(account_of(&rig, 0).received_pkts == 1000);
	expect_equal(dropped(DROP_INGRESS_FULL), 1000 - 64);
	stage_thaw(&rig, STAGE_EDF);
	receive_pkts(&rig, 0, 64);
	expect_balanced(&rig);
	expect_equal(account_of(&rig, 0).sent_pkts, 64);
	expect_equal(dropped(DROP_EGRESS_FULL), 0);
}

static void full_drop_counts_egress_full(void)
{
	start_one_class("full = drop", SMALL_LANE);
	stage_freeze(&rig, STAGE_EGRESS);
	send_pkts(&rig, 0, 64, 100);
	await(account_of(&rig, 0).waiting_egress_pkts == 64);
	send_pkts(&rig, 0, 64, 100);
	await(account_of(&rig, 0).waiting_egress_pkts == 128);
	expect_equal(dropped(DROP_EGRESS_FULL), 64);
	stage_thaw(&rig, STAGE_EGRESS);
	receive_pkts(&rig, 0, 64);
	expect_balanced(&rig);
	expect_equal(account_of(&rig, 0).sent_pkts, 64);
}

static void wait_behind(enum stage_id frozen)
{
	start_one_class("full = wait", SMALL_LANE);
	stage_freeze(&rig, frozen);
	send_pkts(&rig, 0, 3000, 200);
	await(account_of(&rig, 0).held_pkts >= 64);
	stage_thaw(&rig, frozen);
	receive_pkts(&rig, 0, 3000);
	expect_balanced(&rig);
	expect_equal(account_of(&rig, 0).sent_pkts, 3000);
}

static void full_wait_drops_nothing_behind_edf(void)
{
	wait_behind(STAGE_EDF);
}

static void full_wait_drops_nothing_behind_egress(void)
{
	wait_behind(STAGE_EGRESS);
}

static void kernel_drops_are_counted(void)
{
	uint32_t came = 0;

	start_one_class("socket_buffer = 64KiB", "");
	stage_freeze(&rig, STAGE_INGRESS);
	send_pkts(&rig, 0, 2000, 200);
	stage_thaw(&rig, STAGE_INGRESS);
	await(account_of(&rig, 0).sent_pkts > 10 && account_of(&rig, 0).held_pkts == 0);
	await(account_of(&rig, 0).received_pkts == 2000); /* though no datagram comes that would tell of them */
	expect_balanced(&rig);
	await((came += drain_sink(&rig, 0)) ==
	      account_of(&rig, 0).sent_pkts); /* before Linux 6.5 some come later (softnet.h) */
	expect(dropped(DROP_KERNEL) > 0);
	expect_equal(dropped(DROP_KERNEL), 2000 - came);
	stage_restart(&rig, STAGE_INGRESS, SIGKILL); /* the count is cumulative: a successor must not add it again */
	send_pkts(&rig, 0, 1, 200);
	await(account_of(&rig, 0).sent_pkts == came + 1);
	expect_equal(dropped(DROP_KERNEL), 2000 - came);
	stage_freeze(
		&rig,
		STAGE_INGRESS); /* told by the socket first, and then by datagrams that came before the last drops */
	send_pkts(&rig, 0, 2000, 200);
	stage_restart(&rig, STAGE_INGRESS, SIGKILL);
	await(account_of(&rig, 0).received_pkts == 4001);
	expect_balanced(&rig);
	expect_equal(dropped(DROP_KERNEL), 4001 - account_of(&rig, 0).sent_pkts);
}

static void edf_drop_counts_late(void)
{
	start_one_class("policy = edf-drop", "budget = 200ms\n"); /* enough for the first, in an emulator too */
	relay_pkts(&rig, 1, 10);
	stage_freeze(&rig, STAGE_EDF);
	send_pkts(&rig, 0, 100, 100);
	await(account_of(&rig, 0).waiting_edf_pkts == 100);
	pass_time(220 * NS_PER_MS);
	stage_thaw(&rig, STAGE_EDF);
	await(dropped(DROP_LATE) >= 100);
	expect_balanced(&rig);
	expect_equal(drain_sink(&rig, 0), 0);
	expect_equal(dropped(DROP_LATE) + account_of(&rig, 0).sent_pkts, 101);
}

static void freeze_egress_past_the_deadline(uint32_t n)
{
	stage_freeze(&rig, STAGE_EGRESS);
	send_pkts(&rig, 0, n, 100);
	await(account_of(&rig, 0).waiting_egress_pkts == n);
	pass_time(rig.config.classes[0].budget_ns + 20 * NS_PER_MS);
	stage_thaw(&rig, STAGE_EGRESS);
}

static void freeze_edf_past_the_deadline(uint32_t n)
{
	stage_freeze(&rig, STAGE_EDF);
	send_pkts(&rig, 0, n, 100);
	await(account_of(&rig, 0).waiting_edf_pkts == n);
	pass_time(20 * NS_PER_MS);
	stage_thaw(&rig, STAGE_EDF);
}

/* As when the machine had no time for edf: nobody else wants the time that those take. */
static void a_stall_of_edf_sheds_nothing(void)
{
	start_one_class("policy = guarded", "budget = 1ms\n");
	for (int i = 0; i < 5; i++) {
		freeze_edf_past_the_deadline(200);
		receive_pkts(&rig, 0, 200);
	}
	expect_balanced(&rig);
	expect_equal(account_of(&rig, 0).sent_late_pkts, 1000);
}

static void late_drop_counts_at_edf_too(const char *pipeline)
{
	start_one_class(pipeline, "budget = 15ms\n");
	freeze_edf_past_the_deadline(100);
	await(account_of(&rig, 0).held_pkts == 0);
	expect_balanced(&rig);
	expect_equal(dropped(DROP_LATE) + dropped(DROP_EVICTED), 100);
	expect_equal(drain_sink(&rig, 0), 0);
}

static void late_drop_counts_late_with_edf(void)
{
	late_drop_counts_at_edf_too("policy = edf\nlate = drop");
}

static void late_drop_counts_late_with_guarded(void)
{
	late_drop_counts_at_edf_too("policy = guarded\nlate = drop");
}

static void late_drop_counts_late_egress(void)
{
	start_one_class("late = drop", "budget = 500ms\n"); /* so that edf passes all on, in an emulator too */
	freeze_egress_past_the_deadline(100);
	expect_balanced(&rig);
	expect_equal(dropped(DROP_LATE_EGRESS), 100);
	expect_equal(drain_sink(&rig, 0), 0);
}

static void late_send_sends_and_names_the_span(void)
{
	start_one_class("late = send", "budget = 1ms\n");
	freeze_egress_past_the_deadline(100);
	receive_pkts(&rig, 0, 100);
	expect_balanced(&rig);
	expect_equal(account_of(&rig, 0).sent_late_pkts, 100);
	expect_equal(account_of(&rig, 0).late_span_pkts[SPAN_EGRESS_WAIT], 100);
}

/* A network of our own with nothing but lo in it. */
static void enter_network(int mtu)
{
	struct ifreq lo = { .ifr_name = "lo" };
	int fd;

	if (unshare(CLONE_NEWNET) < 0)
		test_skip("a network namespace needs root");
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	expect(fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &lo) == 0);
	lo.ifr_flags |= IFF_UP;
	expect(ioctl(fd, SIOCSIFFLAGS, &lo) == 0);
	lo.ifr_mtu = mtu;
	expect(ioctl(fd, SIOCSIFMTU, &lo) == 0);
	close(fd);
}

static uint64_t errors_of(int err)
{
	struct account a = account_of(&rig, 0);

	for (int i = 0; i < SEND_ERRNOS; i++)
		if (a.send_errno[i] == (uint64_t)err)
			return a.send_errno_pkts[i];
	return 0;
}

static void datagrams_past_the_mtu_are_counted_emsgsize(void)
{
	enter_network(1000);
	rig_begin(&rig, "");
	rig_class(&rig, "only", LOCAL, 1, 1, "");
	hold(&rig, 1);
	rig_start(&rig);
	stage_freeze(&rig, STAGE_EGRESS);
	send_pkts(&rig, 0, 20, 900);
	send_pkts(&rig, 0, 20, 1200);
	send_pkts(&rig, 0, 20, 900);
	stage_thaw(&rig, STAGE_EGRESS);
	receive_pkts(&rig, 0, 20);
	rig.flows[0].next_pkts = 40;
	receive_pkts(&rig, 0, 20);
	expect_balanced(&rig);
	expect_equal(errors_of(EMSGSIZE), 20);
	expect_equal(dropped(DROP_SEND_ERROR), 20);
}

static void gso_past_the_mtu_falls_back_to_fragments(void)
{
	enter_network(1000);
	start_one_class("gso = on", "");
	stage_freeze(&rig, STAGE_EGRESS);
	send_pkts(&rig, 0, 50, 1200);
	send_pkts(&rig, 0, 50, 100);
	stage_thaw(&rig, STAGE_EGRESS);
	receive_pkts(&rig, 0, 100);
	expect_balanced(&rig);
	expect_equal(dropped(DROP_SEND_ERROR), 0);
}

static void no_route_is_counted_enetunreach(void)
{
	enter_network(65536);
	rig_begin(&rig, "");
	rig_class_to(&rig, "lost", "10.1.2.3:9", "");
	start(&rig);
	send_pkts(&rig, 0, 100, 100);
	await(account_of(&rig, 0).received_pkts == 100);
	expect_balanced(&rig);
	expect_equal(errors_of(ENETUNREACH), 100);
}

/* As under systemd, which hands on inputs only: egress makes its outputs, and one without a route must not stop the others. */
static void an_unreachable_destination_does_not_stop_egress(void)
{
	enter_network(65536);
	if (system("ip route add unreachable 10.1.2.3") != 0)
		test_skip("no `ip` to make a destination unreachable with");
	rig_begin(&rig, "");
	rig_class_to(&rig, "lost", "10.1.2.3:9", "");
	rig_class(&rig, "other", LOCAL, 1, 1, "");
	hold(&rig, 0);
	setenv("LISTEN_FDNAMES", "lost.in.0:other.in.0", 1);
	rig_start(&rig);
	send_pkts(&rig, 0, 10, 100);
	send_pkts(&rig, 1, 10, 100);
	receive_pkts(&rig, 1, 10);
	expect_balanced(&rig);
	expect_equal(errors_of(EHOSTUNREACH), 10);
}

static void add_address(const char *name, const char *address)
{
	struct ifreq alias = { 0 };
	struct sockaddr_in at = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	snprintf(alias.ifr_name, sizeof(alias.ifr_name), "%s", name);
	expect(inet_pton(AF_INET, address, &at.sin_addr) == 1);
	memcpy(&alias.ifr_addr, &at, sizeof(at));
	expect(fd >= 0 && ioctl(fd, SIOCSIFADDR, &alias) == 0);
	close(fd);
}

/* An error that is not about UDP_SEGMENT must not end it for good. */
static void gso_comes_back_after_a_route_was_missing(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(9) };
	int sink, on = 1;
	uint8_t got[65536];
	ssize_t len = 0;
	uint64_t until_ns;

	enter_network(65536);
	sink = harness_move_fd(socket(AF_INET, SOCK_DGRAM, 0));
	expect(sink >= 0 && bind(sink, (struct sockaddr *)&at, sizeof(at)) == 0);
	if (setsockopt(sink, SOL_UDP, UDP_GRO, &on, sizeof(on)) < 0)
		test_skip("the kernel has no UDP_GRO to see UDP_SEGMENT with");
	rig_begin(&rig, "gso = on");
	rig_class_to(&rig, "lost", "10.1.2.3:9", "");
	start(&rig);
	freeze_egress_past_the_deadline(100);
	expect_balanced(&rig);
	expect_equal(errors_of(ENETUNREACH), 100);
	add_address("lo:1", "10.1.2.3");
	until_ns = now_ns() + PATIENCE_NS;
	while (len <= 100 && now_ns() < until_ns) {
		stage_freeze(&rig, STAGE_EGRESS);
		send_pkts(&rig, 0, 10, 100);
		await(account_of(&rig, 0).waiting_egress_pkts == 10);
		stage_thaw(&rig, STAGE_EGRESS);
		await((len = recv(sink, got, sizeof(got), MSG_DONTWAIT)) > 0);
		await(account_of(&rig, 0).held_pkts == 0); /* or the next look would count what is left of these */
		while (recv(sink, got, sizeof(got), MSG_DONTWAIT) > 0)
			continue;
	}
	expect_equal(len, 1000);
}

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

/* A whole burst leaves in a call that is 20 ms late; what follows, from the same process or a successor, must wait for it. */
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

#define SENDERS 16
#define EACH_PKTS 200

/* Many senders to one class with several listen addresses and destinations. */
struct crowd {
	int fds[SENDERS];
	int home[SENDERS]; /* the sink it was seen at; -1: none yet */
	uint32_t next[SENDERS]; /* expected of it */
	uint32_t sent_pkts, came_pkts;
};

static void crowd_open(struct crowd *c, uint32_t n_listen, uint32_t n_dests)
{
	memset(c, 0, sizeof(*c));
	rig_begin(&rig, "");
	rig_class(&rig, "spread", LOCAL, n_listen, n_dests, "");
	start(&rig);
	for (uint32_t s = 0; s < SENDERS; s++) {
		const struct address *to = &rig.config.classes[0].listen[s % n_listen];

		c->home[s] = -1;
		c->fds[s] = socket(AF_INET, SOCK_DGRAM, 0);
		expect(connect(c->fds[s], (const struct sockaddr *)&to->at, to->len) == 0);
	}
}

/* Everyone sends one; sizes repeat often enough for UDP_SEGMENT, and not always. */
static void crowd_send(struct crowd *c, uint32_t n)
{
	uint32_t bytes = n / 32 % 2 ? 200 : 24 + n * 37 % 1400;
	uint8_t payload[LARGEST_BYTES];

	for (uint32_t s = 0; s < SENDERS; s++) {
		packet_fill(payload, bytes, n, s);
		expect(send(c->fds[s], payload, bytes, 0) == (ssize_t)bytes);
	}
	c->sent_pkts += SENDERS;
	rig.flows[0].sent_pkts += SENDERS;
}

/* Look at all that has come: each sender's datagrams at one sink, all of them, in order, unchanged. */
static void crowd_check(struct crowd *c)
{
	uint8_t payload[2048];
	struct packet_header h = { 0 };
	ssize_t len;

	for (uint32_t sink = 0; sink < rig.config.classes[0].n_dests; sink++)
		while ((len = recv(rig.flows[0].sink_fd[sink], payload, sizeof(payload), MSG_DONTWAIT)) >= 0) {
			expect(packet_read(payload, (uint32_t)len, &h) == 1 && h.due_at_ns < SENDERS);
			/* cppcheck-suppress arrayIndexOutOfBoundsCond ; expect() does not return */
			expect(c->home[h.due_at_ns] == -1 || c->home[h.due_at_ns] == (int)sink);
			c->home[h.due_at_ns] = (int)sink;
			expect_equal(h.sequence, c->next[h.due_at_ns]);
			c->next[h.due_at_ns]++;
			c->came_pkts++;
		}
}

static void a_sender_keeps_its_destination_and_order(void)
{
	struct crowd crowd;
	int elsewhere = 0;

	crowd_open(&crowd, 1, 3);
	for (uint32_t n = 0; n < EACH_PKTS; n++)
		crowd_send(&crowd, n);
	await((crowd_check(&crowd), crowd.came_pkts == crowd.sent_pkts));
	expect_balanced(&rig);
	for (uint32_t s = 1; s < SENDERS; s++)
		elsewhere += crowd.home[s] != crowd.home[0];
	expect(elsewhere > 0);
}

#define CROWD_KILLS 300

/* The storm's promise, where a class has several sockets on both sides. */
static void kills_lose_nothing_between_many_addresses(void)
{
	struct crowd crowd;
	uint64_t kill_at_ns = now_ns();
	uint32_t n = 0;

	crowd_open(&crowd, 4, 3);
	for (uint32_t kills = 0; kills < CROWD_KILLS;) {
		if (crowd.sent_pkts - crowd.came_pkts < 1000) /* more would overrun a socket's buffer */
			crowd_send(&crowd, n++);
		crowd_check(&crowd);
		if (now_ns() < kill_at_ns)
			continue;
		stage_end(&rig, (enum stage_id)(n % N_STAGES), SIGKILL);
		stage_start(&rig, (enum stage_id)(n % N_STAGES));
		kills++;
		kill_at_ns = now_ns() + 2 * NS_PER_MS + n % 4000 * NS_PER_US;
	}
	await((crowd_check(&crowd), crowd.came_pkts == crowd.sent_pkts));
	expect_balanced(&rig);
	expect_equal(account_of(&rig, 0).dropped_pkts[DROP_KERNEL], 0);
}

/* While packets are dropped for every reason there is, stages restart, and somebody looks all the time. */
static void the_account_balances_at_every_look(void)
{
	rig_begin(&rig, "full = drop\npolicy = edf-drop\nlate = drop\npayload_bytes = 1000B\nsocket_buffer = 64KiB");
	rig_class(&rig, "tight", LOCAL, 1, 1, "budget = 200us\ningress_to_edf = 8\nedf_to_egress = 8\n");
	rig_class(&rig, "loose", LOCAL, 1, 1, "budget = none\n" SMALL_LANE);
	start(&rig);
	for (uint32_t i = 0; i < 2000; i++) {
		for (uint32_t class = 0; class < 2; class ++)
			send_pkts(&rig, class, 24, i % 7 ? 100 : ANY_SIZE);
		for (uint32_t look = 0; look < 6; look++) /* account_of() ends the test if it does not balance */
			expect(account_of(&rig, look % 2).held_pkts <= rig.seg.views[look % 2].slots);
		if (i % 100 == 99)
			stage_restart(&rig, (enum stage_id)(i / 100 % N_STAGES), SIGKILL);
	}
	await(account_of(&rig, 0).held_pkts == 0 && account_of(&rig, 1).held_pkts == 0);
	expect_equal(drain_sink(&rig, 0), account_of(&rig, 0).sent_pkts);
	expect_equal(drain_sink(&rig, 1), account_of(&rig, 1).sent_pkts);
	expect(dropped(DROP_OVERSIZE) > 0 && dropped(DROP_INGRESS_FULL) > 0);
}

static void reload_all(uint32_t lines, const char *text)
{
	for (int i = 0; i < N_STAGES; i++)
		kill(rig.pids[i], SIGHUP);
	await(rig_log_lines(&rig, text) == lines);
}

/* Has the stage itself done so, not the fork of this test that becomes it? */
static int has_mapped_segment(pid_t pid, enum stage_id id)
{
	char path[64], line[512] = "";
	int found = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	if (readlink(path, line, sizeof(line) - 1) < 0 || !strstr(line, stage_name(id)))
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, "/dev/shm/ontime.") != NULL;
	if (f)
		fclose(f);
	return found;
}

/* It has read the old file, but is not there to be signalled yet: it waits for the one it replaces to be gone. */
static void a_reload_reaches_a_stage_that_is_starting(void)
{
	pid_t old;

	start_one_class("late = send", "");
	old = rig.pids[STAGE_EGRESS];
	stage_freeze(&rig, STAGE_EGRESS);
	stage_start(&rig, STAGE_EGRESS);
	await(has_mapped_segment(rig.pids[STAGE_EGRESS], STAGE_EGRESS));
	rig_replace(&rig, "late = send", "late = drop");
	kill(old, SIGKILL);
	waitpid(old, NULL, 0);
	rig_await_ready(&rig, STAGE_EGRESS, 2);
	await(rig_log_lines(&rig, "reloaded") == 1);
}

static void a_reload_applies(void)
{
	start_one_class("late = send", "budget = 15ms\n");
	relay_pkts(&rig, 10, 100);
	rig_replace(&rig, "late = send", "late = drop");
	reload_all(N_STAGES, "reloaded");
	expect_equal(rig_log_lines(&rig, "late: send -> drop"), N_STAGES);
	freeze_egress_past_the_deadline(50);
	await(dropped(DROP_LATE_EGRESS) == 50);
	expect_balanced(&rig);
}

static void start_guarded(void)
{
	rig_begin(&rig, "policy = guarded\nwork = simulate");
	rig_class(&rig, "high", LOCAL, 1, 1, "budget = 500ms\nmargin = 0us");
	rig_class(&rig, "low", LOCAL, 1, 1, "budget = 60ms\nmargin = 0us\ningress_to_edf = 2048");
	start(&rig);
	relay_pkts(&rig, 20, 100); /* from these it learns how long work takes */
}

/* 600 of 0.2 ms arrive at once for a class that has 60 ms: about half cannot be in time. Those are shed, or sent late when their
   turn comes and nobody is made late by it. */
static void guarded_sheds_low_and_serves_high(void)
{
	uint64_t sent, shed;
	struct account low;

	start_guarded();
	stage_freeze(&rig, STAGE_EDF);
	send_pkts(&rig, 1, 600, 100);
	send_pkts(&rig, 0, 20, 100);
	await(account_of(&rig, 1).waiting_edf_pkts == 600 && account_of(&rig, 0).waiting_edf_pkts == 20);
	stage_thaw(&rig, STAGE_EDF);
	receive_pkts(&rig, 0, 20);
	await(account_of(&rig, 1).held_pkts == 0);
	low = account_of(&rig, 1);
	sent = low.sent_pkts - 20;
	shed = low.dropped_pkts[DROP_EVICTED] + low.dropped_pkts[DROP_LATE];
	expect_equal(sent + shed, 600);
	expect(low.dropped_pkts[DROP_EVICTED] + low.sent_late_pkts > 200);
	expect_equal(account_of(&rig, 0).sent_late_pkts, 0);
	expect_equal(drain_sink(&rig, 1), sent);
	expect_balanced(&rig);
}

static void the_policy_changes_under_load(void)
{
	start_guarded();
	stage_freeze(&rig, STAGE_EDF);
	send_pkts(&rig, 1, 200, 100);
	await(account_of(&rig, 1).waiting_edf_pkts == 200);
	pass_time(80 * NS_PER_MS); /* guarded would drop them all: they are late */
	rig_replace(&rig, "policy = guarded", "policy = edf");
	for (int i = 0; i < N_STAGES; i++)
		kill(rig.pids[i], SIGHUP);
	stage_thaw(&rig, STAGE_EDF);
	await(rig_log_lines(&rig, "reloaded") == N_STAGES);
	receive_pkts(&rig, 1, 200);
	rig_replace(&rig, "policy = edf", "policy = guarded");
	reload_all(2 * N_STAGES, "reloaded");
	relay_pkts(&rig, 50, 100);
	expect_balanced(&rig);
}

static void a_bad_reload_changes_nothing(void)
{
	start_one_class("late = send\npolicy = edf", "budget = 1ms\n");
	rig_replace(&rig, "late = send\npolicy = edf", "late = drop\npolicy = nonsense");
	reload_all(N_STAGES, "nothing was changed");
	rig_replace(&rig, "late = drop\npolicy = nonsense", "late = drop\npayload_bytes = 700B");
	reload_all(2 * N_STAGES, "nothing was changed");
	expect_equal(rig_log_lines(&rig, "reloaded"), 0);
	freeze_egress_past_the_deadline(100);
	receive_pkts(&rig, 0, 100);
	expect_balanced(&rig);
}

static void expect_abort(enum stage_id id)
{
	int status = stage_end(&rig, id, 0);

	expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	expect_equal(rig_log_lines(&rig, "it is damaged"), 1);
}

static void a_damaged_count_stops_its_reader_with_one_line(void)
{
	struct lane *lane;

	start_one_class("", "");
	relay_pkts(&rig, 10, 100);
	lane = rig.seg.views[0].lane;
	stage_end(&rig, STAGE_INGRESS, SIGTERM);
	stage_end(&rig, STAGE_EGRESS, SIGTERM);
	atomic_store_explicit(&lane->received, 1ULL << 60, memory_order_relaxed);
	expect_abort(STAGE_EDF);
	for (int i = 0; i < N_STAGES; i++) {
		stage_start(&rig, (enum stage_id)i);
		expect_equal(stage_end(&rig, (enum stage_id)i, 0), W_EXITCODE(2, 0));
	}
	expect_equal(rig_log_lines(&rig, "damaged counts"), N_STAGES);
}

static void a_damaged_length_stops_its_reader_with_one_line(void)
{
	start_one_class("", "");
	stage_freeze(&rig, STAGE_EGRESS);
	send_pkts(&rig, 0, 10, 100);
	await(account_of(&rig, 0).waiting_egress_pkts == 10);
	rig.seg.views[0].results[5].len_bytes = rig.config.payload_bytes + 1;
	stage_thaw(&rig, STAGE_EGRESS);
	expect_abort(STAGE_EGRESS);
	stage_end(&rig, STAGE_EDF, SIGTERM);
	send_pkts(&rig, 0, 1, 100);
	await(account_of(&rig, 0).waiting_edf_pkts == 1);
	rig.seg.views[0].arrivals[10].len_bytes = UINT32_MAX;
	stage_start(&rig, STAGE_EDF);
	expect(WIFSIGNALED(stage_end(&rig, STAGE_EDF, 0)));
	expect_equal(rig_log_lines(&rig, "it is damaged"), 2);
}

/* Every stage, started now, ends with this status and one line that holds the text. */
static void expect_refusal(int status, const char *text)
{
	for (int i = 0; i < N_STAGES; i++) {
		stage_start(&rig, (enum stage_id)i);
		expect_equal(stage_end(&rig, (enum stage_id)i, 0), W_EXITCODE(status, 0));
	}
	expect_equal(rig_log_lines(&rig, text), N_STAGES);
	expect_equal(rig_log_lines(&rig, ""), N_STAGES);
}

static void hold_one_class(void)
{
	rig_begin(&rig, "");
	rig_class(&rig, "only", LOCAL, 1, 1, "");
	hold(&rig, 0);
}

static void a_damaged_header_is_refused(void)
{
	hold_one_class();
	rig.seg.shared->header.created_at_ns ^= 1;
	expect_refusal(2, "damaged");
}

static void another_layout_is_refused(void)
{
	hold_one_class();
	rig.seg.shared->header.layout++;
	expect_refusal(3, "layout");
}

static void another_config_is_refused(void)
{
	hold_one_class();
	rig_replace(&rig, "[class only]", "payload_bytes = 700B\n[class only]");
	expect_refusal(2, "from a config with other");
}

/* All but what a busy machine makes a stage say. */
static uint32_t lines_about_stages(void)
{
	return rig_log_lines(&rig, "") - rig_log_lines(&rig, ": real time ") - rig_log_lines(&rig, ": starved");
}

static void a_second_stage_is_refused(void)
{
	start_one_class("", "");
	await(rig_log_lines(&rig, ": ready (") == N_STAGES);
	for (int i = 0; i < N_STAGES; i++) {
		pid_t first = rig.pids[i];
		uint32_t lines = lines_about_stages();

		stage_start(&rig, (enum stage_id)i);
		expect_equal(stage_end(&rig, (enum stage_id)i, 0), W_EXITCODE(1, 0));
		expect_equal(lines_about_stages(), lines + 1);
		expect_equal(rig_log_lines(&rig, "already running"), i + 1);
		rig.pids[i] = first;
	}
	relay_pkts(&rig, 100, ANY_SIZE);
	expect_balanced(&rig);
}

static uint64_t cpu_ns(pid_t pid)
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

#define PATIENT_WAKES 10000 /* in a second with 20 bursts of 10 to 100 datagrams, and a try each 1 to 10 ms */

/* CPU time that going to sleep and waking up costs here: some us, and a hundred times that in an emulator. */
static uint64_t wake_cost_ns(void)
{
	const struct timespec pause = { .tv_nsec = 50000 };
	uint64_t before = cpu_ns(getpid());

	for (int i = 0; i < 200; i++)
		nanosleep(&pause, NULL);
	return (cpu_ns(getpid()) - before) / 200;
}

/* Of that much CPU on a machine, or of that many wakes in an emulator. */
static void expect_little_cpu(int line, uint64_t used_ns, uint64_t most_ns, uint64_t most_wakes)
{
	uint64_t wake_ns = wake_cost_ns();

	if (used_ns > most_ns && used_ns > most_wakes * wake_ns)
		test_fail(line, "%.2f ms of CPU, where a wake costs %.3f", (double)used_ns / 1e6,
			  (double)wake_ns / 1e6);
}

static void idle_stages_use_no_cpu(void)
{
	uint64_t used_ns = 0;

	begin_four_classes("");
	start(&rig);
	relay_pkts(&rig, 100, ANY_SIZE);
	for (int i = 0; i < N_STAGES; i++)
		used_ns -= cpu_ns(rig.pids[i]);
	pass_time(5 * NS_PER_S);
	for (int i = 0; i < N_STAGES; i++)
		used_ns += cpu_ns(rig.pids[i]);
	/* 0.2 % of 5 s; each stage beats 5 times a second, and a beat may cost as much as 20 bare wakes */
	expect_little_cpu(__LINE__, used_ns, 10 * NS_PER_MS, N_STAGES * 5 * 5 * 20);
}

/* Stages in which one call fails with err, while a file is there. */
static void hold_with_failing(const char *call, int err, const char *lines)
{
	char number[16], file[96];

	rig_begin(&rig, "");
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

static uint64_t histogram_pkts(const struct account *a)
{
	uint64_t sum = 0;

	for (uint32_t b = 0; b < HISTOGRAM_BUCKETS; b++)
		sum += a->latency[b];
	return sum;
}

static void counters_survive_every_restart(void)
{
	static const int signals[] = { SIGTERM, SIGKILL, SIGUSR1 };
	uint32_t relayed = 0;

	begin_four_classes("");
	start(&rig);
	for (int s = 0; s < 3; s++)
		for (int i = 0; i < N_STAGES; i++) {
			if (signals[s] == SIGUSR1 && i != STAGE_INGRESS)
				continue;
			relay_pkts(&rig, 100, ANY_SIZE);
			relayed += 100;
			expect_balanced(&rig);
			stage_restart(&rig, (enum stage_id)i, signals[s]);
			expect_balanced(&rig);
			for (uint32_t class = 0; class < rig.n_classes; class ++) {
				struct account a = account_of(&rig, class);

				expect_equal(a.sent_pkts, relayed);
				expect_equal(histogram_pkts(&a), relayed);
			}
		}
	relay_pkts(&rig, 100, ANY_SIZE);
}

/* As if egress had been killed while its call for `pkts` packets was under way, having sent `done`. */
static void leave_egress_journal(uint32_t pkts, uint32_t done, uint64_t base)
{
	struct egress_journal *j = &rig.seg.shared->egress_journal;

	for (uint32_t i = 0; i < pkts; i++) {
		j->msgs[i].msg_len = i < done ? 100 : SENTINEL;
		j->released[i] = (uint16_t)(i + 1);
	}
	atomic_store_explicit(&j->word, journal_pack(0, pkts, base), memory_order_release);
}

static uint64_t hold_ten_before_egress(void)
{
	start_one_class("", "");
	relay_pkts(&rig, 5, 100);
	expect_balanced(&rig);
	stage_end(&rig, STAGE_EGRESS, SIGKILL);
	send_pkts(&rig, 0, 10, 100);
	await(account_of(&rig, 0).waiting_egress_pkts == 10);
	return atomic_load_explicit(&rig.seg.views[0].lane->sent, memory_order_relaxed);
}

static void what_the_kernel_had_sent_is_not_sent_again(void)
{
	leave_egress_journal(10, 4, hold_ten_before_egress());
	stage_start(&rig, STAGE_EGRESS);
	rig.flows[0].next_pkts += 4; /* the predecessor sent them */
	receive_pkts(&rig, 0, 6);
	expect_balanced(&rig);
	expect_equal(account_of(&rig, 0).sent_pkts, 15);
	expect_equal(atomic_load_explicit(&rig.seg.shared->stages[STAGE_EGRESS].rescued_pkts, memory_order_relaxed), 4);
}

/* Killed after the commit, before the journal was cleared: rare in a storm, so it is made here. */
static void what_is_committed_is_not_committed_again(void)
{
	uint64_t word = hold_ten_before_egress();

	leave_egress_journal(10, 4, word - (5ULL << COUNT_SHIFT) - 1);
	stage_start(&rig, STAGE_EGRESS);
	receive_pkts(&rig, 0, 10);
	expect_balanced(&rig);
	expect_equal(account_of(&rig, 0).sent_pkts, 15);
}

static void a_damaged_egress_journal_stops_its_reader_with_one_line(void)
{
	leave_egress_journal(10, 4, hold_ten_before_egress());
	rig.seg.shared->egress_journal.released[3] = 60000;
	stage_start(&rig, STAGE_EGRESS);
	expect_abort(STAGE_EGRESS);
	expect_equal(account_of(&rig, 0).sent_pkts, 5);
}

static void a_damaged_ingress_journal_stops_its_reader_with_one_line(void)
{
	struct ingress_journal *j;

	start_one_class("full = wait", "ingress_to_edf = 64\nedf_to_egress = 128\n"); /* 256 slots */
	relay_pkts(&rig, 5, 100);
	expect_balanced(&rig);
	stage_end(&rig, STAGE_EGRESS, SIGKILL);
	send_pkts(&rig, 0, 300, 100);
	await(account_of(&rig, 0).held_pkts == 64 + 128);
	stage_end(&rig, STAGE_INGRESS, SIGKILL);
	stage_end(&rig, STAGE_EDF, SIGKILL);
	j = &rig.seg.shared->ingress_journal;
	memset(j->msgs, 0, sizeof(j->msgs));
	for (uint32_t starts = 0; starts < 2; starts++) { /* 64 fit, 64 more do not */
		uint64_t word = atomic_load_explicit(&rig.seg.views[0].lane->received, memory_order_relaxed);

		atomic_store_explicit(&j->word, journal_pack(0, BATCH, word), memory_order_release);
		stage_start(&rig, STAGE_INGRESS);
		if (starts == 0) {
			rig_await_ready(&rig, STAGE_INGRESS, 2);
			stage_end(&rig, STAGE_INGRESS, SIGKILL);
		}
	}
	expect_abort(STAGE_INGRESS);
	expect_equal(account_of(&rig, 0).held_pkts, 256);
}

/* Another process of this user has the segment open for writing, and means ill. */
static pid_t start_vandal(void)
{
	struct ingress_journal *j = &rig.seg.shared->ingress_journal;
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		for (uint32_t i = 0; i < BATCH; i++)
			*(void *volatile *)&j->msgs[i].msg_hdr.msg_control = (void *)(uintptr_t)8;
}

static void pointers_in_the_segment_are_not_followed(void)
{
	pid_t vandal;

	start_one_class("", "");
	relay_pkts(&rig, 100, ANY_SIZE);
	vandal = start_vandal();
	for (int i = 0; i < 20; i++)
		relay_pkts(&rig, 500, ANY_SIZE);
	kill(vandal, SIGKILL);
	waitpid(vandal, NULL, 0);
	expect_balanced(&rig);
	expect_equal(atomic_load_explicit(&rig.seg.shared->stages[STAGE_INGRESS].generation, memory_order_relaxed), 1);
}

static void a_received_batch_is_not_published_again(void)
{
	struct ingress_journal *j;
	uint64_t word;

	start_one_class("", "");
	relay_pkts(&rig, 5, 100);
	expect_balanced(&rig);
	stage_end(&rig, STAGE_INGRESS, SIGKILL);
	j = &rig.seg.shared->ingress_journal;
	word = atomic_load_explicit(&rig.seg.views[0].lane->received, memory_order_relaxed);
	for (uint32_t i = 0; i < 5; i++)
		j->msgs[i].msg_len = 100;
	atomic_store_explicit(&j->word, journal_pack(0, 5, word - (5ULL << COUNT_SHIFT) - 1), memory_order_release);
	stage_start(&rig, STAGE_INGRESS);
	relay_pkts(&rig, 10, 100);
	expect_balanced(&rig);
	expect_equal(drain_sink(&rig, 0), 0);
}

#define ENTRY(test)                                                                                                    \
	{                                                                                                              \
#test, test                                                                                            \
	}

int main(int argc, char **argv)
{
	static const struct harness_test tests[] = {
		ENTRY(four_classes_are_relayed_in_order),
		ENTRY(every_size_is_relayed_with_gso),
		ENTRY(every_size_is_relayed_without_gso),
		ENTRY(ipv6_is_relayed),
		ENTRY(all_listen_addresses_of_a_class_are_read),
		ENTRY(a_sender_keeps_its_destination_and_order),
		ENTRY(kills_lose_nothing_between_many_addresses),
		ENTRY(the_account_balances_at_every_look),
		ENTRY(oversize_is_dropped_and_counted),
		ENTRY(a_packet_behind_many_dropped_ones_does_not_wait),
		ENTRY(kernel_drops_are_counted),
		ENTRY(full_drop_counts_ingress_full),
		ENTRY(full_drop_counts_egress_full),
		ENTRY(full_wait_drops_nothing_behind_edf),
		ENTRY(full_wait_drops_nothing_behind_egress),
		ENTRY(edf_drop_counts_late),
		ENTRY(late_drop_counts_late_egress),
		ENTRY(a_stall_of_edf_sheds_nothing),
		ENTRY(late_drop_counts_late_with_edf),
		ENTRY(late_drop_counts_late_with_guarded),
		ENTRY(late_send_sends_and_names_the_span),
		ENTRY(refusals_are_counted_and_all_is_sent),
		ENTRY(a_refusal_that_lasts_is_counted_send_error),
		ENTRY(datagrams_past_the_mtu_are_counted_emsgsize),
		ENTRY(gso_past_the_mtu_falls_back_to_fragments),
		ENTRY(no_route_is_counted_enetunreach),
		ENTRY(an_unreachable_destination_does_not_stop_egress),
		ENTRY(gso_comes_back_after_a_route_was_missing),
		ENTRY(the_shaper_keeps_its_bound),
		ENTRY(the_shaper_keeps_its_bound_over_restarts),
		ENTRY(the_shaper_keeps_its_bound_over_reloads),
		ENTRY(the_shaper_keeps_its_bound_when_sends_are_late),
		ENTRY(the_shaper_keeps_its_bound_when_a_late_send_is_killed),
		ENTRY(a_reload_applies),
		ENTRY(a_reload_reaches_a_stage_that_is_starting),
		ENTRY(guarded_sheds_low_and_serves_high),
		ENTRY(the_policy_changes_under_load),
		ENTRY(a_bad_reload_changes_nothing),
		ENTRY(a_damaged_count_stops_its_reader_with_one_line),
		ENTRY(a_damaged_length_stops_its_reader_with_one_line),
		ENTRY(a_damaged_header_is_refused),
		ENTRY(another_layout_is_refused),
		ENTRY(another_config_is_refused),
		ENTRY(a_second_stage_is_refused),
		ENTRY(counters_survive_every_restart),
		ENTRY(what_the_kernel_had_sent_is_not_sent_again),
		ENTRY(what_is_committed_is_not_committed_again),
		ENTRY(a_damaged_egress_journal_stops_its_reader_with_one_line),
		ENTRY(a_damaged_ingress_journal_stops_its_reader_with_one_line),
		ENTRY(pointers_in_the_segment_are_not_followed),
		ENTRY(a_received_batch_is_not_published_again),
		ENTRY(receiving_that_keeps_failing_waits_and_loses_nothing),
		ENTRY(waiting_for_input_that_keeps_failing_goes_on_without),
		ENTRY(waiting_that_is_interrupted_each_time_goes_on_without),
		ENTRY(a_futex_that_is_not_there_is_done_without),
		ENTRY(a_futex_that_never_sleeps_is_done_without),
		ENTRY(a_wake_that_cannot_be_read_ends_no_sleep),
		ENTRY(a_socket_that_cannot_be_muted_is_looked_at_slowly),
		ENTRY(a_send_that_is_interrupted_each_time_is_counted),
		ENTRY(a_send_without_a_destination_each_time_is_counted),
		ENTRY(a_send_without_room_each_time_is_counted),
		ENTRY(no_epoll_at_the_start_is_temporary),
		ENTRY(no_memory_at_the_start_is_temporary),
		ENTRY(no_answer_about_a_socket_at_the_start_is_temporary),
		ENTRY(idle_stages_use_no_cpu),
	};

	build_dir = argc > 1 ? argv[1] : getenv("ONTIME_BUILD");
	if (!build_dir)
		build_dir = "build";
	return harness_main("pipeline", argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}

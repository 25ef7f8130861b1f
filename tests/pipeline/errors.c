/* errors.c - what the kernel refuses on the way out. */
#include "pipeline.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

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

/* With inputs handed on only, egress makes its outputs, and one without a route must not stop the others. */
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
	while (len < 1000 && now_ns() < until_ns) { /* while the way is mended a batch may be parted */
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

const struct harness_test errors_tests[] = {
	TEST(refusals_are_counted_and_all_is_sent),
	TEST(a_refusal_that_lasts_is_counted_send_error),
	TEST(datagrams_past_the_mtu_are_counted_emsgsize),
	TEST(gso_past_the_mtu_falls_back_to_fragments),
	TEST(no_route_is_counted_enetunreach),
	TEST(an_unreachable_destination_does_not_stop_egress),
	TEST(gso_comes_back_after_a_route_was_missing),
	{ NULL, NULL },
};

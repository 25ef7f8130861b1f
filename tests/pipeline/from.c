/*
 * from.c - the address and port that datagrams leave from, through kills, with several destinations and with replies.
 */
#include "pipeline.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_SENDERS 16

static char own[ADDRESS_BYTES]; /* of the class, as text */

static void begin(const char *host, uint32_t n_dests, const char *more)
{
	char lines[512];

	rig_begin(&rig, "");
	rig_closed_port(own);
	if (strcmp(host, LOCAL) != 0) { /* the same port in the other family */
		char port[8];

		snprintf(port, sizeof(port), "%s", strrchr(own, ':') + 1);
		snprintf(own, sizeof(own), "%s:%s", host, port);
	}
	snprintf(lines, sizeof(lines), "from = %s\n%s", own, more);
	rig_class(&rig, "only", host, 1, n_dests, lines);
	start(&rig);
}

/* The sender of the next datagram at a sink, as text; "" if none comes. */
static const char *came_from(uint32_t sink)
{
	static char text[ADDRESS_BYTES];
	struct address a = { .len = sizeof(a.at) };
	uint8_t payload[LARGEST_BYTES];

	text[0] = '\0';
	if (recvfrom(rig.flows[0].sink_fd[sink], payload, sizeof(payload), MSG_DONTWAIT, (struct sockaddr *)&a.at,
		     &a.len) >= 0)
		address_format(&a, text);
	return text;
}

static void relay_from(const char *host)
{
	begin(host, 1, "");
	for (int round = 0; round < 4; round++) {
		const char *text;

		send_pkts(&rig, 0, 1, 100);
		await((text = came_from(0))[0]);
		if (strcmp(text, own) != 0)
			test_fail(__LINE__, "from %s, not from %s", text, own);
		rig.flows[0].next_pkts++;
		stage_restart(&rig, STAGE_EGRESS, SIGKILL);
	}
	relay_pkts(&rig, 500, ANY_SIZE);
	expect_balanced(&rig);
}

static void datagrams_leave_from_the_port_that_is_set(void)
{
	relay_from(LOCAL);
}

static void so_they_do_of_ipv6(void)
{
	struct sockaddr_in6 at = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		test_skip("no IPv6 loopback here");
	/* cppcheck-suppress invalidFunctionArg ; test_skip() does not return */
	close(fd);
	relay_from("[::1]");
}

static int open_sender(void)
{
	const struct address *to = &rig.config.classes[0].listen[0];
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	expect(fd >= 0 && connect(fd, (const struct sockaddr *)&to->at, to->len) == 0);
	return fd;
}

static void several_destinations_see_the_same_port(void)
{
	uint32_t n[2] = { 0 };

	begin(LOCAL, 2, "");
	for (int i = 0; i < N_SENDERS; i++)
		expect(send(open_sender(), "x", 1, 0) == 1);
	await(account_of(&rig, 0).sent_pkts == N_SENDERS);
	for (uint32_t sink = 0; sink < 2; sink++)
		for (const char *text = came_from(sink); text[0]; text = came_from(sink)) {
			expect(strcmp(text, own) == 0);
			n[sink]++;
		}
	expect_equal(n[0] + n[1], N_SENDERS);
	expect(n[0] > 0 && n[1] > 0);
}

static void a_port_that_another_has_refuses_the_launch(void)
{
	static struct sockets sockets;
	struct address a = { 0 };
	char lines[128];
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	rig_begin(&rig, "");
	rig_closed_port(own);
	expect(address_parse(own, strlen(own), &a) && bind(fd, (struct sockaddr *)&a.at, a.len) == 0);
	snprintf(lines, sizeof(lines), "from = %s\n", own);
	rig_class(&rig, "only", LOCAL, 1, 1, lines);
	rig_load(&rig);
	setenv("ONTIME_LOG", "none", 1);
	expect(sockets_open(&sockets, &rig.config) != 0);
}

static void send_to_own(int fd, const char *text)
{
	struct address a = { 0 };

	expect(address_parse(own, strlen(own), &a));
	expect(sendto(fd, text, 1, 0, (struct sockaddr *)&a.at, a.len) == 1);
}

static int came_back(int fd, char expected)
{
	char text[8];

	return recv(fd, text, sizeof(text), MSG_DONTWAIT) == 1 && text[0] == expected;
}

static int is_nothing(int fd)
{
	char text[8];

	return recv(fd, text, sizeof(text), MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

/* It goes to the destination, from the port, and comes back. */
static void converse(int fd, const char *forth, const char *back)
{
	uint64_t before = account_of(&rig, 1).sent_pkts;
	const char *text;

	expect(send(fd, forth, 1, 0) == 1);
	await((text = came_from(0))[0]);
	expect(strcmp(text, own) == 0);
	send_to_own(rig.flows[0].sink_fd[0], back);
	await(account_of(&rig, 1).sent_pkts == before + 1);
	expect(came_back(fd, back[0]));
}

static void replies_to_a_fixed_port_go_to_the_one_sender(void)
{
	int first, second, stranger = socket(AF_INET, SOCK_DGRAM, 0);

	begin(LOCAL, 1, "replies = back\nsessions = 1\nidle = 300ms\n[class back]\n");
	first = open_sender();
	second = open_sender();
	send_to_own(rig.flows[0].sink_fd[0], "0"); /* before there is a sender: for nobody */
	converse(first, "a", "1");
	expect(send(second, "b", 1, 0) == 1);
	await(dropped(DROP_NO_SESSION) == 1);
	send_to_own(stranger, "2");
	for (int stage = 0; stage < N_STAGES; stage++) {
		stage_restart(&rig, (enum stage_id)stage, SIGKILL);
		converse(first, "c", "3");
	}
	expect(is_nothing(first) && is_nothing(second));
}

/* The port stays bound: what comes by it between two senders is nobody's. */
static void what_comes_between_two_senders_is_nobodys(void)
{
	const struct session *s;
	int first, second;

	begin(LOCAL, 1, "replies = back\nsessions = 1\nidle = 100ms\n[class back]\n");
	s = rig.seg.views[0].sessions;
	first = open_sender();
	second = open_sender();
	converse(first, "a", "1");
	/* relaxed: its own word */
	await(atomic_load_explicit(&s->state, memory_order_relaxed) == SESSION_FREE);
	for (int i = 0; i < 3; i++)
		send_to_own(rig.flows[0].sink_fd[0], "9");
	stage_restart(&rig, STAGE_INGRESS, SIGKILL);
	for (int i = 0; i < 3; i++)
		send_to_own(rig.flows[0].sink_fd[0], "9");
	converse(second, "b", "2");
	expect(is_nothing(first) && is_nothing(second));
	expect_equal(account_of(&rig, 1).sent_pkts, 2);
}

/* While its last reply waits, the session is not free yet, and its port is still bound. */
static void what_comes_to_a_session_that_ends_is_nobodys(void)
{
	const struct session *s;
	int first;

	begin(LOCAL, 1, "replies = back\nsessions = 1\nidle = 100ms\n[class back]\n");
	s = rig.seg.views[0].sessions;
	first = open_sender();
	converse(first, "a", "1");
	stage_freeze(&rig, STAGE_EGRESS);
	send_to_own(rig.flows[0].sink_fd[0], "5");
	/* relaxed: its own word */
	await(atomic_load_explicit(&s->state, memory_order_relaxed) == SESSION_CLOSING);
	for (int i = 0; i < 3; i++)
		send_to_own(rig.flows[0].sink_fd[0], "9");
	await(account_of(&rig, 1).dropped_pkts[DROP_KERNEL] == 3);
	stage_thaw(&rig, STAGE_EGRESS);
	/* relaxed: its own word */
	await(atomic_load_explicit(&s->state, memory_order_relaxed) == SESSION_FREE);
	expect(came_back(first, '5') && is_nothing(first));
	expect_equal(account_of(&rig, 1).sent_pkts, 2);
}

const struct harness_test from_tests[] = {
	TEST(datagrams_leave_from_the_port_that_is_set),    TEST(so_they_do_of_ipv6),
	TEST(several_destinations_see_the_same_port),	    TEST(a_port_that_another_has_refuses_the_launch),
	TEST(replies_to_a_fixed_port_go_to_the_one_sender), TEST(what_comes_between_two_senders_is_nobodys),
	TEST(what_comes_to_a_session_that_ends_is_nobodys), { 0 },
};

/*
 * relay.c - what comes in goes out: every size, both families, all addresses, in order; and nobody works for nothing.
 */
#include "pipeline.h"

#include <sys/wait.h>

#include "traffic/packet.h"

static void four_classes_are_relayed_in_order(void)
{
	begin_four_classes("");
	start(&rig);
	relay_pkts(&rig, 5000, ANY_SIZE);
	expect_balanced(&rig);
	for (uint32_t class = 0; class < rig.n_classes; class++)
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
		for (uint32_t class = 0; class < 2; class++)
			send_pkts(&rig, class, 24, i % 7 ? 100 : ANY_SIZE);
		for (uint32_t look = 0; look < 6; look++) /* account_of() ends the test if it does not balance */
			expect(account_of(&rig, look % 2).held_pkts <= rig.seg.views[look % 2].slots);
		if (i % 100 == 99)
			stage_restart(&rig, (enum stage_id)(i / 100 % N_STAGES), SIGKILL);
	}
	stage_freeze(&rig, STAGE_EDF); /* however fast the machine is, a queue overflows once */
	send_pkts(&rig, 0, 24, 100);
	await(dropped(DROP_INGRESS_FULL) > 0);
	stage_thaw(&rig, STAGE_EDF);
	await(account_of(&rig, 0).held_pkts == 0 && account_of(&rig, 1).held_pkts == 0);
	expect_equal(drain_sink(&rig, 0), account_of(&rig, 0).sent_pkts);
	expect_equal(drain_sink(&rig, 1), account_of(&rig, 1).sent_pkts);
	expect(dropped(DROP_OVERSIZE) > 0);
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

const struct harness_test relay_tests[] = {
	TEST(four_classes_are_relayed_in_order),
	TEST(every_size_is_relayed_with_gso),
	TEST(every_size_is_relayed_without_gso),
	TEST(ipv6_is_relayed),
	TEST(all_listen_addresses_of_a_class_are_read),
	TEST(a_sender_keeps_its_destination_and_order),
	TEST(kills_lose_nothing_between_many_addresses),
	TEST(the_account_balances_at_every_look),
	TEST(idle_stages_use_no_cpu),
	{ NULL, NULL },
};

/* accept.c - datagrams that come with a header from a front: believed, taken off, passed on, refused by name. */
#include "pipeline.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proxy.h"
#include "random.h"
#include "traffic/packet.h"

#define ACCEPT "accept_proxy = 10.0.0.0/8 127.0.0.1\n"
#define N_SENDERS 32
#define HOSTILE_PKTS 20000

static void begin(const char *pipeline, uint32_t n_dests, const char *lines)
{
	rig_begin(&rig, pipeline);
	rig_class(&rig, "only", LOCAL, 1, n_dests, lines);
	start(&rig);
}

/* Who a front says a datagram is from: one of many, of either family. */
static struct sockaddr_in6 end(uint32_t i, int is_v6)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)(1000 + i)) };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = v6.sin6_port, .sin_addr = { htonl(i << 8 | 7) } };

	v6.sin6_addr.s6_addr[0] = 0x20;
	v6.sin6_addr.s6_addr[15] = (uint8_t)i;
	if (!is_v6) {
		memset(&v6, 0, sizeof(v6));
		memcpy(&v6, &v4, sizeof(v4));
	}
	return v6;
}

static uint32_t put_header(uint8_t *datagram, uint32_t i)
{
	struct sockaddr_in6 from = end(i, (int)i % 2), to = end(9, (int)i % 2);

	return proxy_write(datagram, &from, &to);
}

static void send_bytes(const uint8_t *bytes, size_t n)
{
	expect(send(rig.flows[0].out_fd[0], bytes, n, 0) == (ssize_t)n);
}

/* With a header that says sender i, and a payload that can be checked. */
static void send_from(uint32_t i, uint32_t number, uint32_t bytes)
{
	uint8_t datagram[PROXY_MOST_BYTES + LARGEST_BYTES];
	uint32_t n = put_header(datagram, i);

	packet_fill(datagram + n, bytes, number, 0);
	send_bytes(datagram, n + bytes);
}

static ssize_t take(uint32_t sink, uint8_t *datagram)
{
	ssize_t n = -1;

	await((n = recv(rig.flows[0].sink_fd[sink], datagram, PROXY_MOST_BYTES + LARGEST_BYTES, MSG_DONTWAIT)) >= 0);
	return n;
}

static void check_payload(const uint8_t *payload, uint32_t number, uint32_t bytes)
{
	uint8_t expected[LARGEST_BYTES];

	packet_fill(expected, bytes, number, 0);
	expect(memcmp(payload, expected, bytes) == 0);
}

static void a_header_that_comes_in_is_taken_off(void)
{
	uint8_t datagram[PROXY_MOST_BYTES + LARGEST_BYTES];

	begin("", 1, ACCEPT);
	for (uint32_t i = 0; i < 200; i++) {
		send_from(i, i, i * 7);
		expect_equal(take(0, datagram), i * 7);
		check_payload(datagram, i, i * 7);
	}
	expect_equal(account_of(&rig, 0).sent_pkts, 200);
}

/* Whichever stage is killed in the middle of it: what is taken off once is not taken off twice. */
static void a_header_is_taken_off_once_through_kills(void)
{
	uint8_t datagram[PROXY_MOST_BYTES + LARGEST_BYTES];
	uint32_t number = 0, next = 0;

	begin("", 1, ACCEPT "edf_to_egress = 1024\ningress_to_edf = 1024\n");
	for (int round = 0; round < 40; round++) {
		enum stage_id id = (enum stage_id)(round % N_STAGES);

		for (int i = 0; i < 50; i++, number++)
			send_from(number % N_SENDERS, number, 300);
		kill(rig.pids[id], SIGKILL);
		for (int i = 0; i < 50; i++, number++)
			send_from(number % N_SENDERS, number, 300);
		stage_restart(&rig, id, SIGKILL);
		for (; next < number; next++) {
			expect_equal(take(0, datagram), 300);
			check_payload(datagram, next, 300);
		}
	}
	expect_equal(account_of(&rig, 0).sent_pkts, number);
	expect_equal(dropped(DROP_BAD_PROXY), 0);
}

static void who_a_front_names_is_passed_on(void)
{
	uint8_t datagram[PROXY_MOST_BYTES + LARGEST_BYTES], tlv[5] = { 4, 0, 2, 'h', 'i' };
	struct proxy_header h;

	begin("", 1, ACCEPT "source = proxy\n");
	for (uint32_t i = 0; i < N_SENDERS; i++) {
		struct sockaddr_in6 from = end(i, (int)i % 2);
		uint32_t n = put_header(datagram, i);

		memcpy(datagram + n, tlv, sizeof(tlv)); /* which is not passed on */
		datagram[15] = (uint8_t)(datagram[15] + sizeof(tlv));
		memcpy(datagram + n + sizeof(tlv), "hello", 5);
		send_bytes(datagram, n + sizeof(tlv) + 5);
		expect_equal(take(0, datagram), n + 5);
		expect(proxy_read(datagram, n + 5, &h) == 0 && h.has_ends && h.bytes == n);
		expect(memcmp(&h.from, &from, sizeof(from)) == 0);
		expect(memcmp(datagram + n, "hello", 5) == 0);
	}
	send_bytes((const uint8_t *)"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0look", 20); /* LOCAL: the front itself asks */
	expect_equal(take(0, datagram), PROXY_V4_BYTES + 4);
	expect(proxy_read(datagram, PROXY_V4_BYTES + 4, &h) == 0);
	expect(memcmp(&((struct sockaddr_in *)&h.from)->sin_addr, "\x7f\0\0\1", 4) == 0);
}

/* All datagrams come from one socket, so that only what the header says can spread them. */
static void a_destination_is_chosen_by_who_is_named(void)
{
	uint8_t datagram[PROXY_MOST_BYTES + LARGEST_BYTES];
	int home[N_SENDERS];
	uint32_t seen[2] = { 0 };

	begin("", 2, ACCEPT);
	memset(home, -1, sizeof(home));
	for (uint32_t round = 0; round < 3; round++)
		for (uint32_t i = 0; i < N_SENDERS; i++) {
			int at;

			send_from(i, i, 100);
			await(account_of(&rig, 0).sent_pkts == round * N_SENDERS + i + 1);
			at = recv(rig.flows[0].sink_fd[0], datagram, sizeof(datagram), MSG_DONTWAIT) < 0;
			expect(!at || recv(rig.flows[0].sink_fd[1], datagram, sizeof(datagram), MSG_DONTWAIT) == 100);
			expect(home[i] < 0 || home[i] == at);
			home[i] = at;
			seen[at]++;
		}
	expect(seen[0] > 0 && seen[1] > 0);
}

static void a_front_is_told_by_its_address(void)
{
	uint8_t datagram[PROXY_MOST_BYTES + LARGEST_BYTES], expected[PROXY_MOST_BYTES];
	uint32_t n;

	begin("", 1, "accept_proxy = 10.0.0.0/8 ::1\n");
	send_from(4, 1, 50);
	n = put_header(expected, 4);
	expect_equal(take(0, datagram), n + 50); /* payload, as it came */
	expect(memcmp(datagram, expected, n) == 0);
	send_bytes((const uint8_t *)"plain", 5);
	expect_equal(take(0, datagram), 5);
	expect_equal(dropped(DROP_BAD_PROXY), 0);
}

/* Headers made up, cut and changed: each is passed on or dropped by name, and what is right still passes. */
static void headers_that_make_no_sense_are_dropped_by_name(void)
{
	uint64_t seed = 20261129, n_good = 0;
	uint8_t datagram[256];

	begin("", 1, ACCEPT "source = proxy\nedf_to_egress = 1024\ningress_to_edf = 1024\n");
	for (uint32_t i = 0; i < HOSTILE_PKTS; i++) {
		size_t len = random_next(&seed) % sizeof(datagram);

		for (size_t at = 0; at < sizeof(datagram); at++)
			datagram[at] = (uint8_t)random_next(&seed);
		if (i % 4)
			put_header(datagram, i);
		for (uint64_t changes = random_next(&seed) % 3; changes > 0; changes--)
			datagram[random_next(&seed) % 60] = (uint8_t)random_next(&seed);
		send_bytes(datagram, len);
		if (i % 256 == 255) {
			await(account_of(&rig, 0).received_pkts == i + 1);
			n_good += drain_sink(&rig, 0);
		}
	}
	await(account_of(&rig, 0).sent_pkts + dropped(DROP_BAD_PROXY) == HOSTILE_PKTS);
	n_good += drain_sink(&rig, 0);
	expect_equal(account_of(&rig, 0).sent_pkts, n_good);
	expect(n_good > HOSTILE_PKTS / 10 && dropped(DROP_BAD_PROXY) > HOSTILE_PKTS / 10);
	for (int id = 0; id < N_STAGES; id++)
		expect(kill(rig.pids[id], 0) == 0);
	send_from(3, 7, 90);
	expect_equal(take(0, datagram), PROXY_MOST_BYTES + 90);
	check_payload(datagram + PROXY_MOST_BYTES, 7, 90);
}

/* What is behind the header, and where it goes, is as without one. */
static void a_plugin_sees_the_payload_alone(void)
{
	char pipeline[PATH_BYTES + 32];
	uint8_t datagram[PROXY_MOST_BYTES + LARGEST_BYTES];
	uint32_t n;

	snprintf(pipeline, sizeof(pipeline), "work = plugin:%s/plugins/upper.so", build_dir);
	begin(pipeline, 1, ACCEPT "source = proxy\n");
	n = put_header(datagram, 6);
	memcpy(datagram + n, "hello", 5);
	send_bytes(datagram, n + 5);
	expect_equal(take(0, datagram), n + 5);
	expect(memcmp(datagram + n, "HELLO", 5) == 0);
}

static void replies_go_to_the_front(void)
{
	uint8_t datagram[PROXY_MOST_BYTES + LARGEST_BYTES];
	struct sockaddr_in at;
	socklen_t len = sizeof(at);
	int front;

	begin("", 1, ACCEPT "replies = back\nsessions = 64\n[class back]\n");
	front = rig.flows[0].out_fd[0];
	for (uint32_t i = 0; i < 4; i++) {
		send_from(i, i, 10);
		await(recvfrom(rig.flows[0].sink_fd[0], datagram, sizeof(datagram), MSG_DONTWAIT,
			       (struct sockaddr *)&at, &len) == 10);
		expect(sendto(rig.flows[0].sink_fd[0], "answer", 6, 0, (struct sockaddr *)&at, len) == 6);
		await(recv(front, datagram, sizeof(datagram), MSG_DONTWAIT) == 6);
	}
}

const struct harness_test accept_tests[] = {
	TEST(a_header_that_comes_in_is_taken_off),
	TEST(a_header_is_taken_off_once_through_kills),
	TEST(who_a_front_names_is_passed_on),
	TEST(a_destination_is_chosen_by_who_is_named),
	TEST(a_front_is_told_by_its_address),
	TEST(headers_that_make_no_sense_are_dropped_by_name),
	TEST(a_plugin_sees_the_payload_alone),
	TEST(replies_go_to_the_front),
	{ 0 },
};

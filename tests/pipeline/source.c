/* source.c - the header that says who sent a datagram: in front of each, in both families, in runs, through kills. */
#include "pipeline.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proxy.h"
#include "traffic/packet.h"

#define N_SENDERS 8

static uint32_t header_bytes;

static void begin(const char *pipeline, const char *host, uint32_t n_dests, const char *lines)
{
	header_bytes = strcmp(host, LOCAL) == 0 ? PROXY_V4_BYTES : PROXY_MOST_BYTES;
	rig_begin(&rig, pipeline);
	rig_class(&rig, "only", host, 1, n_dests, lines);
	start(&rig);
}

static void begin_v6(const char *pipeline, const char *lines)
{
	struct sockaddr_in6 at = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		test_skip("no IPv6 loopback here");
	/* cppcheck-suppress invalidFunctionArg ; test_skip() does not return */
	close(fd);
	begin(pipeline, "[::1]", 1, lines);
}

static struct sockaddr_in6 name_of(int fd)
{
	struct sockaddr_in6 name = { 0 };
	socklen_t len = sizeof(name);

	expect(getsockname(fd, (struct sockaddr *)&name, &len) == 0);
	return name;
}

/* Of IPv4 only the first bytes of both are addresses. */
static int is_same_end(const struct sockaddr_in6 *a, const struct sockaddr_in6 *b)
{
	return memcmp(a, b, a->sin6_family == AF_INET ? 8 : 24) == 0;
}

/* The next datagram at a sink: its header names the sender with socket `from`, and what is behind it is payload. */
static ssize_t take(uint32_t sink, int from, uint8_t payload[LARGEST_BYTES])
{
	struct sockaddr_in6 sender = name_of(from), to;
	uint8_t datagram[LARGEST_BYTES + PROXY_MOST_BYTES];
	ssize_t n = recv(rig.flows[0].sink_fd[sink], datagram, sizeof(datagram), MSG_DONTWAIT);
	struct proxy_header h;

	if (n < 0)
		return -1;
	memcpy(&to, &rig.config.classes[0].listen[0].at, sizeof(to));
	expect(proxy_read(datagram, (size_t)n, &h) == 0);
	expect(h.has_ends && h.bytes == header_bytes);
	expect(is_same_end(&h.from, &sender));
	expect(is_same_end(&h.to, &to));
	memcpy(payload, datagram + h.bytes, (size_t)n - h.bytes);
	return n - (ssize_t)h.bytes;
}

static void take_pkts(uint32_t n)
{
	struct rig_flow *f = &rig.flows[0];
	uint8_t payload[LARGEST_BYTES], expected[LARGEST_BYTES];

	for (; n > 0; n--, f->next_pkts++) {
		ssize_t bytes = -1;

		await((bytes = take(0, f->out_fd[0], payload)) >= 0);
		expect_equal(bytes, f->bytes[f->next_pkts]);
		packet_fill(expected, (uint32_t)bytes, f->next_pkts, 0);
		expect(memcmp(payload, expected, (size_t)bytes) == 0);
	}
}

/* Of every size, in runs of three, some of which end shorter. */
static void relay_every_size(void)
{
	uint64_t sent_bytes = 0;

	for (uint32_t bytes = 0; bytes <= LARGEST_BYTES; bytes += 7) {
		send_pkts(&rig, 0, 3, bytes);
		send_pkts(&rig, 0, 1, bytes / 2);
		sent_bytes += 3 * bytes + bytes / 2;
		if (bytes % 8 == 7 || bytes + 7 > LARGEST_BYTES)
			take_pkts(rig.flows[0].sent_pkts - rig.flows[0].next_pkts);
	}
	expect_balanced(&rig);
	expect_equal(account_of(&rig, 0).sent_bytes, sent_bytes); /* payload */
}

static void each_datagram_says_who_sent_it(void)
{
	begin("gso = on", LOCAL, 1, "source = proxy\n");
	relay_every_size();
}

static void it_says_so_without_gso(void)
{
	begin("gso = off", LOCAL, 1, "source = proxy\n");
	relay_every_size();
}

static void it_says_so_of_ipv6(void)
{
	begin_v6("", "source = proxy\n");
	relay_every_size();
}

static int open_sender(void)
{
	const struct address *to = &rig.config.classes[0].listen[0];
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	expect(fd >= 0 && connect(fd, (const struct sockaddr *)&to->at, to->len) == 0);
	return fd;
}

/* Runs mix senders; each sender's datagrams go to one sink. */
static void senders_of_one_run_are_told_apart(void)
{
	uint8_t payload[LARGEST_BYTES];
	int fds[N_SENDERS];

	begin("", LOCAL, 1, "source = proxy\n");
	for (int i = 0; i < N_SENDERS; i++)
		fds[i] = open_sender();
	for (int round = 0; round < 20; round++) {
		stage_freeze(&rig, STAGE_EGRESS);
		for (int i = 0; i < N_SENDERS; i++)
			expect(send(fds[i], &i, 4, 0) == 4);
		await(account_of(&rig, 0).waiting_egress_pkts == N_SENDERS);
		stage_thaw(&rig, STAGE_EGRESS);
		for (int i = 0; i < N_SENDERS; i++) {
			await(take(0, fds[i], payload) == 4);
			expect(memcmp(payload, &i, 4) == 0);
		}
	}
	expect_equal(account_of(&rig, 0).sent_pkts, 20 * N_SENDERS);
}

/* The address that was written to is told where `listen` does not say it. */
static void a_wildcard_says_the_address_that_was_written_to(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK + 6) } };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	uint8_t datagram[64];
	struct proxy_header h;
	ssize_t n = -1;

	char *listen;

	rig_begin(&rig, "");
	rig_class(&rig, "only", LOCAL, 1, 1, "source = proxy\n");
	listen = strstr(rig.text, "listen = 127.0.0.1");
	expect(listen);
	/* cppcheck-suppress nullPointerRedundantCheck ; test_fail() does not return */
	memcpy(listen, "listen =   0.0.0.0", strlen("listen = 127.0.0.1"));
	start(&rig);
	memcpy(&to.sin_port, (const uint8_t *)&rig.config.classes[0].listen[0].at + 2, 2);
	expect(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) == 1);
	await((n = recv(rig.flows[0].sink_fd[0], datagram, sizeof(datagram), MSG_DONTWAIT)) >= 0);
	expect(proxy_read(datagram, (size_t)n, &h) == 0 && n == PROXY_V4_BYTES + 1);
	expect(memcmp(&h.to, &to, 8) == 0);
}

/* Nothing is lost, doubled, or said to be from another, whichever stage is killed. */
static void headers_stay_right_through_kills(void)
{
	begin("", LOCAL, 1, "source = proxy\nedf_to_egress = 1024\ningress_to_edf = 1024\n");
	for (int round = 0; round < 30; round++) {
		enum stage_id id = (enum stage_id)(round % N_STAGES);

		send_pkts(&rig, 0, 40, 200);
		kill(rig.pids[id], SIGKILL);
		send_pkts(&rig, 0, 40, ANY_SIZE);
		stage_restart(&rig, id, SIGKILL);
		take_pkts(80);
	}
	expect_balanced(&rig);
	expect_equal(account_of(&rig, 0).sent_pkts, 30 * 80);
}

static void a_reply_comes_without_a_header(void)
{
	uint8_t payload[LARGEST_BYTES];
	struct sockaddr_in6 at = { 0 };
	socklen_t len = sizeof(at);
	int fd;

	begin("", LOCAL, 1, "source = proxy\nreplies = back\nsessions = 64\n[class back]\n");
	fd = open_sender();
	expect(send(fd, "ask", 3, 0) == 3);
	await(recvfrom(rig.flows[0].sink_fd[0], payload, sizeof(payload), MSG_DONTWAIT | MSG_PEEK,
		       (struct sockaddr *)&at, &len) > 0);
	expect(take(0, fd, payload) == 3);
	expect(sendto(rig.flows[0].sink_fd[0], "answer", 6, 0, (struct sockaddr *)&at, len) == 6);
	await(recv(fd, payload, sizeof(payload), MSG_DONTWAIT) == 6);
	expect(memcmp(payload, "answer", 6) == 0);
}

static void the_first_of_a_session_alone_can_have_it(void)
{
	uint8_t payload[LARGEST_BYTES];
	int fds[N_SENDERS];

	begin("", LOCAL, 1, "source = proxy\nproxy_header = first\nreplies = back\nsessions = 64\n[class back]\n");
	for (int i = 0; i < N_SENDERS; i++) {
		fds[i] = open_sender();
		stage_freeze(&rig, STAGE_EGRESS);
		for (int n = 0; n < 3; n++)
			expect(send(fds[i], "x", 1, 0) == 1);
		await(account_of(&rig, 0).waiting_egress_pkts == 3);
		stage_restart(&rig, STAGE_INGRESS, SIGKILL);
		stage_thaw(&rig, STAGE_EGRESS);
		await(take(0, fds[i], payload) == 1);
		for (int n = 0; n < 2; n++)
			await(recv(rig.flows[0].sink_fd[0], payload, sizeof(payload), MSG_DONTWAIT) == 1);
	}
	for (int i = 0; i < N_SENDERS; i++) {
		expect(send(fds[i], "x", 1, 0) == 1);
		await(recv(rig.flows[0].sink_fd[0], payload, sizeof(payload), MSG_DONTWAIT) == 1);
	}
	rig_replace(&rig, "proxy_header = first", "proxy_header = every");
	for (int i = 0; i < N_STAGES; i++)
		kill(rig.pids[i], SIGHUP);
	await(rig_log_lines(&rig, "reloaded") == N_STAGES);
	for (int i = 0; i < N_SENDERS; i++) {
		expect(send(fds[i], "x", 1, 0) == 1);
		await(take(0, fds[i], payload) == 1);
	}
}

const struct harness_test source_tests[] = {
	TEST(each_datagram_says_who_sent_it),
	TEST(it_says_so_without_gso),
	TEST(it_says_so_of_ipv6),
	TEST(senders_of_one_run_are_told_apart),
	TEST(a_wildcard_says_the_address_that_was_written_to),
	TEST(headers_stay_right_through_kills),
	TEST(a_reply_comes_without_a_header),
	TEST(the_first_of_a_session_alone_can_have_it),
	{ 0 },
};

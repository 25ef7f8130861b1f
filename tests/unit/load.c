/* load.c - what the load generator counts, and when its datagrams are due. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "traffic/flow.h"
#include "load/schedule.h"
#include "traffic/short.h"
#include "traffic/sink.h"
#include "config/address.h"
#include "clock.h"
#include "suites.h"

#define SEED 7
#define N_PKTS 1000u

static struct flow flow;

static void begin(uint32_t smallest, uint32_t largest)
{
	flow = (struct flow){ .n_orders = 1, .sizes = { SEED, smallest, largest, 0, 0 } };
	flow_reset(&flow, 5 << STREAM_RUN_SHIFT | 1);
}

static void come_as(uint64_t sequence, uint32_t stream)
{
	uint8_t payload[MAX_LOAD_BYTES];
	uint32_t bytes = packet_bytes(&flow.sizes, sequence);

	packet_fill_stream(payload, bytes, stream, sequence, 0);
	flow_note(&flow, payload, bytes, 1000);
}

static void come(uint64_t sequence)
{
	come_as(sequence, flow.stream);
}

static void end(uint64_t sent)
{
	flow.sent_pkts = sent;
	flow_end(&flow, 1);
}

static void check(int64_t lost, uint64_t doubled, uint64_t reordered, uint64_t corrupt)
{
	CU_ASSERT_EQUAL(flow_lost_pkts(&flow), lost);
	CU_ASSERT_EQUAL(flow.doubled_pkts, doubled);
	CU_ASSERT_EQUAL(flow.reordered_pkts, reordered);
	CU_ASSERT_EQUAL(flow.corrupt_pkts, corrupt);
}

/* Or one datagram could hold the sink up for as long as it likes. */
static void a_sequence_far_ahead_is_not_counted_up_to(void)
{
	begin(0, 100);
	come(0);
	come(UINT64_MAX - 1);
	come(UINT64_MAX);
	CU_ASSERT_EQUAL(flow.received_pkts + flow.corrupt_pkts, 3);
}

static void a_whole_sequence_has_nothing_wrong(void)
{
	for (uint32_t largest = 0; largest < 100; largest++) {
		begin(0, largest);
		for (uint64_t i = 0; i < N_PKTS; i++)
			come(i);
		end(N_PKTS);
		check(0, 0, 0, 0);
	}
}

/* Whichever is lost, doubled or swapped with the next of another size: it is told, whatever its size. */
static void one_change_is_one_count(void)
{
	for (uint64_t at = 0; at < 60; at++) {
		begin(0, 60);
		for (uint64_t i = 0; i < 200; i++)
			if (i != at)
				come(i);
		end(200);
		check(1, 0, 0, 0);
		begin(0, 60);
		for (uint64_t i = 0; i < 200; i++) {
			come(i);
			if (i == at)
				come(i);
		}
		end(200);
		check(0, 1, 0, 0);
		if (packet_bytes(&flow.sizes, at) == packet_bytes(&flow.sizes, at + 1))
			continue;
		begin(0, 60);
		for (uint64_t i = 0; i < 200; i++)
			come(i == at ? i + 1 : i == at + 1 ? at : i);
		end(200);
		check(0, 0, 1, 0);
	}
}

static void a_change_of_the_order_of_nothing_but_short_ones_is_noticed(void)
{
	begin(0, 16);
	for (uint64_t i = 0; i < N_PKTS; i++)
		come(N_PKTS - 1 - i);
	end(N_PKTS);
	check(0, 0, 1, 0);
}

static void a_changed_byte_is_noticed_anywhere(void)
{
	uint8_t payload[MAX_LOAD_BYTES];
	struct packet_header h;

	for (uint32_t bytes = 1; bytes < 80; bytes++)
		for (uint32_t at = 0; at < bytes; at++) {
			packet_fill_stream(payload, bytes, 9, bytes, at);
			CU_ASSERT_EQUAL(packet_read(payload, bytes, &h), bytes >= sizeof(h));
			payload[at] ^= (uint8_t)(1 + at);
			CU_ASSERT_EQUAL(packet_read(payload, bytes, &h), -1);
		}
}

static void another_run_is_a_stray_and_another_class_a_change(void)
{
	begin(24, 40);
	come(0);
	come_as(1, 6 << STREAM_RUN_SHIFT | 1);
	come_as(1, 5 << STREAM_RUN_SHIFT | 2);
	end(2);
	CU_ASSERT_EQUAL(flow.stray_pkts, 1);
	CU_ASSERT_EQUAL(flow.received_pkts, 1);
	CU_ASSERT_EQUAL(flow.corrupt_pkts, 1);
}

static void order_is_told_per_source(void)
{
	begin(24, 40);
	flow.n_orders = 2; /* even and odd */
	come(1);
	come(3);
	come(0);
	come(2);
	CU_ASSERT_EQUAL(flow.reordered_pkts, 0);
	come(6);
	come(4);
	end(7);
	check(1, 0, 1, 0);
}

static void every_kind_of_arrivals_keeps_its_rate(void)
{
	for (int kind = 0; kind < N_ARRIVALS; kind++) {
		struct schedule s;
		double before = -1;

		schedule_start(&s, (enum arrivals)kind, 32, 1000, 0, SEED);
		for (int i = 0; i < 320000; i++) {
			CU_ASSERT_FATAL(s.due_at_ns >= before);
			before = s.due_at_ns;
			schedule_next(&s);
		}
		CU_ASSERT_DOUBLE_EQUAL(s.due_at_ns, 320.0 * NS_PER_S, 0.03 * 320 * NS_PER_S);
	}
}

static void a_burst_is_due_at_once(void)
{
	struct schedule s;
	uint32_t together = 0;

	schedule_start(&s, ARRIVALS_BURSTY, 8, 1000, 0, SEED);
	for (int i = 0; i < 800; i++) {
		double before = s.due_at_ns;

		schedule_next(&s);
		together += s.due_at_ns == before;
	}
	CU_ASSERT_EQUAL(together, 700);
}

/* A class that only receives. */
static void open_sink(struct flow *f, const char *name, struct flow *beside, uint32_t n_beside)
{
	char where[ADDRESS_BYTES];
	struct packet_sizes sizes = { SEED, 24, 24, 0, 0 };
	struct class_config class = { .n_dests = 1, .budget_ns = BUDGET_NONE };

	/* an address of loopback that is this process's own */
	snprintf(where, sizeof(where), "127.77.%d.%d:7467", getpid() >> 8 & 255, getpid() & 255);
	memset(f, 0, sizeof(*f));
	strcpy(class.name, name);
	CU_ASSERT_FATAL(address_parse(where, strlen(where), &class.dests[0]));
	f->beside = beside;
	f->n_beside = n_beside;
	CU_ASSERT_EQUAL_FATAL(flow_open(f, &class, &sizes, 1, FLOW_RECEIVES), 0);
}

/* n whole datagrams of a class of run 5, to where. */
static void send_to(const struct address *where, uint32_t class, uint64_t n)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint8_t payload[24];

	for (uint64_t i = 0; i < n; i++) {
		packet_fill_stream(payload, sizeof(payload), 5 << STREAM_RUN_SHIFT | class, i, now_ns());
		CU_ASSERT_EQUAL(
			sendto(fd, payload, sizeof(payload), 0, (const struct sockaddr *)&where->at, where->len),
			(ssize_t)sizeof(payload));
	}
	close(fd);
}

#define PATIENCE_NS (100 * NS_PER_MS)

static void oversleep(int sig)
{
	struct timespec long_pause = { .tv_nsec = 500 * (long)NS_PER_MS };

	(void)sig;
	nanosleep(&long_pause, NULL);
}

static void what_has_reached_the_sink_is_not_lost_when_its_thread_gets_no_cpu(void)
{
	struct sigaction act = { .sa_handler = oversleep }, before;
	static struct sink sink;
	pthread_t thread;

	open_sink(&flow, "a", NULL, 0);
	flow_reset(&flow, 5 << STREAM_RUN_SHIFT);
	flow.sent_pkts = 100;
	sigaction(SIGUSR1, &act, &before);
	CU_ASSERT_EQUAL_FATAL(sink_start(&sink, &flow, 1, &thread), 0);
	while (!sink.looked_at_ns) /* until it is in its loop */
		continue;
	pthread_kill(thread, SIGUSR1);
	send_to(&flow.in_at[0], 0, 100);
	sink_finish(&sink, thread, PATIENCE_NS);
	sigaction(SIGUSR1, &before, NULL);
	close(flow.in_fd[0]);
	check(0, 0, 0, 0);
}

static void two_classes_with_one_destination_are_told_apart_by_the_header(void)
{
	static struct flow flows[2];
	static struct sink sink;
	pthread_t thread;

	open_sink(&flows[0], "a", NULL, 0);
	open_sink(&flows[1], "b", flows, 1);
	CU_ASSERT_EQUAL(flows[1].n_in, 0);
	for (uint32_t i = 0; i < 2; i++) {
		flow_reset(&flows[i], 5 << STREAM_RUN_SHIFT | (i + 3));
		flows[i].sent_pkts = 10 + i;
	}
	CU_ASSERT_EQUAL_FATAL(sink_start(&sink, flows, 2, &thread), 0);
	send_to(&flows[0].in_at[0], 3, 10);
	send_to(&flows[0].in_at[0], 4, 10);
	sink_finish(&sink, thread, PATIENCE_NS);
	close(flows[0].in_fd[0]);
	CU_ASSERT_EQUAL(flows[0].received_pkts, 10);
	CU_ASSERT_EQUAL(flows[1].received_pkts, 10);
	CU_ASSERT_EQUAL(flow_lost_pkts(&flows[1]), 1);
	CU_ASSERT_EQUAL(flows[0].corrupt_pkts + flows[1].corrupt_pkts, 0);
}

/* Each source asks a sink that answers; source 1 has the answer of source 0 as well. */
static void an_answer_belongs_to_the_source_that_asked(void)
{
	static struct flow flows[2];
	static struct sink sink;
	struct class_config back = { .budget_ns = 5 };
	pthread_t thread;
	uint8_t payload[24];

	strcpy(back.name, "back");
	open_sink(&flows[0], "a", NULL, 0);
	flows[0].answers = 1;
	flows[0].n_out = 2;
	for (uint32_t i = 0; i < 2; i++) {
		flows[0].out_fd[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		connect(flows[0].out_fd[i], (const struct sockaddr *)&flows[0].in_at[0].at, flows[0].in_at[0].len);
	}
	flow_open_back(&flows[1], &flows[0], &back);
	for (uint32_t i = 0; i < 2; i++)
		flow_reset(&flows[i], 5 << STREAM_RUN_SHIFT | 3);
	flows[0].sent_pkts = 4;
	CU_ASSERT_EQUAL_FATAL(sink_start(&sink, flows, 2, &thread), 0);
	for (uint64_t i = 0; i < 4; i++) { /* the third goes out by the wrong socket, and so comes back there */
		packet_fill_stream(payload, sizeof(payload), 5 << STREAM_RUN_SHIFT | 3, i, now_ns());
		CU_ASSERT_EQUAL(send(flows[0].out_fd[i == 2 ? 1 : i % 2], payload, sizeof(payload), 0), 24);
	}
	sink_finish(&sink, thread, PATIENCE_NS);
	CU_ASSERT_EQUAL(flows[0].received_pkts, 4);
	CU_ASSERT_EQUAL(flows[1].sent_pkts, 4);
	CU_ASSERT_EQUAL(flows[1].received_pkts, 3);
	CU_ASSERT_EQUAL(flows[1].misled_pkts, 1);
	CU_ASSERT_EQUAL(flow_lost_pkts(&flows[1]), 1);
	close(flows[0].in_fd[0]);
	for (uint32_t i = 0; i < 2; i++)
		close(flows[0].out_fd[i]);
}

static void note_one(uint64_t sequence, uint64_t due_at_ns, uint64_t at_ns)
{
	uint8_t payload[64];

	packet_fill_stream(payload, sizeof(payload), flow.stream, sequence, due_at_ns);
	flow_note(&flow, payload, sizeof(payload), at_ns);
}

/* Latency counts from when a datagram was due; the relay is answerable from when the source let it go. */
static void the_relays_part_begins_with_the_send_call(void)
{
	begin(64, 64);
	flow_hand(&flow, 2, 5000);
	note_one(0, 1000, 9000);
	CU_ASSERT_EQUAL(flow.latency_max_ns, 8000);
	CU_ASSERT_EQUAL(flow.relay_max_ns, 4000);
	note_one(1, 4000, 12000);
	CU_ASSERT_EQUAL(flow.latency_max_ns, 8000);
	CU_ASSERT_EQUAL(flow.relay_max_ns, 7000);
}

/* The place of its time may have been used again: then it counts as the relay's delay, which is never too little. */
static void a_time_that_is_not_known_any_more_is_the_relays(void)
{
	begin(64, 64);
	flow_hand(&flow, 1, 5000);
	flow.sent_pkts = HANDED_WINDOW;
	flow_hand(&flow, 1, 8000);
	note_one(0, 1000, 9000);
	CU_ASSERT_EQUAL(flow.relay_max_ns, 8000);
	begin(64, 64);
	note_one(0, 1000, 9000); /* nobody said when */
	CU_ASSERT_EQUAL(flow.relay_max_ns, 8000);
	begin(64, 64);
	flow_hand(&flow, 1, 9500);
	note_one(0, 1000, 9000);
	CU_ASSERT_EQUAL(flow.relay_max_ns, 8000);
}

SUITE(load, TEST(a_sequence_far_ahead_is_not_counted_up_to), TEST(a_whole_sequence_has_nothing_wrong),
      TEST(one_change_is_one_count), TEST(a_change_of_the_order_of_nothing_but_short_ones_is_noticed),
      TEST(a_changed_byte_is_noticed_anywhere), TEST(another_run_is_a_stray_and_another_class_a_change),
      TEST(order_is_told_per_source), TEST(every_kind_of_arrivals_keeps_its_rate), TEST(a_burst_is_due_at_once),
      TEST(what_has_reached_the_sink_is_not_lost_when_its_thread_gets_no_cpu),
      TEST(two_classes_with_one_destination_are_told_apart_by_the_header),
      TEST(an_answer_belongs_to_the_source_that_asked), TEST(the_relays_part_begins_with_the_send_call),
      TEST(a_time_that_is_not_known_any_more_is_the_relays))

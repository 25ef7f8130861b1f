/* trains.c - messages that hold many datagrams: cut, published as there is room, and cut again by a successor. */
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "harness/harness.h"
#include "ingress/receive.h"
#include "ingress/train.h"
#include "log.h"
#include "shm/journal.h"
#include "shm/segment.h"
#include "suites.h"

#define PIECE_BYTES 100
#define LONG_BYTES 1100 /* of datagrams whose trains are aimed at slots */

static struct stage stage;
static struct ingress in;
static struct receiver receiver;
static struct sockaddr_in at[2];
static int source[2];

static int bound(struct sockaddr_in *to)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
	socklen_t len = sizeof(*to);

	*to = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)to, sizeof(*to)), 0);
	getsockname(fd, (struct sockaddr *)to, &len);
	setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
	return fd;
}

/* The successor of what died without a word. */
static void open_again(void)
{
	int fd[2] = { receiver.fd[0], receiver.fd[1] };

	CU_ASSERT_EQUAL_FATAL(receive_init(&receiver, &stage, &in), 0);
	memcpy(receiver.fd, fd, sizeof(fd));
	train_open(&receiver, &in);
}

static void open_world(const char *gro, const char *limit)
{
	char argument[2][64], why[WHY_BYTES];
	char *arguments[] = { (char *)"unit", argument[0], argument[1], (char *)"--fifo=off", NULL };

	memset(&stage, 0, sizeof(stage));
	memset(&receiver, 0, sizeof(receiver));
	snprintf(argument[0], sizeof(argument[0]), "--gro=%s", gro);
	snprintf(argument[1], sizeof(argument[1]), "--high.ingress_to_edf=%s", limit);
	CU_ASSERT_EQUAL_FATAL(config_load(&stage.config, NULL, 4, arguments, why, sizeof(why)), 0);
	snprintf(stage.config.instance, sizeof(stage.config.instance), "unit-trains-%d", (int)getpid());
	CU_ASSERT_EQUAL_FATAL(segment_create(&stage.seg, &stage.config, NULL, 0, why), 0);
	stage.blocks = stage.seg.shared->stages;
	stage.self = &stage.blocks[STAGE_INGRESS];
	ingress_init(&in, &stage.config);
	for (int i = 0; i < 2; i++) {
		receiver.fd[i] = bound(&at[i]);
		source[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		CU_ASSERT_EQUAL_FATAL(connect(source[i], (struct sockaddr *)&at[i], sizeof(at[i])), 0);
	}
	open_again();
}

static void close_world(void)
{
	for (int i = 0; i < 2; i++) {
		close(receiver.fd[i]);
		close(source[i]);
	}
	segment_remove(stage.config.instance);
	segment_close(&stage.seg);
}

/* n datagrams in one piece, each full of its number; the last is one byte shorter. */
static void send_pieces(int i, uint8_t first, uint32_t n, int bytes)
{
	uint8_t payload[64 * PIECE_BYTES];
	size_t len = n * (size_t)bytes - 1;

	CU_ASSERT_FATAL(len < sizeof(payload));
	for (uint32_t k = 0; k < n; k++)
		memset(payload + k * (size_t)bytes, first + (int)k, (size_t)bytes);
	CU_ASSERT_EQUAL_FATAL(setsockopt(source[i], SOL_UDP, UDP_SEGMENT, &bytes, sizeof(bytes)), 0);
	CU_ASSERT_EQUAL(send(source[i], payload, len, 0), (ssize_t)len);
}

static void send_train(int i, uint8_t first, uint32_t n)
{
	send_pieces(i, first, n, PIECE_BYTES);
}

/* Is the packet in that slot the datagram of that number? */
static int has(uint32_t class, uint32_t slot, uint8_t number, uint32_t len)
{
	const struct lane_view *v = &stage.seg.views[class];
	const uint8_t *payload = lane_payload(v, slot);

	return v->arrivals[slot].len_bytes == len && payload[0] == number && payload[len - 1] == number;
}

static uint64_t received(uint32_t class)
{
	return lane_received(stage.seg.views[class].lane) >> COUNT_SHIFT;
}

static void make_room(uint32_t class)
{
	struct lane *lane = stage.seg.views[class].lane;
	uint64_t word = lane_received(lane);

	atomic_store_explicit(&lane->processed, word, memory_order_relaxed);
	atomic_store_explicit(&lane->sent, word, memory_order_relaxed);
}

static void a_train_is_cut_into_the_datagrams_that_were_sent(void)
{
	uint32_t bytes;

	open_world("on", "256");
	CU_ASSERT_EQUAL(send(source[0], "\7\7\7", 3, 0), 3);
	send_train(0, 1, 5);
	CU_ASSERT_EQUAL(receive_batch(&receiver, &in, 0, 64, &bytes), 6);
	CU_ASSERT_EQUAL(bytes, 3 + 5 * PIECE_BYTES - 1);
	CU_ASSERT(has(0, 0, 7, 3));
	for (uint8_t i = 0; i < 4; i++)
		CU_ASSERT(has(0, 1 + i, 1 + i, PIECE_BYTES));
	CU_ASSERT(has(0, 5, 5, PIECE_BYTES - 1));
	CU_ASSERT_EQUAL(receiver.tally[0].read_pkts, 6);
	CU_ASSERT_EQUAL(receiver.tally[0].train_pkts, 5);
	CU_ASSERT_EQUAL(stage.seg.views[0].arrivals[1].arrived_at_ns, stage.seg.views[0].arrivals[5].arrived_at_ns);
	CU_ASSERT_EQUAL(journal_read(&stage.seg.shared->ingress_journal.word), 0);
	send_train(0, 6, 2); /* and the next, which is expected now */
	CU_ASSERT_EQUAL(receive_batch(&receiver, &in, 0, 64, &bytes), 2);
	CU_ASSERT(has(0, 6, 6, PIECE_BYTES));
	CU_ASSERT(has(0, 7, 7, PIECE_BYTES - 1));
	close_world();
}

static void a_train_that_does_not_fit_waits_and_its_class_with_it_but_no_other(void)
{
	uint32_t bytes;

	open_world("on", "4");
	send_train(0, 1, 10);
	send_train(0, 11, 2);
	send_train(1, 21, 3);
	CU_ASSERT_EQUAL(receive_batch(&receiver, &in, 0, 1, &bytes), 4);
	CU_ASSERT_EQUAL(receive_waiting(&receiver), 1);
	CU_ASSERT_EQUAL(receive_room_pkts(&receiver, 0), 0);
	CU_ASSERT_EQUAL(receive_batch(&receiver, &in, 1, 64, &bytes), 3);
	CU_ASSERT(has(1, 2, 23, PIECE_BYTES - 1));
	make_room(0);
	CU_ASSERT_EQUAL(receive_batch(&receiver, &in, 0, 4, &bytes), 4);
	make_room(0);
	CU_ASSERT_EQUAL(receive_batch(&receiver, &in, 0, 4, &bytes), 2);
	CU_ASSERT_EQUAL(receive_waiting(&receiver), 0);
	CU_ASSERT_EQUAL(receive_batch(&receiver, &in, 0, 2, &bytes), 2);
	for (uint8_t i = 0; i < 9; i++)
		CU_ASSERT(has(0, i, 1 + i, PIECE_BYTES));
	CU_ASSERT(has(0, 9, 10, PIECE_BYTES - 1));
	CU_ASSERT(has(0, 10, 11, PIECE_BYTES));
	close_world();
}

static void a_successor_publishes_the_rest_of_a_train(void)
{
	uint32_t bytes;

	open_world("on", "4");
	CU_ASSERT_EQUAL(send(source[0], "\7\7\7", 3, 0), 3);
	send_train(0, 1, 10);
	CU_ASSERT_EQUAL(receive_batch(&receiver, &in, 0, 4, &bytes), 4);
	open_again();
	CU_ASSERT_EQUAL(received(0), 4);
	CU_ASSERT_EQUAL(receive_waiting(&receiver), 1);
	make_room(0);
	open_again();
	CU_ASSERT_EQUAL(received(0), 8);
	make_room(0);
	CU_ASSERT_EQUAL(receive_batch(&receiver, &in, 0, 4, &bytes), 3);
	for (uint8_t i = 0; i < 9; i++)
		CU_ASSERT(has(0, 1 + i, 1 + i, PIECE_BYTES));
	CU_ASSERT(has(0, 10, 10, PIECE_BYTES - 1));
	CU_ASSERT_EQUAL(receiver.tally[0].read_pkts, 11);
	CU_ASSERT_EQUAL(receiver.tally[0].read_bytes, 3 + 10 * PIECE_BYTES - 1);
	close_world();
}

static void with_full_drop_the_end_of_a_train_is_dropped_and_counted(void)
{
	uint32_t bytes;

	open_world("on", "4");
	stage.config.full = FULL_DROP;
	send_train(0, 1, 10);
	CU_ASSERT_EQUAL(receive_batch(&receiver, &in, 0, 64, &bytes), 10);
	CU_ASSERT_EQUAL(received(0), 4);
	CU_ASSERT_EQUAL(receiver.tally[0].ingress_full_pkts, 6);
	CU_ASSERT_EQUAL(receiver.tally[0].read_pkts, 10);
	CU_ASSERT_EQUAL(receive_waiting(&receiver), 0);
	close_world();
}

/* The kernel cuts them for a socket that has not asked: then they have one time of arrival. */
static void a_socket_takes_trains_from_when_they_come(void)
{
	uint32_t bytes;

	open_world("auto", "256");
	for (int i = 0; i < 4; i++) {
		CU_ASSERT_EQUAL(receiver.trains[0].is_on, 0);
		send_train(0, 1, 20);
		CU_ASSERT_EQUAL(receive_batch(&receiver, &in, 0, 64, &bytes), 20);
	}
	CU_ASSERT_EQUAL(receiver.trains[0].is_on, stage.seg.scratch_locked);
	CU_ASSERT_EQUAL(receiver.tally[0].train_pkts, 0);
	for (int i = 0; i < 40; i++) {
		CU_ASSERT_EQUAL(send(source[1], "x", 1, 0), 1);
		CU_ASSERT_EQUAL(receive_batch(&receiver, &in, 1, 64, &bytes), 1);
	}
	CU_ASSERT_EQUAL(receiver.trains[1].is_on, 0);
	open_again(); /* and a successor goes on */
	CU_ASSERT_EQUAL(receiver.trains[0].is_on, stage.seg.scratch_locked);
	close_world();
}

static void a_datagram_of_a_train_that_is_too_long_is_oversize(void)
{
	uint32_t bytes;

	open_world("on", "256");
	stage.config.payload_bytes = PIECE_BYTES - 1;
	send_train(0, 1, 3);
	CU_ASSERT_EQUAL(receive_batch(&receiver, &in, 0, 64, &bytes), 3);
	CU_ASSERT_EQUAL(receiver.tally[0].oversize_pkts, 2);
	CU_ASSERT_EQUAL(stage.seg.views[0].arrivals[0].drop, DROP_OVERSIZE);
	CU_ASSERT_EQUAL(stage.seg.views[0].arrivals[2].drop, DROP_NONE);
	CU_ASSERT(has(0, 2, 3, PIECE_BYTES - 1));
	close_world();
}

/* Trains of three until their shape is known; from the next one on they are aimed at slots. Its number. */
static uint8_t make_known(void)
{
	uint32_t bytes;

	for (int i = 0; i < 3; i++) {
		send_pieces(0, (uint8_t)(1 + 3 * i), 3, LONG_BYTES);
		CU_ASSERT_EQUAL(receive_batch(&receiver, &in, 0, 64, &bytes), 3);
		make_room(0);
	}
	return 10;
}

/* n packets of the class from number `first` on, the last one a byte shorter, in the slots from `slot` on. */
static int have_come(uint32_t slot, uint8_t first, uint32_t n, uint32_t len)
{
	int all = 1;

	for (uint32_t k = 0; k < n; k++)
		all &= has(0, slot + k, (uint8_t)(first + k), k + 1 < n ? len : len - 1);
	return all;
}

/* Did something of the last call not lie where it belongs? */
static int was_copied(void)
{
	return atomic_load_explicit(&receiver.batches[0].journal->staged_from, memory_order_relaxed) <
	       receiver.batches[0].n_msgs;
}

static void trains_that_are_like_the_last_ones_come_into_their_slots(void)
{
	uint32_t bytes;
	uint8_t first;

	open_world("on", "256");
	first = make_known();
	CU_ASSERT(have_come(6, 7, 3, LONG_BYTES));
	for (uint32_t i = 0; i < 4; i++)
		send_pieces(0, (uint8_t)(first + 3 * i), i < 3 ? 3 : 2, LONG_BYTES); /* the last one is short */
	CU_ASSERT_EQUAL(receive_batch(&receiver, &in, 0, 64, &bytes), 11);
	CU_ASSERT_EQUAL(bytes, 11 * LONG_BYTES - 4);
	CU_ASSERT_EQUAL(receiver.batches[0].aim.pieces, 3);
	CU_ASSERT_EQUAL(receiver.batches[0].aim.bytes, LONG_BYTES);
	CU_ASSERT(!was_copied());
	for (uint32_t i = 0; i < 4; i++)
		CU_ASSERT(have_come(9 + 3 * i, (uint8_t)(first + 3 * i), i < 3 ? 3 : 2, LONG_BYTES));
	close_world();
}

static void trains_that_are_not_are_put_where_they_belong(void)
{
	static const struct {
		uint32_t n, bytes; /* of the first message, before three as expected */
	} odd[] = { { 1, 100 }, { 1, LONG_BYTES + 50 }, { 2, LONG_BYTES }, { 4, LONG_BYTES }, { 3, LONG_BYTES - 1 } };

	for (uint32_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		uint32_t bytes;
		uint8_t first;

		open_world("on", "256");
		first = make_known();
		send_pieces(0, first, odd[i].n, (int)odd[i].bytes);
		send_pieces(0, first + (uint8_t)odd[i].n, 3, LONG_BYTES);
		CU_ASSERT_EQUAL(receive_batch(&receiver, &in, 0, 64, &bytes), odd[i].n + 3);
		CU_ASSERT_EQUAL(receiver.batches[0].aim.pieces, 3);
		CU_ASSERT(was_copied());
		CU_ASSERT(have_come(9, first, odd[i].n, odd[i].bytes));
		CU_ASSERT(have_come(9 + odd[i].n, first + (uint8_t)odd[i].n, 3, LONG_BYTES));
		send_pieces(0, 77, 3, LONG_BYTES);
		CU_ASSERT_EQUAL(receive_batch(&receiver, &in, 0, 64, &bytes), 3);
		CU_ASSERT_EQUAL(receiver.batches[0].aim.pieces, 0); /* not believed any more */
		CU_ASSERT(have_come(12 + odd[i].n, 77, 3, LONG_BYTES));
		close_world();
	}
}

/* There they lie behind the count, and are left alone until there is room. */
static void what_came_into_slots_waits_there_for_room(void)
{
	uint32_t bytes;
	uint8_t first;

	open_world("on", "5");
	first = make_known();
	send_pieces(0, first, 3, LONG_BYTES);
	CU_ASSERT_EQUAL(receive_batch(&receiver, &in, 0, 64, &bytes), 3);
	send_pieces(0, first + 3, 3, LONG_BYTES); /* room for two */
	CU_ASSERT_EQUAL(receive_batch(&receiver, &in, 0, 2, &bytes), 2);
	CU_ASSERT(!was_copied());
	CU_ASSERT_EQUAL(receive_waiting(&receiver), 1);
	make_room(0);
	open_again();
	CU_ASSERT_EQUAL(receive_waiting(&receiver), 0);
	CU_ASSERT_EQUAL(received(0), 15);
	CU_ASSERT(have_come(12, first + 3, 3, LONG_BYTES));
	close_world();
}

/* No more slots are aimed at than are free. */
static void a_train_that_finds_few_slots_free_goes_on_in_the_scratch(void)
{
	const struct lane_view *v = &stage.seg.views[0];
	uint32_t bytes, slots;
	uint8_t first;

	open_world("on", "256");
	first = make_known();
	slots = v->slots;
	stage.config.classes[0].ingress_to_edf_pkts = slots;
	/* all but two are held: published, and worked on */
	receiver.word[0] = lane_publish(v->lane, receiver.word[0], slots - 2, &receiver.tally[0]);
	atomic_store_explicit(&v->lane->processed, receiver.word[0], memory_order_relaxed);
	memset(lane_payload(v, (9 + slots) & v->mask), 99, LONG_BYTES); /* the oldest that is held */
	send_pieces(0, first, 3, LONG_BYTES);
	CU_ASSERT_EQUAL(receive_batch(&receiver, &in, 0, 64, &bytes), 2);
	CU_ASSERT_EQUAL(receiver.batches[0].aim.slots, 2);
	CU_ASSERT_EQUAL(lane_payload(v, (9 + slots) & v->mask)[0], 99);
	make_room(0);
	CU_ASSERT_EQUAL(receive_batch(&receiver, &in, 0, 64, &bytes), 1);
	CU_ASSERT(have_come((7 + slots) & v->mask, first, 3, LONG_BYTES));
	close_world();
}

static void short_datagrams_are_not_aimed_at_slots(void)
{
	uint32_t bytes;

	open_world("on", "256");
	for (uint8_t i = 0; i < 6; i++) {
		send_train(0, (uint8_t)(1 + 3 * i), 3);
		CU_ASSERT_EQUAL(receive_batch(&receiver, &in, 0, 64, &bytes), 3);
		CU_ASSERT(receiver.batches[0].aim.pieces != 3);
	}
	close_world();
}

SUITE(trains, TEST(a_train_is_cut_into_the_datagrams_that_were_sent),
      TEST(a_train_that_does_not_fit_waits_and_its_class_with_it_but_no_other),
      TEST(a_successor_publishes_the_rest_of_a_train), TEST(with_full_drop_the_end_of_a_train_is_dropped_and_counted),
      TEST(a_socket_takes_trains_from_when_they_come), TEST(a_datagram_of_a_train_that_is_too_long_is_oversize),
      TEST(trains_that_are_like_the_last_ones_come_into_their_slots),
      TEST(trains_that_are_not_are_put_where_they_belong), TEST(what_came_into_slots_waits_there_for_room),
      TEST(a_train_that_finds_few_slots_free_goes_on_in_the_scratch), TEST(short_datagrams_are_not_aimed_at_slots))

/* copies.c - what becomes of each copy of a packet, and that it adds up for each destination at any instant. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "config/address.h"
#include "egress/copies.h"
#include "egress/limits.h"
#include "egress/send.h"
#include "shm/account.h"
#include "suites.h"

#define N_DESTS 3
#define BYTES 100
#define WIRE_BYTES (BYTES + IPV4_UDP_BYTES)
#define ARRIVED_NS NS_PER_S
#define NOW (ARRIVED_NS + 100 * NS_PER_US)
#define LATE_NS (ARRIVED_NS + NS_PER_MS + 1) /* the first class of the defaults has 1 ms */
#define COPY_WAIT_NS (2 * NS_PER_MS)

static struct stage stage;
static struct sender sender;
static struct edf_tally edf_tally;
static struct ingress_tally ingress_tally;
static uint64_t received, processed;

/* Without sockets: what a call did is said to copies_taken() and its like. */
static void open_copies(uint64_t destination_rate_bits_per_s)
{
	struct class_config *c = &stage.config.classes[0];
	char why[WHY_BYTES];

	memset(&stage, 0, sizeof(stage));
	memset(&sender, 0, sizeof(sender));
	memset(&ingress_tally, 0, sizeof(ingress_tally));
	received = processed = 0;
	config_defaults(&stage.config);
	stage.config.late = LATE_DROP;
	c->spread = SPREAD_COPY;
	c->n_dests = N_DESTS;
	c->dests[1] = c->dests[2] = c->dests[0];
	c->destination_rate_bits_per_s = destination_rate_bits_per_s;
	c->destination_burst_bytes = 2 * WIRE_BYTES;
	snprintf(stage.config.instance, sizeof(stage.config.instance), "unit-copies-%d", getpid());
	CU_ASSERT_EQUAL_FATAL(segment_create(&stage.seg, &stage.config, NULL, 0, why), 0);
	segment_remove(stage.config.instance);
	stage.blocks = stage.seg.shared->stages;
	stage.self = &stage.blocks[STAGE_EGRESS];
	sender.stage = sender.settled.stage = &stage;
	sender.journal = &stage.seg.shared->egress_journal;
	for (uint32_t i = 0; i < N_DESTS; i++)
		sender.outputs[0][i].overhead_bytes = IPV4_UDP_BYTES;
	settle_load(&sender.settled, 0);
	limits_open(&sender, NOW);
}

static void close_copies(void)
{
	segment_close(&stage.seg);
}

static void pass(uint32_t n, enum drop_reason drop)
{
	const struct lane_view *v = &stage.seg.views[0];

	for (uint32_t i = 0; i < n; i++) {
		uint32_t index = lane_index(v, processed, i);

		v->arrivals[index] = (struct arrival){ .arrived_at_ns = ARRIVED_NS, .len_bytes = BYTES };
		v->results[index] = (struct result){ .len_bytes = BYTES, .drop = (uint8_t)drop };
		/* an earlier lap's */
		v->departures[index] = (struct departure){ .drop = DROP_SEND_ERROR, .is_taken = 1 };
	}
	ingress_tally.read_pkts += n;
	if (drop != DROP_NONE)
		edf_tally.dropped_pkts[drop - FIRST_EDF_DROP] += n;
	received = lane_publish(v->lane, received, n, &ingress_tally);
	processed = lane_pass(v->lane, processed, n, &edf_tally);
}

/* As an observer sees it at any instant: the class and each destination add up. */
static struct account look(void)
{
	struct account a;

	CU_ASSERT_EQUAL_FATAL(account_read(&stage.seg, 0, &a), 0);
	CU_ASSERT_EQUAL(a.unbalanced_pkts, 0);
	CU_ASSERT_EQUAL(a.n_copies, N_DESTS);
	for (uint32_t i = 0; i < a.n_copies; i++)
		CU_ASSERT_EQUAL(a.copies[i].unbalanced_pkts, 0);
	return a;
}

/* The process is gone; a successor has what lies in the segment. */
static void die(void)
{
	memset(&sender.settled, 0, sizeof(sender.settled));
	memset(&sender.copying, 0, sizeof(sender.copying));
	sender.settled.stage = &stage;
	settle_load(&sender.settled, 0);
	copies_load(&sender, 0);
	limits_open(&sender, NOW);
}

static void a_packet_is_sent_once_each_destination_has_had_its_turn(void)
{
	open_copies(0);
	pass(2, DROP_NONE);
	send_shed(&sender, 0, NOW);
	for (uint32_t d = 0; d < N_DESTS; d++) {
		CU_ASSERT_EQUAL(sender_destination(&sender, 0), d);
		CU_ASSERT_EQUAL(look().sent_pkts, 0);
		CU_ASSERT_EQUAL(look().held_pkts, 2);
		CU_ASSERT_EQUAL(copies_taken(&sender, 0, 2, NOW), 2);
	}
	CU_ASSERT_EQUAL(look().sent_pkts, 2);
	CU_ASSERT_EQUAL(look().sent_bytes, 2 * BYTES);
	CU_ASSERT_EQUAL(look().held_pkts, 0);
	for (uint32_t d = 0; d < N_DESTS; d++)
		CU_ASSERT_EQUAL(look().copies[d].sent_bytes, 2 * BYTES);
	close_copies();
}

static void a_successor_goes_on_where_the_last_commit_was(void)
{
	open_copies(0);
	pass(3, DROP_NONE);
	send_shed(&sender, 0, NOW);
	copies_taken(&sender, 0, 3, NOW);
	copies_taken(&sender, 0, 1, NOW);
	sender.settled.copies[0].done_slots = 77; /* what it had not committed */
	die();
	CU_ASSERT_EQUAL(sender_destination(&sender, 0), 1);
	CU_ASSERT_EQUAL(sender_head(&sender, 0), 1);
	copies_taken(&sender, 0, 2, NOW);
	copies_taken(&sender, 0, 3, NOW);
	CU_ASSERT_EQUAL(look().sent_pkts, 3);
	for (uint32_t d = 0; d < N_DESTS; d++)
		CU_ASSERT_EQUAL(look().copies[d].sent_pkts, 3);
	close_copies();
}

static void what_is_late_is_decided_once_for_all_destinations(void)
{
	open_copies(0);
	pass(2, DROP_NONE);
	stage.seg.views[0].arrivals[1].arrived_at_ns -= NS_PER_MS; /* late now */
	send_shed(&sender, 0, NOW);
	copies_taken(&sender, 0, 1, NOW);
	send_shed(&sender, 0, LATE_NS); /* by now the first would be too */
	CU_ASSERT_EQUAL(look().dropped_pkts[DROP_LATE_EGRESS], 0);
	copies_taken(&sender, 0, 1, LATE_NS);
	copies_taken(&sender, 0, 1, LATE_NS);
	CU_ASSERT_EQUAL(look().sent_pkts, 1);
	send_shed(&sender, 0, LATE_NS);
	CU_ASSERT_EQUAL(look().dropped_pkts[DROP_LATE_EGRESS], 1);
	CU_ASSERT_EQUAL(look().copies[0].sent_pkts, 1);
	close_copies();
}

static void a_packet_was_sent_when_the_first_destination_had_it(void)
{
	open_copies(0);
	pass(1, DROP_NONE);
	send_shed(&sender, 0, NOW);
	copies_failed(&sender, 0, EPERM, NOW);
	copies_taken(&sender, 0, 1, NOW + 5000);
	copies_taken(&sender, 0, 1, NOW + NS_PER_S);
	CU_ASSERT_EQUAL(look().latency_sum_ns, NOW + 5000 - ARRIVED_NS);
	CU_ASSERT_EQUAL(look().sent_late_pkts, 0);
	close_copies();
}

static void a_packet_that_no_destination_has_is_dropped_under_the_last_errno(void)
{
	struct account a;

	open_copies(0);
	pass(2, DROP_NONE);
	send_shed(&sender, 0, NOW);
	copies_failed(&sender, 0, EPERM, NOW);
	copies_taken(&sender, 0, 1, NOW);
	copies_failed(&sender, 0, EACCES, NOW);
	copies_failed(&sender, 0, EPERM, NOW);
	copies_failed(&sender, 0, EMSGSIZE, NOW);
	CU_ASSERT_EQUAL(look().held_pkts, 2);
	copies_failed(&sender, 0, EACCES, NOW);
	a = look();
	CU_ASSERT_EQUAL(a.sent_pkts, 1);
	CU_ASSERT_EQUAL(a.dropped_pkts[DROP_SEND_ERROR], 1);
	CU_ASSERT_EQUAL(a.send_errno[0], EMSGSIZE);
	CU_ASSERT_EQUAL(a.copies[0].error_pkts, 1);
	CU_ASSERT_EQUAL(a.copies[0].last_errno, EPERM);
	CU_ASSERT_EQUAL(a.copies[1].error_pkts, 2);
	CU_ASSERT_EQUAL(a.copies[2].error_pkts, 2);
	close_copies();
}

static void where_there_is_no_way_one_call_tells_of_the_whole_batch(void)
{
	open_copies(0);
	pass(5, DROP_NONE);
	send_shed(&sender, 0, NOW);
	copies_taken(&sender, 0, 2, NOW);
	copies_failed(&sender, 0, ENETUNREACH, NOW);
	CU_ASSERT_EQUAL(sender_destination(&sender, 0), 1);
	copies_taken(&sender, 0, 5, NOW);
	copies_taken(&sender, 0, 5, NOW);
	CU_ASSERT_EQUAL(look().sent_pkts, 5);
	CU_ASSERT_EQUAL(look().copies[0].sent_pkts, 2);
	CU_ASSERT_EQUAL(look().copies[0].error_pkts, 3);
	close_copies();
}

/* How long it is waited for in all; -1: for ever. */
static int64_t waits_for_room(uint64_t now)
{
	uint64_t began_at_ns = now;

	while (copies_refused(&sender, 0, ENOBUFS, now)) {
		CU_ASSERT_FATAL(sender.retry_at_ns[0] > now);
		now = sender.retry_at_ns[0];
		if (now > began_at_ns + NS_PER_S)
			return -1;
	}
	sender.retry_at_ns[0] = 0;
	return (int64_t)(now - began_at_ns);
}

static void give_to_the_others(uint64_t now)
{
	copies_taken(&sender, 0, 1, now);
	copies_taken(&sender, 0, 1, now);
	pass(1, DROP_NONE);
	send_shed(&sender, 0, now);
}

static void a_full_buffer_holds_up_the_others_for_copy_wait_and_not_again_until_it_has_had_room(void)
{
	uint64_t now = NOW;

	open_copies(0);
	stage.config.late = LATE_SEND;
	pass(1, DROP_NONE);
	send_shed(&sender, 0, now);
	CU_ASSERT_EQUAL(waits_for_room(now), COPY_WAIT_NS);
	CU_ASSERT_EQUAL(sender_destination(&sender, 0), 1);
	give_to_the_others(now += COPY_WAIT_NS);
	for (int i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(waits_for_room(now), 0);
		give_to_the_others(now += COPY_HURRY_NS - 1);
	}
	CU_ASSERT_EQUAL(look().copies[0].skipped_pkts[SKIP_FULL], 4);
	CU_ASSERT_EQUAL(look().sent_pkts, 4);
	CU_ASSERT_EQUAL(waits_for_room(now + 2), COPY_WAIT_NS);
	CU_ASSERT(look().send_waits > 0);
	close_copies();
}

/* Not for each time that it finds none. */
static void a_slow_destination_holds_up_a_batch_for_copy_wait_in_all(void)
{
	int64_t waited_ns;

	open_copies(0);
	stage.config.late = LATE_SEND;
	pass(3, DROP_NONE);
	send_shed(&sender, 0, NOW);
	CU_ASSERT(copies_refused(&sender, 0, EAGAIN, NOW));
	copies_taken(&sender, 0, 1, NOW + NS_PER_MS);
	waited_ns = waits_for_room(NOW + NS_PER_MS);
	CU_ASSERT_EQUAL(waited_ns, COPY_WAIT_NS - NS_PER_MS);
	CU_ASSERT_EQUAL(sender.settled.copies[0].to[0].batch.skipped_pkts[SKIP_FULL], 2);
	CU_ASSERT_EQUAL(sender.settled.copies[0].to[0].batch.sent_pkts, 1);
	close_copies();
}

static void a_copy_beyond_the_rate_is_skipped_for_that_destination_alone(void)
{
	open_copies(8 * NS_PER_S / NS_PER_MS * WIRE_BYTES); /* a packet each ms, two at once */
	stage.config.late = LATE_SEND;
	pass(3, DROP_NONE);
	limits_charge(&sender, 0, 1, WIRE_BYTES, NOW); /* the second has had one just now */
	send_shed(&sender, 0, NOW);
	for (uint32_t d = 0; d < N_DESTS; d++) {
		uint32_t n = d == 1 ? 1 : 2;

		CU_ASSERT_EQUAL(sender_destination(&sender, 0), d);
		CU_ASSERT_EQUAL(limits_allow_bytes(&sender, 0, NOW), n * WIRE_BYTES);
		CU_ASSERT_EQUAL(limits_next_ns(&sender, 0, WIRE_BYTES, NOW), NOW);
		limits_charge(&sender, 0, limits_note(&sender, 0, n * WIRE_BYTES, NOW), n * WIRE_BYTES, NOW);
		copies_taken(&sender, 0, n, NOW);
		send_shed(&sender, 0, NOW);
	}
	CU_ASSERT_EQUAL(look().sent_pkts, 2);
	CU_ASSERT_EQUAL(look().copies[0].skipped_pkts[SKIP_RATE], 1);
	CU_ASSERT_EQUAL(look().copies[1].skipped_pkts[SKIP_RATE], 2);
	CU_ASSERT_EQUAL(look().dropped_pkts[DROP_SEND_ERROR], 1); /* the third, which nobody has */
	CU_ASSERT_EQUAL(look().send_errno[0], EDQUOT);
	close_copies();
}

static void what_a_stage_before_dropped_is_no_copy_of_anybodys(void)
{
	open_copies(0);
	pass(1, DROP_NONE);
	pass(2, DROP_EVICTED);
	pass(1, DROP_NONE);
	pass(1, DROP_EVICTED);
	send_shed(&sender, 0, NOW);
	CU_ASSERT_EQUAL(sender.settled.copies[0].batch_slots, 4);
	for (uint32_t d = 0; d < N_DESTS; d++) {
		copies_taken(&sender, 0, 3, NOW); /* as released[] has it: with what lies behind the message */
		copies_taken(&sender, 0, 1, NOW);
	}
	send_shed(&sender, 0, NOW);
	CU_ASSERT_EQUAL(look().sent_pkts, 2);
	CU_ASSERT_EQUAL(look().held_pkts, 0);
	CU_ASSERT_EQUAL(look().copies[2].sent_pkts, 2);
	close_copies();
}

/* Aborts, which here is a process of its own. */
static int is_refused(uint64_t batch_slots, uint64_t done_slots, uint64_t destination)
{
	struct copies_tally *t = &sender.settled.copies[0];
	int status = 0;
	pid_t pid;

	t->batch_slots = batch_slots;
	t->done_slots = done_slots;
	t->destination = destination;
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		close(STDERR_FILENO);
		copies_load(&sender, 0);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void what_cannot_be_of_a_batch_is_not_believed(void)
{
	open_copies(0);
	pass(3, DROP_NONE);
	CU_ASSERT(!is_refused(0, 0, 0));
	CU_ASSERT(!is_refused(3, 2, 2));
	CU_ASSERT(is_refused(4, 0, 0));
	CU_ASSERT(is_refused(3, 3, 0));
	CU_ASSERT(is_refused(0, 1, 0));
	CU_ASSERT(is_refused(3, 0, N_DESTS));
	CU_ASSERT(is_refused(UINT64_MAX, 0, 0));
	close_copies();
}

SUITE(copies, TEST(a_packet_is_sent_once_each_destination_has_had_its_turn),
      TEST(a_successor_goes_on_where_the_last_commit_was), TEST(what_is_late_is_decided_once_for_all_destinations),
      TEST(a_packet_was_sent_when_the_first_destination_had_it),
      TEST(a_packet_that_no_destination_has_is_dropped_under_the_last_errno),
      TEST(where_there_is_no_way_one_call_tells_of_the_whole_batch),
      TEST(a_full_buffer_holds_up_the_others_for_copy_wait_and_not_again_until_it_has_had_room),
      TEST(a_slow_destination_holds_up_a_batch_for_copy_wait_in_all),
      TEST(a_copy_beyond_the_rate_is_skipped_for_that_destination_alone),
      TEST(what_a_stage_before_dropped_is_no_copy_of_anybodys), TEST(what_cannot_be_of_a_batch_is_not_believed))

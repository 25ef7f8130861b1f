/* sessions.c - sessions on real sockets: what comes to them, and what must not reach the next sender. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ingress/refusals.h"
#include "harness/emulated.h"
#include "session_world.h"
#include "shm/journal.h"
#include "stage/icmp.h"

#define SENDERS 400
#define APART_NS (3 * NS_PER_S) /* a port rests for a minute */

static int has_datagram(int fd)
{
	char byte;

	return recv(fd, &byte, sizeof(byte), MSG_DONTWAIT | MSG_PEEK) >= 0 || errno != EAGAIN;
}

static uint64_t strays(void)
{
	return atomic_load_explicit(&stage.seg.views[0].lane->stray_pkts, memory_order_relaxed);
}

static void say_to(int fd, uint32_t n)
{
	struct sockaddr_in at;
	socklen_t len = sizeof(at);

	CU_ASSERT_EQUAL_FATAL(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	while (n--)
		CU_ASSERT_EQUAL(sendto(server_fd, "x", 1, 0, (struct sockaddr *)&at, len), 1);
}

/* As a predecessor leaves it that dies when it has connected the socket of a session that is free yet. */
static void leave_half_made(int k)
{
	CU_ASSERT_EQUAL_FATAL(connect(fd_of(k), (struct sockaddr *)&server_at, sizeof(server_at)), 0);
}

static void what_lay_in_the_socket_is_not_the_next_senders(void)
{
	open_world(2, "any");
	leave_half_made(0);
	say_to(fd_of(0), 3);
	CU_ASSERT_EQUAL(find(1, NS_PER_S), 0);
	CU_ASSERT(!has_datagram(fd_of(0)));
	CU_ASSERT_EQUAL(strays(), 3);
	close_world();
}

static void an_error_in_the_socket_does_not_hide_what_lies_behind_it(void)
{
	open_world(1, "any");
	leave_half_made(0);
	say_to(fd_of(0), 2);
	close(server_fd);
	CU_ASSERT_EQUAL(send(fd_of(0), "x", 1, 0), 1); /* refused: the next call is told */
	CU_ASSERT_EQUAL(find(1, NS_PER_S), 0);
	CU_ASSERT(!has_datagram(fd_of(0)));
	CU_ASSERT_EQUAL(strays(), 2);
	server_fd = -1;
	close_world();
}

static void what_comes_to_a_free_session_wakes_nobody_twice(void)
{
	open_world(2, "any");
	leave_half_made(1);
	say_to(fd_of(1), 2);
	CU_ASSERT_EQUAL(sessions_next(&sessions), -1);
	CU_ASSERT_EQUAL(strays(), 2);
	CU_ASSERT_EQUAL(session_port(fd_of(1)), 0);
	close_world();
}

static void without_a_way_a_session_has_no_port_that_strangers_could_write_to(void)
{
	struct address *to = &stage.config.classes[0].dests[0];

	open_world(1, "any");
	((struct sockaddr_in *)&to->at)->sin_addr.s_addr = htonl(INADDR_BROADCAST); /* EACCES without SO_BROADCAST */
	CU_ASSERT_EQUAL(find(1, NS_PER_S), 0);
	CU_ASSERT_EQUAL(session_port(fd_of(0)), 0);
	close_world();
}

static void sockets_with_more_than_a_batch_are_read_in_turn(void)
{
	int first, other;

	open_world(3, "any");
	for (uint32_t i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(find(i, NS_PER_S), (int)i);
	say_to(fd_of(0), 1);
	say_to(fd_of(2), 1);
	first = sessions_next(&sessions);
	CU_ASSERT(first == 0 || first == 2);
	CU_ASSERT_EQUAL(sessions_read(&sessions, 0), 0); /* it has more */
	other = sessions_next(&sessions);
	CU_ASSERT_EQUAL(other, 2 - first);
	CU_ASSERT_EQUAL(sessions_read(&sessions, 1), 0); /* the first one still has */
	CU_ASSERT(sessions_next(&sessions) >= 0);
	close_world();
}

static void all_sockets_read_to_their_end_have_no_more(void)
{
	char byte;

	open_world(2, "any");
	CU_ASSERT_EQUAL(find(1, NS_PER_S), 0);
	say_to(fd_of(0), 1);
	CU_ASSERT_EQUAL(sessions_next(&sessions), 0);
	CU_ASSERT_EQUAL(recv(fd_of(0), &byte, 1, 0), 1);
	CU_ASSERT_EQUAL(sessions_read(&sessions, 1), 1);
	CU_ASSERT_EQUAL(sessions_next(&sessions), -1);
	close_world();
}

/* Sessions end one after the other. How often does a new one have a port of the last `most`? */
static uint32_t ports_met_again(uint32_t most, int dies)
{
	static in_port_t ports[SENDERS];
	uint32_t again = 0;

	stage.config.classes[0].idle_unanswered_ns = 0;
	for (uint32_t i = 0; i < SENDERS; i++) {
		uint64_t now = (i + 1) * APART_NS;
		int k = find(i, now);

		CU_ASSERT_FATAL(k >= 0);
		ports[i] = session_port(fd_of(k));
		for (uint32_t j = i > most ? i - most : 0; j < i; j++)
			again += ports[j] == ports[i];
		sessions_end_idle(&sessions, now);
		if (dies)
			open_again();
	}
	return again;
}

static int has_port_range(void)
{
	uint32_t range = 40000 | 40063u << 16;
	int fd = socket(AF_INET, SOCK_DGRAM, 0), has = setsockopt(fd, SOL_IP, 51, &range, sizeof(range)) == 0;

	close(fd);
	return has;
}

/*
 * Of 64 ports at random, the last 19 would be met 119 times in 400. With a third of them resting, 9 tries are enough.
 */
static void a_port_that_was_given_up_rests(void)
{
	if (!has_port_range())
		SKIP("no range of ports can be given here (Linux 6.3)");
	open_world(2, "41000-41063");
	CU_ASSERT(ports_met_again(19, 0) <= 2);
	close_world();
	open_world(MOST, "41000-41063");
	CU_ASSERT(ports_met_again(19, 1) <= 2);
	close_world();
}

static void one_address_has_so_many_sessions_and_another_one_others(void)
{
	static const uint8_t local[16];

	open_world(4, "any");
	for (uint16_t i = 0; i < 3; i++) {
		struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr = { 1 }, .sin_port = i };
		struct sockaddr_in6 at = { 0 };
		const struct sender_address from = { &at, local, 0, 0, 0 };

		memcpy(&at, &v4, sizeof(v4));
		CU_ASSERT_EQUAL(sessions_find(&sessions, &from, 1, NS_PER_S), i < 2 ? i : -1);
	}
	CU_ASSERT_EQUAL(find(9, NS_PER_S), 2);
	stage.config.classes[0].sessions_per_source = 1; /* a reload: those that are open stay */
	CU_ASSERT_EQUAL(find(9, NS_PER_S), 2);
	CU_ASSERT_EQUAL(find(10, NS_PER_S), 3);
	CU_ASSERT_EQUAL(find(11, NS_PER_S), -1);
	close_world();
}

/* What a process does that dies at the end of the call, or behind the count. */
static void take_and_die(int is_counted)
{
	struct stray_journal *j = &stage.seg.shared->stray_journal;
	struct lane *lane = stage.seg.views[0].lane;

	j->msg.msg_hdr = (struct msghdr){ 0 };
	journal_open(&j->word, &j->msg, 0, 1, strays() << COUNT_SHIFT);
	CU_ASSERT_EQUAL(recvmmsg(fd_of(0), &j->msg, 1, MSG_DONTWAIT | MSG_TRUNC, NULL), 1);
	atomic_fetch_add_explicit(&lane->stray_pkts, (uint64_t)is_counted, memory_order_relaxed);
}

static void what_a_process_dropped_is_counted_once_wherever_it_dies(void)
{
	if (is_emulated())
		SKIP("an emulator does not pass on all that a kernel says");
	open_world(1, "any");
	leave_half_made(0);
	say_to(fd_of(0), 3);
	take_and_die(0);
	sessions_count_stray(&stage);
	sessions_count_stray(&stage);
	CU_ASSERT_EQUAL(strays(), 1);
	take_and_die(1);
	sessions_count_stray(&stage);
	CU_ASSERT_EQUAL(strays(), 2);
	CU_ASSERT_EQUAL(find(1, NS_PER_S), 0);
	CU_ASSERT_EQUAL(strays(), 3);
	sessions_count_stray(&stage);
	CU_ASSERT_EQUAL(strays(), 3);
	close_world();
}

/* Egress and ingress have one socket: a read is told of an error that egress takes out of the queue first. */
static void an_icmp_error_that_egress_has_counted_is_not_counted_again(void)
{
	static struct receiver receiver;
	char byte;

	if (is_emulated())
		SKIP("an emulator does not pass on all that a kernel says");
	open_world(1, "any");
	stage.blocks = stage.seg.shared->stages;
	stage.self = &stage.blocks[STAGE_INGRESS];
	memset(&receiver, 0, sizeof(receiver));
	receiver.stage = &stage;
	receiver.back[1] = &sessions;
	CU_ASSERT_EQUAL(find(1, NS_PER_S), 0);
	icmp_ask(fd_of(0), AF_INET, 1);
	close(server_fd);
	CU_ASSERT_EQUAL(send(fd_of(0), "x", 1, 0), 1);
	CU_ASSERT_EQUAL(recv(fd_of(0), &byte, 1, MSG_DONTWAIT), -1);
	CU_ASSERT_EQUAL(errno, ECONNREFUSED);
	CU_ASSERT_EQUAL(icmp_take(fd_of(0)), 1);
	CU_ASSERT_EQUAL(refusals_explain(&receiver, 1, fd_of(0), ECONNREFUSED), 1);
	CU_ASSERT_EQUAL(receiver.tally[0].refused_events, 0);
	CU_ASSERT_EQUAL(send(fd_of(0), "x", 1, 0), 1);
	CU_ASSERT_EQUAL(recv(fd_of(0), &byte, 1, MSG_DONTWAIT), -1);
	CU_ASSERT_EQUAL(refusals_explain(&receiver, 1, fd_of(0), ECONNREFUSED), 1);
	CU_ASSERT_EQUAL(receiver.tally[0].refused_events, 1);
	server_fd = -1;
	close_world();
}

/* A destination sees the address of a sender, and not the link that this is of. */
static void a_link_local_sender_that_is_shown_is_answered_and_its_twin_on_another_link_refused(void)
{
	static const uint8_t local[16];
	struct sockaddr_in6 at = { .sin6_family = AF_INET6,
				   .sin6_addr = { { { 0xfe, 0x80, [15] = 7 } } },
				   .sin6_port = 9 };
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_addr = { { { 0xfd, [15] = 1 } } }, .sin6_port = 5 };
	const struct sender_address from = { &at, local, 0, 0, 0 };

	open_world(2, "any");
	memcpy(&stage.config.classes[0].dests[0].at, &to, sizeof(to));
	sessions.is_by_sender = sessions.has_one_socket = 1;
	at.sin6_scope_id = 2;
	CU_ASSERT_EQUAL(sessions_find(&sessions, &from, 1, NS_PER_S), 0);
	CU_ASSERT_EQUAL(sessions_find_back(&sessions, at.sin6_addr.s6_addr, at.sin6_port, &to), 0);
	at.sin6_scope_id = 3;
	CU_ASSERT_EQUAL(sessions_find(&sessions, &from, 1, NS_PER_S), -1);
	at.sin6_scope_id = 2;
	CU_ASSERT_EQUAL(sessions_find(&sessions, &from, 1, NS_PER_S), 0);
	sessions.has_one_socket = 0;
	close_world();
}

SUITE(sessions, TEST(what_lay_in_the_socket_is_not_the_next_senders),
      TEST(an_error_in_the_socket_does_not_hide_what_lies_behind_it),
      TEST(what_comes_to_a_free_session_wakes_nobody_twice),
      TEST(without_a_way_a_session_has_no_port_that_strangers_could_write_to),
      TEST(sockets_with_more_than_a_batch_are_read_in_turn), TEST(all_sockets_read_to_their_end_have_no_more),
      TEST(a_port_that_was_given_up_rests), TEST(one_address_has_so_many_sessions_and_another_one_others),
      TEST(what_a_process_dropped_is_counted_once_wherever_it_dies),
      TEST(an_icmp_error_that_egress_has_counted_is_not_counted_again),
      TEST(a_link_local_sender_that_is_shown_is_answered_and_its_twin_on_another_link_refused))
